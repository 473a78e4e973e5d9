//! The unpublished half of the model: what is kept at which path, and the writers that are open.
//!
//! The contract leaves some freedom here, and this is where it is written down. What may be kept at a path is a list of
//! *candidates*; an answer that tells them apart strikes out the others.
//! - Under an open writer in mode Truncate, and after it was dropped, an earlier session may be there or not (WRITE-6).
//! - Opening to append and closing has no side effect (WRITE-12): an empty session may come of it, or none.
//! - A publication, move or delete at the path may have ended the session (WRITE-24).
//! - A path is *contested* while several writers are open on it, or what one of them had resumed was taken away: then each of
//!   them may meet a Conflict, and any session that was closed may be the one that is kept, or none (WRITE-13). What a
//!   commit publishes is its own writer's bytes in any case.

use std::collections::BTreeMap;

use driver_api::{Error, ErrorKind, StoragePath, Unfinished};

use super::call::Answer;
use super::difference::{CONFLICT, Difference, Refusal, agree};
use super::step::WRITERS;
use crate::payload::Content;

#[derive(Debug, Clone)]
pub(super) struct OpenWriter {
    pub(super) path: StoragePath,
    /// What it has accepted.
    pub(super) content: Content,
    /// The size that was kept when it was resumed.
    resumed: Option<u64>,
    /// It was opened to append, and nothing was kept, or it may be so.
    begun_by_append: bool,
    /// Its session was ended by another; all that is left is to cancel or drop it.
    pub(super) broken: bool,
}

#[derive(Debug)]
struct Kept {
    candidates: Vec<Option<Content>>,
    contested: bool,
}

impl Default for Kept {
    fn default() -> Self {
        Self { candidates: vec![None], contested: false }
    }
}

