//! The crate `opendal`: any of its operators.

use std::time::SystemTime;

use driver_api::{
    ByteRange, Bytes, Capabilities, Condition, Conditions, Consistency, Durability, Entry, Error, ErrorKind, FileInfo,
    Namespace, Payload, Reader, Result, StoragePath, Version, async_trait,
};
use futures_util::TryStreamExt;
use opendal::options::WriteOptions;
use opendal::{EntryMode, Metadata, Operator};

use super::causes::Access;
use super::upload::{Foreign, Upload};

/// What an operator does not tell of its service.
#[derive(Debug, Clone, Copy)]
pub struct Service {
    /// Whether a path can be a file and a directory at once.
    pub namespace: Namespace,
    /// What outlives what.
    pub durability: Durability,
    /// The crate says nothing of consistency. In one process, or on one disk, there are no replicas to excuse less than one
    /// order of the calls.
    pub consistency: Consistency,
}

/// An operator of the crate `opendal`.
#[derive(Debug)]
pub struct OpendalCrate {
    operator: Operator,
    service: Service,
}

impl OpendalCrate {
    /// What is reached by `operator`.
    pub fn new(operator: Operator, service: Service) -> Self {
        Self { operator, service }
    }

    /// The size, time and version of a file, which the crate tells by a call of its own.
    async fn file(&self, path: &StoragePath) -> Result<FileInfo> {
        self.stat(path).await?.into_file()
    }

    /// Moves what the service can neither rename nor copy: the bytes go through the caller.
    async fn carry(&self, from: &str, to: &str) -> opendal::Result<()> {
        let bytes = self.operator.read(from).await?;
        self.operator.write(to, bytes).await?;
        self.operator.delete(from).await
    }
}

#[async_trait]
impl Foreign for OpendalCrate {
    type Upload = opendal::Writer;

