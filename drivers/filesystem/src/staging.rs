//! Where bytes wait until they are published: `~/live` below the root, a directory for each driver value.
//!
//! `~` stands in no storage path, so nothing in here can be listed or read. A driver holds the lock of its own directory as
//! long as it lives; the kernel lets go of it when the process dies. So a later driver knows which directories nobody will
//! come back to, and removes them.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::SystemTime;

use driver_api::{Error, ErrorKind, Result};
use rustix::io::Errno;

use crate::errors::{Attempt, is, is_absent, present};
use crate::store::Store;
use crate::system_calls::{Access, Place, SystemCalls};

/// The directory below the root that holds all that is not published.
pub(crate) const AREA: &str = "~";
const LIVE: &str = "~/live";
const LOCK: &str = "lock";
/// The lock's name in another case: where it leads to the lock as well, the file system folds cases.
const LOCK_IN_CAPITALS: &str = "LOCK";

/// The staging directory of one driver value.
#[derive(Debug)]
pub(crate) struct Staging<S: SystemCalls> {
    pub(crate) root: Arc<S::Directory>,
    directory: S::Directory,
    /// The directory's name; no other driver value has or had it.
    instance: String,
    next: AtomicU64,
    /// Held, never used: its lock says that this driver value lives.
    _lock: S::File,
}

impl<S: SystemCalls> Staging<S> {
    /// A name that nothing else has, in any staging directory.
    pub(crate) fn unique_name(&self) -> String {
        format!("{}.{}", self.instance, self.name_here())
    }

