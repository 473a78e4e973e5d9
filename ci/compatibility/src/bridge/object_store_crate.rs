//! The crate `object_store`: any of its stores.

use std::sync::Arc;
use std::time::SystemTime;

use driver_api::{
    ByteRange, Bytes, Capabilities, Condition, Conditions, Consistency, Durability, Entry, Error, ErrorKind, FileInfo,
    MoveLevel, Namespace, Payload, Reader, Result, StoragePath, Version, async_trait,
};
use futures_util::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{
    GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutResult, UpdateVersion,
    WriteMultipart,
};

use super::causes::Access;
use super::upload::{Foreign, Upload};

/// The size of the parts of an upload, and how many are on their way at once.
const PART: usize = 1 << 20;
const PARTS_AT_ONCE: usize = 4;

/// What a store's documentation says of it, which the store itself does not tell.
#[derive(Debug, Clone)]
pub struct Promises {
    /// Whether a path can be an object and a prefix of others.
    pub namespace: Namespace,
    /// What outlives what.
    pub durability: Durability,
    /// Whether other processes see the same objects.
    pub shared: bool,
    /// The modes that `put_opts` takes.
    pub put: Conditions,
    /// What can be seen of a move.
    pub moves: MoveLevel,
}

/// How files are moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moves {
    /// By `rename`.
    Rename,
    /// By `copy` and then `delete`, as the documentation says of `rename` where a store has nothing better.
    CopyThenDelete,
}

/// A store of the crate `object_store`.
#[derive(Debug)]
pub struct ObjectStoreCrate {
    store: Arc<dyn ObjectStore>,
    promises: Promises,
    moves: Moves,
}

impl ObjectStoreCrate {
    /// What is kept in `store`, of which its documentation says `promises`.
    pub fn new(store: Arc<dyn ObjectStore>, promises: Promises) -> Self {
        Self { store, promises, moves: Moves::Rename }
    }

    /// The same store, in which files are moved in this way.
    #[must_use]
    pub fn moving_by(self, moves: Moves) -> Self {
        Self { moves, ..self }
    }

    async fn head(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<ObjectMeta> {
        let options = GetOptions::new().with_head(true).with_if_match(if_match.map(Version::as_str));
        let answer = self.store.get_opts(&location(path)?, options).await;
        Ok(answer.map_err(|error| translated(error, Access::Read))?.meta)
    }

    /// All below a directory, in the crate's own order.
    async fn below(&self, directory: &StoragePath) -> Result<Vec<ObjectMeta>> {
        let listed = self.store.list(Some(&location(directory)?)).try_collect().await;
        listed.map_err(|error| translated(error, Access::Read))
    }
}

#[async_trait]
impl Foreign for ObjectStoreCrate {
    type Upload = WriteMultipart;

    fn name(&self) -> &'static str {
        "object_store"
    }

    fn capabilities(&self) -> Capabilities {
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = self.promises.namespace;
        capabilities.moves = self.promises.moves;
        // "All operations are atomic, and readers cannot observe partial and/or failed writes."
        capabilities.consistency = Consistency::Linearizable;
        capabilities.durability = self.promises.durability;
        capabilities.shared = self.promises.shared;
        capabilities.put = self.promises.put;
        capabilities.read_if_match = true;
        capabilities
    }

