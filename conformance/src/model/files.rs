//! The published half of the model: which file is where, and what it was before.

use std::collections::{BTreeMap, BTreeSet};

use driver_api::{Capabilities, Condition, EntryKey, ErrorKind, FileInfo, Namespace, StoragePath, Version};

use super::difference::{Difference, Refusal};
use crate::payload::Content;

#[derive(Debug, Clone)]
pub(super) struct File {
    pub(super) content: Content,
    /// As far as the driver has told it.
    pub(super) version: Option<Version>,
    /// Grows with every publication, so that an open reader can tell whether its file is still there.
    pub(super) generation: u64,
}

#[derive(Debug)]
pub(super) struct Files {
    namespace: Namespace,
    exact_directories: bool,
    files: BTreeMap<StoragePath, File>,
    /// Every version that a path was seen to have, with its content.
    versions: BTreeMap<StoragePath, Vec<(Version, Content)>>,
    /// Every path that was a directory at some time: where directories are not exact, it may still show.
    once_directories: BTreeSet<StoragePath>,
    published: u64,
}

/// What a listing yields: keys in order, with the content of files and none for directories.
pub(super) type Expected = BTreeMap<EntryKey, Option<Content>>;

impl Files {
    pub(super) fn new(capabilities: &Capabilities) -> Self {
        Self {
            namespace: capabilities.namespace,
            exact_directories: capabilities.exact_directories,
            files: BTreeMap::new(),
            versions: BTreeMap::new(),
            once_directories: BTreeSet::new(),
            published: 0,
        }
    }

    pub(super) fn get(&self, path: &StoragePath) -> Option<&File> {
        self.files.get(path)
    }

    /// Where files are.
    pub(super) fn paths(&self) -> Vec<StoragePath> {
        self.files.keys().cloned().collect()
    }

    pub(super) fn is_directory(&self, path: &StoragePath) -> bool {
        path.is_root() || self.files.keys().any(|file| file.is_below(path))
    }

    /// Whether a directory without files may still show here (PATH-6 without its capability).
    pub(super) fn may_linger(&self, path: &StoragePath) -> bool {
        !self.exact_directories && self.once_directories.contains(path)
    }

    fn is_below_file(&self, path: &StoragePath) -> bool {
        path.ancestors().any(|ancestor| self.files.contains_key(&ancestor))
    }

    /// Why nothing may be published at `path` under `condition`.
    pub(super) fn refusal(&self, path: &StoragePath, condition: &Condition) -> Option<Refusal> {
        if self.namespace == Namespace::Tree && self.is_directory(path) {
            return Some(Refusal::conflict("onto a directory", &["PUT-5"]));
        }
        if self.namespace == Namespace::Tree && self.is_below_file(path) {
            return Some(Refusal::conflict("below a file", &["PUT-5"]));
        }
        let file = self.get(path);
        match condition {
            Condition::IfAbsent if file.is_some() => Some(Refusal {
                kinds: &[ErrorKind::AlreadyExists],
                situation: "a file is there",
                clauses: &["PUT-4", "WRITE-17"],
            }),
            Condition::IfMatch(version) if file.and_then(|file| file.version.as_ref()) != Some(version) => {
                Some(Refusal::conflict("not that version", &["PUT-6", "WRITE-18"]))
            }
            _ => None,
        }
    }

    pub(super) fn publish(&mut self, path: &StoragePath, content: Content) {
        self.published += 1;
        self.once_directories.extend(path.ancestors());
        self.files.insert(path.clone(), File { content, version: None, generation: self.published });
    }

    pub(super) fn remove(&mut self, path: &StoragePath) -> Option<File> {
        self.files.remove(path)
    }

    /// Removes the file at `path` and all below it; answers with the paths that had files.
    pub(super) fn remove_tree(&mut self, path: &StoragePath) -> Vec<StoragePath> {
        let gone: Vec<_> = self.files.keys().filter(|file| *file == path || file.is_below(path)).cloned().collect();
        for file in &gone {
            self.files.remove(file);
        }
        gone
    }

    /// An earlier version of `path`, of another content than it has now.
    pub(super) fn stale_version(&self, path: &StoragePath) -> Option<Version> {
        let current = self.get(path).and_then(|file| file.version.as_ref());
        let past = self.versions.get(path)?;
        past.iter().map(|(version, _)| version).find(|version| Some(*version) != current).cloned()
    }

    /// Compares what the driver tells of the file at `path` with the model, and remembers its version.
    pub(super) fn learn(
        &mut self,
        path: &StoragePath,
        info: &FileInfo,
        clause: &'static str,
    ) -> Result<(), Difference> {
        let Some(file) = self.files.get_mut(path) else {
            return Err(Difference::new(
                &[clause],
                format!("no file should be at {path}, and the driver tells {info:?}"),
            ));
        };
        if &info.path != path {
            return Err(Difference::new(&[clause], format!("the file at {path} is told to be at {}", info.path)));
        }
        if info.size != file.content.size {
            let message = format!("{path} has {}, and its size is told as {}", file.content, info.size);
            return Err(Difference::new(&[clause], message));
        }
        let Some(version) = &info.version else { return Ok(()) };
        let known = file.version.get_or_insert_with(|| version.clone());
        if known != version {
            let message = format!("{path} did not change, and its version went from {known:?} to {version:?}");
            return Err(Difference::new(&["GET-4", "PUT-8"], message));
        }
        let past = self.versions.entry(path.clone()).or_default();
        match past.iter().find(|(earlier, _)| earlier == version) {
            None => past.push((version.clone(), file.content)),
            Some((_, content)) if content.size > 0 && *content != file.content => {
                let message = format!("{path} had {content} and has {}, both as version {version:?}", file.content);
                return Err(Difference::new(&["GET-4", "PUT-6"], message));
            }
            Some(_) => {}
        }
        Ok(())
    }

    /// What a listing of `directory` yields behind `start_after`; none where it is NotFound.
    pub(super) fn listing(
        &self,
        directory: &StoragePath,
        recursive: bool,
        start_after: Option<&EntryKey>,
    ) -> Option<Expected> {
        if !self.is_directory(directory) {
            return None;
        }
        let mut entries = Expected::new();
        for (path, file) in self.files.iter().filter(|(path, _)| path.is_below(directory)) {
            let child = std::iter::once(path.clone())
                .chain(path.ancestors())
                .find(|ancestor| recursive || ancestor.parent().as_ref() == Some(directory));
            match child {
                Some(child) if child == *path => entries.insert(EntryKey::file(path), Some(file.content)),
                Some(child) => entries.insert(EntryKey::directory(&child), None),
                None => None,
            };
        }
        if let Some(start) = start_after {
            entries = entries.split_off(start);
            entries.remove(start);
        }
        Some(entries)
    }
}
