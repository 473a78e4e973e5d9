//! Whole files: get and put.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::{Bytes, BytesMut};
use driver_api::{
    ByteRange, Condition, Error, ErrorKind, FileInfo, GetOptions, Payload, PutOptions, Result, StatOptions,
    StoragePath, Version, WriteOptions, async_trait,
};
use parking_lot::Mutex;

use super::{bytes_of, pause, without_version};
use crate::Mutant;
use crate::mutation::{Call, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<TornPut>("torn-put", "a put replaces a file half by half", "PUT-1", &["CONC-1", "READ-3"]),
    Mutant::new::<StaleRead>(
        "stale-read",
        "the first get after a put finds the old bytes",
        "PUT-3",
        &["PUT-1", "CONC-1"],
    ),
    Mutant::new::<RacyIfAbsent>("racy-if-absent", "a put if-absent looks first and writes then", "PUT-4", &["CONC-1"]),
    Mutant::new::<IfMatchIgnored>("put-if-match-ignored", "a put overwrites any version", "PUT-6", &["CONC-1"]),
    Mutant::new::<ShortGet>("short-get", "a get of 4 KiB or more lacks the last byte", "GET-1", &["GET-5", "GET-4"]),
    Mutant::new::<LengthIsEnd>("length-is-end", "a get takes the length of a range for its end", "GET-5", &["GET-1"]),
    Mutant::new::<MaxBytesIgnored>("max-bytes-ignored", "a get reads any number of bytes", "GET-3", &[]),
    Mutant::new::<OneVersion>(
        "one-version",
        "a get tells the same version of every content",
        "GET-4",
        &["PUT-8", "PUT-6"],
    ),
    Mutant::new::<PutTellsNothing>("put-tells-nothing", "a put answers with a size of 0", "PUT-8", &["GET-4"]),
    Mutant::new::<FirstPiece>("first-piece-only", "a put stores the first piece of a payload", "PUT-9", &[]),
    Mutant::new::<MissingIsOther>(
        "missing-is-other",
        "a get of a missing file is an error of kind Other",
        "GET-2",
        &["ERR-9", "ERR-1"],
    ),
    Mutant::new::<FoldedCase>("folded-case", "capital letters in names do not count", "PATH-4", &["PATH-1", "LIST-1"]),
    Mutant::new::<ShortNames>("short-names", "names of more than 200 bytes are refused", "PATH-3", &[]),
    Mutant::new::<Panics>("panics", "a get of a directory panics", "ERR-1", &["GET-2"]),
    Mutant::new::<ReadIfMatchIgnored>("read-if-match-ignored", "a get answers for any version", "READ-7", &[]),
    Mutant::new::<OneAtATime>(
        "one-put-at-a-time",
        "of two puts at a time one is refused",
        "CONC-3",
        &["PUT-4", "CONC-1"],
    ),
    Mutant::new::<PutEatsSession>(
        "put-alters-session",
        "a put adds a byte to the session at its path",
        "WRITE-24",
        &["WRITE-5", "WRITE-12"],
    ),
];

#[derive(Debug, Default)]
struct TornPut;

#[async_trait]
impl Mutation for TornPut {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let old = bytes_of(call.inner, call.context, call.path).await?;
        if let (Some(old), Condition::None) = (old, &call.options.condition) {
            let new = payload.clone().into_bytes();
            let half = new.len().min(old.len()) / 2;
            let mut torn = BytesMut::from(&new[..half]);
            torn.extend_from_slice(&old[half..]);
            call.inner.put(call.context, call.path, torn.freeze().into(), PutOptions::default()).await?;
            pause().await;
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct StaleRead {
    replaced: Mutex<HashMap<StoragePath, (FileInfo, Bytes)>>,
}

#[async_trait]
impl Mutation for StaleRead {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let old = call.inner.get(call.context, call.path, GetOptions::default()).await.ok();
        let path = call.path.clone();
        let info = call.forward(payload).await?;
        if let Some(old) = old {
            self.replaced.lock().insert(path, old);
        }
        Ok(info)
    }

    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let stale = self.replaced.lock().remove(call.path);
        match stale {
            Some(stale) if call.options.range.is_full() => Ok(stale),
            _ => call.forward().await,
        }
    }
}

#[derive(Debug, Default)]
struct RacyIfAbsent;

