//! The model: what every call should answer in the state that the calls before it have made.

use driver_api::{ByteRange, Capabilities, Condition, DeleteScope, EntryKey, StoragePath, Version, WriteMode};

use super::call::{Call, StorageCall, WriterCall};
use super::files::Files;
use super::sessions::Sessions;
use super::step::{Begin, Limit, Part, Place, READERS, Step, When, Which};
use crate::payload::Content;

#[derive(Debug)]
pub(super) struct Model {
    pub(super) capabilities: Capabilities,
    pub(super) files: Files,
    pub(super) sessions: Sessions,
    pub(super) readers: [Option<OpenReader>; READERS],
    /// What the places of the sequence mean.
    paths: Vec<StoragePath>,
    last_write: u64,
}

/// A stream that is open across other calls.
#[derive(Debug)]
pub(super) struct OpenReader {
    pub(super) path: StoragePath,
    pub(super) content: Content,
    pub(super) generation: u64,
    /// What is still to come.
    pub(super) rest: std::ops::Range<u64>,
}

impl Model {
    pub(super) fn new(capabilities: &Capabilities, paths: &[&str]) -> Self {
        Self {
            paths: paths.iter().filter_map(|path| StoragePath::parse(path).ok()).collect(),
            capabilities: capabilities.clone(),
            files: Files::new(capabilities),
            sessions: Sessions::default(),
            readers: Default::default(),
            last_write: 0,
        }
    }

    fn path(&self, place: Place) -> StoragePath {
        self.paths.get(place % self.paths.len().max(1)).cloned().unwrap_or_else(StoragePath::root)
    }

    fn directory(&self, place: Option<Place>) -> StoragePath {
        place.map_or_else(StoragePath::root, |place| self.path(place))
    }

    /// A number that no write had before.
    pub(super) fn new_write(&mut self) -> u64 {
        self.last_write += 1;
        self.last_write
    }

    /// The call that `step` means in the present state; none where it means nothing: a slot that is empty, a capability that is
    /// not declared, or a question whose answer the contract leaves open.
    pub(super) fn resolve(&mut self, step: &Step) -> Option<Call> {
        match step {
            Step::OpenReader { slot, path, part } => {
                let path = self.path(*path);
                let range = self.range(&path, *part);
                self.readers[*slot].is_none().then_some(Call::OpenReader { slot: *slot, path, range })
            }
            Step::ReadOn { slot, to_the_end } => {
                self.readers[*slot].as_ref().map(|_| Call::ReadOn { slot: *slot, to_the_end: *to_the_end })
            }
            Step::OpenWriter { slot, path, begin } => self.open_writer(*slot, self.path(*path), *begin),
            Step::Resume { slot, nth, begin } => {
                let kept = self.sessions.kept_paths();
                let path = kept.get(nth % kept.len().max(1))?;
                self.open_writer(*slot, path.clone(), *begin)
            }
            Step::Write { .. }
            | Step::Close { .. }
            | Step::Commit { .. }
            | Step::Cancel { .. }
            | Step::DropWriter { .. } => self.resolve_writer(step),
            _ => self.resolve_storage(step).map(Call::Storage),
        }
    }

    fn resolve_storage(&mut self, step: &Step) -> Option<StorageCall> {
        Some(match step {
            Step::Put { path, size, when } => {
                let path = self.path(*path);
                let conditions = self.capabilities.put;
                let condition = self.condition(&path, *when, conditions.if_absent, conditions.if_match)?;
                let content = Content { write: self.new_write(), size: *size };
                StorageCall::Put { path, content, condition }
            }
            Step::Get { path, part, which, limited } => {
                let path = self.path(*path);
                let (range, if_match) = self.read(&path, *part, *which)?;
                let max_bytes =
                    limited.filter(|_| if_match.is_none()).and_then(|limit| self.limit(&path, range, limit));
                StorageCall::Get { path, range, if_match, max_bytes }
            }
            Step::Read { path, part, which } => {
                let path = self.path(*path);
                let (range, if_match) = self.read(&path, *part, *which)?;
                StorageCall::Read { path, range, if_match }
            }
            Step::Stat { path } => StorageCall::Stat { path: self.directory(*path) },
            Step::List { path, recursive, start_after, page_size } => StorageCall::List {
                path: self.directory(*path),
                recursive: *recursive,
                start_after: start_after.and_then(|key| EntryKey::parse(key).ok()),
                page_size: *page_size,
            },
            Step::Unfinished { prefix } => StorageCall::Unfinished { prefix: self.directory(*prefix) },
            Step::Abandon { path } => StorageCall::Abandon { path: self.path(*path) },
            Step::Move { from, to } => StorageCall::Move { from: self.path(*from), to: self.path(*to) },
            Step::Delete { path, tree: true, .. } => {
                StorageCall::Delete { path: self.path(*path), scope: DeleteScope::Tree, if_match: None }
            }
            Step::Delete { path, which, .. } => {
                let path = self.path(*path);
                let if_match = self.version(&path, which.filter(|_| self.capabilities.delete_if_match))?;
                StorageCall::Delete { path, scope: DeleteScope::File, if_match }
            }
            Step::DeleteFiles { paths } => {
                StorageCall::DeleteFiles { paths: paths.iter().map(|path| self.path(*path)).collect() }
            }
            _ => return None,
        })
    }

