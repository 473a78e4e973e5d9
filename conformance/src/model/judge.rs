//! Judges each answer by the model, and brings the model to the state that the answer means.

use std::ops::Range;

use bytes::Bytes;
use driver_api::{
    ByteRange, Condition, DeleteScope, Entry, EntryKey, Error, ErrorKind, StoragePath, Version, WriteMode,
};

use super::call::{Answer, Call, StorageCall, StreamEnd, Streamed, WriterCall};
use super::difference::{CONFLICT, Difference, NOT_FOUND, Refusal, agree};
use super::files::Expected;
use super::state::{Model, OpenReader};
use crate::payload::{Content, explain};

/// The situation in which a call was answered, as coverage counts it.
type Judged = Result<&'static str, Difference>;

impl Model {
    /// Judges the answer to `call`.
    pub(super) fn judge(&mut self, call: &Call, answer: &Answer) -> Judged {
        match call {
            Call::Storage(call) => self.judge_storage(call, answer),
            Call::OpenReader { slot, path, range } => self.judge_open_reader(*slot, path, *range, answer),
            Call::ReadOn { slot, .. } => self.judge_read_on(*slot, answer),
            Call::OpenWriter { slot, path, mode } => {
                let write = self.new_write();
                let file_size = self.files.get(path).map(|file| file.content.size);
                match mode {
                    WriteMode::Truncate => self.sessions.truncate(*slot, path, answer, write),
                    WriteMode::Append { expected_size } => {
                        self.sessions.append(*slot, path, *expected_size, answer, (file_size, write))
                    }
                }
            }
            Call::Writer { slot, call } => match call {
                WriterCall::Write { range, .. } => self.sessions.write(*slot, range.end - range.start, answer),
                WriterCall::Close => self.sessions.close(*slot, answer),
                WriterCall::Commit { to, condition } => self.judge_commit(*slot, to.as_ref(), condition, answer),
                WriterCall::Cancel => self.sessions.cancel(*slot, answer),
                WriterCall::Drop => Ok(self.sessions.drop_writer(*slot)),
            },
        }
    }

    fn judge_storage(&mut self, call: &StorageCall, answer: &Answer) -> Judged {
        match call {
            StorageCall::Put { path, content, condition } => {
                if let Some(situation) = agree(answer, self.files.refusal(path, condition).as_ref(), &["PUT-1"])? {
                    return Ok(situation);
                }
                self.published(path, *content, answer)
            }
            StorageCall::Get { path, range, if_match, max_bytes } => {
                self.judge_get(path, *range, if_match.as_ref(), *max_bytes, answer)
            }
            StorageCall::Read { path, range, if_match } => self.judge_read(path, *range, if_match.as_ref(), answer),
            StorageCall::Stat { path } => self.judge_stat(path, answer),
            StorageCall::List { path, recursive, start_after, page_size } => {
                self.judge_list(path, *recursive, start_after.as_ref(), *page_size, answer)
            }
            StorageCall::Unfinished { prefix } => {
                agree(answer, None, &["WRITE-12"])?;
                match answer {
                    Answer::Sessions(found) => self.sessions.unfinished(prefix, found),
                    _ => Ok("unanswered"),
                }
            }
            StorageCall::Abandon { path } => self.sessions.abandon(path, answer),
            StorageCall::Move { from, to } => self.judge_move(from, to, answer),
            StorageCall::Delete { path, scope: DeleteScope::Tree, .. } => self.judge_delete_tree(path, answer),
            StorageCall::Delete { path, if_match, .. } => self.judge_delete(path, if_match.as_ref(), answer),
            StorageCall::DeleteFiles { paths } => self.judge_delete_files(paths, answer),
        }
    }

    /// A put or commit went through: the model has the file, and the answer has to tell it.
    fn published(&mut self, path: &StoragePath, content: Content, answer: &Answer) -> Judged {
        let replaced = self.files.get(path).is_some();
        self.files.publish(path, content);
        self.sessions.file_changed(path);
        if let Answer::File(info) = answer {
            self.files.learn(path, info, "PUT-8")?;
        }
        Ok(if replaced { "replaced" } else { "created" })
    }

