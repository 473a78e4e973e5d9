//! A directory for a store of another crate, and the look behind its back.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use conformance::Instance;
use driver_api::{Error, ErrorKind, StorageDriver, StoragePath};
use tempfile::TempDir;

/// Where a store keeps what is not published yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Staging {
    /// Wherever it likes.
    None,
    /// In a directory beside the store's.
    Aside,
}

/// A temporary directory with a store in it.
#[derive(Debug, Clone)]
pub(super) struct Directory {
    whole: Arc<TempDir>,
    pub(super) root: PathBuf,
    pub(super) staging: Option<PathBuf>,
}

impl Directory {
    pub(super) fn new(staging: Staging) -> io::Result<Self> {
        let whole = tempfile::tempdir()?;
        let made = |name: &str| {
            let path = whole.path().join(name);
            fs::create_dir(&path).map(|()| path)
        };
        let root = made("root")?;
        let staging = match staging {
            Staging::None => None,
            Staging::Aside => Some(made("staging")?),
        };
        Ok(Self { whole: Arc::new(whole), root, staging })
    }

    /// An instance of the store in this directory, of which `open` gives one driver value after the other.
    pub(super) fn instance<D, E>(
        self,
        open: impl Fn(&Self) -> Result<D, E> + Send + Sync + 'static,
    ) -> Result<Instance, E>
    where
        D: StorageDriver,
        E: std::fmt::Debug,
    {
        let driver = open(&self)?;
        let (again, behind, foreign) = (self.clone(), self.clone(), self.root.clone());
        #[expect(
            clippy::expect_used,
            reason = "the same directory gave a driver a moment ago, and nothing else decides"
        )]
        let reopen = move || open(&again).expect("the directory is right");
        Ok(Instance::new(driver)
            .with_reopen(reopen)
            .with_leftovers(move || std::future::ready(behind.leftovers().map_err(unreadable)))
            .with_foreign_entries(move |path| std::future::ready(plant(&foreign, &path).map_err(unreadable)))
            .keeping(self))
    }

    /// All files that are not planted. An empty directory is no leftover: these crates do not say that they remove them.
    pub(super) fn leftovers(&self) -> io::Result<Vec<String>> {
        let mut found = Vec::new();
        let mut pending = vec![self.whole.path().to_owned()];
        while let Some(directory) = pending.pop() {
            for entry in fs::read_dir(&directory)? {
                let entry = entry?;
                let path = entry.path();
                if PLANTED.iter().any(|name| path.ends_with(name)) {
                    continue;
                }
                if entry.file_type()?.is_dir() {
                    pending.push(path);
                } else {
                    found.push(path.strip_prefix(self.whole.path()).unwrap_or(&path).display().to_string());
                }
            }
        }
        Ok(found)
    }
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Other, "the suite could not look behind the driver").with_source(error)
}

/// What no path can name, or no file of the store is.
const PLANTED: [&str; 4] = ["~foreign", "with space", "lost+found", "dangling"];

fn plant(root: &Path, directory: &StoragePath) -> io::Result<()> {
    let directory = root.join(directory.relative());
    let [tilde, space, lost, dangling] = PLANTED.map(|name| directory.join(name));
    fs::write(tilde, "foreign")?;
    fs::write(space, "foreign")?;
    fs::create_dir(lost)?;
    symlink("nowhere", dangling)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_is_told_wherever_it_is_and_what_was_planted_is_not() {
        let directory = Directory::new(Staging::Aside).unwrap();
        plant(&directory.root, &StoragePath::root()).unwrap();
        fs::create_dir(directory.root.join("empty")).unwrap();
        assert_eq!(directory.leftovers().unwrap(), Vec::<String>::new());
        fs::write(directory.staging.as_ref().unwrap().join("part"), "").unwrap();
        fs::write(directory.root.join("empty/file#1"), "").unwrap();
        let mut left = directory.leftovers().unwrap();
        left.sort_unstable();
        assert_eq!(left, ["root/empty/file#1", "staging/part"]);
    }
}