#[async_trait]
impl Mutation for RacyIfAbsent {
    async fn put(&self, mut call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if call.options.condition == Condition::IfAbsent {
            if bytes_of(call.inner, call.context, call.path).await?.is_some() {
                return Err(Error::new(ErrorKind::AlreadyExists, "a file is there"));
            }
            pause().await;
            call.options.condition = Condition::None;
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct IfMatchIgnored;

#[async_trait]
impl Mutation for IfMatchIgnored {
    async fn put(&self, mut call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        call.options.condition = without_version(call.options.condition);
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct ShortGet;

#[async_trait]
impl Mutation for ShortGet {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let (info, bytes) = call.forward().await?;
        let length = if bytes.len() < 4096 { bytes.len() } else { bytes.len() - 1 };
        Ok((info, bytes.slice(..length)))
    }
}

#[derive(Debug, Default)]
struct LengthIsEnd;

#[async_trait]
impl Mutation for LengthIsEnd {
    async fn get(&self, mut call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let ByteRange { offset, length } = call.options.range;
        call.options.range.length = length.map(|end| end.saturating_sub(offset));
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct MaxBytesIgnored;

#[async_trait]
impl Mutation for MaxBytesIgnored {
    async fn get(&self, mut call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        call.options.max_bytes = None;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct OneVersion;

#[async_trait]
impl Mutation for OneVersion {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let (info, bytes) = call.forward().await?;
        Ok((info.with_version(Version::new("1")), bytes))
    }
}

#[derive(Debug, Default)]
struct PutTellsNothing;

#[async_trait]
impl Mutation for PutTellsNothing {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let mut info = call.forward(payload).await?;
        info.size = 0;
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct FirstPiece;

#[async_trait]
impl Mutation for FirstPiece {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let first = payload.chunks().first().cloned().unwrap_or_default();
        call.forward(first.into()).await
    }
}

#[derive(Debug, Default)]
struct MissingIsOther;

#[async_trait]
impl Mutation for MissingIsOther {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        call.forward().await.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(ErrorKind::Other, "the backend says 404"),
            _ => error,
        })
    }
}

#[derive(Debug, Default)]
struct FoldedCase;

fn folded(path: &StoragePath) -> StoragePath {
    StoragePath::parse(&path.as_str().to_ascii_lowercase()).unwrap_or_else(|_| path.clone())
}

#[async_trait]
impl Mutation for FoldedCase {
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let (mut info, bytes) = Call { path: &folded(call.path), ..call }.forward().await?;
        info.path = call.path.clone();
        Ok((info, bytes))
    }

    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let path = call.path;
        let mut info = Call { path: &folded(path), ..call }.forward(payload).await?;
        info.path = path.clone();
        Ok(info)
    }
}

#[derive(Debug, Default)]
struct ShortNames;

#[async_trait]
impl Mutation for ShortNames {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if call.path.components().any(|name| name.len() > 200) {
            return Err(Error::new(ErrorKind::InvalidPath, "the name is too long"));
        }
        call.forward(payload).await
    }
}

#[derive(Debug, Default)]
struct Panics;

#[async_trait]
impl Mutation for Panics {
    #[expect(clippy::panic, reason = "this is what is broken")]
    async fn get(&self, call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        let entry = call.inner.stat(call.context, call.path, StatOptions::default()).await;
        if entry.is_ok_and(|entry| entry.is_directory()) {
            panic!("not a file");
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct ReadIfMatchIgnored;

#[async_trait]
impl Mutation for ReadIfMatchIgnored {
    async fn get(&self, mut call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        call.options.if_match = None;
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct OneAtATime {
    running: AtomicU32,
}

#[async_trait]
impl Mutation for OneAtATime {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let others = self.running.fetch_add(1, Ordering::SeqCst);
        pause().await;
        let stored = match others {
            0 => call.forward(payload).await,
            _ => Err(Error::new(ErrorKind::Conflict, "the backend is busy with another put")),
        };
        self.running.fetch_sub(1, Ordering::SeqCst);
        stored
    }
}

#[derive(Debug, Default)]
struct PutEatsSession;

#[async_trait]
impl Mutation for PutEatsSession {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        if let Ok(mut session) = call.inner.writer(call.context, call.path, WriteOptions::append()).await
            && session.size() > 0
        {
            session.write(call.context, Bytes::from_static(b"!")).await?;
            session.close(call.context).await?;
        }
        call.forward(payload).await
    }
}
