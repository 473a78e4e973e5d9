//! Writers: what was acknowledged is kept or published, what failed can be tried again or cancelled, and a cancel leaves
//! nothing.

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Error, GetOptions, Result, Retry, Storage, WriteOptions, Writer, WriterError,
};

use super::changes::{Stored, expect_whole, stored};
use super::drill::{Bench, Effect, Round, drill};
use super::{content, context, path};

/// How a writer ends.
#[derive(Debug, Clone)]
pub(crate) enum Ending {
    Commit(CommitOptions),
    Close,
    Cancel,
}

impl Ending {
    pub(crate) fn commit() -> Self {
        Self::Commit(CommitOptions::default())
    }

    pub(crate) fn commit_if_absent() -> Self {
        Self::Commit(CommitOptions::default().with_condition(Condition::IfAbsent))
    }

    pub(crate) fn commit_elsewhere() -> Self {
        Self::Commit(CommitOptions::default().with_to(path("/to")))
    }
}

/// What is done after an ending that failed, when nothing goes wrong any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Then {
    /// The same once more.
    Again,
    Cancel,
    /// Nothing: the writer is dropped.
    Drop,
}

/// Which of the sizes of a bench a file has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Size {
    Small,
    Kept,
    Large,
}

impl Size {
    fn of<B: Bench>(self) -> usize {
        match self {
            Self::Small => B::SIZES.small,
            Self::Kept => B::SIZES.kept,
            Self::Large => B::SIZES.large,
        }
    }
}

#[derive(Debug, Clone)]
pub(crate) struct Writing {
    /// Whether a session is kept at the path.
    kept: bool,
    /// Whether it is continued.
    resumes: bool,
    /// The bytes in the end.
    size: Size,
    ending: Ending,
    then: Then,
}

impl Writing {
    pub(crate) fn new(size: Size, ending: Ending, then: Then) -> Self {
        Self { kept: false, resumes: false, size, ending, then }
    }

    pub(crate) fn over_a_session(self) -> Self {
        Self { kept: true, ..self }
    }

    pub(crate) fn of_a_session(self) -> Self {
        Self { kept: true, resumes: true, ..self }
    }

    async fn prepare(&self, bench: &impl Bench, kept: usize) {
        if self.kept {
            let storage = bench.other_process();
            let mut writer = storage.writer(&context(), &path("/a"), WriteOptions::default()).await.unwrap();
            writer.write(&context(), content(kept)).await.unwrap();
            writer.close(&context()).await.unwrap();
        }
    }

    /// Writes, and ends as it should; where that fails, once more. Answers with how the first attempt ended.
    async fn run<B: Bench>(&self, round: &Round<B, ()>) -> Result<()> {
        let options = if self.resumes { WriteOptions::append() } else { WriteOptions::default() };
        let mut writer = round.storage.writer(&context(), &path("/a"), options).await?;
        let (begin, size) = (if self.resumes { B::SIZES.kept } else { 0 }, self.size.of::<B>());
        assert_eq!(writer.size(), begin as u64);
        for at in (begin..size).step_by(B::SIZES.piece) {
            write(&mut writer, content(size).slice(at..(at + B::SIZES.piece).min(size))).await?;
        }
        assert_eq!(writer.size(), size as u64);
        let Err(WriterError { error, writer }) = end(writer, &self.ending).await else { return Ok(()) };
        assert!(!(round.must_succeed() && error.retry() == Retry::Safe), "{error}");
        round.bench.clear();
        // There is none where the file was published and its move has failed.
        let Some(writer) = writer else { return Err(error) };
        assert_eq!(writer.size(), size as u64);
        match self.then {
            Then::Again => {}
            Then::Cancel => {
                writer.cancel(&context()).await.map_err(Error::from)?;
                return Err(error);
            }
            Then::Drop => return Err(error),
        }
        let Err(again) = end(*writer, &self.ending).await else { return Ok(()) };
        // What the attempt without an answer did comes too late to be known by now.
        round.check_error(&again.error);
        assert_eq!((error.retry(), again.error.retry()), (Retry::MaybeApplied, Retry::MaybeApplied));
        if let Some(writer) = again.writer {
            writer.cancel(&context()).await.map_err(Error::from)?;
        }
        Err(error)
    }

    /// What must be in the store after a run that ended well.
    fn after(&self, size: u64) -> Stored {
        let entry = match &self.ending {
            Ending::Commit(CommitOptions { to: None, .. }) => Some("/a"),
            Ending::Commit(_) => Some("/to"),
            Ending::Close => Some("~/a"),
            Ending::Cancel => None,
        };
        entry.map(|entry| (entry.to_owned(), size)).into_iter().collect()
    }

