//! Kept sessions: writes that were closed without a commit, at `~/kept/<path>/~<size>.<unique>` below the root.
//!
//! The size is in the name because the length of the file is more than what was kept as soon as somebody goes on writing,
//! and after a loss of power the bytes behind may be anything. The unique part makes a rename or a removal mean one session:
//! if the name is gone, somebody else discarded or replaced it. Whoever continues a session holds the lock of its file.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use driver_api::{Error, ErrorKind, Result, StoragePath, Unfinished, is_valid_component};
use rustix::io::Errno;

use crate::departures::wait_for_departure;
use crate::errors::{Attempt, after_the_fact, contended, is, is_absent, present};
use crate::staging::{Partial, removed_from_staging};
use crate::store::Store;
use crate::system_calls::{Access, FileId, Kind, Place, SystemCalls};
use crate::tree::{MOST_ATTEMPTS, join};

/// The directory below the root that holds all kept sessions.
pub(crate) const AREA: &str = "~/kept";

/// The directory, relative to the root, that holds the session kept at `path` and those kept below it.
pub(crate) fn directory_of(path: &StoragePath) -> String {
    join(AREA, path.relative())
}

/// A kept session that this driver value continues; the lock of its file is held.
#[derive(Debug)]
pub(crate) struct Resumed<S: SystemCalls> {
    pub(crate) root: Arc<S::Directory>,
    directory: S::Directory,
    relative: String,
    name: String,
    pub(crate) file: S::File,
    /// Which file it is; renames don't alter it.
    pub(crate) id: FileId,
    /// How many bytes are kept.
    pub(crate) size: u64,
}

/// The name of a kept session's file.
struct KeptName {
    name: String,
    size: u64,
}

impl KeptName {
    fn text(size: u64, unique_name: &str) -> String {
        format!("~{size}.{unique_name}")
    }

    fn parse(name: &str) -> Option<Self> {
        let size = name.strip_prefix('~')?.split_once('.')?.0.parse().ok()?;
        Some(Self { name: name.to_owned(), size })
    }
}

impl<S: SystemCalls> Store<S> {
    /// Keeps a new session of `size` bytes at `path`; what was kept there before goes.
    pub(crate) fn keep(&self, path: &StoragePath, partial: &mut Partial<S>, size: u64) -> Result<()> {
        let relative = directory_of(path);
        let root = Arc::clone(&partial.staging.root);
        let name = KeptName::text(size, &partial.staging.unique_name());
        for _ in 0..MOST_ATTEMPTS {
            let directory = self.make_directories(&root, &relative).trying_to("make the session's directory")?;
            self.settle_directory(&root, &relative, &directory)
                .trying_to("bring the session's directory to the disk")?;
            // Looked up before the new name is there: of two that are kept at once, at least one stays.
            let earlier = self.kept_in(&directory).trying_to("look for an earlier session")?;
            match self.system.rename(partial.place(), Place::new(&directory, &name)) {
                Err(error) if is(&error, &[Errno::NOENT]) => {
                    if let Err(error) =
                        self.system.status_at(partial.place().directory, Path::new(partial.place().name))
                        && is_absent(&error)
                    {
                        return Err(removed_from_staging());
                    }
                    continue;
                }
                answer => answer.trying_to("keep the session")?,
            }
            partial.published();
            self.sync_names(&directory)
                .map_err(|error| after_the_fact("bring the session's name to the disk", error))?;
            // If their removal is lost with the power, the latest is the one that is resumed.
            for session in &earlier {
                let _ = self.system.remove_file(Place::new(&directory, &session.name));
            }
            return Ok(());
        }
        Err(contended())
    }

    /// Keeps the session on, with what was written since.
    pub(crate) fn keep_on(&self, resumed: &mut Resumed<S>, size: u64) -> Result<()> {
        let unique_name = resumed.name.split_once('.').map_or("", |(_, unique_name)| unique_name);
        let name = KeptName::text(size, unique_name);
        match self.system.rename(resumed.place(), Place::new(&resumed.directory, &name)) {
            Err(error) if is_absent(&error) => return Err(discarded_by_others()),
            answer => answer.trying_to("keep the session")?,
        }
        resumed.name = name;
        resumed.size = size;
        self.sync_names(&resumed.directory)
            .map_err(|error| after_the_fact("bring the session's name to the disk", error))
    }