    fn read_refusal(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Option<Refusal> {
        let Some(file) = self.files.get(path) else {
            let kinds = if if_match.is_some() { &[ErrorKind::NotFound, ErrorKind::Conflict] } else { NOT_FOUND };
            let situation = if self.files.is_directory(path) { "a directory" } else { "no file" };
            return Some(Refusal { kinds, situation, clauses: &["GET-2", "READ-2"] });
        };
        if if_match.is_some_and(|version| file.version.as_ref() != Some(version)) {
            return Some(Refusal::conflict("another version", &["READ-7"]));
        }
        range.resolve(file.content.size).is_err().then_some(Refusal {
            kinds: &[ErrorKind::InvalidRange],
            situation: "behind the end",
            clauses: &["READ-1", "READ-2"],
        })
    }

    /// The bytes that `range` means in the file at `path`, for a read that should go through.
    fn part(&self, path: &StoragePath, range: ByteRange) -> Option<(Content, Range<u64>)> {
        let content = self.files.get(path)?.content;
        Some((content, range.resolve(content.size).ok()?))
    }

    fn judge_get(
        &mut self,
        path: &StoragePath,
        range: ByteRange,
        if_match: Option<&Version>,
        max_bytes: Option<u64>,
        answer: &Answer,
    ) -> Judged {
        let part = self.part(path, range);
        let refusal = self.read_refusal(path, range, if_match).or_else(|| {
            let (_, part) = part.as_ref()?;
            max_bytes.filter(|limit| *limit < part.end - part.start).map(|_| Refusal {
                kinds: &[ErrorKind::TooLarge],
                situation: "more than max_bytes",
                clauses: &["GET-3"],
            })
        });
        if let Some(situation) = agree(answer, refusal.as_ref(), &["GET-1"])? {
            return Ok(situation);
        }
        if let (Some((content, part)), Answer::Bytes(info, bytes)) = (part, answer) {
            same_part(bytes, content, part, if range.is_full() { &["GET-1"] } else { &["GET-5", "READ-1"] })?;
            self.files.learn(path, info, "GET-4")?;
        }
        Ok(if range.is_full() { "whole" } else { "a part" })
    }

    fn judge_read(
        &mut self,
        path: &StoragePath,
        range: ByteRange,
        if_match: Option<&Version>,
        answer: &Answer,
    ) -> Judged {
        let refusal = self.read_refusal(path, range, if_match);
        if let Some(situation) = agree(answer, refusal.as_ref(), &["READ-1"])? {
            return Ok(situation);
        }
        if let (Some((content, part)), Answer::Stream(stream)) = (self.part(path, range), answer) {
            self.judge_opened(path, stream, &part)?;
            if let StreamEnd::Failed(error) = &stream.end {
                return Err(Difference::new(&["READ-1"], format!("the stream of {path} ended in an error: {error}")));
            }
            same_part(&stream.bytes, content, part, &["READ-1", "READ-8"])?;
        }
        Ok(if range.is_full() { "whole" } else { "a part" })
    }

    /// Judges what a reader told before its first byte.
    fn judge_opened(&mut self, path: &StoragePath, stream: &Streamed, due: &Range<u64>) -> Result<(), Difference> {
        let Some((info, range)) = &stream.opened else { return Ok(()) };
        if range != due {
            let message = format!("the reader of {path} should tell the range {due:?}, and tells {range:?}");
            return Err(Difference::new(&["READ-8"], message));
        }
        self.files.learn(path, info, "GET-4")
    }

    fn judge_open_reader(&mut self, slot: usize, path: &StoragePath, range: ByteRange, answer: &Answer) -> Judged {
        let refusal = self.read_refusal(path, range, None);
        if let Some(situation) = agree(answer, refusal.as_ref(), &["READ-1"])? {
            return Ok(situation);
        }
        if let (Some((content, rest)), Answer::Stream(stream)) = (self.part(path, range), answer) {
            self.judge_opened(path, stream, &rest)?;
            let generation = self.files.get(path).map_or(0, |file| file.generation);
            self.readers[slot] = Some(OpenReader { path: path.clone(), content, generation, rest });
        }
        Ok("opened")
    }

    fn judge_read_on(&mut self, slot: usize, answer: &Answer) -> Judged {
        let (Some(reader), Answer::Stream(stream)) = (self.readers[slot].take(), answer) else {
            return Ok("no reader");
        };
        let OpenReader { path, content, generation, rest } = reader;
        let came = stream.bytes.len() as u64;
        if came > rest.end - rest.start || !content.has_at(&stream.bytes, rest.start) {
            let message = format!(
                "the stream of {path} was opened over {content}: {}",
                explain(&stream.bytes, rest.start, &[content])
            );
            return Err(Difference::new(&["READ-3", "READ-1"], message));
        }
        let rest = rest.start + came..rest.end;
        let unchanged = self.files.get(&path).is_some_and(|file| file.generation == generation);
        match &stream.end {
            StreamEnd::Open => {
                self.readers[slot] = Some(OpenReader { path, content, generation, rest });
                Ok("a chunk")
            }
            StreamEnd::Finished if rest.is_empty() => {
                Ok(if unchanged { "finished" } else { "finished with the old bytes" })
            }
            StreamEnd::Finished => {
                let message = format!("the stream of {path} ended at byte {} of {}", rest.start, rest.end);
                Err(Difference::new(&["READ-3", "READ-8"], message))
            }
            StreamEnd::Failed(error) if !unchanged && CONFLICT.contains(&error.kind()) => Ok("ended by a change"),
            StreamEnd::Failed(error) => {
                Err(Difference::new(&["READ-3", "ERR-9"], format!("the stream of {path} ended in an error: {error}")))
            }
        }
    }

    fn judge_stat(&mut self, path: &StoragePath, answer: &Answer) -> Judged {
        let (is_file, is_directory) = (self.files.get(path).is_some(), self.files.is_directory(path));
        if !is_file && !is_directory && self.files.may_linger(path) && matches!(answer, Answer::Entry(_)) {
            return Ok("a directory that lingers");
        }
        let missing = Refusal::not_found("nothing there", &["STAT-3", "STAT-2", "PATH-6", "WRITE-2"]);
        let refusal = (!is_file && !is_directory).then_some(missing);
        if let Some(situation) = agree(answer, refusal.as_ref(), &["STAT-1", "STAT-2", "STAT-4"])? {
            return Ok(situation);
        }
        match answer {
            Answer::Entry(Entry::File(info)) if is_file => self.files.learn(path, info, "STAT-1").map(|()| "a file"),
            Answer::Entry(Entry::Directory(told)) if !is_file && told == path => Ok("a directory"),
            _ => {
                let due = if is_file { "a file" } else { "a directory" };
                Err(Difference::new(&["STAT-2", "STAT-1"], format!("{path} is {due}; stat: {answer}")))
            }
        }
    }

    fn judge_list(
        &mut self,
        path: &StoragePath,
        recursive: bool,
        start_after: Option<&EntryKey>,
        page_size: Option<usize>,
        answer: &Answer,
    ) -> Judged {
        let expected = self.files.listing(path, recursive, start_after);
        if expected.is_none() && self.files.may_linger(path) && answer.error().is_none() {
            return Ok("a directory that lingers");
        }
        let missing = Refusal::not_found("no directory", &["LIST-3", "PATH-6", "WRITE-2"]);
        let refusal = expected.is_none().then_some(missing);
        if let Some(situation) = agree(answer, refusal.as_ref(), &["LIST-3", "LIST-1"])? {
            return Ok(situation);
        }
        let (Some(expected), Answer::Pages(pages)) = (expected, answer) else { return Ok("unanswered") };
        let most = page_size.unwrap_or(usize::MAX).min(self.capabilities.limits.page);
        if let Some(page) = pages.iter().find(|page| page.is_empty() || page.len() > most) {
            let message = format!("a page has 1 to {most} entries; one came with {}", page.len());
            return Err(Difference::new(&["LIST-10"], message));
        }
        self.same_entries(&expected, &pages.concat())?;
        Ok(if expected.is_empty() { "nothing" } else { "entries" })
    }

    fn same_entries(&mut self, expected: &Expected, found: &[Entry]) -> Result<(), Difference> {
        let found: Vec<_> = found
            .iter()
            .filter(|entry| {
                let lingers = entry.is_directory() && self.files.may_linger(entry.path());
                !lingers || expected.contains_key(&entry.key())
            })
            .collect();
        let keys: Vec<_> = found.iter().map(|entry| entry.key()).collect();
        let due: Vec<_> = expected.keys().cloned().collect();
        if keys != due {
            let mut sorted = keys.clone();
            sorted.sort();
            let clauses: &[_] = if sorted == due { &["LIST-2"] } else { &["LIST-1", "LIST-2", "LIST-4", "LIST-7"] };
            return Err(Difference::new(clauses, format!("the listing should be {due:?}, and is {keys:?}")));
        }
        for info in found.iter().filter_map(|entry| entry.as_file()) {
            self.files.learn(&info.path, info, "LIST-1")?;
        }
        Ok(())
    }

    fn judge_move(&mut self, from: &StoragePath, to: &StoragePath, answer: &Answer) -> Judged {
        let refusal = match self.files.get(from) {
            None if self.files.is_directory(from) => Some(Refusal::not_found("the source is a directory", &["MOVE-5"])),
            None => Some(Refusal::not_found("the source is missing", &["MOVE-3"])),
            Some(_) if from == to => None,
            Some(_) => self.files.refusal(to, &Condition::None),
        };
        if let Some(situation) = agree(answer, refusal.as_ref(), &["MOVE-1", "MOVE-4"])? {
            return Ok(situation);
        }
        if from == to {
            return Ok("onto itself");
        }
        Ok(self.moved(from, to))
    }

    fn moved(&mut self, from: &StoragePath, to: &StoragePath) -> &'static str {
        let replaced = self.files.get(to).is_some();
        if let Some(file) = self.files.remove(from) {
            self.files.publish(to, file.content);
        }
        self.sessions.file_changed(from);
        self.sessions.file_changed(to);
        if replaced { "replaced" } else { "moved" }
    }

