//! Directories below the root: opened, made, and removed again when they are empty.
//!
//! A directory is named by its path relative to the root, as text; the root itself is the empty text.

use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use rustix::io::Errno;

use crate::errors::{is, is_absent};
use crate::staging;
use crate::store::Store;
use crate::system_calls::{Kind, Place, SystemCalls};

/// How often an operation starts over because others removed what it had just made or found.
pub(crate) const MOST_ATTEMPTS: usize = 256;

/// The directory a relative path lies in, and its name there.
pub(crate) fn split(relative: &str) -> (&str, &str) {
    relative.rsplit_once('/').unwrap_or(("", relative))
}

/// `above`, continued by `below`.
pub(crate) fn join(above: &str, below: &str) -> String {
    match (above, below) {
        ("", only) | (only, "") => only.to_owned(),
        _ => format!("{above}/{below}"),
    }
}

impl<S: SystemCalls> Store<S> {
    pub(crate) fn open_directory(&self, root: &S::Directory, relative: &str) -> io::Result<S::Directory> {
        self.system.open_directory(root, Path::new(if relative.is_empty() { "." } else { relative }))
    }

    /// Opens a directory, and makes it and those above it where they are missing. ENOTDIR or ELOOP where something else is
    /// in the way.
    pub(crate) fn make_directories(&self, root: &S::Directory, relative: &str) -> io::Result<S::Directory> {
        let mut attempts = 0;
        loop {
            match self.open_directory(root, relative) {
                Err(error) if is(&error, &[Errno::NOENT]) && attempts < MOST_ATTEMPTS => attempts += 1,
                answer => return answer,
            }
            match self.make_missing(root, relative) {
                // Somebody removed a directory on the way while it was still empty.
                Err(error) if is(&error, &[Errno::NOENT]) => {}
                Err(error) => return Err(error),
                Ok(()) => {}
            }
        }
    }

    fn make_missing(&self, root: &S::Directory, relative: &str) -> io::Result<()> {
        let mut existing = relative;
        let mut reached = loop {
            if existing.is_empty() {
                break self.open_directory(root, "")?;
            }
            existing = split(existing).0;
            match self.open_directory(root, existing) {
                Err(error) if is(&error, &[Errno::NOENT]) => {}
                answer => break answer?,
            }
        };
        for name in relative[existing.len()..].split('/').filter(|name| !name.is_empty()) {
            match self.system.make_directory(Place::new(&reached, name)) {
                Err(error) if !is(&error, &[Errno::EXIST]) => return Err(error),
                _ => reached = self.open_directory(&reached, name)?,
            }
        }
        Ok(())
    }

    /// Removes a directory if it is empty, and then those above it as long as they are, but never the root or the staging
    /// area; answers with the lowest that is left. One that can't be removed, for whatever reason, is left.
    pub(crate) fn remove_emptied<'a>(&self, root: &S::Directory, relative: &'a str) -> &'a str {
        let mut lowest = relative;
        while !lowest.is_empty() && lowest != staging::AREA {
            let (above, name) = split(lowest);
            match self.open_directory(root, above) {
                Ok(directory) => {
                    let removed = self.durable.then(|| self.open_directory(&directory, name).ok()).flatten();
                    match self.system.remove_directory(Place::new(&directory, name)) {
                        Ok(()) => removed.iter().for_each(|removed| self.forget_removed(removed)),
                        Err(error) if is_absent(&error) => {}
                        Err(_) => break,
                    }
                }
                Err(error) if is_absent(&error) => {}
                Err(_) => break,
            }
            lowest = above;
        }
        lowest
    }

    /// Removes a directory with the directories in it if there is no file among them; whether it is gone.
    pub(crate) fn remove_if_hollow(&self, place: Place<'_, S::Directory>) -> io::Result<bool> {
        let directory = match self.system.open_directory(place.directory, Path::new(place.name)) {
            Err(error) if is(&error, &[Errno::NOENT]) => return Ok(true),
            answer => answer?,
        };
        let mut inner = Vec::new();
        let mut hollow = true;
        self.system.read_directory(&directory, &mut |name, kind| {
            if kind == Kind::Directory {
                inner.push(name.to_owned());
                return ControlFlow::Continue(());
            }
            hollow = false;
            ControlFlow::Break(())
        })?;
        if !hollow {
            return Ok(false);
        }
        for name in &inner {
            if !self.remove_if_hollow(Place::new(&directory, name))? {
                return Ok(false);
            }
        }
        match self.system.remove_directory(place) {
            Ok(()) => {
                self.forget_removed(&directory);
                Ok(true)
            }
            Err(error) if is(&error, &[Errno::NOENT]) => Ok(true),
            Err(error) if is(&error, &[Errno::NOTEMPTY, Errno::EXIST, Errno::BUSY, Errno::NOTDIR]) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
