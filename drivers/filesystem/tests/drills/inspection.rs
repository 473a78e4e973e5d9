//! Opening a store after something happened to it: what does it show, is it fit for use, is anything left behind?

use std::collections::BTreeMap;

use conformance::payload::{Content, explain};
use driver_api::{
    CommitOptions, Context, DeleteOptions, Entry, ErrorKind, GetOptions, ListOptions, PutOptions, Result,
    StorageDriver, StoragePath, WriteOptions,
};
use driver_filesystem::{FilesystemDriver, SystemCalls};
use futures_util::TryStreamExt;

use crate::world::{Expectation, Observed};

/// A path that no step writes, in a directory of its own.
const PROBE: &str = "/probe/new";

/// All files with their bytes, and all kept sessions with their sizes.
pub(crate) async fn observe<S: SystemCalls>(driver: &FilesystemDriver<S>) -> Result<Observed> {
    let context = Context::background();
    let mut observed = Observed::default();
    let pages: Vec<Vec<Entry>> =
        driver.list(&context, &StoragePath::root(), ListOptions::recursive()).await?.try_collect().await?;
    for entry in pages.concat() {
        let path = entry.path().clone();
        let (_, bytes) = driver.get(&context, &path, GetOptions::default()).await?;
        observed.files.insert(path, bytes);
    }
    let pages: Vec<_> = driver.unfinished(&context, &StoragePath::root()).await?.try_collect().await?;
    observed.sessions.extend(pages.concat().into_iter().map(|session| (session.path, session.size)));
    Ok(observed)
}

/// Compares what a store shows with what it may show.
pub(crate) async fn compare<S: SystemCalls>(
    driver: &FilesystemDriver<S>,
    expectation: &Expectation,
) -> std::result::Result<Observed, String> {
    let observed = observe(driver).await.map_err(|error| format!("the store can't be read: {error}"))?;
    let differences = expectation.differences(&observed);
    if differences.is_empty() { Ok(observed) } else { Err(differences.join("; ")) }
}

/// Whether a store takes a put, a delete and a sweep, and whether only kept sessions are in its staging area then. `names`
/// tells each name below the root, and whether it is a directory.
pub(crate) async fn exercise<S: SystemCalls>(
    driver: &FilesystemDriver<S>,
    names: impl FnOnce() -> Vec<(String, bool)>,
    observed: &Observed,
) -> std::result::Result<(), String> {
    put_and_sweep(driver).await.map_err(|error| format!("the store can't be used: {error}"))?;
    let left = residue(&names(), observed);
    if left.is_empty() { Ok(()) } else { Err(format!("left after a sweep: {}", left.join(", "))) }
}

/// Whether the kept sessions can be continued, and have their bytes. They are committed by that.
pub(crate) async fn finish_sessions<S: SystemCalls>(
    driver: &FilesystemDriver<S>,
    observed: &Observed,
    expectation: &Expectation,
) -> std::result::Result<(), String> {
    for (path, size) in &observed.sessions {
        let allowed: Vec<Content> = expectation.session_contents(path, *size).collect();
        let bytes =
            finish(driver, path).await.map_err(|error| format!("session {path} can't be continued: {error}"))?;
        if !allowed.iter().any(|content| content.is(&bytes)) {
            return Err(format!("session {path}: {}", explain(&bytes, 0, &allowed)));
        }
    }
    Ok(())
}

async fn put_and_sweep<S: SystemCalls>(driver: &FilesystemDriver<S>) -> Result<()> {
    let (context, probe) = (Context::background(), StoragePath::parse(PROBE)?);
    let content = Content { write: u64::MAX, size: 100 };
    driver.put(&context, &probe, content.bytes().into(), PutOptions::default()).await?;
    let (_, found) = driver.get(&context, &probe, GetOptions::default()).await?;
    driver.delete(&context, &probe, DeleteOptions::default()).await?;
    driver.sweep().await?;
    if content.is(&found) {
        Ok(())
    } else {
        Err(driver_api::Error::new(ErrorKind::Corrupt, explain(&found, 0, &[content])))
    }
}

/// The bytes of a kept session, by publishing it.
async fn finish<S: SystemCalls>(driver: &FilesystemDriver<S>, path: &StoragePath) -> Result<driver_api::Bytes> {
    let (context, probe) = (Context::background(), StoragePath::parse(PROBE)?);
    let mut writer = driver.writer(&context, path, WriteOptions::append()).await?;
    writer.commit(&context, CommitOptions::default().with_to(probe.clone())).await?;
    Ok(driver.get(&context, &probe, GetOptions::default()).await?.1)
}

/// What is on the disk after a sweep and should not be: anything in the staging area but the lock of one driver and one file
/// for each kept session, directories that hold no file, and files that are not shown.
fn residue(names: &[(String, bool)], observed: &Observed) -> Vec<String> {
    let mut sessions: BTreeMap<String, usize> =
        observed.sessions.keys().map(|path| (format!("~/kept{path}"), 1)).collect();
    let mut drivers = 1;
    let mut accounted = |name: &str| match name.rsplit_once('/') {
        Some((instance, "lock")) if instance.starts_with("~/live/") => take_one(&mut drivers),
        Some((directory, session)) if directory.starts_with("~/kept") && session.starts_with('~') => {
            sessions.get_mut(directory).is_some_and(take_one)
        }
        _ => StoragePath::parse(&format!("/{name}")).is_ok_and(|path| observed.files.contains_key(&path)),
    };
    let mut left: Vec<String> = names
        .iter()
        .filter(|(name, is_directory)| !is_directory && !accounted(name))
        .map(|(name, _)| name.clone())
        .collect();
    let has_file = |directory: &str| {
        names.iter().any(|(name, is_directory)| {
            !is_directory && name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
        })
    };
    // `~/kept` itself stays once it is there.
    let hollow = names.iter().filter(|(name, is_directory)| *is_directory && name != "~/kept" && !has_file(name));
    left.extend(hollow.map(|(name, _)| format!("{name}/")));
    left
}

fn take_one(left: &mut usize) -> bool {
    let any = *left > 0;
    *left = left.saturating_sub(1);
    any
}

#[test]
fn residue_is_what_no_file_and_no_session_accounts_for() {
    let mut observed = Observed::default();
    observed.files.insert("/a/b".parse().unwrap(), driver_api::Bytes::new());
    observed.sessions.insert("/u".parse().unwrap(), 5);
    let tree = |more: &[&str]| {
        let names =
            ["a/", "a/b", "~/", "~/live/", "~/live/1/", "~/live/1/lock", "~/kept/", "~/kept/u/", "~/kept/u/~5.1.2"];
        let names = names.iter().chain(more);
        names.map(|name| (name.trim_end_matches('/').to_owned(), name.ends_with('/'))).collect::<Vec<_>>()
    };
    assert_eq!(residue(&tree(&[]), &observed), Vec::<String>::new());
    for left in ["c", "c/", "a/~copy-1.2", "~/live/1/2", "~/live/2/", "~/kept/u/~7.1.3", "~/kept/v/"] {
        assert_eq!(residue(&tree(&[left]), &observed), [left]);
    }
    let another_driver = residue(&tree(&["~/live/2/", "~/live/2/lock"]), &observed);
    assert_eq!(another_driver, ["~/live/2/lock"]);
}