impl Kept {
    fn may_be(&mut self, candidate: Option<Content>) {
        if !self.candidates.contains(&candidate) {
            self.candidates.push(candidate);
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Sessions {
    kept: BTreeMap<StoragePath, Kept>,
    writers: [Option<OpenWriter>; WRITERS],
}

fn size_of(candidate: Option<Content>) -> u64 {
    candidate.map_or(0, |content| content.size)
}

impl Sessions {
    pub(super) fn writer(&self, slot: usize) -> Option<&OpenWriter> {
        self.writers[slot].as_ref()
    }

    /// Where something may be kept.
    pub(super) fn kept_paths(&self) -> Vec<StoragePath> {
        self.kept.iter().filter(|(_, kept)| kept.candidates != [None]).map(|(path, _)| path.clone()).collect()
    }

    /// What is most likely kept at `path`, in bytes.
    pub(super) fn likely_size(&self, path: &StoragePath) -> u64 {
        self.kept.get(path).map_or(0, |kept| kept.candidates.iter().copied().map(size_of).max().unwrap_or(0))
    }

    /// Whether two sessions of the same size may be kept at `path`, so that resuming it would not tell which one it was.
    pub(super) fn is_ambiguous(&self, path: &StoragePath) -> bool {
        let Some(kept) = self.kept.get(path) else { return false };
        let sizes: Vec<_> = kept.candidates.iter().flatten().map(|content| content.size).collect();
        sizes.iter().enumerate().any(|(at, size)| sizes[..at].contains(size))
    }

    fn writers_on<'a>(&'a self, path: &'a StoragePath) -> impl Iterator<Item = &'a OpenWriter> {
        self.writers.iter().flatten().filter(move |writer| &writer.path == path)
    }

    fn is_contested(&self, path: &StoragePath) -> bool {
        self.kept.get(path).is_some_and(|kept| kept.contested)
    }

    fn contest(&mut self, path: &StoragePath) {
        let kept = self.kept.entry(path.clone()).or_default();
        kept.contested = true;
        kept.may_be(None);
    }

    /// Judges the opening of a writer that begins with nothing. `write` is the number its bytes will have.
    pub(super) fn truncate(
        &mut self,
        slot: usize,
        path: &StoragePath,
        answer: &Answer,
        write: u64,
    ) -> Result<&'static str, Difference> {
        let size = opened(answer, None, &["WRITE-6", "WRITE-13"])?;
        if size != Some(0) {
            return Err(Difference::new(&["WRITE-6"], format!("a writer in mode Truncate has no bytes; {answer}")));
        }
        let shared = self.writers_on(path).next().is_some();
        let kept = self.kept.entry(path.clone()).or_default();
        let situation = if kept.candidates == [None] { "nothing kept" } else { "something kept" };
        kept.may_be(None);
        self.writers[slot] = Some(OpenWriter {
            path: path.clone(),
            content: Content { write, size: 0 },
            resumed: None,
            begun_by_append: false,
            broken: false,
        });
        if shared {
            self.contest(path);
            return Ok("beside another writer");
        }
        Ok(situation)
    }

    /// Judges the opening of a writer to append, where the file at the path has `file_size` bytes.
    pub(super) fn append(
        &mut self,
        slot: usize,
        path: &StoragePath,
        expected: Option<u64>,
        answer: &Answer,
        (file_size, write): (Option<u64>, u64),
    ) -> Result<&'static str, Difference> {
        let (shared, owned) = (self.writers_on(path).next().is_some(), self.is_owned(path));
        let kept = self.kept.entry(path.clone()).or_default();
        let (opens, refused): (Vec<_>, Vec<_>) = kept.candidates.iter().copied().partition(|candidate| {
            let begins = candidate.is_some() || file_size.is_none_or(|size| size == 0);
            begins && expected.is_none_or(|size| size == size_of(*candidate))
        });
        if answer.error().is_some_and(|error| error.kind() == ErrorKind::Conflict) {
            if owned || kept.contested {
                return Ok("the session has an owner");
            }
            if !refused.is_empty() {
                kept.candidates = refused;
                return Ok(if file_size.is_some_and(|size| size > 0) { "refused on a file" } else { "another size" });
            }
        }
        let refusal = opens.is_empty().then(|| {
            let clauses = if expected.is_some() { &["WRITE-22"][..] } else { &["WRITE-7"][..] };
            Refusal::conflict("nothing to append to, or another size", clauses)
        });
        let Some(size) = opened(answer, refusal.as_ref(), &["WRITE-5", "WRITE-7"])? else { return Ok("refused") };
        let matching: Vec<_> = opens.into_iter().filter(|candidate| size_of(*candidate) == size).collect();
        if matching.is_empty() {
            let message = format!("{} kept at {path}, and the writer has size {size}", told(&kept.candidates));
            return Err(Difference::new(&["WRITE-5", "WRITE-6", "WRITE-9"], message));
        }
        let nothing_may_be_kept = matching.contains(&None);
        let session = matching.iter().flatten().next().copied();
        if session.is_some() && owned && !kept.contested && !nothing_may_be_kept {
            let message = format!("the session at {path} has an owner, and was resumed a second time");
            return Err(Difference::new(&["WRITE-13"], message));
        }
        if !kept.contested {
            kept.candidates = matching;
        }
        // Of several writers that continue an empty session, each may have one of its own: their bytes are told apart.
        let content = session.filter(|content| content.size > 0).unwrap_or(Content { write, size: 0 });
        let resumed = session.map(|content| content.size);
        let begun_by_append = nothing_may_be_kept;
        self.writers[slot] = Some(OpenWriter { path: path.clone(), content, resumed, begun_by_append, broken: false });
        if shared {
            self.contest(path);
            return Ok("beside another writer");
        }
        Ok(if session.is_some() { "continued" } else { "begun" })
    }

    fn is_owned(&self, path: &StoragePath) -> bool {
        self.writers_on(path).any(|writer| writer.resumed.is_some())
    }

    /// Judges a write of `bytes` bytes.
    pub(super) fn write(&mut self, slot: usize, bytes: u64, answer: &Answer) -> Result<&'static str, Difference> {
        if let Some(situation) = self.broken_by_another(slot, answer) {
            return Ok(situation);
        }
        agree(answer, None, &["WRITE-1"])?;
        let Some(writer) = &mut self.writers[slot] else { return Ok("no writer") };
        writer.content.size += bytes;
        match answer {
            Answer::Size(size) if *size == writer.content.size => {
                Ok(if bytes == 0 { "an empty chunk" } else { "a chunk" })
            }
            _ => {
                let message = format!("{} bytes were accepted; {answer}", writer.content.size);
                Err(Difference::new(&["WRITE-9"], message))
            }
        }
    }