    /// A name that nothing else has or had in this staging directory.
    fn name_here(&self) -> String {
        format!("{:x}", self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// The driver value that made a [`unique_name`](Staging::unique_name).
fn instance_of(unique_name: &str) -> Option<&str> {
    unique_name.rsplit_once('.').map(|(instance, _)| instance)
}

/// A file that is written and not published yet. Dropping it removes it, unless it was published.
#[derive(Debug)]
pub(crate) struct Partial<S: SystemCalls> {
    store: Arc<Store<S>>,
    pub(crate) staging: Arc<Staging<S>>,
    name: String,
    file: Option<S::File>,
    published: bool,
}

impl<S: SystemCalls> Partial<S> {
    pub(crate) fn create(store: &Arc<Store<S>>) -> Result<Self> {
        let staging = store.staging()?;
        match Self::create_in(store, staging) {
            // Somebody removed the root, or the staging area, under the running driver: begin anew.
            Err(error) if is(&error, &[Errno::NOENT]) => {
                store.forget_staging();
                Self::create_in(store, store.staging()?)
            }
            answer => answer,
        }
        .trying_to("create a file in the staging area")
    }

    fn create_in(store: &Arc<Store<S>>, staging: Arc<Staging<S>>) -> io::Result<Self> {
        let name = staging.name_here();
        let file = store.system.create_file(Place::new(&staging.directory, &name))?;
        Ok(Self { store: Arc::clone(store), staging, name, file: Some(file), published: false })
    }

    /// The open file.
    pub(crate) fn file(&self) -> Result<&S::File> {
        self.file.as_ref().ok_or_else(|| Error::new(ErrorKind::Other, "the file was closed before it was published"))
    }

    /// Closes the file, and tells what only the close brings to light (a full disk behind a network file system).
    pub(crate) fn close(&mut self) -> Result<()> {
        self.file.take().map_or(Ok(()), |file| self.store.system.close(file)).trying_to("close the file")
    }

    /// Opens the file again if it was closed for a publication that failed.
    pub(crate) fn reopen(&mut self) -> Result<()> {
        if self.file.is_none() {
            let opened = self.store.system.open_file(&self.staging.directory, Path::new(&self.name), Access::Write);
            let opened = present(opened).trying_to("open the file again")?;
            self.file = Some(opened.ok_or_else(removed_from_staging)?);
        }
        Ok(())
    }

    pub(crate) fn place(&self) -> Place<'_, S::Directory> {
        Place::new(&self.staging.directory, &self.name)
    }

    /// Says that the file has got another name, under which it is to stay.
    pub(crate) fn published(&mut self) {
        self.published = true;
    }
}

/// The error of a write whose staging file somebody removed.
pub(crate) fn removed_from_staging() -> Error {
    Error::new(
        ErrorKind::Unavailable,
        "somebody removed the file from the staging area before it was published; try again",
    )
}

impl<S: SystemCalls> Drop for Partial<S> {
    fn drop(&mut self) {
        if !self.published {
            // What is left in spite of this is removed when this driver value is gone.
            let _ = self.store.system.remove_file(self.place());
        }
    }
}

/// Who a staging directory belongs to.
enum Owner<S: SystemCalls> {
    /// A driver value that lives.
    Lives,
    /// One that is gone: its lock, which is now ours.
    Gone(S::File),
    /// There is no lock. The driver just begins, or is gone; the lock's name may have been lost in a power cut. Whoever makes the
    /// lock decides it.
    Unknown,
}

impl<S: SystemCalls> Store<S> {
    /// The staging directory of this driver value, which begins at its first write.
    pub(crate) fn staging(&self) -> Result<Arc<Staging<S>>> {
        if let Some(staging) = &*self.staging.read() {
            return Ok(Arc::clone(staging));
        }
        let mut slot = self.staging.write();
        if let Some(staging) = &*slot {
            return Ok(Arc::clone(staging));
        }
        let begun = match self.begin_staging() {
            Err(error) if error.is_not_found() => {
                self.forget_root();
                self.begin_staging()
            }
            answer => answer,
        };
        Ok(Arc::clone(slot.insert(Arc::new(begun?))))
    }

    fn forget_staging(&self) {
        *self.staging.write() = None;
        self.forget_root();
    }

    fn begin_staging(&self) -> Result<Staging<S>> {
        let root = self.make_root()?;
        let live = self.make_directories(&root, LIVE).trying_to("make the staging area")?;
        let (instance, directory, lock) = self.begin_instance(&live)?;
        if self.system.status_at(&directory, Path::new(LOCK_IN_CAPITALS)).is_ok() {
            let _ = self.remove_instance(&live, &instance);
            return Err(Error::new(
                ErrorKind::Misconfigured,
                "the root directory is on a file system that does not tell upper from lower case; choose another, because \
                 `/a` and `/A` are two files here",
            ));
        }
        // What can't be removed now, a directory of another user perhaps, is no reason not to write.
        let _ = self.sweep_dead_instances(&live, &instance);
        Ok(Staging { root, directory, instance, next: AtomicU64::new(0), _lock: lock })
    }

    fn begin_instance(&self, live: &S::Directory) -> Result<(String, S::Directory, S::File)> {
        let since_epoch = self.system.now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        for attempt in 0..crate::tree::MOST_ATTEMPTS {
            let instance = format!("{}-{:x}-{attempt}", std::process::id(), since_epoch.as_nanos());
            match self.system.make_directory(Place::new(live, &instance)) {
                Err(error) if is(&error, &[Errno::EXIST]) => continue,
                answer => answer.trying_to("make a staging directory")?,
            }
            if let Some((directory, lock)) =
                self.lock_instance(live, &instance).trying_to("lock a staging directory")?
            {
                return Ok((instance, directory, lock));
            }
        }
        Err(crate::errors::contended())
    }

    /// Locks a new staging directory; none where a sweep of another driver was quicker and took it for a dead one's.
    fn lock_instance(&self, live: &S::Directory, instance: &str) -> io::Result<Option<(S::Directory, S::File)>> {
        let Some(lock) = self.claim(live, instance)? else { return Ok(None) };
        let lock_it = || {
            let directory = self.open_directory(live, instance)?;
            let named = self.system.status_at(live, &Path::new(instance).join(LOCK))?;
            let still_named = named.id == self.system.file_status(&lock)?.id;
            Ok(still_named.then_some(directory))
        };
        match lock_it() {
            Err(error) if is(&error, &[Errno::NOENT]) => Ok(None),
            answer => Ok(answer?.map(|directory| (directory, lock))),
        }
    }

    /// Removes the staging directories of drivers that are gone; how many. Goes on after an error, and tells the last.
    fn sweep_dead_instances(&self, live: &S::Directory, own: &str) -> io::Result<u64> {
        let mut swept = Ok(0);
        for name in self.names_in(live)?.iter().filter_map(|name| name.to_str()).filter(|name| *name != own) {
            let lock = self.owner(live, name).and_then(|owner| match owner {
                Owner::Lives => Ok(None),
                Owner::Gone(lock) => Ok(Some(lock)),
                Owner::Unknown => self.claim(live, name),
            });
            match lock.and_then(|lock| lock.map(|_held| self.remove_instance(live, name)).transpose()) {
                Ok(removed) => swept = swept.map(|count| count + u64::from(removed.is_some())),
                Err(error) => swept = Err(error),
            }
        }
        swept
    }

    /// Makes the lock that a staging directory is without, and takes it; none where somebody else did, or removed the directory.
    fn claim(&self, live: &S::Directory, instance: &str) -> io::Result<Option<S::File>> {
        let claimed = || {
            let directory = self.open_directory(live, instance)?;
            let lock = self.system.create_file(Place::new(&directory, LOCK))?;
            Ok(self.system.lock(&lock)?.then_some(lock))
        };
        match claimed() {
            Err(error) if is(&error, &[Errno::NOENT, Errno::EXIST]) => Ok(None),
            answer => answer,
        }
    }

    fn owner(&self, live: &S::Directory, instance: &str) -> io::Result<Owner<S>> {
        match self.system.open_file(live, &Path::new(instance).join(LOCK), Access::Write) {
            Ok(lock) => Ok(if self.system.lock(&lock)? { Owner::Gone(lock) } else { Owner::Lives }),
            Err(error) if is_absent(&error) => Ok(Owner::Unknown),
            Err(error) => Err(error),
        }
    }

    /// Removes a staging directory, its lock last: until then no other sweep takes it for one that just begins. What can't
    /// be removed stays for the next sweep.
    fn remove_instance(&self, live: &S::Directory, instance: &str) -> io::Result<()> {
        let directory = self.open_directory(live, instance)?;
        for name in self.names_in(&directory)?.iter().filter(|name| *name != LOCK) {
            self.system.remove_file(Place::new(&directory, name))?;
        }
        self.system.remove_file(Place::new(&directory, LOCK))?;
        self.system.remove_directory(Place::new(live, instance))
    }

    /// Removes what drivers that are gone left in the staging area; how many there were.
    pub(crate) fn sweep_staging(&self) -> Result<u64> {
        let staging = self.staging()?;
        let live = self.make_directories(&staging.root, LIVE).trying_to("open the staging area")?;
        self.sweep_dead_instances(&live, &staging.instance).trying_to("sweep the staging area")
    }

    /// How many drivers that are gone left staged files.
    pub(crate) fn dead_with_staged_files(&self, root: &S::Directory) -> io::Result<u64> {
        let Some(live) = present(self.open_directory(root, LIVE))? else { return Ok(0) };
        let own = self.staging.read().as_ref().map(|own| own.instance.clone());
        let mut dead = 0;
        for name in self.names_in(&live)?.iter().filter_map(|name| name.to_str()) {
            if own.as_deref() != Some(name)
                && let Some(directory) = present(self.open_directory(&live, name))?
                && self.names_in(&directory)?.iter().any(|staged| staged != LOCK)
                && !matches!(self.owner(&live, name)?, Owner::Lives)
            {
                dead += 1;
            }
        }
        Ok(dead)
    }

    /// Whether the driver that made `unique_name` is gone.
    pub(crate) fn is_left_by_the_dead(&self, root: &S::Directory, unique_name: &str) -> io::Result<bool> {
        let Some(instance) = instance_of(unique_name) else { return Ok(false) };
        if self.staging.read().as_ref().is_some_and(|own| own.instance == instance) {
            return Ok(false);
        }
        match self.open_directory(root, LIVE) {
            Ok(live) => Ok(!matches!(self.owner(&live, instance)?, Owner::Lives)),
            Err(error) if is_absent(&error) => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// All names in a directory.
    pub(crate) fn names_in(&self, directory: &S::Directory) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        self.system.read_directory(directory, &mut |name, _| {
            names.push(name.to_owned());
            ControlFlow::Continue(())
        })?;
        Ok(names)
    }
}
