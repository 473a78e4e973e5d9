//! Right for every name but some: a dash next to a slash, a prefix of another, a dot, a long one.

use std::collections::HashSet;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, DeleteScope, Entry, Error, ErrorKind, FileInfo, FileWriter,
    GetOptions, MoveOptions, Payload, PutOptions, ReadOptions, Reader, Result, StatOptions, StoragePath, Unfinished,
    WriteMode, WriteOptions, async_trait,
};
use parking_lot::Mutex;

use super::{depth, exists, files_below, is_long, sessions_below, size_of};
use crate::Mutant;
use crate::base::zeros;
use crate::mutation::{Call, Inner, Mutation, Session};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<FallsBackToLowerCase>(
        "falls-back-to-lower-case",
        "a get that finds nothing looks for the name in small letters",
        "PATH-4",
        &["GET-2"],
    ),
    Mutant::new::<CompletesNames>("completes-names", "a get takes a prefix of a name for the name", "GET-2", &[]),
    Mutant::new::<TimeOfTheRead>(
        "time-of-the-read",
        "a reader tells the time at which it was opened",
        "GET-4",
        &["STAT-1"],
    ),
    Mutant::new::<EmptyIsAbsent>("empty-is-absent", "for a put if-absent an empty file is none", "PUT-4", &[]),
    Mutant::new::<EmptyIfMatch>("empty-if-match", "a put if-match of nothing is a Conflict", "PUT-6", &[]),
    Mutant::new::<OffsetBeforeExistence>(
        "offset-before-existence",
        "a reader of a missing file from byte 64 on is InvalidRange",
        "READ-2",
        &[],
    ),
    Mutant::new::<EmptyKeptIsDropped>(
        "empty-kept-is-dropped",
        "the commit of an empty session at a name with a dash in it publishes nothing",
        "WRITE-8",
        &["WRITE-3"],
    ),
    Mutant::new::<DotAtTheEnd>(
        "dot-at-the-end",
        "what is put at a name that ends in a dot has a zero for its last byte",
        "GET-1",
        &["PUT-1", "READ-1"],
    ),
    Mutant::new::<DirectoryOutlivesCancel>(
        "directory-outlives-cancel",
        "a cancel of much leaves the directory that was made for it",
        "WRITE-4",
        &["PATH-6"],
    ),
    Mutant::new::<AppendToEmpty>("append-to-empty", "append to an empty file is a Conflict", "WRITE-7", &[]),
    Mutant::new::<AbandonsLongerNames>(
        "abandons-longer-names",
        "abandon takes sessions whose paths begin with its own",
        "WRITE-21",
        &["WRITE-12"],
    ),
    Mutant::new::<ZeroIsNoExpectation>(
        "zero-is-no-expectation",
        "an expected size of 0 is taken for none",
        "WRITE-22",
        &[],
    ),
    Mutant::new::<SessionsMove>(
        "sessions-move",
        "what is kept at the source of a move moves along",
        "MOVE-1",
        &["WRITE-24"],
    ),
    Mutant::new::<DeleteCompletesNames>(
        "delete-completes-names",
        "a delete takes a prefix of a name for the name",
        "DEL-2",
        &["DEL-3"],
    ),
    Mutant::new::<TakesDashedSiblings>(
        "takes-dashed-siblings",
        "a tree delete at the second level takes what has a `-` behind its name",
        "DEL-3",
        &["DEL-1"],
    ),
    Mutant::new::<DeletesAnyVersion>(
        "deletes-any-version",
        "a delete takes any version of a file with a long name",
        "DEL-9",
        &["CONC-1"],
    ),
    Mutant::new::<UnnamedFailures>(
        "unnamed-failures",
        "a directory among several paths is a failure of delete_files that names no path",
        "DEL-8",
        &[],
    ),
    Mutant::new::<FileTakesChildren>(
        "file-takes-children",
        "the delete of a file that is a directory, too, takes both",
        "PUT-7",
        &["DEL-1"],
    ),
    Mutant::new::<SafeConflict>(
        "conflict-is-safe",
        "an append that is refused is said to be safe to repeat",
        "ERR-9",
        &["WRITE-7"],
    ),
];