    fn name(&self) -> &'static str {
        "opendal"
    }

    fn capabilities(&self) -> Capabilities {
        let claimed = self.operator.info().capability();
        let mut capabilities = Capabilities::minimal();
        capabilities.namespace = self.service.namespace;
        capabilities.durability = self.service.durability;
        capabilities.consistency = self.service.consistency;
        // A writer takes its condition when it is opened, and not with its commit.
        capabilities.put =
            Conditions { if_absent: claimed.write_with_if_not_exists, if_match: claimed.write_with_if_match };
        capabilities.read_if_match = claimed.read_with_if_match && claimed.stat_with_if_match;
        capabilities.shared = claimed.shared;
        capabilities
    }

    async fn read(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Reader> {
        let info = self.file(path).await?;
        let resolved = range.resolve(info.size)?;
        let reader = self.operator.reader_with(path.relative());
        let reader = match if_match {
            Some(version) => reader.if_match(version.as_str()).await,
            None => reader.await,
        };
        let reader = reader.map_err(|error| translated(error, Access::Read))?;
        // Without an end the crate reads as far as the file goes, which may have changed since it told the size.
        let stream = match range.length {
            None => reader.into_bytes_stream(resolved.start..).await,
            Some(_) => reader.into_bytes_stream(resolved.clone()).await,
        };
        let stream = stream.map_err(|error| translated(error, Access::Read))?;
        let stream = stream.map_err(|error| {
            Error::new(Access::Read.kind_of_cause(&error).unwrap_or(ErrorKind::Other), one_line(&error))
                .with_source(error)
        });
        Ok(Reader::new(info, resolved, Box::pin(stream)))
    }

    async fn put(&self, path: &StoragePath, payload: Payload, condition: &Condition) -> Result<FileInfo> {
        let mut options = WriteOptions::default();
        match condition {
            Condition::None => {}
            Condition::IfAbsent => options.if_not_exists = true,
            Condition::IfMatch(version) => options.if_match = Some(version.as_str().to_owned()),
        }
        match self.operator.write_options(path.relative(), payload.into_bytes(), options).await {
            Ok(metadata) => Ok(info(path, &metadata)),
            Err(error)
                if error.kind() == opendal::ErrorKind::ConditionNotMatch && *condition == Condition::IfAbsent =>
            {
                Err(failed(ErrorKind::AlreadyExists, error))
            }
            Err(error) => Err(translated(error, Access::Change)),
        }
    }

    async fn upload(&self, path: &StoragePath) -> Result<opendal::Writer> {
        self.operator.writer(path.relative()).await.map_err(|error| translated(error, Access::Change))
    }

    async fn stat(&self, path: &StoragePath) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::Directory(path.clone()));
        }
        let error = match self.operator.stat(path.relative()).await {
            Ok(metadata) if metadata.is_dir() => return Ok(Entry::Directory(path.clone())),
            Ok(metadata) => return Ok(Entry::File(info(path, &metadata))),
            Err(error) => translated(error, Access::Read),
        };
        if !error.is_not_found() {
            return Err(error);
        }
        match self.operator.stat(&directory_name(path)).await {
            Ok(metadata) if metadata.is_dir() => Ok(Entry::Directory(path.clone())),
            _ => Err(error),
        }
    }

    async fn entries(&self, directory: &StoragePath, recursive: bool) -> Result<Vec<Entry>> {
        let prefix = directory_name(directory);
        let listed = self.operator.list_with(&prefix).recursive(recursive).await;
        let mut entries = Vec::new();
        for listed in listed.map_err(|error| translated(error, Access::Read))? {
            // What has a name that no path here can have is not for this project's callers.
            let Ok(path) = StoragePath::parse(&format!("/{}", listed.path().trim_matches('/'))) else { continue };
            if !path.is_below(directory) {
                continue;
            }
            let entry = match listed.metadata().mode() {
                EntryMode::DIR => Entry::Directory(path),
                EntryMode::FILE => Entry::File(info(&path, listed.metadata())),
                // Some services tell no more than the name.
                EntryMode::Unknown => match self.stat(&path).await {
                    Ok(entry) => entry,
                    Err(error) if error.is_not_found() => continue,
                    Err(error) => return Err(error),
                },
            };
            if !(recursive && entry.is_directory()) {
                entries.push(entry);
            }
        }
        Ok(entries)
    }

    async fn rename(&self, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let (from, to, claimed) = (from.relative(), to.relative(), self.operator.info().capability());
        let moved = if claimed.rename {
            self.operator.rename(from, to).await
        } else if claimed.copy {
            match self.operator.copy(from, to).await {
                Ok(_) => self.operator.delete(from).await,
                Err(error) => Err(error),
            }
        } else {
            self.carry(from, to).await
        };
        moved.map_err(|error| translated(error, Access::Change))
    }

    async fn delete(&self, path: &StoragePath) -> Result<()> {
        self.operator.delete(path.relative()).await.map_err(|error| translated(error, Access::Change))
    }

    async fn delete_tree(&self, path: &StoragePath) -> Result<()> {
        if let Ok(Entry::File(_)) = self.stat(path).await {
            self.delete(path).await?;
        }
        let deleted = self.operator.delete_with(&directory_name(path)).recursive(true).await;
        deleted.map_err(|error| translated(error, Access::Change))
    }
}

#[async_trait]
impl Upload for opendal::Writer {
    async fn write(&mut self, chunk: Bytes) -> Result<()> {
        opendal::Writer::write(self, chunk).await.map_err(|error| translated(error, Access::Change))
    }

    async fn complete(mut self, path: &StoragePath, _size: u64) -> Result<FileInfo> {
        match self.close().await {
            Ok(metadata) => Ok(info(path, &metadata)),
            Err(error) => {
                let failed = translated(error, Access::Change);
                // The crate asks its callers for this. What comes of it is for the look behind the driver.
                let _ = Upload::abort(self).await;
                Err(failed)
            }
        }
    }

