//! What stat, listings and errors tell of names: right for all but some.

use bytes::Bytes;
use driver_api::{
    CommitOptions, Context, DeleteOptions, Entry, EntryPages, Error, ErrorKind, FileInfo, GetOptions, ListOptions,
    Payload, PutOptions, Result, StatOptions, StoragePath, async_trait,
};
use futures_util::{TryStreamExt, stream};
use parking_lot::Mutex;

use super::{depth, exists, files_below, is_long, size_of};
use crate::Mutant;
use crate::mutation::{Call, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<WholeSeconds>("whole-seconds-in-listing", "a listing tells whole seconds", "LIST-1", &["STAT-1"]),
    Mutant::new::<DashIsADirectory>(
        "dash-is-a-directory",
        "a name that ends in `-` and begins another is a directory",
        "STAT-2",
        &["STAT-3"],
    ),
    Mutant::new::<BelowAFile>("below-a-file", "stat two levels below a file is a Conflict", "STAT-3", &["ERR-9"]),
    Mutant::new::<RootGoesWithTheLast>(
        "root-goes-with-the-last",
        "after the last file was deleted `/` is missing",
        "STAT-4",
        &["PATH-5"],
    ),
    Mutant::new::<DottedDirectories>(
        "dotted-directories",
        "the files below a directory with a `.` in its name are not found",
        "LIST-7",
        &["LIST-3"],
    ),
    Mutant::new::<BehindAKeyIsEmpty>(
        "missing-behind-a-key",
        "the listing of a missing directory behind a key is empty",
        "LIST-3",
        &[],
    ),
    Mutant::new::<SiblingKeepsAlive>(
        "sibling-keeps-alive",
        "a directory that is gone lists nothing while one with a `0` behind its name is there",
        "LIST-4",
        &["LIST-3"],
    ),
    Mutant::new::<TimeOfTheLook>(
        "time-of-the-look",
        "the third stat in a row tells another time",
        "MOVE-4",
        &["STAT-1"],
    ),
    Mutant::new::<TwoLines>("message-of-two-lines", "the message of an error has two lines", "ERR-1", &[]),
    Mutant::new::<DeepErrors>(
        "error-names-the-parent",
        "an error at a short name, four deep, names the directory",
        "LAYER-2",
        &["ERR-1"],
    ),
];

#[derive(Debug, Default)]
struct WholeSeconds;

#[async_trait]
impl Mutation for WholeSeconds {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let rounded = |entry| match entry {
            Entry::File(mut info) if is_long(&info.path) => {
                let since = info.modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
                info.modified = std::time::UNIX_EPOCH + std::time::Duration::from_secs(since.as_secs());
                Entry::File(info)
            }
            entry => entry,
        };
        Ok(Box::pin(call.forward().await?.map_ok(move |page| page.into_iter().map(rounded).collect())))
    }
}

#[derive(Debug, Default)]
struct DashIsADirectory;

#[async_trait]
impl Mutation for DashIsADirectory {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let (inner, context, path) = (call.inner, call.context, call.path);
        let answer = call.forward().await;
        let Some(parent) = path.parent().filter(|_| answer.is_err() && depth(path) > 1 && path.as_str().ends_with('-'))
        else {
            return answer;
        };
        let siblings = files_below(inner, context, &parent).await?;
        match siblings.iter().any(|sibling| sibling.as_str().starts_with(path.as_str())) {
            true => Ok(Entry::Directory(path.clone())),
            false => answer,
        }
    }
}

#[derive(Debug, Default)]
struct BelowAFile;

#[async_trait]
impl Mutation for BelowAFile {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let above = call.path.parent().and_then(|parent| parent.parent());
        if let Some(above) = above.filter(|_| is_long(call.path))
            && size_of(call.inner, call.context, &above).await.is_some()
        {
            return Err(Error::new(ErrorKind::Conflict, "not a directory"));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct RootGoesWithTheLast {
    deleted: Mutex<bool>,
}

#[async_trait]
impl Mutation for RootGoesWithTheLast {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        *self.deleted.lock() |= is_long(call.path);
        call.forward().await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let deleted = *self.deleted.lock();
        if deleted && call.path.is_root() && files_below(call.inner, call.context, call.path).await?.is_empty() {
            return Err(Error::not_found(call.path));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct DottedDirectories;

#[async_trait]
impl Mutation for DottedDirectories {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        if call.options.recursive && call.path.name().is_some_and(|name| name.contains('.')) {
            return Err(Error::not_found(call.path));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct BehindAKeyIsEmpty;

#[async_trait]
impl Mutation for BehindAKeyIsEmpty {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let behind = call.options.start_after.as_ref().is_some_and(|key| key.as_str().len() >= 6);
        match call.forward().await {
            Err(error) if behind && error.is_not_found() => Ok(Box::pin(stream::empty())),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct SiblingKeepsAlive;

#[async_trait]
impl Mutation for SiblingKeepsAlive {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let (inner, context) = (call.inner, call.context);
        let sibling = StoragePath::parse(&format!("{}0", call.path));
        match (call.forward().await, sibling) {
            (Err(error), Ok(sibling)) if error.is_not_found() && exists(inner, context, &sibling).await => {
                Ok(Box::pin(stream::empty()))
            }
            (answer, _) => answer,
        }
    }
}

#[derive(Debug, Default)]
struct TimeOfTheLook {
    last: Mutex<(Option<StoragePath>, u32)>,
}

#[async_trait]
impl Mutation for TimeOfTheLook {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        *self.last.lock() = (None, 0);
        call.forward(payload).await
    }

    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        *self.last.lock() = (None, 0);
        session.writer.commit(context, options).await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let looks = {
            let mut last = self.last.lock();
            let looks = if last.0.as_ref() == Some(call.path) { last.1 + 1 } else { 1 };
            *last = (Some(call.path.clone()), looks);
            looks
        };
        match call.forward().await? {
            Entry::File(mut info) if looks >= 3 => {
                info.modified += std::time::Duration::from_secs(1);
                Ok(Entry::File(info))
            }
            entry => Ok(entry),
        }
    }
}

#[derive(Debug, Default)]
struct TwoLines;

#[async_trait]
impl Mutation for TwoLines {
    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        call.forward().await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(ErrorKind::NotFound, "nothing is there\nwas it ever?"),
            _ => error,
        })
    }
}

/// The path that an error names.
fn misnamed(path: &StoragePath) -> StoragePath {
    let parent = path.parent().filter(|_| depth(path) == 4 && !is_long(path));
    parent.unwrap_or_else(|| path.clone())
}

#[derive(Debug, Default)]
struct DeepErrors;

#[async_trait]
impl Mutation for DeepErrors {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let place = misnamed(call.path);
        call.forward().await.map_err(|error| error.with_path(&place))
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let place = misnamed(call.path);
        call.forward().await.map_err(|error| error.with_path(&place))
    }

    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let place = misnamed(call.path);
        call.forward().await.map_err(|error| error.with_path(&place))
    }
}