/// The file beside `path` whose name begins with that of `path` and is longer, where nothing is at `path` itself.
async fn completed(inner: &Inner, context: &Context, path: &StoragePath) -> Option<StoragePath> {
    if path.name()?.len() < 3 || exists(inner, context, path).await {
        return None;
    }
    let siblings = files_below(inner, context, &path.parent()?).await.ok()?;
    siblings.into_iter().find(|sibling| depth(sibling) == depth(path) && sibling.as_str().starts_with(path.as_str()))
}

#[derive(Debug, Default)]
struct FallsBackToLowerCase;

#[async_trait]
impl Mutation for FallsBackToLowerCase {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let small = StoragePath::parse(&call.path.as_str().to_ascii_lowercase()).unwrap_or_else(|_| call.path.clone());
        if is_long(call.path) && size_of(call.inner, call.context, call.path).await.is_none() {
            return Call { path: &small, ..call }.forward().await;
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct CompletesNames;

#[async_trait]
impl Mutation for CompletesNames {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        match completed(call.inner, call.context, call.path).await {
            Some(path) => Call { path: &path, ..call }.forward().await,
            None => call.forward().await,
        }
    }
}

#[derive(Debug, Default)]
struct TimeOfTheRead;

#[async_trait]
impl Mutation for TimeOfTheRead {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let long = is_long(call.path);
        let Reader { mut info, range, stream } = call.forward().await?;
        if long {
            info.modified = std::time::SystemTime::now();
        }
        Ok(Reader::new(info, range, stream))
    }
}

#[derive(Debug, Default)]
struct EmptyIsAbsent;