    /// Opens the session kept at `path` and takes its lock; none where nothing is kept, Conflict where it has an owner.
    pub(crate) fn resume(&self, root: &Arc<S::Directory>, path: &StoragePath) -> Result<Option<Resumed<S>>> {
        let relative = directory_of(path);
        for _ in 0..MOST_ATTEMPTS {
            let Some(directory) = present(self.open_directory(root, &relative)).trying_to("open the kept session")?
            else {
                return Ok(None);
            };
            let Some((kept, others)) = self.latest_kept(&directory).trying_to("look for the kept session")? else {
                return Ok(None);
            };
            let opened = present(self.system.open_file(&directory, Path::new(&kept.name), Access::Write));
            let Some(file) = opened.trying_to("open the kept session")? else { continue };
            let id = self.take_session(&file)?;
            let place = Place::new(&directory, &kept.name);
            // Its owner may have kept on or published it between the look and the lock.
            if !self.is_named(place, &file).trying_to("look at the kept session")? {
                continue;
            }
            let status = self.system.file_status(&file).trying_to("look at the kept session")?;
            if status.links > 1 {
                // Published by a link, and the process died before it removed this name: it is a committed file now.
                self.system.remove_file(place).trying_to("remove the name of a published session")?;
                continue;
            }
            if status.size < kept.size {
                let message = format!("only {} of the {} bytes kept here are left", status.size, kept.size);
                return Err(Error::new(ErrorKind::Corrupt, message));
            }
            if status.size > kept.size {
                self.system.set_length(&file, kept.size).trying_to("cut off what was not kept")?;
            }
            for session in others {
                let _ = self.system.remove_file(Place::new(&directory, &session.name));
            }
            let KeptName { name, size } = kept;
            return Ok(Some(Resumed { root: Arc::clone(root), directory, relative, name, file, id, size }));
        }
        Err(contended())
    }

    /// Removes what is kept at exactly `path`, whoever continues it; whether anything was.
    pub(crate) fn discard_kept(&self, root: &S::Directory, path: &StoragePath) -> Result<bool> {
        self.remove_kept(root, path, |_, _| Ok(()))
    }

    /// Removes what is kept at exactly `path`; Conflict where somebody continues it. Whether anything was there.
    pub(crate) fn abandon(&self, root: &S::Directory, path: &StoragePath) -> Result<bool> {
        let mut locks = Vec::new();
        self.remove_kept(root, path, |directory, name| {
            let opened = present(self.system.open_file(directory, Path::new(name), Access::Write));
            if let Some(file) = opened.trying_to("open the kept session")? {
                self.take_session(&file)?;
                locks.push(file);
            }
            Ok(())
        })
    }

    fn remove_kept(
        &self,
        root: &S::Directory,
        path: &StoragePath,
        mut before: impl FnMut(&S::Directory, &str) -> Result<()>,
    ) -> Result<bool> {
        let relative = directory_of(path);
        let Some(directory) = present(self.open_directory(root, &relative)).trying_to("open the kept session")? else {
            return Ok(false);
        };
        let mut removed = false;
        for session in self.kept_in(&directory).trying_to("look for the kept session")? {
            before(&directory, &session.name)?;
            removed |= self.unlink_file(Place::new(&directory, &session.name)).trying_to("discard the kept session")?;
        }
        drop(directory);
        if removed {
            self.settle_removal(root, &relative)?;
        }
        Ok(removed)
    }

    /// Takes the lock of a kept session, and tells which file it is. An owner that was dropped and has not let go yet is waited for.
    fn take_session(&self, file: &S::File) -> Result<FileId> {
        let id = self.system.file_status(file).trying_to("look at the kept session")?.id;
        let mut locked = self.system.lock(file).trying_to("lock the kept session")?;
        if !locked && wait_for_departure(id) {
            locked = self.system.lock(file).trying_to("lock the kept session")?;
        }
        if locked {
            return Ok(id);
        }
        Err(Error::new(
            ErrorKind::Conflict,
            "another writer continues what is kept here; it is free once that one ended",
        ))
    }

