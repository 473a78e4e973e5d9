//! Publication: a finished file gets the name under which it shows, in one step.

use std::ffi::OsStr;
use std::io;
use std::path::Path;

use driver_api::{Condition, Error, ErrorKind, Result, StoragePath};
use rustix::io::Errno;

use crate::errors::{Attempt, after_the_fact, contended, is, is_absent};
use crate::store::Store;
use crate::system_calls::{Access, Kind, Place, Status, SystemCalls};
use crate::tree::{MOST_ATTEMPTS, split};

const COPY_PREFIX: &str = "~copy-";

/// How a publication ended, where it did not fail.
#[derive(Debug)]
pub(crate) enum Publication {
    /// The file shows. Where it had to be copied to another file system, this is what the copy is.
    Done(Option<Status>),
    /// There is no file at the source, or no longer.
    SourceGone,
}

/// What one attempt met.
enum Attempted {
    Published(Option<Status>),
    /// A directory that holds no file stood there, or the directory to publish in was removed meanwhile: try again.
    Interfered,
    SourceGone,
}

impl<S: SystemCalls> Store<S> {
    /// Gives the file at `from` the name `to`, and makes the directories above it. A file at `to` is replaced, if
    /// `condition` allows. The content has been brought to the disk before; the names are now, where that is asked for.
    pub(crate) fn publish(
        &self,
        root: &S::Directory,
        from: Place<'_, S::Directory>,
        to: &StoragePath,
        condition: &Condition,
    ) -> Result<Publication> {
        let if_absent = match condition {
            Condition::None => false,
            Condition::IfAbsent => true,
            Condition::IfMatch(_) => return Err(Error::unsupported("put_if_match")),
        };
        let (parent, name) = split(to.relative());
        let answer = self.publish_below(root, from, (parent, name), if_absent);
        if !matches!(answer, Ok(Publication::Done(_))) {
            // Directories made for this file, and for nothing else.
            self.remove_emptied(root, parent);
        }
        answer
    }

    fn publish_below(
        &self,
        root: &S::Directory,
        from: Place<'_, S::Directory>,
        (parent, name): (&str, &str),
        if_absent: bool,
    ) -> Result<Publication> {
        for _ in 0..MOST_ATTEMPTS {
            let directory = match self.make_directories(root, parent) {
                Err(error) if is(&error, &[Errno::NOTDIR, Errno::LOOP]) => return Err(below_a_file(error)),
                answer => answer.trying_to("make the directories above the file")?,
            };
            self.settle_directory(root, parent, &directory)
                .trying_to("bring the directories above the file to the disk")?;
            match self.attempt(from, Place::new(&directory, name), if_absent)? {
                Attempted::Published(copy) => {
                    self.sync_names(&directory)
                        .map_err(|error| after_the_fact("bring the file's name to the disk", error))?;
                    return Ok(Publication::Done(copy));
                }
                Attempted::SourceGone => return Ok(Publication::SourceGone),
                Attempted::Interfered => {}
            }
        }
        Err(contended())
    }

    fn attempt(
        &self,
        from: Place<'_, S::Directory>,
        to: Place<'_, S::Directory>,
        if_absent: bool,
    ) -> Result<Attempted> {
        let error = match self.rename(from, to, if_absent) {
            Ok(()) => return Ok(Attempted::Published(None)),
            Err(error) => error,
        };
        match Errno::from_io_error(&error) {
            Some(Errno::NOENT) => match self.system.status_at(from.directory, Path::new(from.name)) {
                Ok(_) => Ok(Attempted::Interfered),
                Err(error) if is_absent(&error) => Ok(Attempted::SourceGone),
                Err(error) => Err(error).trying_to("look for the file to publish"),
            },
            Some(Errno::XDEV) => self.copy_across(from, to, if_absent),
            Some(Errno::ISDIR | Errno::EXIST | Errno::NOTEMPTY | Errno::NOTDIR) => self.make_way(to, if_absent, error),
            _ => Err(error).trying_to("give the file its name"),
        }
    }