    /// Judges a close.
    pub(super) fn close(&mut self, slot: usize, answer: &Answer) -> Result<&'static str, Difference> {
        if let Some(situation) = self.broken_by_another(slot, answer) {
            return Ok(situation);
        }
        agree(answer, None, &["WRITE-5"])?;
        let Some(writer) = self.writers[slot].take() else { return Ok("no writer") };
        if !matches!(answer, Answer::Size(size) if *size == writer.content.size) {
            let message = format!("{} bytes were accepted; close: {answer}", writer.content.size);
            return Err(Difference::new(&["WRITE-5", "WRITE-9"], message));
        }
        let resumed = writer.resumed.is_some();
        let kept = self.kept.entry(writer.path.clone()).or_default();
        if kept.contested {
            kept.may_be(Some(writer.content));
        } else {
            kept.candidates = vec![Some(writer.content)];
        }
        if writer.begun_by_append && writer.content.size == 0 {
            kept.may_be(None);
        }
        self.settle(&writer.path);
        Ok(if resumed { "kept again" } else { "kept" })
    }

    /// Judges a cancel.
    pub(super) fn cancel(&mut self, slot: usize, answer: &Answer) -> Result<&'static str, Difference> {
        agree(answer, None, &["WRITE-4"])?;
        let resumed = self.end(slot).is_some_and(|writer| writer.resumed.is_some());
        Ok(if resumed { "of a session that was kept" } else { "of a fresh session" })
    }

    /// Drops a writer: what was kept before stays.
    pub(super) fn drop_writer(&mut self, slot: usize) -> &'static str {
        let Some(writer) = self.writers[slot].take() else { return "no writer" };
        self.settle(&writer.path);
        if writer.resumed.is_some() { "of a session that was kept" } else { "of a fresh session" }
    }

    /// Ends the session of a writer that was committed or cancelled: nothing of it, or earlier, is kept.
    pub(super) fn end(&mut self, slot: usize) -> Option<OpenWriter> {
        let writer = self.writers[slot].take()?;
        let kept = self.kept.entry(writer.path.clone()).or_default();
        if kept.contested {
            kept.candidates.retain(|candidate| candidate.is_none_or(|content| content.write != writer.content.write));
            kept.may_be(None);
        } else {
            kept.candidates = vec![None];
        }
        self.settle(&writer.path);
        Some(writer)
    }

    /// Whether a call on a writer rightly failed because another had ended its session (WRITE-13).
    pub(super) fn broken_by_another(&mut self, slot: usize, answer: &Answer) -> Option<&'static str> {
        let Answer::Failed { error, writer_kept: true } = answer else { return None };
        let writer = self.writers[slot].as_mut()?;
        let contested = self.kept.get(&writer.path).is_some_and(|kept| kept.contested);
        (contested && CONFLICT.contains(&error.kind())).then(|| {
            writer.broken = true;
            "ended by another"
        })
    }

    fn settle(&mut self, path: &StoragePath) {
        if self.writers_on(path).next().is_none()
            && let Some(kept) = self.kept.get_mut(path)
        {
            kept.contested = false;
        }
    }

    /// A file was published, moved or deleted at `path`, which may have ended the session kept there (WRITE-24).
    pub(super) fn file_changed(&mut self, path: &StoragePath) {
        let owned = self.is_owned(path);
        if let Some(kept) = self.kept.get_mut(path) {
            kept.may_be(None);
        }
        if owned {
            self.contest(path);
        }
    }

    /// Whether something is, or may be, kept or written at `path` or below.
    pub(super) fn any_below(&self, path: &StoragePath) -> bool {
        let within = |other: &StoragePath| other == path || other.is_below(path);
        self.kept.iter().any(|(other, kept)| within(other) && kept.candidates != [None])
            || self.writers.iter().flatten().any(|writer| within(&writer.path))
    }

    /// A tree was deleted, with the sessions kept in it (DEL-6).
    pub(super) fn tree_deleted(&mut self, path: &StoragePath) {
        for (other, kept) in &mut self.kept {
            if other == path || other.is_below(path) {
                kept.candidates = vec![None];
            }
        }
        let open: Vec<_> = self.writers.iter().flatten().map(|writer| writer.path.clone()).collect();
        for other in open.iter().filter(|other| *other == path || other.is_below(path)) {
            self.contest(other);
        }
    }

    /// Judges an abandon.
    pub(super) fn abandon(&mut self, path: &StoragePath, answer: &Answer) -> Result<&'static str, Difference> {
        let (owned, contested) = (self.is_owned(path), self.is_contested(path));
        let kept = self.kept.entry(path.clone()).or_default();
        let (missing, there) =
            (kept.candidates.contains(&None), kept.candidates.iter().any(Option::is_some) && (!owned || contested));
        let situation = match answer.error().map(Error::kind) {
            None if there || contested => "kept",
            Some(ErrorKind::NotFound) if missing => "nothing kept",
            Some(ErrorKind::Conflict) if owned || contested => return Ok("the session has an owner"),
            _ => {
                let owner = if owned { ", with an owner" } else { "" };
                let message = format!("{} kept at {path}{owner}; abandon: {answer}", told(&kept.candidates));
                return Err(Difference::new(&["WRITE-21"], message));
            }
        };
        kept.candidates = vec![None];
        Ok(situation)
    }

    /// Judges a listing of what is kept at and below `prefix`.
    pub(super) fn unfinished(
        &mut self,
        prefix: &StoragePath,
        found: &[Unfinished],
    ) -> Result<&'static str, Difference> {
        let mut sizes = BTreeMap::new();
        for session in found {
            if session.path != *prefix && !session.path.is_below(prefix) {
                let message = format!("{} is not at or below {prefix}, and is among its sessions", session.path);
                return Err(Difference::new(&["WRITE-12"], message));
            }
            if sizes.insert(session.path.clone(), session.size).is_some() {
                return Err(Difference::new(&["WRITE-12"], format!("the session of {} is listed twice", session.path)));
            }
        }
        let known = self.kept.keys().filter(|path| *path == prefix || path.is_below(prefix));
        let paths: Vec<_> = known.chain(sizes.keys()).cloned().collect();
        for path in paths {
            self.listed(&path, sizes.get(&path).copied())?;
        }
        Ok(if found.is_empty() { "none" } else { "some" })
    }

    fn listed(&mut self, path: &StoragePath, size: Option<u64>) -> Result<(), Difference> {
        let open = self.writers_on(path).next().is_some();
        // A session that was resumed may show what its owner has kept, or what it has accepted since.
        let in_progress = self.writers_on(path).any(|writer| {
            writer.resumed.zip(size).is_some_and(|(kept, size)| (kept..=writer.content.size).contains(&size))
        });
        let kept = self.kept.entry(path.clone()).or_default();
        let fits = |candidate: &Option<Content>| candidate.map(|content| content.size) == size;
        if !in_progress && !kept.candidates.iter().any(fits) {
            let listed =
                size.map_or_else(|| "none is listed".to_owned(), |size| format!("one of {size} bytes is listed"));
            let message = format!("{} kept at {path}, and {listed}", told(&kept.candidates));
            return Err(Difference::new(&["WRITE-12", "WRITE-4", "WRITE-6"], message));
        }
        if !open {
            kept.candidates.retain(fits);
        }
        Ok(())
    }
}

/// The size a writer was opened with; none where it was rightly refused.
fn opened(answer: &Answer, refusal: Option<&Refusal>, clauses: &[&'static str]) -> Result<Option<u64>, Difference> {
    if agree(answer, refusal, clauses)?.is_some() {
        return Ok(None);
    }
    match answer {
        Answer::Size(size) => Ok(Some(*size)),
        _ => Ok(None),
    }
}

fn told(candidates: &[Option<Content>]) -> String {
    let candidates: Vec<_> = candidates
        .iter()
        .map(|candidate| candidate.map_or_else(|| "nothing is".to_owned(), |content| format!("{content} are")))
        .collect();
    candidates.join(", or ")
}