    fn judge_delete(&mut self, path: &StoragePath, if_match: Option<&Version>, answer: &Answer) -> Judged {
        let refusal = match self.files.get(path) {
            None if if_match.is_some() => Some(Refusal {
                kinds: &[ErrorKind::NotFound, ErrorKind::Conflict],
                situation: "no file",
                clauses: &["DEL-9"],
            }),
            None if self.files.is_directory(path) => Some(Refusal::not_found("a directory", &["DEL-1"])),
            None => Some(Refusal::not_found("no file", &["DEL-2"])),
            Some(file) if if_match.is_some() && file.version.as_ref() != if_match => {
                Some(Refusal::conflict("another version", &["DEL-9"]))
            }
            Some(_) => None,
        };
        if let Some(situation) = agree(answer, refusal.as_ref(), &["DEL-1"])? {
            return Ok(situation);
        }
        self.files.remove(path);
        self.sessions.file_changed(path);
        Ok("deleted")
    }

    fn judge_delete_tree(&mut self, path: &StoragePath, answer: &Answer) -> Judged {
        let is_there = self.files.get(path).is_some() || self.files.is_directory(path);
        let either = self.sessions.any_below(path) || self.files.may_linger(path);
        let missing = Refusal::not_found("nothing there", &["DEL-2"]);
        let found = answer.error().map(Error::kind) != Some(ErrorKind::NotFound);
        let must_be_missing = !is_there && !either;
        let refusal = (must_be_missing || !is_there && !found).then_some(missing);
        let situation = agree(answer, refusal.as_ref(), &["DEL-1"])?;
        let several = self.files.remove_tree(path).len() > 1;
        let sessions = self.sessions.any_below(path);
        self.sessions.tree_deleted(path);
        Ok(match situation {
            _ if sessions => "with sessions",
            Some(situation) => situation,
            None if several => "several files",
            None => "one file",
        })
    }

