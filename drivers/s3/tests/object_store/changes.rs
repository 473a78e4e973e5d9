//! Changes: what is there afterwards is what was before or what comes after, an error says which of them it can be, and behind
//! retries a fault is noticed only where nobody can know.

use std::collections::{BTreeMap, BTreeSet};

use driver_api::{
    Condition, DeleteOptions, Entry, ListOptions, PutOptions, Result, Retry, Storage, StoragePath, Version,
    WriteOptions,
};
use futures_util::TryStreamExt;

use super::drill::{Bench, Effect, Sizes, drill};
use super::{content, context, path};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    Put,
    PutLarge,
    PutIfAbsent,
    PutIfMatch,
    MoveSmall,
    MoveLarge,
    DeleteFile,
    DeleteIfMatch,
    DeleteTree,
    DeleteTreeOfOneFile,
    DeleteTreeOfSessions,
    DeleteMany,
    Abandon,
}

/// What is stored: the size of each file, and of each session, whose path has a `~` before it.
pub(crate) type Stored = BTreeMap<String, u64>;

pub(crate) async fn stored(storage: &Storage) -> Stored {
    let listing = storage.list(&context(), &StoragePath::root(), ListOptions::recursive()).await.unwrap();
    let files = listing.collect().await.unwrap().into_iter().filter_map(|entry| match entry {
        Entry::File(info) => Some((info.path.to_string(), info.size)),
        _ => None,
    });
    let pages = storage.unfinished(&context(), &StoragePath::root()).await.unwrap();
    let sessions: Vec<_> = pages.try_concat().await.unwrap();
    files.chain(sessions.into_iter().map(|session| (format!("~{}", session.path), session.size))).collect()
}

/// Whether the file has the bytes that all files here have.
pub(crate) async fn expect_whole(storage: &Storage, file: &str) {
    let (info, bytes) = storage.get(&context(), &path(file), Default::default()).await.unwrap();
    assert!(bytes == content(info.size as usize), "{file} is torn");
}

impl Change {
    /// Stores and keeps what the change is made to; answers with the version of `/a`.
    async fn prepare(self, bench: &impl Bench, sizes: Sizes) -> Option<Version> {
        let storage = bench.other_process();
        let many: Vec<_> = (0..sizes.many).map(|number| format!("/many/{number}")).collect();
        let many: Vec<_> = many.iter().map(|file| (file.as_str(), 7)).collect();
        let files: &[(&str, usize)] = match self {
            Self::PutIfAbsent => &[],
            Self::MoveSmall => &[("/from", sizes.small), ("/to", 5)],
            Self::MoveLarge => &[("/from", sizes.kept), ("/to", 5)],
            Self::DeleteTree => &[("/d", 7), ("/d/a", 7), ("/d/b/c", 7), ("/d/b/d", 7), ("/dx", 7)],
            Self::DeleteTreeOfOneFile => &[("/d", 7)],
            Self::DeleteMany => &many,
            _ => &[("/a", 5)],
        };
        for (file, size) in files {
            bench.store(file, *size).await;
        }
        let version = match files {
            [("/a", _)] => storage.stat(&context(), &path("/a")).await.unwrap().into_file().unwrap().version,
            _ => None,
        };
        let sessions: &[_] = match self {
            Self::DeleteTreeOfSessions | Self::Abandon => &[("/d/s", sizes.kept)],
            Self::DeleteTree => &[("/d/s", 10)],
            _ => &[],
        };
        for (at, size) in sessions {
            let mut writer = storage.writer(&context(), &path(at), WriteOptions::default()).await.unwrap();
            writer.write(&context(), content(*size)).await.unwrap();
            writer.close(&context()).await.unwrap();
        }
        version
    }

