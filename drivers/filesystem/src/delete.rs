//! Removal: of a file, of many, of a whole subtree.

use std::ffi::OsString;
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use driver_api::{Context, Error, Result, StoragePath};
use rustix::io::Errno;

use crate::errors::{Attempt, after_the_fact, is, is_absent, present};
use crate::kept;
use crate::store::Store;
use crate::system_calls::{Kind, Place, SystemCalls};
use crate::tree::split;

impl<S: SystemCalls> Store<S> {
    /// Deletes the file at `path`; NotFound where none is.
    pub(crate) fn delete_file(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let root = self.root_with(path)?;
        let (parent, name) = split(path.relative());
        let Some(directory) = present(self.open_directory(&root, parent)).trying_to("open the file's directory")?
        else {
            return Err(Error::not_found(path));
        };
        context.check()?;
        if !self.unlink_file(Place::new(&directory, name)).trying_to("delete the file")? {
            return Err(Error::not_found(path));
        }
        self.settle_removal(&root, parent)
    }

    /// Deletes files, each with the others of its directory, and syncs each directory once. Answers with what failed.
    pub(crate) fn delete_files(&self, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let Some(root) = self.root()? else { return Ok(Vec::new()) };
        context.check()?;
        let mut by_directory: Vec<(&str, &str, &StoragePath)> = paths
            .iter()
            .map(|path| {
                let (parent, name) = split(path.relative());
                (parent, name, path)
            })
            .collect();
        by_directory.sort_unstable_by_key(|(parent, ..)| *parent);
        let mut failures = Vec::new();
        for siblings in by_directory.chunk_by(|(one, ..), (other, ..)| one == other) {
            let (parent, _, first) = siblings[0];
            let directory = match present(self.open_directory(&root, parent)).trying_to("open the files' directory") {
                Ok(Some(directory)) => directory,
                Ok(None) => continue,
                Err(error) => {
                    failures.push(error.with_path(first));
                    continue;
                }
            };
            let mut removed = Vec::new();
            for (_, name, path) in siblings {
                match self.unlink_file(Place::new(&directory, *name)).trying_to("delete the file") {
                    Ok(true) => removed.push(*path),
                    Ok(false) => {}
                    Err(error) => failures.push(error.with_path(path)),
                }
            }
            drop(directory);
            if !removed.is_empty()
                && let Err(error) = self.settle_removal(&root, parent)
            {
                let retry = error.retry();
                failures.extend(removed.iter().map(|path| {
                    Error::new(error.kind(), error.message().to_owned()).with_retry(retry).with_path(path)
                }));
            }
        }
        Ok(failures)
    }

    /// Deletes the file at `path`, all below it, and the sessions kept there; NotFound where there was nothing of all that.
    pub(crate) fn delete_tree(&self, context: &Context, path: &StoragePath) -> Result<()> {
        let root = self.root_with(path)?;
        context.check()?;
        let content = self.remove_tree(&root, path.relative())?;
        let sessions = self.remove_tree(&root, &kept::directory_of(path))?;
        if content || sessions { Ok(()) } else { Err(Error::not_found(path)) }
    }

    /// Removes whatever stands at a path, and the directories above that are empty then; whether there was a file.
    fn remove_tree(&self, root: &S::Directory, relative: &str) -> Result<bool> {
        let (parent, name) = split(relative);
        let Some(directory) = present(self.open_directory(root, parent)).trying_to("open the directory")? else {
            return Ok(false);
        };
        let place = Place::new(&directory, name);
        let removed =
            match present(self.system.open_directory(&directory, Path::new(name))).trying_to("open the tree")? {
                Some(top) => self.empty_directory(place, top).trying_to("delete the tree")?,
                None => self.unlink_file(place).trying_to("delete the file")?,
            };
        drop(directory);
        self.settle_removal(root, parent)?;
        Ok(removed)
    }

    /// Removes all that is in a directory, deepest first, and the directory; whether there was anything but directories.
    /// What others put there meanwhile stays, and the directories it is in.
    fn empty_directory(&self, place: Place<'_, S::Directory>, top: S::Directory) -> io::Result<bool> {
        let (mut found, subdirectories) = self.unlink_files_in(&top)?;
        let mut levels = vec![Level { directory: top, name: place.name.to_owned(), subdirectories }];
        while let Some(level) = levels.last_mut() {
            if let Some(name) = level.subdirectories.pop() {
                let Some(directory) = present(self.system.open_directory(&level.directory, Path::new(&name)))? else {
                    continue;
                };
                let (any, subdirectories) = self.unlink_files_in(&directory)?;
                found |= any;
                levels.push(Level { directory, name, subdirectories });
            } else if let Some(done) = levels.pop() {
                let above = levels.last().map_or(place.directory, |level| &level.directory);
                match self.system.remove_directory(Place::new(above, &done.name)) {
                    Ok(()) => self.forget_removed(&done.directory),
                    Err(error) if is_absent(&error) => {}
                    // A put came between. What was removed here has to last all the same.
                    Err(error) if is(&error, &[Errno::NOTEMPTY, Errno::EXIST, Errno::BUSY]) => {
                        if self.durable {
                            self.system.sync_directory(&done.directory)?;
                        }
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(found)
    }

    /// Removes all that is no directory, foreign entries too, and tells the directories.
    fn unlink_files_in(&self, directory: &S::Directory) -> io::Result<(bool, Vec<OsString>)> {
        let (mut files, mut subdirectories) = (Vec::new(), Vec::new());
        self.system.read_directory(directory, &mut |name, kind| {
            if kind == Kind::Directory { &mut subdirectories } else { &mut files }.push(name.to_owned());
            ControlFlow::Continue(())
        })?;
        for name in &files {
            match self.system.remove_file(Place::new(directory, name)) {
                Err(error) if !is_absent(&error) && !is(&error, &[Errno::ISDIR]) => return Err(error),
                _ => {}
            }
        }
        Ok((!files.is_empty(), subdirectories))
    }

    /// Removes the name of a file; false where no file of the store has it.
    pub(crate) fn unlink_file(&self, place: Place<'_, S::Directory>) -> io::Result<bool> {
        match present(self.system.status_at(place.directory, Path::new(place.name)))? {
            Some(status) if status.kind == Kind::File => {}
            _ => return Ok(false),
        }
        match self.system.remove_file(place) {
            Ok(()) => Ok(true),
            // Between the two calls another delete was quicker, or a directory was made here.
            Err(error) if is_absent(&error) || is(&error, &[Errno::ISDIR]) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// After names in a directory were removed: removes the directories that are empty now, and brings the removal to the
    /// disk. One sync does: once the lowest directory that is left is on the disk, nothing below it can be reached.
    pub(crate) fn settle_removal(&self, root: &S::Directory, parent: &str) -> Result<()> {
        let settle = || {
            let mut lowest = self.remove_emptied(root, parent);
            if !self.durable {
                return Ok(());
            }
            loop {
                match self.open_directory(root, lowest) {
                    Ok(directory) => return self.system.sync_directory(&directory),
                    Err(error) if is_absent(&error) && !lowest.is_empty() => lowest = split(lowest).0,
                    Err(error) => return Err(error),
                }
            }
        };
        settle().map_err(|error| after_the_fact("tidy up and sync the directories", error))
    }
}

/// A directory on the way down.
pub(crate) struct Level<D> {
    pub(crate) directory: D,
    pub(crate) name: OsString,
    pub(crate) subdirectories: Vec<OsString>,
}
