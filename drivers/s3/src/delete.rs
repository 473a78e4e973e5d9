//! Deleting files, batches and trees.

use std::collections::HashMap;
use std::sync::Arc;

use driver_api::{Error, ErrorKind, Result, StoragePath, Version};

use crate::bucket::{Bucket, PAGE};
use crate::listing::Listed;

impl Bucket {
    /// Deletes the file at `path`. S3 does not tell whether there was one, so that its head is asked for first.
    pub(crate) async fn delete_file(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<()> {
        let head = self.head_of_file(path).await?;
        if if_match.is_some_and(|version| head.etag.as_deref() != Some(version.as_str())) {
            return Err(another_version(path));
        }
        self.delete_known(path, if_match).await
    }

    /// Deletes a file that was there a moment ago.
    pub(crate) async fn delete_known(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<()> {
        let key = self.keys.file(path);
        let failure = match self.delete(&key, if_match).await {
            Ok(()) => return Ok(()),
            Err(failure) if failure.is_unmet_condition() => return Err(another_version(path)),
            // Somebody else deleted it since.
            Err(failure) if failure.is_missing_key() => return Err(Error::not_found(path)),
            Err(failure) => failure,
        };
        if !failure.is_unsure() {
            return Err(failure.of_change(path));
        }
        match self.head(&key).await {
            Err(look) if look.is_missing_key() => Ok(()),
            Ok(_) => Err(failure.not_applied().of_change(path)),
            Err(_) => Err(failure.of_change(path)),
        }
    }

    /// Deletes the files at these paths, at most [`PAGE`]; answers with those that are left.
    pub(crate) async fn delete_paths(&self, paths: &[StoragePath]) -> Result<Vec<Error>> {
        let Some(first) = paths.first() else { return Ok(Vec::new()) };
        let by_key: HashMap<_, _> = paths.iter().map(|path| (self.keys.file(path), path)).collect();
        let left = self.delete_batch(by_key.keys().cloned().collect()).await;
        let left = left.map_err(|failure| failure.of_change(first))?;
        Ok(left
            .into_iter()
            .map(|(key, error)| match by_key.get(&key) {
                Some(path) => error.with_path(path),
                None => error,
            })
            .collect())
    }

    /// Deletes the file at `path`, all below it, and the sessions kept there. What is foreign goes too: it was in the
    /// directory, and a directory that is deleted is gone.
    pub(crate) async fn delete_tree(self: &Arc<Self>, path: &StoragePath) -> Result<()> {
        let (file, below, sessions) =
            tokio::join!(self.delete_file(path, None), self.delete_below(path), self.discard_sessions_of_tree(path));
        let found_file = match file {
            Ok(()) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let (found_below, found_sessions) = (below?, sessions?);
        if found_file || found_below || found_sessions { Ok(()) } else { Err(Error::not_found(path)) }
    }

    /// Deletes all below `path`, page by page; answers whether there was a file.
    async fn delete_below(&self, path: &StoragePath) -> Result<bool> {
        let listed = Listed { prefix: self.keys.below(path), limit: PAGE, ..Listed::default() };
        let (mut found, mut token) = (false, None);
        loop {
            let page = self.page(&listed, token).await.map_err(|failure| failure.of_read(path))?;
            let keys: Vec<_> = page.items.iter().map(|item| item.key().to_owned()).collect();
            found |= keys.iter().any(|key| self.keys.path(key).is_some());
            if !keys.is_empty() {
                let left = self.delete_batch(keys).await.map_err(|failure| failure.of_change(path))?;
                if let Some((_, error)) = left.into_iter().next() {
                    return Err(error.with_path(path));
                }
            }
            token = match page.next {
                None => return Ok(found),
                next => next,
            };
        }
    }
}

fn another_version(path: &StoragePath) -> Error {
    Error::new(ErrorKind::Conflict, "the file has another version").with_path(path)
}