    async fn read(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Reader> {
        let options = GetOptions::new().with_range(wanted(range)).with_if_match(if_match.map(Version::as_str));
        let error = match self.store.get_opts(&location(path)?, options).await {
            Ok(found) => {
                let (info, range) = (info(path, &found.meta), found.range.clone());
                let stream = found.into_stream().map_err(|error| translated(error, Access::Read));
                return Ok(Reader::new(info, range, Box::pin(stream)));
            }
            Err(error) => translated(error, Access::Read),
        };
        if range.is_full() || error.is_not_found() || error.kind() == ErrorKind::Conflict {
            return Err(error);
        }
        // A range without bytes is an error there, and its kind does not tell it from others.
        let meta = self.head(path, if_match).await?;
        let resolved = range.resolve(meta.size)?;
        if !resolved.is_empty() {
            return Err(error);
        }
        Ok(Reader::new(info(path, &meta), resolved, Box::pin(stream::empty())))
    }

    async fn put(&self, path: &StoragePath, payload: Payload, condition: &Condition) -> Result<FileInfo> {
        let mode = match condition {
            Condition::None => PutMode::Overwrite,
            Condition::IfAbsent => PutMode::Create,
            Condition::IfMatch(version) => {
                PutMode::Update(UpdateVersion { e_tag: Some(version.as_str().to_owned()), version: None })
            }
        };
        let size = payload.len();
        let payload = payload.chunks().iter().cloned().collect();
        let answer = self.store.put_opts(&location(path)?, payload, PutOptions::from(mode)).await;
        answer.map(|answer| published(path, size, answer)).map_err(|error| match error {
            // Without the condition it is a directory, or what should be one, that is there.
            object_store::Error::AlreadyExists { .. } if *condition != Condition::IfAbsent => {
                failed(ErrorKind::Conflict, error)
            }
            error => translated(error, Access::Change),
        })
    }

    async fn upload(&self, path: &StoragePath) -> Result<WriteMultipart> {
        let upload = self.store.put_multipart(&location(path)?).await;
        let upload = upload.map_err(|error| translated(error, Access::Change))?;
        Ok(WriteMultipart::new_with_chunk_size(upload, PART))
    }

    async fn stat(&self, path: &StoragePath) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::Directory(path.clone()));
        }
        match self.head(path, None).await {
            Ok(meta) => Ok(Entry::File(info(path, &meta))),
            Err(error) if error.is_not_found() => {
                let listed = self.store.list_with_delimiter(Some(&location(path)?)).await;
                let listed = listed.map_err(|error| translated(error, Access::Read))?;
                let is_empty = listed.objects.is_empty() && listed.common_prefixes.is_empty();
                if is_empty { Err(error) } else { Ok(Entry::Directory(path.clone())) }
            }
            Err(error) => Err(error),
        }
    }

    async fn entries(&self, directory: &StoragePath, recursive: bool) -> Result<Vec<Entry>> {
        if recursive {
            return Ok(self.below(directory).await?.iter().filter_map(entry).collect());
        }
        let listed = self.store.list_with_delimiter(Some(&location(directory)?)).await;
        let listed = listed.map_err(|error| translated(error, Access::Read))?;
        let directories = listed.common_prefixes.iter().filter_map(named).map(Entry::Directory);
        Ok(listed.objects.iter().filter_map(entry).chain(directories).collect())
    }

    async fn rename(&self, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let (from, to) = (location(from)?, location(to)?);
        let moved = match self.moves {
            Moves::Rename => self.store.rename(&from, &to).await,
            Moves::CopyThenDelete => match self.store.copy(&from, &to).await {
                Ok(()) => self.store.delete(&from).await,
                Err(error) => Err(error),
            },
        };
        moved.map_err(|error| translated(error, Access::Change))
    }

    async fn delete(&self, path: &StoragePath) -> Result<()> {
        self.store.delete(&location(path)?).await.map_err(|error| translated(error, Access::Change))
    }

    async fn delete_tree(&self, path: &StoragePath) -> Result<()> {
        let mut doomed: Vec<_> = self.below(path).await?.into_iter().map(|meta| meta.location).collect();
        if self.head(path, None).await.is_ok() {
            doomed.push(location(path)?);
        }
        let deleted = self.store.delete_stream(stream::iter(doomed.into_iter().map(Ok)).boxed());
        let deleted: Vec<_> = deleted.collect().await;
        for answer in deleted {
            match answer.map_err(|error| translated(error, Access::Change)) {
                // Somebody else was faster.
                Err(error) if error.is_not_found() => {}
                answer => drop(answer?),
            }
        }
        Ok(())
    }
}

#[async_trait]
impl Upload for WriteMultipart {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        self.wait_for_capacity(PARTS_AT_ONCE).await.map_err(|error| translated(error, Access::Change))?;
        self.put(chunk);
        Ok(())
    }

    async fn complete(self, path: &StoragePath, size: u64) -> Result<FileInfo> {
        let answer = self.finish().await.map_err(|error| translated(error, Access::Change))?;
        Ok(published(path, size, answer))
    }

    async fn abort(self) -> Result<()> {
        WriteMultipart::abort(self).await.map_err(|error| translated(error, Access::Change))
    }
}

fn location(path: &StoragePath) -> Result<Path> {
    Path::parse(path.relative()).map_err(|error| translated(error.into(), Access::Read))
}

/// The path of a location; none where no path of this project has such a name.
fn named(location: &Path) -> Option<StoragePath> {
    StoragePath::parse(&format!("/{location}")).ok()
}

