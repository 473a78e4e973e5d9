//! Whole files written in one go, and moved.

use std::path::Path;
use std::sync::Arc;

use driver_api::{Condition, Context, Error, FileInfo, Payload, Result, Retry, StoragePath};

use crate::errors::{Attempt, after_the_fact, present};
use crate::publish::Publication;
use crate::staging::{Partial, removed_from_staging};
use crate::store::Store;
use crate::system_calls::{Access, Kind, Place, Status, SystemCalls};
use crate::tree::split;

impl<S: SystemCalls> Store<S> {
    /// Stores `payload` at `path`, all or nothing.
    pub(crate) fn put(
        self: &Arc<Self>,
        context: &Context,
        path: &StoragePath,
        payload: &Payload,
        condition: &Condition,
    ) -> Result<FileInfo> {
        let mut partial = Partial::create(self)?;
        let mut offset = 0;
        for chunk in payload.chunks() {
            self.write_all(partial.file()?, offset, chunk).trying_to("write the file")?;
            offset += chunk.len() as u64;
        }
        let status = self.seal(partial.file()?)?;
        partial.close()?;
        context.check()?;
        match self.publish(&partial.staging.root, partial.place(), path, condition)? {
            Publication::Done(copy) => {
                partial.published();
                Ok(Self::file_info(path, &copy.unwrap_or(status)))
            }
            Publication::SourceGone => Err(removed_from_staging()),
        }
    }

    /// Moves a file, and dates it: what was moved counts as written now (MOVE-9).
    pub(crate) fn move_file(&self, context: &Context, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let root = self.root_with(from)?;
        let (parent, name) = split(from.relative());
        let Some(directory) = present(self.open_directory(&root, parent)).trying_to("open the source's directory")?
        else {
            return Err(Error::not_found(from));
        };
        let source = Place::new(&directory, name);
        let opened = present(self.system.open_file(&directory, Path::new(name), Access::Read));
        let Some(file) = opened.trying_to("open the source")? else { return Err(Error::not_found(from)) };
        let before = self.file_status(&file)?;
        if before.kind != Kind::File {
            return Err(Error::not_found(from));
        }
        context.check()?;
        // Dated before it shows at the target: whoever collects old files must never meet it there with its old date.
        let published = self.seal(&file).and_then(|_| self.publish(&root, source, to, &Condition::None));
        match &published {
            Ok(Publication::Done(_)) => {}
            Err(error) if error.retry() == Retry::MaybeApplied => {}
            _ => drop(self.system.set_modified(&file, before.modified)),
        }
        match published? {
            Publication::SourceGone => return Err(Error::not_found(from)),
            Publication::Done(None) => match self.file_status(&file)?.links {
                // It has lost its last name, so what was renamed is something else.
                0 => self.undo_directory_move(&root, from, to)?,
                1 => {}
                _ => self.unlink_if_same(source, &file)?,
            },
            Publication::Done(Some(_)) => {}
        }
        self.settle_removal(&root, parent)
    }

    /// Between the look at the source and its renaming, a directory may have taken its place. Directories are not moved:
    /// it goes back. A file that took its place is as good.
    fn undo_directory_move(&self, root: &S::Directory, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let moved = present(self.system.status_at(root, Path::new(to.relative()))).trying_to("look at the target")?;
        if !moved.is_some_and(|moved| moved.kind == Kind::Directory) {
            return Ok(());
        }
        let back = || {
            let (from_parent, from_name) = split(from.relative());
            let (to_parent, to_name) = split(to.relative());
            let there = self.open_directory(root, to_parent)?;
            let here = self.make_directories(root, from_parent)?;
            self.system.rename_noreplace(Place::new(&there, to_name), Place::new(&here, from_name))
        };
        back().map_err(|error| after_the_fact("move back a directory that took the file's place", error))?;
        Err(Error::not_found(from))
    }

    /// A rename between two names of one file does nothing, and leaves both. Other programs link files that are equal.
    fn unlink_if_same(&self, source: Place<'_, S::Directory>, file: &S::File) -> Result<()> {
        if self.is_named(source, file).trying_to("look at the source")? {
            self.unlink_file(source).map_err(|error| after_the_fact("remove the source's name", error))?;
        }
        Ok(())
    }

    fn file_status(&self, file: &S::File) -> Result<Status> {
        self.system.file_status(file).trying_to("look at the source")
    }
}
