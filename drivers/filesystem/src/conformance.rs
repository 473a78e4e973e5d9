//! What the conformance suite can see of this driver: a store in a temporary directory, and the disk behind it.

use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use conformance::Instance;
use driver_api::{Error, ErrorKind, Result, StoragePath};

use crate::{FilesystemDriver, FilesystemOptions};

/// A driver with an empty store in a temporary directory, which goes with it.
///
/// [`Misconfigured`](ErrorKind::Misconfigured) where there is no temporary directory to work in.
pub fn instance() -> Result<Instance> {
    let directory = tempfile::tempdir().map_err(|error| {
        Error::new(ErrorKind::Misconfigured, "there is no temporary directory to work in").with_source(error)
    })?;
    let root = directory.path().join("root");
    let options = FilesystemOptions::new(&root);
    let driver = FilesystemDriver::new(options.clone())?;
    #[expect(clippy::expect_used, reason = "the same options made a driver a moment ago, and nothing else decides")]
    let reopen = move || FilesystemDriver::new(options.clone()).expect("the options are right");
    let planted_below = root.clone();
    Ok(Instance::new(driver)
        .with_reopen(reopen)
        .with_leftovers(move || std::future::ready(leftovers(&root).map_err(unreadable)))
        .with_foreign_entries(move |path| std::future::ready(plant(&planted_below, &path).map_err(unreadable)))
        .keeping(directory))
}

fn unreadable(error: io::Error) -> Error {
    Error::new(ErrorKind::Other, "the suite could not look behind the driver").with_source(error)
}

/// All that is on the disk but the root, the staging area's frame, the locks of drivers, and what was planted.
fn leftovers(root: &Path) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![root.to_owned()];
    while let Some(directory) = pending.pop() {
        // Drivers that are being dropped meanwhile remove what they had staged.
        let entries = match fs::read_dir(&directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            answer => answer?,
        };
        for entry in entries {
            let entry = entry?;
            let path = entry.path();
            let relative: PathBuf = path.strip_prefix(root).unwrap_or(&path).to_owned();
            if !is_frame(&relative) && !PLANTED.iter().any(|name| relative.ends_with(name)) {
                found.push(relative.display().to_string());
            }
            if entry.file_type()?.is_dir() {
                pending.push(path);
            }
        }
    }
    Ok(found)
}

/// What a driver keeps as long as it lives.
fn is_frame(relative: &Path) -> bool {
    let depth = relative.components().count();
    let of_an_instance = relative.starts_with("~/live") && (depth == 3 || (depth == 4 && relative.ends_with("lock")));
    relative == Path::new("~") || relative == Path::new("~/live") || of_an_instance
}

/// What no path can name, or no file of the store is.
const PLANTED: [&str; 6] = ["~foreign", "with space", "lost+found", "dangling", "loop", "itself"];

fn plant(root: &Path, directory: &StoragePath) -> io::Result<()> {
    let directory = root.join(directory.relative());
    let [tilde, space, lost, dangling, looping, itself] = PLANTED.map(|name| directory.join(name));
    fs::write(tilde, "foreign")?;
    fs::write(space, "foreign")?;
    fs::create_dir(lost)?;
    symlink("nowhere", dangling)?;
    symlink("loop", looping)?;
    symlink(".", itself)
}