    fn resolve_writer(&mut self, step: &Step) -> Option<Call> {
        let (slot, needs_session) = match step {
            Step::Write { slot, .. } | Step::Close { slot } | Step::Commit { slot, .. } => (*slot, true),
            Step::Cancel { slot } | Step::DropWriter { slot } => (*slot, false),
            _ => return None,
        };
        let writer = self.sessions.writer(slot)?;
        if needs_session && writer.broken {
            return None;
        }
        let call = match step {
            Step::Write { size, .. } => {
                let accepted = writer.content.size;
                WriterCall::Write { write: writer.content.write, range: accepted..accepted + size }
            }
            Step::Close { .. } => WriterCall::Close,
            Step::Commit { to, when, .. } => {
                let to = to.map(|to| self.path(to));
                let elsewhere = to.as_ref().is_some_and(|to| *to != writer.path);
                if elsewhere && !self.capabilities.commit_elsewhere && !matches!(when, When::Always) {
                    return None;
                }
                let conditions = self.capabilities.commit;
                let target = to.as_ref().unwrap_or(&writer.path);
                let condition = self.condition(target, *when, conditions.if_absent, conditions.if_match)?;
                WriterCall::Commit { to, condition }
            }
            Step::Cancel { .. } => WriterCall::Cancel,
            _ => WriterCall::Drop,
        };
        Some(Call::Writer { slot, call })
    }

    fn open_writer(&self, slot: usize, path: StoragePath, begin: Begin) -> Option<Call> {
        let kept = self.sessions.likely_size(&path);
        let expected_size = match begin {
            Begin::Truncate | Begin::Append => None,
            Begin::Expecting => Some(kept),
            Begin::ExpectingWrong => Some(kept + 1),
        };
        let mode = match begin {
            Begin::Truncate => WriteMode::Truncate,
            _ => WriteMode::Append { expected_size },
        };
        let open = self.sessions.writer(slot).is_some();
        let ambiguous = mode != WriteMode::Truncate && self.sessions.is_ambiguous(&path);
        (!open && !ambiguous).then_some(Call::OpenWriter { slot, path, mode })
    }

    fn read(&self, path: &StoragePath, part: Part, which: Option<Which>) -> Option<(ByteRange, Option<Version>)> {
        let which = which.filter(|_| self.capabilities.read_if_match);
        // Two reasons to fail at once have no order that the contract promises.
        let part = if which.is_some() { Part::Whole } else { part };
        Some((self.range(path, part), self.version(path, which)?))
    }

    fn condition(&self, path: &StoragePath, when: When, if_absent: bool, if_match: bool) -> Option<Condition> {
        match when {
            When::IfAbsent if if_absent => Some(Condition::IfAbsent),
            When::IfMatch(which) if if_match => self.version(path, Some(which))?.map(Condition::IfMatch),
            _ => Some(Condition::None),
        }
    }

    /// The version to match: none for none, and nothing at all where the model does not know enough to predict the answer.
    fn version(&self, path: &StoragePath, which: Option<Which>) -> Option<Option<Version>> {
        let current = self.files.get(path).map(|file| file.version.as_ref());
        match which {
            None => Some(None),
            Some(Which::Current) => current.flatten().map(|version| Some(version.clone())),
            Some(Which::Stale) if matches!(current, Some(None)) => None,
            Some(Which::Stale) => self.files.stale_version(path).map(Some),
        }
    }

    fn range(&self, path: &StoragePath, part: Part) -> ByteRange {
        let size = self.files.get(path).map_or(0, |file| file.content.size);
        match part {
            Part::Whole => ByteRange::FULL,
            Part::SecondHalf => ByteRange::from(size / 2),
            Part::Middle => ByteRange::span(size / 3, size / 3),
            Part::Nothing => ByteRange::span(0, 0),
            Part::AtEnd => ByteRange::from(size),
            Part::BehindEnd => ByteRange::from(size + 1),
            Part::TooLong => ByteRange::span(size / 2, size + 1),
        }
    }

    fn limit(&self, path: &StoragePath, range: ByteRange, limit: Limit) -> Option<u64> {
        let resolved = range.resolve(self.files.get(path)?.content.size).ok()?;
        let length = resolved.end - resolved.start;
        match limit {
            Limit::Exact => Some(length),
            Limit::OneLess => length.checked_sub(1),
        }
    }
}