    fn judge_delete_files(&mut self, paths: &[StoragePath], answer: &Answer) -> Judged {
        agree(answer, None, &["DEL-8"])?;
        if !matches!(answer, Answer::Failures(failures) if failures.is_empty()) {
            return Err(Difference::new(&["DEL-8"], format!("nothing should have failed; {answer}")));
        }
        let mut missing = false;
        for path in paths {
            missing |= self.files.remove(path).is_none();
            self.sessions.file_changed(path);
        }
        Ok(if missing { "some missing" } else { "all there" })
    }

    fn judge_commit(
        &mut self,
        slot: usize,
        to: Option<&StoragePath>,
        condition: &Condition,
        answer: &Answer,
    ) -> Judged {
        let Some(writer) = self.sessions.writer(slot).cloned() else { return Ok("no writer") };
        let own = writer.path;
        let elsewhere = to.filter(|to| **to != own);
        let target = match elsewhere {
            Some(to) if self.capabilities.commit_elsewhere => to,
            _ => &own,
        };
        let refusal = self.files.refusal(target, condition);
        // Where there are two reasons to refuse, the driver may tell the one or the other.
        if !refusal.as_ref().is_some_and(|refusal| refusal.allows(answer))
            && let Some(situation) = self.sessions.broken_by_another(slot, answer)
        {
            return Ok(situation);
        }
        if let Answer::Failed { error, writer_kept: false } = answer {
            return match elsewhere {
                Some(to) if target == &own && refusal.is_none() => {
                    self.committed_but_not_moved(slot, &own, to, writer.content, answer)
                }
                _ => Err(Difference::new(&["WRITE-17", "WRITE-3"], format!("the writer was not handed back: {error}"))),
            };
        }
        if let Some(situation) = agree(answer, refusal.as_ref(), &["WRITE-3"])? {
            return Ok(situation);
        }
        self.sessions.end(slot);
        let Some(to) = elsewhere else { return self.published(&own, writer.content, answer) };
        if target == &own {
            // The answer tells the file at its last place.
            self.files.publish(&own, writer.content);
            let refusal = self.files.refusal(to, &Condition::None);
            agree(answer, refusal.as_ref(), &["WRITE-19"])?;
            self.moved(&own, to);
        } else {
            self.published(to, writer.content, answer)?;
        }
        if let Answer::File(info) = answer {
            self.files.learn(to, info, "WRITE-19")?;
        }
        Ok("elsewhere")
    }

    /// A commit elsewhere in two steps, of which the second failed: the file stays at the writer's own path (WRITE-19).
    fn committed_but_not_moved(
        &mut self,
        slot: usize,
        own: &StoragePath,
        to: &StoragePath,
        content: Content,
        answer: &Answer,
    ) -> Judged {
        self.sessions.end(slot);
        self.files.publish(own, content);
        self.sessions.file_changed(own);
        let refusal = self.files.refusal(to, &Condition::None);
        agree(answer, refusal.as_ref(), &["WRITE-19"])?;
        Ok("committed and not moved")
    }
}

fn same_part(bytes: &Bytes, content: Content, part: Range<u64>, clauses: &[&'static str]) -> Result<(), Difference> {
    if bytes.len() as u64 == part.end - part.start && content.has_at(bytes, part.start) {
        return Ok(());
    }
    let message = format!("bytes {}..{}: {}", part.start, part.end, explain(bytes, part.start, &[content]));
    Err(Difference::new(clauses, message))
}