    async fn judge<B: Bench>(&self, round: &Round<B, ()>, result: &Result<()>) {
        let (storage, size) = (round.bench.other_process(), self.size.of::<B>() as u64);
        let found = stored(&storage).await;
        match result {
            Ok(()) => assert_eq!(found, self.after(size)),
            Err(error) => {
                for (what, found) in &found {
                    // A call that opened no writer left the session as it was; one that closed it may have kept it.
                    let expected = [size, B::SIZES.kept as u64];
                    assert!(expected.contains(found), "{what} has {found} bytes: {error}");
                }
                assert!(found.len() <= 2, "{found:?}: {error}");
                assert!(found.contains_key("~/a") || !self.must_be_kept(&found), "what was kept is lost: {error}");
            }
        }
        for file in found.keys().filter(|key| !key.starts_with('~')) {
            expect_whole(&storage, file).await;
        }
        let is_left =
            self.then == Then::Drop && result.as_ref().is_err_and(|error| error.retry() == Retry::MaybeApplied);
        if is_left && self.is_published(&found) {
            // What is still kept belongs to the file, and nobody has come back to clean up after it.
            return;
        }
        if let Some(size) = found.get("~/a") {
            // A file at the path of a session is not appended to, but the session is.
            continue_elsewhere(&storage, *size).await;
        }
        // What a dropped writer may have kept it leaves, whether or not it has.
        if !is_left {
            round.expect_no_residue().await;
        }
    }

    fn is_published(&self, found: &Stored) -> bool {
        matches!(self.ending, Ending::Commit(_)) && found.keys().any(|key| !key.starts_with('~'))
    }

    /// Whether a session that was there before must still be, or one in its place, after an ending that failed.
    fn must_be_kept(&self, found: &Stored) -> bool {
        let is_given_up = matches!(self.ending, Ending::Cancel) || self.then == Then::Cancel;
        self.kept && !is_given_up && !self.is_published(found)
    }

    pub(crate) async fn drill<B: Bench>(self) {
        drill(
            Effect::Change,
            true,
            async |bench: &B| self.prepare(bench, B::SIZES.kept).await,
            async |round| self.run(round).await,
            async |round, result| self.judge(round, result).await,
        )
        .await;
    }
}

/// Writes the chunk until it was accepted: what fails is accepted or is not, and the size tells which.
async fn write(writer: &mut Writer, chunk: Bytes) -> Result<()> {
    let before = writer.size();
    match writer.write(&context(), chunk.clone()).await {
        Err(error) => {
            assert_eq!(error.retry(), Retry::Safe, "{error}");
            match writer.size() - before {
                0 => writer.write(&context(), chunk).await,
                accepted => {
                    assert_eq!(accepted, chunk.len() as u64);
                    Ok(())
                }
            }
        }
        written => written,
    }
}

async fn end(writer: Writer, ending: &Ending) -> Result<(), WriterError> {
    match ending {
        Ending::Commit(options) => writer.commit(&context(), options.clone()).await.map(drop),
        Ending::Close => writer.close(&context()).await.map(drop),
        Ending::Cancel => writer.cancel(&context()).await,
    }
}

/// What is kept is continued by another process, whole.
async fn continue_elsewhere(storage: &Storage, size: u64) {
    let writer = storage.writer(&context(), &path("/a"), WriteOptions::append()).await.unwrap();
    assert_eq!(writer.size(), size);
    writer.commit(&context(), CommitOptions::default()).await.unwrap();
    let (_, bytes) = storage.get(&context(), &path("/a"), GetOptions::default()).await.unwrap();
    assert!(bytes == content(size as usize));
}

/// A test for each way of writing.
macro_rules! drill_writers {
    ($bench:ty) => {
        use crate::object_store::writers::{Ending, Size, Then, Writing};

        crate::object_store::drill::drills! { $bench:
            small_commit_if_absent_and_again => Writing::new(Size::Small, Ending::commit_if_absent(), Then::Again);
            small_commit_elsewhere => Writing::new(Size::Small, Ending::commit_elsewhere(), Then::Again);
            commit_in_parts_or_cancel => Writing::new(Size::Large, Ending::commit(), Then::Cancel);
            commit_in_parts_if_absent_and_again => Writing::new(Size::Large, Ending::commit_if_absent(), Then::Again);
            commit_of_a_session => Writing::new(Size::Large, Ending::commit(), Then::Again).of_a_session();
            commit_over_a_session => Writing::new(Size::Small, Ending::commit(), Then::Again).over_a_session();
            close_of_parts => Writing::new(Size::Kept, Ending::Close, Then::Again);
            close_of_a_session => Writing::new(Size::Large, Ending::Close, Then::Again).of_a_session();
            cancel_of_a_session => Writing::new(Size::Large, Ending::Cancel, Then::Again).of_a_session();
            close_of_a_session_or_drop => Writing::new(Size::Large, Ending::Close, Then::Drop).of_a_session();
            commit_of_a_session_or_drop => Writing::new(Size::Large, Ending::commit(), Then::Drop).of_a_session();
            commit_over_a_session_or_drop => Writing::new(Size::Small, Ending::commit(), Then::Drop).over_a_session();
        }
    };
}

pub(crate) use drill_writers;