    /// Removes the name of a resumed session, which was published or is given up.
    pub(crate) fn drop_resumed(&self, resumed: &Resumed<S>) -> Result<()> {
        match self.system.remove_file(resumed.place()) {
            Err(error) if !is_absent(&error) => return Err(error).trying_to("discard the kept session"),
            _ => {}
        }
        self.tidy_resumed(resumed);
        Ok(())
    }

    /// Removes the directories of a resumed session that has no name there any more. What is left shows nowhere.
    pub(crate) fn tidy_resumed(&self, resumed: &Resumed<S>) {
        self.remove_emptied(&resumed.root, &resumed.relative);
    }

    fn kept_in(&self, directory: &S::Directory) -> io::Result<Vec<KeptName>> {
        let mut found = Vec::new();
        self.system.read_directory(directory, &mut |name, kind| {
            if kind == Kind::File {
                found.extend(name.to_str().and_then(KeptName::parse));
            }
            ControlFlow::Continue(())
        })?;
        Ok(found)
    }

    /// The session that was kept last in a directory, and the others: more than one is there after a crash, or where two
    /// writers closed at once.
    fn latest_kept(&self, directory: &S::Directory) -> io::Result<Option<(KeptName, Vec<KeptName>)>> {
        let mut found = self.kept_in(directory)?;
        let mut latest: Option<(usize, SystemTime)> = None;
        if found.len() > 1 {
            for (index, session) in found.iter().enumerate() {
                let Some(status) = present(self.system.status_at(directory, Path::new(&session.name)))? else {
                    continue;
                };
                if latest.is_none_or(|(_, date)| date <= status.modified) {
                    latest = Some((index, status.modified));
                }
            }
        }
        Ok((!found.is_empty()).then(|| (found.swap_remove(latest.map_or(0, |(index, _)| index)), found)))
    }
}

impl<S: SystemCalls> Resumed<S> {
    pub(crate) fn place(&self) -> Place<'_, S::Directory> {
        Place::new(&self.directory, &self.name)
    }
}

/// The error of a writer whose session somebody else discarded or replaced while it was open.
pub(crate) fn discarded_by_others() -> Error {
    Error::new(ErrorKind::Conflict, "another call discarded or replaced the session that this writer continues")
}

/// A walk over all kept sessions at and below one path.
#[derive(Debug)]
pub(crate) struct UnfinishedWalk<S: SystemCalls> {
    root: Arc<S::Directory>,
    pending: Vec<StoragePath>,
}

impl<S: SystemCalls> UnfinishedWalk<S> {
    pub(crate) fn new(root: Arc<S::Directory>, prefix: &StoragePath) -> Self {
        Self { root, pending: vec![prefix.clone()] }
    }

    /// The next sessions, `page` of them if there are as many; none at the end.
    pub(crate) fn next_page(&mut self, store: &Store<S>, page: usize) -> Result<Option<Vec<Unfinished>>> {
        let mut sessions = Vec::new();
        while sessions.len() < page
            && let Some(path) = self.pending.pop()
        {
            sessions.extend(self.visit(store, path)?);
        }
        Ok((!sessions.is_empty()).then_some(sessions))
    }

    fn visit(&mut self, store: &Store<S>, path: StoragePath) -> Result<Option<Unfinished>> {
        let directory = present(store.open_directory(&self.root, &directory_of(&path)));
        let Some(directory) = directory.trying_to("open the kept sessions")? else { return Ok(None) };
        let mut inner: Vec<OsString> = Vec::new();
        store
            .system
            .read_directory(&directory, &mut |name, kind| {
                if kind == Kind::Directory && is_valid_component(name.as_encoded_bytes()) {
                    inner.push(name.to_owned());
                }
                ControlFlow::Continue(())
            })
            .trying_to("list the kept sessions")?;
        inner.sort_unstable_by(|one, other| other.cmp(one));
        self.pending.extend(inner.iter().filter_map(|name| path.child(name.to_str()?).ok()));
        let Some((kept, _)) = store.latest_kept(&directory).trying_to("list the kept sessions")? else {
            return Ok(None);
        };
        let status = present(store.system.status_at(&directory, Path::new(&kept.name)));
        Ok(status.trying_to("look at a kept session")?.map(|status| Unfinished::new(path, kept.size, status.modified)))
    }
}
