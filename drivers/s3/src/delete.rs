//! Deleting files, batches and trees.

use std::collections::HashMap;
use std::sync::Arc;

use driver_api::{Error, ErrorKind, Result, StoragePath, Version};
use tokio::task::{JoinError, JoinSet};

use crate::bucket::{Bucket, Head, PAGE};
use crate::errors::Failure;
use crate::listing::Listed;
use crate::owners::Owners;

/// How many batches of a tree are deleted at once. A service deletes the keys of one batch one by one.
const BATCHES_AT_ONCE: usize = 4;

impl Bucket {
    /// Deletes the file at `path`. S3 does not tell whether there was one, so that its head is asked for first.
    pub(crate) async fn delete_file(&self, path: &StoragePath, if_match: Option<&Version>) -> Result<()> {
        let head = self.head_of_file(path).await?;
        if if_match.is_some_and(|version| !is_version(&head, version)) {
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
        match self.head_of_file(path).await {
            Err(look) if look.kind() == ErrorKind::NotFound => Ok(()),
            // Repeated, the delete would meet another version, which may be there because it took effect (ERR-8).
            Ok(head) if if_match.is_some_and(|version| !is_version(&head, version)) => Err(failure.of_change(path)),
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

    /// Deletes the sessions kept at and below `path`, the files below it, and the file itself. What is foreign goes too: it was
    /// in the directory, and a directory that is deleted is gone.
    ///
    /// One after the other, and in this order: whatever fails leaves what shows that the tree is there, so that a repeated call
    /// does not claim that there was nothing (ERR-8).
    pub(crate) async fn delete_tree(self: &Arc<Self>, path: &StoragePath, owners: &Owners) -> Result<()> {
        let sessions = self.discard_sessions_of_tree(path, owners);
        let (file, found_sessions) = tokio::join!(self.head_of_file(path), sessions);
        let found_file = match file {
            Ok(_) => true,
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            Err(error) => return Err(error),
        };
        let found_sessions = found_sessions?;
        let found_below = self.delete_below(path).await?;
        if found_file {
            match self.delete_known(path, None).await {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                deleted => deleted?,
            }
        }
        if found_file || found_below || found_sessions { Ok(()) } else { Err(Error::not_found(path)) }
    }

    /// Deletes all below `path`, some pages at once; answers whether there was a file. The first page goes alone and last:
    /// whatever fails leaves what shows that the tree is there (ERR-8).
    async fn delete_below(self: &Arc<Self>, path: &StoragePath) -> Result<bool> {
        let mut batches = JoinSet::new();
        let listed = self.delete_behind_first_page(path, &mut batches).await;
        // All that is on its way ends before this does, so that nothing is deleted behind an error.
        let mut deleted = Ok(());
        while let Some(batch) = batches.join_next().await {
            deleted = deleted.and(ended(batch, path));
        }
        let (first, found) = listed?;
        deleted?;
        if !first.is_empty() {
            self.delete_keys(first, path).await?;
        }
        Ok(found)
    }

    /// Begins to delete all below `path` but the first page of keys, which is answered with, and whether there was a file.
    async fn delete_behind_first_page(
        self: &Arc<Self>,
        path: &StoragePath,
        batches: &mut JoinSet<Result<()>>,
    ) -> Result<(Vec<String>, bool)> {
        let listed = Listed { prefix: self.keys.below(path), limit: PAGE, ..Listed::default() };
        let (mut first, mut found, mut token) = (Vec::new(), false, None);
        loop {
            let page = self.list(&listed, token.as_deref()).await.map_err(|failure| failure.of_read(path))?;
            let keys: Vec<_> = page.items.iter().map(|item| item.key().to_owned()).collect();
            found |= keys.iter().any(|key| self.keys.path(key).is_some());
            if first.is_empty() {
                first = keys;
            } else if !keys.is_empty() {
                if batches.len() == BATCHES_AT_ONCE
                    && let Some(batch) = batches.join_next().await
                {
                    ended(batch, path)?;
                }
                let (bucket, path) = (self.clone(), path.clone());
                batches.spawn(async move { bucket.delete_keys(keys, &path).await });
            }
            token = match page.next {
                None => return Ok((first, found)),
                next => next,
            };
        }
    }

    /// Deletes objects of the tree at `path`, at most [`PAGE`].
    async fn delete_keys(&self, keys: Vec<String>, path: &StoragePath) -> Result<()> {
        let left = self.delete_batch(keys).await.map_err(|failure| failure.of_change(path))?;
        match left.into_iter().next() {
            Some((_, error)) => Err(error.with_path(path)),
            None => Ok(()),
        }
    }
}

/// What became of a batch in a task of its own, which ends early only with the runtime.
fn ended(batch: Result<Result<()>, JoinError>, path: &StoragePath) -> Result<()> {
    batch.unwrap_or_else(|_| Err(Failure::interrupted().of_change(path)))
}

fn is_version(head: &Head, version: &Version) -> bool {
    head.etag.as_deref() == Some(version.as_str())
}

fn another_version(path: &StoragePath) -> Error {
    Error::new(ErrorKind::Conflict, "the file has another version").with_path(path)
}