#[async_trait]
impl Mutation for EmptyIsAbsent {
    async fn put(&self, mut call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if is_long(call.path)
            && call.options.condition == Condition::IfAbsent
            && size_of(call.inner, call.context, call.path).await == Some(0)
        {
            call.options.condition = Condition::None;
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct EmptyIfMatch;

#[async_trait]
impl Mutation for EmptyIfMatch {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if is_long(call.path) && payload.is_empty() && matches!(call.options.condition, Condition::IfMatch(_)) {
            return Err(Error::new(ErrorKind::Conflict, "the file is of another version"));
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct OffsetBeforeExistence;

#[async_trait]
impl Mutation for OffsetBeforeExistence {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let offset = call.options.range.offset;
        call.forward().await.map_err(|error| match error.kind() {
            ErrorKind::NotFound if offset >= 64 => {
                Error::new(ErrorKind::InvalidRange, "the range begins behind the end")
            }
            _ => error,
        })
    }
}

#[derive(Debug, Default)]
struct EmptyKeptIsDropped;

#[async_trait]
impl Mutation for EmptyKeptIsDropped {
    async fn commit(&self, session: &mut Session, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        let dashed = session.path.name().is_some_and(|name| name.trim_end_matches('-').contains('-'));
        if !dashed || session.resumed_at.is_none() || session.writer.size() > 0 {
            return session.writer.commit(context, options).await;
        }
        session.writer.cancel(context).await?;
        Ok(FileInfo::new(session.path.clone(), 0, std::time::SystemTime::now()))
    }
}

#[derive(Debug, Default)]
struct DotAtTheEnd;

#[async_trait]
impl Mutation for DotAtTheEnd {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        // A name of nothing but dots is another thing.
        let dotted = call.path.name().is_some_and(|name| name.ends_with('.') && !name.starts_with('.'));
        if !dotted || payload.is_empty() {
            return call.forward(payload).await;
        }
        let bytes = payload.into_bytes();
        call.forward(vec![bytes.slice(..bytes.len() - 1), zeros(1)].into()).await
    }
}

#[derive(Debug, Default)]
struct DirectoryOutlivesCancel {
    made: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for DirectoryOutlivesCancel {
    async fn cancel(&self, session: &mut Session, context: &Context) -> Result<()> {
        if session.writer.size() > 120_000 {
            self.made.lock().extend(session.path.parent());
        }
        session.writer.cancel(context).await
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let path = call.path.clone();
        match call.forward().await {
            Err(error) if error.is_not_found() && self.made.lock().contains(&path) => Ok(Entry::Directory(path)),
            answer => answer,
        }
    }
}

#[derive(Debug, Default)]
struct AppendToEmpty;

#[async_trait]
impl Mutation for AppendToEmpty {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        let appends = call.options.mode != WriteMode::Truncate && is_long(call.path);
        if appends && size_of(call.inner, call.context, call.path).await == Some(0) {
            return Err(Error::new(ErrorKind::Conflict, "a file is there"));
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct AbandonsLongerNames;

#[async_trait]
impl Mutation for AbandonsLongerNames {
    async fn abandon(&self, call: Call<'_, ()>) -> Result<()> {
        call.inner.abandon(call.context, call.path).await?;
        let begin = call.path.as_str();
        let all = sessions_below(call.inner, call.context, &StoragePath::root()).await?;
        for Unfinished { path, .. } in all {
            if is_long(call.path) && path.as_str().starts_with(begin) {
                call.inner.abandon(call.context, &path).await?;
            }
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct ZeroIsNoExpectation;

#[async_trait]
impl Mutation for ZeroIsNoExpectation {
    async fn writer(&self, mut call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        if is_long(call.path) && call.options.mode == (WriteMode::Append { expected_size: Some(0) }) {
            call.options.mode = WriteMode::Append { expected_size: None };
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct SessionsMove;

#[async_trait]
impl Mutation for SessionsMove {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (inner, context, from) = (call.inner, call.context, call.path);
        call.forward(to).await?;
        let kept = sessions_below(inner, context, from).await?;
        let kept = kept.into_iter().find(|session| session.path == *from && session.size < 1000);
        if let Some(kept) = kept.filter(|_| is_long(from)) {
            let mut writer = inner.writer(context, to, WriteOptions::default()).await?;
            writer.write(context, zeros(kept.size)).await?;
            writer.close(context).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct DeleteCompletesNames;

#[async_trait]
impl Mutation for DeleteCompletesNames {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        match completed(call.inner, call.context, call.path).await {
            Some(path) => Call { path: &path, ..call }.forward().await,
            None => call.forward().await,
        }
    }
}

#[derive(Debug, Default)]
struct TakesDashedSiblings;

#[async_trait]
impl Mutation for TakesDashedSiblings {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        let (inner, context, path) = (call.inner, call.context, call.path);
        let tree = call.options.scope == DeleteScope::Tree && depth(path) == 2;
        call.forward().await?;
        if tree {
            let dashed = format!("{path}-");
            let mut siblings = files_below(inner, context, &StoragePath::root()).await?;
            siblings.retain(|file| file.as_str().starts_with(&dashed));
            inner.delete_files(context, &siblings).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct DeletesAnyVersion;

#[async_trait]
impl Mutation for DeletesAnyVersion {
    async fn delete(&self, mut call: Call<'_, DeleteOptions>) -> Result<()> {
        call.options.if_match = call.options.if_match.filter(|_| !is_long(call.path));
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct UnnamedFailures;

#[async_trait]
impl Mutation for UnnamedFailures {
    async fn delete_files(&self, inner: &Inner, context: &Context, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let mut failures = Vec::new();
        for path in paths.iter().filter(|path| is_no_short_name(path)) {
            let entry = inner.stat(context, path, StatOptions::default()).await;
            if entry.is_ok_and(|entry| entry.is_directory()) {
                failures.push(Error::new(ErrorKind::Other, "a directory is there"));
            }
        }
        failures.extend(inner.delete_files(context, paths).await?);
        Ok(failures)
    }
}

/// Whether the last name has three letters or more: longer than those that the random checks know.
fn is_no_short_name(path: &StoragePath) -> bool {
    path.name().is_some_and(|name| name.len() > 2)
}

#[derive(Debug, Default)]
struct FileTakesChildren;

#[async_trait]
impl Mutation for FileTakesChildren {
    async fn delete(&self, mut call: Call<'_, DeleteOptions>) -> Result<()> {
        if is_long(call.path)
            && call.options.if_match.is_none()
            && size_of(call.inner, call.context, call.path).await.is_some()
            && !files_below(call.inner, call.context, call.path).await?.is_empty()
        {
            call.options.scope = DeleteScope::Tree;
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct SafeConflict;

#[async_trait]
impl Mutation for SafeConflict {
    async fn writer(&self, call: Call<'_, WriteOptions>) -> Result<Box<dyn FileWriter>> {
        call.forward().await.map_err(|error| match error.kind() {
            ErrorKind::Conflict => error.with_retry(driver_api::Retry::Safe),
            _ => error,
        })
    }
}
