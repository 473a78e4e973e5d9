//! What stands where: stat, move and delete.

use std::collections::HashSet;

use bytes::Bytes;
use driver_api::{
    Context, DeleteOptions, DeleteScope, Entry, Error, ErrorKind, FileInfo, GetOptions, ListOptions, MoveOptions,
    Payload, PutOptions, Result, StatOptions, StoragePath, async_trait,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use super::{bytes_of, files_below, pause};
use crate::Mutant;
use crate::mutation::{Call, Inner, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<StatByPrefix>(
        "stat-by-prefix",
        "a mere prefix of a name is a directory",
        "STAT-2",
        &["STAT-3", "PATH-6"],
    ),
    Mutant::new::<StatSizeOff>("stat-size-off", "stat tells one byte too many", "STAT-1", &["PUT-8"]),
    Mutant::new::<StatUnavailable>(
        "stat-missing-unavailable",
        "stat of what is missing is Unavailable",
        "STAT-3",
        &["STAT-2", "ERR-9"],
    ),
    Mutant::new::<RootMissing>("root-missing", "stat of `/` of an empty store is NotFound", "STAT-4", &["PATH-5"]),
    Mutant::new::<DropsTarget>("move-drops-target", "a move deletes its target first", "MOVE-3", &["MOVE-2", "MOVE-8"]),
    Mutant::new::<LeavesSource>("move-leaves-source", "a move leaves its source", "MOVE-1", &["MOVE-8", "CONC-1"]),
    Mutant::new::<MovesDirectories>("moves-directories", "a directory can be moved", "MOVE-5", &["MOVE-3"]),
    Mutant::new::<SmallMoves>("small-moves", "a move takes the first MiB along", "MOVE-7", &["MOVE-1"]),
    Mutant::new::<OutOfSight>(
        "move-out-of-sight",
        "the moved bytes are nowhere for a moment",
        "MOVE-6",
        &["MOVE-8", "CONC-1"],
    ),
    Mutant::new::<CopyThenDelete>(
        "move-in-two-steps",
        "a move that claims to be atomic is a copy and a delete",
        "MOVE-8",
        &["CONC-1"],
    ),
    Mutant::new::<DeleteFileTakesTree>(
        "delete-file-takes-tree",
        "a delete of a file takes a directory, too",
        "DEL-1",
        &["PUT-7"],
    ),
    Mutant::new::<DeleteSucceeds>("delete-missing", "deleting what is missing succeeds", "DEL-2", &["DEL-1", "CONC-1"]),
    Mutant::new::<TakesSiblings>(
        "delete-takes-siblings",
        "a tree delete takes siblings that share its prefix",
        "DEL-3",
        &["DEL-1"],
    ),
    Mutant::new::<FirstThousand>("delete-first-1000", "a tree delete takes the first 1,000 files", "DEL-4", &[]),
    Mutant::new::<KeepsSessions>("delete-keeps-sessions", "a tree delete leaves what is kept", "DEL-6", &["WRITE-12"]),
    Mutant::new::<RemovesTheDirectory>(
        "put-meets-removal",
        "a put fails where a file beside it is being deleted",
        "DEL-7",
        &["CONC-3", "CONC-1"],
    ),
    Mutant::new::<MissingIsAFailure>(
        "batch-missing-fails",
        "a missing file is a failure of delete_files",
        "DEL-8",
        &[],
    ),
    Mutant::new::<ShortBatch>("short-batch", "of a batch the first 100 are deleted", "LIMIT-3", &["DEL-8"]),
    Mutant::new::<DeleteIfMatchIgnored>("delete-if-match-ignored", "a delete takes any version", "DEL-9", &["CONC-1"]),
];

async fn listed(inner: &Inner, context: &Context, path: &StoragePath, options: ListOptions) -> Result<Vec<Entry>> {
    inner.list(context, path, options).await?.try_concat().await
}

#[derive(Debug, Default)]
struct StatByPrefix;

#[async_trait]
impl Mutation for StatByPrefix {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let (inner, context, path) = (call.inner, call.context, call.path);
        let answer = call.forward().await;
        let Some(parent) = path.parent().filter(|_| answer.is_err()) else { return answer };
        let siblings = listed(inner, context, &parent, ListOptions::default()).await.unwrap_or_default();
        match siblings.iter().any(|entry| entry.path().as_str().starts_with(path.as_str())) {
            true => Ok(Entry::Directory(path.clone())),
            false => answer,
        }
    }
}

#[derive(Debug, Default)]
struct StatSizeOff;

#[async_trait]
impl Mutation for StatSizeOff {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let mut entry = call.forward().await?;
        if let Entry::File(info) = &mut entry {
            info.size += 1;
        }
        Ok(entry)
    }
}

#[derive(Debug, Default)]
struct StatUnavailable;

#[async_trait]
impl Mutation for StatUnavailable {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        call.forward().await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(ErrorKind::Unavailable, "the backend says 404"),
            _ => error,
        })
    }
}

#[derive(Debug, Default)]
struct RootMissing;

