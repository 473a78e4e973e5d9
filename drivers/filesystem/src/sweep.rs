//! Removal of what crashed processes left: staging directories, copies that were never published, empty directories.

use std::ffi::{OsStr, OsString};
use std::io;
use std::ops::ControlFlow;
use std::path::Path;

use driver_api::Result;
use rustix::io::Errno;

use crate::delete::Level;
use crate::errors::{Attempt, is, is_absent, present};
use crate::kept;
use crate::publish::{copy_in_progress, name_of_copy};
use crate::store::Store;
use crate::system_calls::{Kind, Place, SystemCalls};

/// What a sweep removed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Swept {
    /// Drivers that were gone, with all that they had not published.
    pub drivers: u64,
    /// Copies on their way to another file system, whose driver was gone.
    pub copies: u64,
    /// Directories that held no file.
    pub directories: u64,
}

impl<S: SystemCalls> Store<S> {
    /// Removes directories that hold no file, and copies whose driver is gone, everywhere below the root.
    pub(crate) fn sweep(&self) -> Result<Swept> {
        let mut swept = Swept::default();
        let Some(root) = self.root()? else { return Ok(swept) };
        swept.drivers = self.sweep_staging()?;
        for top in ["", kept::AREA] {
            if let Some(directory) =
                present(self.open_directory(&root, top)).trying_to("open the directory to sweep")?
            {
                self.sweep_below(&root, directory, &mut swept).trying_to("sweep the directories")?;
            }
        }
        Ok(swept)
    }

    fn sweep_below(&self, root: &S::Directory, top: S::Directory, swept: &mut Swept) -> io::Result<()> {
        let subdirectories = self.sweep_files(root, &top, swept)?;
        let mut levels = vec![Level { directory: top, name: OsString::new(), subdirectories }];
        while let Some(level) = levels.last_mut() {
            if let Some(name) = level.subdirectories.pop() {
                if let Some(directory) = present(self.system.open_directory(&level.directory, Path::new(&name)))? {
                    let subdirectories = self.sweep_files(root, &directory, swept)?;
                    levels.push(Level { directory, name, subdirectories });
                }
            } else if let Some(done) = levels.pop()
                && let Some(above) = levels.last()
            {
                match self.system.remove_directory(Place::new(&above.directory, &done.name)) {
                    Ok(()) => {
                        self.forget_removed(&done.directory);
                        swept.directories += 1;
                    }
                    Err(error) if is_absent(&error) => {}
                    Err(error) if is(&error, &[Errno::NOTEMPTY, Errno::EXIST, Errno::BUSY]) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(())
    }

    /// Removes the copies in a directory whose driver is gone, and tells the directories that the store may have made.
    fn sweep_files(
        &self,
        root: &S::Directory,
        directory: &S::Directory,
        swept: &mut Swept,
    ) -> io::Result<Vec<OsString>> {
        let Contents { copies, subdirectories, .. } = self.contents(directory)?;
        for unique_name in copies {
            if self.is_left_by_the_dead(root, &unique_name)? {
                self.system.remove_file(Place::new(directory, &name_of_copy(&unique_name)))?;
                swept.copies += 1;
            }
        }
        Ok(subdirectories)
    }

    fn contents(&self, directory: &S::Directory) -> io::Result<Contents> {
        let mut contents = Contents::default();
        self.system.read_directory(directory, &mut |name, kind| {
            match (kind, copy_in_progress(name)) {
                (Kind::Directory, _) if driver_api::is_valid_component(name.as_encoded_bytes()) => {
                    contents.subdirectories.push(name.to_owned());
                }
                (Kind::File, Some(unique_name)) => contents.copies.push(unique_name.to_owned()),
                _ => contents.has_others = true,
            }
            ControlFlow::Continue(())
        })?;
        Ok(contents)
    }

    /// What a sweep would remove now, but for the staging directories in which nothing is staged: every driver leaves its
    /// own. Nothing is changed.
    pub(crate) fn residue(&self) -> Result<Swept> {
        let mut found = Swept::default();
        let Some(root) = self.root()? else { return Ok(found) };
        found.drivers = self.dead_with_staged_files(&root).trying_to("look at the staging area")?;
        for top in ["", kept::AREA] {
            if let Some(directory) = present(self.open_directory(&root, top)).trying_to("open the directory")? {
                for name in self.contents(&directory).trying_to("read the directory")?.subdirectories {
                    self.residue_in(&root, &directory, &name, &mut found).trying_to("look at the directories")?;
                }
            }
        }
        Ok(found)
    }

    /// Counts what a sweep would remove in the directory `name`; whether that is all there is, so that it would go as well.
    fn residue_in(
        &self,
        root: &S::Directory,
        above: &S::Directory,
        name: &OsStr,
        found: &mut Swept,
    ) -> io::Result<bool> {
        let opened = present(self.system.open_directory(above, Path::new(name)))?;
        let Some(directory) = opened else { return Ok(true) };
        let Contents { copies, subdirectories, has_others } = self.contents(&directory)?;
        let mut goes = !has_others;
        for unique_name in copies {
            let is_residue = self.is_left_by_the_dead(root, &unique_name)?;
            found.copies += u64::from(is_residue);
            goes &= is_residue;
        }
        for subdirectory in subdirectories {
            goes &= self.residue_in(root, &directory, &subdirectory, found)?;
        }
        found.directories += u64::from(goes);
        Ok(goes)
    }
}

/// What is in a directory, as a sweep sees it.
#[derive(Default)]
struct Contents {
    /// The unique names of copies on their way.
    copies: Vec<String>,
    /// The directories that the store may have made.
    subdirectories: Vec<OsString>,
    /// Whether there is anything else.
    has_others: bool,
}