fn entry(meta: &ObjectMeta) -> Option<Entry> {
    named(&meta.location).map(|path| Entry::File(info(&path, meta)))
}

fn info(path: &StoragePath, meta: &ObjectMeta) -> FileInfo {
    versioned(FileInfo::new(path.clone(), meta.size, meta.last_modified.into()), meta.e_tag.as_deref())
}

/// What a write answers has no time in it, so it is that of the answer.
fn published(path: &StoragePath, size: u64, answer: PutResult) -> FileInfo {
    versioned(FileInfo::new(path.clone(), size, SystemTime::now()), answer.e_tag.as_deref())
}

fn versioned(info: FileInfo, etag: Option<&str>) -> FileInfo {
    match etag {
        Some(etag) => info.with_version(Version::new(etag)),
        None => info,
    }
}

/// None for the whole object, of which a range is an error where it is empty.
fn wanted(range: ByteRange) -> Option<GetRange> {
    match range.length {
        _ if range.is_full() => None,
        None => Some(GetRange::Offset(range.offset)),
        Some(length) => Some(GetRange::Bounded(range.offset..range.offset.saturating_add(length))),
    }
}

fn translated(error: object_store::Error, access: Access) -> Error {
    use object_store::Error as Foreign;
    let kind = match &error {
        Foreign::NotFound { .. } => ErrorKind::NotFound,
        Foreign::AlreadyExists { .. } => ErrorKind::AlreadyExists,
        Foreign::Precondition { .. } | Foreign::NotModified { .. } => ErrorKind::Conflict,
        Foreign::InvalidPath { .. } => ErrorKind::InvalidPath,
        Foreign::NotSupported { .. } | Foreign::NotImplemented { .. } => ErrorKind::Unsupported,
        Foreign::PermissionDenied { .. } | Foreign::Unauthenticated { .. } => ErrorKind::PermissionDenied,
        Foreign::UnknownConfigurationKey { .. } => ErrorKind::Misconfigured,
        _ => access.kind_of_cause(&error).unwrap_or(ErrorKind::Other),
    };
    failed(kind, error)
}

fn failed(kind: ErrorKind, error: object_store::Error) -> Error {
    Error::new(kind, error.to_string().replace('\n', " ")).with_source(error)
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn errors_are_told_by_their_kind() {
        let source = || Box::new(io::Error::from(io::ErrorKind::NotADirectory));
        let path = || "a".to_owned();
        for (error, kind) in [
            (object_store::Error::NotFound { path: path(), source: source() }, ErrorKind::NotFound),
            (object_store::Error::AlreadyExists { path: path(), source: source() }, ErrorKind::AlreadyExists),
            (object_store::Error::Precondition { path: path(), source: source() }, ErrorKind::Conflict),
            (object_store::Error::PermissionDenied { path: path(), source: source() }, ErrorKind::PermissionDenied),
            (object_store::Error::NotSupported { source: source() }, ErrorKind::Unsupported),
            (object_store::Error::Generic { store: "local", source: source() }, ErrorKind::Conflict),
            (object_store::Error::Generic { store: "local", source: "why".into() }, ErrorKind::Other),
        ] {
            assert_eq!(translated(error, Access::Change).kind(), kind);
        }
        let below_a_file = object_store::Error::Generic { store: "local", source: source() };
        assert_eq!(translated(below_a_file, Access::Read).kind(), ErrorKind::NotFound);
    }

    #[test]
    fn ranges_are_those_of_the_crate() {
        assert_eq!(wanted(ByteRange::FULL), None);
        assert_eq!(wanted(ByteRange::from(3)), Some(GetRange::Offset(3)));
        assert_eq!(wanted(ByteRange::span(0, 4)), Some(GetRange::Bounded(0..4)));
        assert_eq!(wanted(ByteRange::span(3, u64::MAX)), Some(GetRange::Bounded(3..u64::MAX)));
    }

    #[test]
    fn paths_have_no_slash_in_front_there() {
        let path = StoragePath::parse("/a-b/c.d").unwrap();
        assert_eq!(location(&path).unwrap().as_ref(), "a-b/c.d");
        assert_eq!(named(&location(&path).unwrap()), Some(path));
        assert_eq!(location(&StoragePath::root()).unwrap(), Path::default());
        assert_eq!(named(&Path::from("white space")), None, "a name that no path here can have");
    }
}