#[async_trait]
impl Mutation for RootMissing {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        if call.path.is_root() && listed(call.inner, call.context, call.path, ListOptions::default()).await?.is_empty()
        {
            return Err(Error::not_found(call.path));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct DropsTarget;

#[async_trait]
impl Mutation for DropsTarget {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        call.inner.delete_files(call.context, std::slice::from_ref(to)).await?;
        pause().await;
        call.forward(to).await
    }
}

/// Copies at most `most` bytes.
async fn copy(call: &Call<'_, MoveOptions>, to: &StoragePath, most: usize) -> Result<()> {
    let (_, bytes) = call.inner.get(call.context, call.path, GetOptions::default()).await?;
    let bytes: Bytes = bytes.slice(..bytes.len().min(most));
    call.inner.put(call.context, to, bytes.into(), PutOptions::default()).await.map(drop)
}

async fn delete_source(call: &Call<'_, MoveOptions>) -> Result<()> {
    call.inner.delete(call.context, call.path, DeleteOptions::default()).await
}

#[derive(Debug, Default)]
struct LeavesSource;

#[async_trait]
impl Mutation for LeavesSource {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        copy(&call, to, usize::MAX).await
    }
}

#[derive(Debug, Default)]
struct SmallMoves;

#[async_trait]
impl Mutation for SmallMoves {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let large = bytes_of(call.inner, call.context, call.path).await?.is_some_and(|bytes| bytes.len() > 1 << 20);
        if !large {
            return call.forward(to).await;
        }
        copy(&call, to, 1 << 20).await?;
        delete_source(&call).await
    }
}

#[derive(Debug, Default)]
struct CopyThenDelete;

#[async_trait]
impl Mutation for CopyThenDelete {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        copy(&call, to, usize::MAX).await?;
        pause().await;
        delete_source(&call).await
    }
}

#[derive(Debug, Default)]
struct OutOfSight;

#[async_trait]
impl Mutation for OutOfSight {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (_, bytes) = call.inner.get(call.context, call.path, GetOptions::default()).await?;
        delete_source(&call).await?;
        pause().await;
        call.inner.put(call.context, to, bytes.into(), PutOptions::default()).await.map(drop)
    }
}

#[derive(Debug, Default)]
struct MovesDirectories;

#[async_trait]
impl Mutation for MovesDirectories {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (inner, context, from) = (call.inner, call.context, call.path);
        let answer = call.forward(to).await;
        let files = if answer.is_err() { files_below(inner, context, from).await? } else { Vec::new() };
        if files.is_empty() {
            return answer;
        }
        for file in files {
            let target = file.strip_directory(from).and_then(|rest| to.join(&rest).ok());
            let target = target.ok_or_else(|| Error::not_found(from))?;
            inner.move_to(context, &file, &target, MoveOptions::default()).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct DeleteFileTakesTree;

#[async_trait]
impl Mutation for DeleteFileTakesTree {
    async fn delete(&self, mut call: Call<'_, DeleteOptions>) -> Result<()> {
        if call.options.if_match.is_none() {
            call.options.scope = DeleteScope::Tree;
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct DeleteSucceeds;

#[async_trait]
impl Mutation for DeleteSucceeds {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        match call.forward().await {
            Err(error) if error.is_not_found() => Ok(()),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct TakesSiblings;

#[async_trait]
impl Mutation for TakesSiblings {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let (inner, context, path) = (call.inner, call.context, call.path);
        let tree = call.options.scope == DeleteScope::Tree;
        call.forward().await?;
        if tree {
            let mut siblings = files_below(inner, context, &StoragePath::root()).await?;
            siblings.retain(|file| file.as_str().starts_with(path.as_str()));
            inner.delete_files(context, &siblings).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct FirstThousand;

#[async_trait]
impl Mutation for FirstThousand {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let files = files_below(call.inner, call.context, call.path).await?;
        if call.options.scope == DeleteScope::File || files.len() <= 1000 {
            return call.forward().await;
        }
        call.inner.delete_files(call.context, &files[..1000]).await.map(drop)
    }
}

#[derive(Debug, Default)]
struct KeepsSessions;

#[async_trait]
impl Mutation for KeepsSessions {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        if call.options.scope == DeleteScope::File {
            return call.forward().await;
        }
        let mut files = files_below(call.inner, call.context, call.path).await?;
        files.extend(bytes_of(call.inner, call.context, call.path).await?.map(|_| call.path.clone()));
        match files.is_empty() {
            true => Err(Error::not_found(call.path)),
            false => call.inner.delete_files(call.context, &files).await.map(drop),
        }
    }
}

#[derive(Debug, Default)]
struct RemovesTheDirectory {
    removing: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for RemovesTheDirectory {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let Some(parent) = call.path.parent() else { return call.forward().await };
        self.removing.lock().insert(parent.clone());
        pause().await;
        let deleted = call.forward().await;
        self.removing.lock().remove(&parent);
        deleted
    }

    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let parent = call.path.parent();
        if parent.is_some_and(|parent| !parent.is_root() && self.removing.lock().contains(&parent)) {
            return Err(Error::new(ErrorKind::Other, "the directory went away"));
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct MissingIsAFailure;

#[async_trait]
impl Mutation for MissingIsAFailure {
    async fn delete_files(&self, inner: &Inner, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        for path in paths {
            failures.extend(inner.delete(context, path, DeleteOptions::default()).await.err());
        }
        Ok(failures)
    }
}

#[derive(Debug, Default)]
struct ShortBatch;

#[async_trait]
impl Mutation for ShortBatch {
    async fn delete_files(&self, inner: &Inner, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        inner.delete_files(context, &paths[..paths.len().min(100)]).await
    }
}

#[derive(Debug, Default)]
struct DeleteIfMatchIgnored;

#[async_trait]
impl Mutation for DeleteIfMatchIgnored {
    async fn delete(&self, mut call: Call<'_, DeleteOptions>) -> Result<()> {
        call.options.if_match = None;
        call.forward().await
    }
}