    async fn make(self, storage: &Storage, sizes: Sizes, version: Option<Version>) -> Result<()> {
        let put = async |size, condition| {
            let options = PutOptions::default().with_condition(condition);
            storage.put(&context(), &path("/a"), content(size), options).await.map(drop)
        };
        let delete = async |at: &str, options| storage.delete(&context(), &path(at), options).await;
        match self {
            Self::Put => put(sizes.small, Condition::None).await,
            Self::PutLarge => put(sizes.large, Condition::None).await,
            Self::PutIfAbsent => put(sizes.small, Condition::IfAbsent).await,
            Self::PutIfMatch => put(sizes.small, Condition::IfMatch(version.unwrap())).await,
            Self::MoveSmall | Self::MoveLarge => storage.move_to(&context(), &path("/from"), &path("/to")).await,
            Self::DeleteFile => delete("/a", DeleteOptions::default()).await,
            Self::DeleteIfMatch => delete("/a", DeleteOptions::default().with_if_match(version.unwrap())).await,
            Self::DeleteTree | Self::DeleteTreeOfOneFile => delete("/d", DeleteOptions::tree()).await,
            // Sessions are no files, so that the answer may be that nothing is there (DEL-6).
            Self::DeleteTreeOfSessions => match delete("/d", DeleteOptions::tree()).await {
                Err(error) if error.is_not_found() => Ok(()),
                answer => answer,
            },
            Self::DeleteMany => {
                let paths: Vec<StoragePath> = (0..sizes.many).map(|number| path(&format!("/many/{number}"))).collect();
                let mut left = storage.delete_files(&context(), paths).await?;
                // Failures of single files are no failure of the call, and nobody else repeats them.
                if left.iter().all(|error| error.retry() == Retry::Safe) {
                    let again: Vec<_> = left.iter().filter_map(|error| error.path().cloned()).collect();
                    left = storage.delete_files(&context(), again).await?;
                }
                left.into_iter().next().map_or(Ok(()), Err)
            }
            Self::Abandon => storage.abandon(&context(), &path("/d/s")).await,
        }
    }

    /// Whether there is nothing between before and after.
    fn is_one_step(self) -> bool {
        matches!(
            self,
            Self::Put | Self::PutLarge | Self::PutIfAbsent | Self::PutIfMatch | Self::DeleteFile | Self::DeleteIfMatch
        )
    }

    pub(crate) async fn drill<B: Bench>(self) {
        let small_pages = self != Self::DeleteMany;
        let whole = B::new(&B::faults()[0], small_pages).await;
        let version = self.prepare(&whole, B::SIZES).await;
        let before = stored(&whole.other_process()).await;
        self.make(whole.storage(), B::SIZES, version).await.unwrap();
        let after = stored(&whole.other_process()).await;
        assert_ne!(before, after);
        whole.end().await;
        drill(
            Effect::Change,
            small_pages,
            async |bench: &B| self.prepare(bench, B::SIZES).await,
            async |round| self.make(&round.storage, B::SIZES, round.prepared.clone()).await,
            async |round, result| {
                let storage = round.bench.other_process();
                let found = stored(&storage).await;
                for file in ["/a", "/from", "/to"].into_iter().filter(|file| found.contains_key(*file)) {
                    expect_whole(&storage, file).await;
                }
                let Err(error) = result else {
                    assert_eq!(found, after);
                    return round.expect_no_residue().await;
                };
                assert!(!round.must_succeed(), "{error}");
                let keys: BTreeSet<_> = before.keys().chain(found.keys()).collect();
                for key in keys {
                    let of = |stored: &Stored| stored.get(key).copied();
                    assert!(of(&found) == of(&before) || of(&found) == of(&after), "{key}: {error}");
                }
                // Safe means that nothing happened, where there is no half of it.
                assert!(!self.is_one_step() || error.retry() != Retry::Safe || found == before, "{error}");
                assert!(found.contains_key("/from") || !before.contains_key("/from") || found == after, "{error}");
                // What kept a session from being discarded keeps its parts.
                if !before.keys().any(|key| key.starts_with('~')) {
                    round.expect_no_residue().await;
                }
            },
        )
        .await;
    }
}