    /// Decides about what stands at the target.
    fn make_way(&self, to: Place<'_, S::Directory>, if_absent: bool, error: io::Error) -> Result<Attempted> {
        let found = match self.system.status_at(to.directory, Path::new(to.name)) {
            Err(error) if is_absent(&error) => return Ok(Attempted::Interfered),
            answer => answer.trying_to("look at what has the file's name")?,
        };
        match found.kind {
            Kind::Directory => match self.remove_if_hollow(to).trying_to("remove an empty directory")? {
                true => Ok(Attempted::Interfered),
                false => Err(Error::new(ErrorKind::Conflict, "a directory with files in it has this name")),
            },
            Kind::File if if_absent => {
                Err(Error::new(ErrorKind::AlreadyExists, "there is a file already").with_source(error))
            }
            Kind::Foreign if if_absent => {
                Err(Error::new(ErrorKind::Conflict, "something that is no file of the store has this name; remove it"))
            }
            Kind::File | Kind::Foreign => Ok(Attempted::Interfered),
        }
    }

    fn rename(&self, from: Place<'_, S::Directory>, to: Place<'_, S::Directory>, if_absent: bool) -> io::Result<()> {
        if !if_absent {
            return self.system.rename(from, to);
        }
        match self.system.rename_noreplace(from, to) {
            // Some network file systems can't. A link is exclusive too; the file has both names until the new one is safe.
            Err(error) if is(&error, &[Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP]) => {
                self.system.link(from, to)?;
                self.sync_names(to.directory)?;
                self.system.remove_file(from)
            }
            answer => answer,
        }
    }

    /// Publishes where another file system is mounted below the root: the bytes are copied beside the target first, under a
    /// name that no path has.
    fn copy_across(
        &self,
        from: Place<'_, S::Directory>,
        to: Place<'_, S::Directory>,
        if_absent: bool,
    ) -> Result<Attempted> {
        let source = match self.system.open_file(from.directory, Path::new(from.name), Access::Read) {
            Err(error) if is_absent(&error) => return Ok(Attempted::SourceGone),
            answer => answer.trying_to("open the file to copy it")?,
        };
        let name = name_of_copy(&self.staging()?.unique_name());
        let beside = Place::new(to.directory, &name);
        let published = self.copy_to(&source, beside).and_then(|status| {
            let attempted = match self.rename(beside, to, if_absent) {
                Ok(()) => Attempted::Published(Some(status)),
                Err(error) if is(&error, &[Errno::NOENT]) => Attempted::Interfered,
                Err(error) => self.make_way(to, if_absent, error)?,
            };
            Ok(attempted)
        });
        match &published {
            // The copy has to be safe before the source goes.
            Ok(Attempted::Published(_)) => self
                .sync_names(to.directory)
                .and_then(|()| self.system.remove_file(from))
                .map_err(|error| after_the_fact("remove the file that was copied", error))?,
            _ => drop(self.system.remove_file(beside)),
        }
        published
    }

    fn copy_to(&self, source: &S::File, beside: Place<'_, S::Directory>) -> Result<Status> {
        let status = self.system.file_status(source).trying_to("look at the file to copy")?;
        let copy = self.system.create_file(beside).trying_to("create a file beside the target")?;
        let mut buffer = Vec::with_capacity(1 << 20);
        let mut offset = 0;
        loop {
            buffer.clear();
            self.fill(source, offset, &mut buffer).trying_to("read the file to copy")?;
            if buffer.is_empty() {
                break;
            }
            self.write_all(&copy, offset, &buffer).trying_to("write the copy")?;
            offset += buffer.len() as u64;
        }
        if offset != status.size {
            return Err(Error::new(ErrorKind::Corrupt, "the file is not as long as it was before it was copied"));
        }
        let copied = self.seal(&copy)?;
        self.system.close(copy).trying_to("close the copy")?;
        Ok(copied)
    }
}

/// The name of a copy on its way to be published on another file system.
pub(crate) fn name_of_copy(unique_name: &str) -> String {
    format!("{COPY_PREFIX}{unique_name}")
}

/// The unique name in the name of such a copy.
pub(crate) fn copy_in_progress(name: &OsStr) -> Option<&str> {
    name.to_str()?.strip_prefix(COPY_PREFIX)
}

fn below_a_file(error: io::Error) -> Error {
    Error::new(ErrorKind::Conflict, "a file stands where a directory of this path is needed").with_source(error)
}