    async fn abort(mut self) -> Result<()> {
        match opendal::Writer::abort(&mut self).await {
            // A service that cannot abort leaves what was written where it is, which shows in the store.
            Err(error) if error.kind() == opendal::ErrorKind::Unsupported => Ok(()),
            answer => answer.map_err(|error| translated(error, Access::Change)),
        }
    }
}

/// The name of a directory has a slash behind it there.
fn directory_name(path: &StoragePath) -> String {
    format!("{}/", path.relative())
}

fn info(path: &StoragePath, metadata: &Metadata) -> FileInfo {
    // A service that tells no time gets the oldest there is: this project's callers take it for one that was told.
    let modified = metadata.last_modified().map_or(SystemTime::UNIX_EPOCH, SystemTime::from);
    let info = FileInfo::new(path.clone(), metadata.content_length(), modified);
    match metadata.etag() {
        Some(etag) => info.with_version(Version::new(etag)),
        None => info,
    }
}

fn translated(error: opendal::Error, access: Access) -> Error {
    use opendal::ErrorKind as Foreign;
    let kind = match error.kind() {
        Foreign::NotFound => ErrorKind::NotFound,
        Foreign::IsADirectory | Foreign::NotADirectory => access.wrong_shape(),
        Foreign::PermissionDenied => ErrorKind::PermissionDenied,
        Foreign::AlreadyExists | Foreign::ConditionNotMatch | Foreign::Conflict | Foreign::IsSameFile => {
            ErrorKind::Conflict
        }
        Foreign::RangeNotSatisfied => ErrorKind::InvalidRange,
        Foreign::RateLimited => ErrorKind::Unavailable,
        Foreign::Unsupported => ErrorKind::Unsupported,
        Foreign::ConfigInvalid => ErrorKind::Misconfigured,
        _ => access.kind_of_cause(&error).unwrap_or(ErrorKind::Other),
    };
    failed(kind, error)
}

fn failed(kind: ErrorKind, error: opendal::Error) -> Error {
    Error::new(kind, one_line(&error)).with_source(error)
}

fn one_line(error: &dyn std::fmt::Display) -> String {
    error.to_string().replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn errors_are_told_by_their_kind() {
        let of_kind = |kind| opendal::Error::new(kind, "why");
        for (kind, read, change) in [
            (opendal::ErrorKind::NotFound, ErrorKind::NotFound, ErrorKind::NotFound),
            (opendal::ErrorKind::IsADirectory, ErrorKind::NotFound, ErrorKind::Conflict),
            (opendal::ErrorKind::NotADirectory, ErrorKind::NotFound, ErrorKind::Conflict),
            (opendal::ErrorKind::ConditionNotMatch, ErrorKind::Conflict, ErrorKind::Conflict),
            (opendal::ErrorKind::RangeNotSatisfied, ErrorKind::InvalidRange, ErrorKind::InvalidRange),
            (opendal::ErrorKind::RateLimited, ErrorKind::Unavailable, ErrorKind::Unavailable),
            (opendal::ErrorKind::Unsupported, ErrorKind::Unsupported, ErrorKind::Unsupported),
            (opendal::ErrorKind::Unexpected, ErrorKind::Other, ErrorKind::Other),
        ] {
            assert_eq!(translated(of_kind(kind), Access::Read).kind(), read, "{kind}");
            assert_eq!(translated(of_kind(kind), Access::Change).kind(), change, "{kind}");
        }
        let full = of_kind(opendal::ErrorKind::Unexpected).set_source(io::Error::from(io::ErrorKind::StorageFull));
        assert_eq!(translated(full, Access::Change).kind(), ErrorKind::NoSpace);
    }

    #[test]
    fn directories_have_a_slash_behind_their_names() {
        assert_eq!(directory_name(&StoragePath::parse("/a/b").unwrap()), "a/b/");
        assert_eq!(directory_name(&StoragePath::root()), "/");
    }
}
