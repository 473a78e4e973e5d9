//! One write in progress, as the blocking pool works on it: where its bytes are, and how it ended.

use std::sync::{Arc, OnceLock};

use driver_api::{
    CommitOptions, Condition, Context, Error, ErrorKind, FileInfo, Result, Retry, StoragePath, WriteMode,
};
use parking_lot::Mutex;

use crate::departures::Departure;
use crate::errors::{Attempt, present};
use crate::kept::{Resumed, discarded_by_others};
use crate::publish::Publication;
use crate::staging::{Partial, removed_from_staging};
use crate::store::Store;
use crate::system_calls::{FileId, Kind, Status, SystemCalls};

/// A write in progress. Its calls take turns: each locks the state for as long as it works, in the blocking pool only.
#[derive(Debug)]
pub(crate) struct Session<S: SystemCalls> {
    store: Arc<Store<S>>,
    path: StoragePath,
    state: Mutex<State<S>>,
    /// The kept session whose lock this one holds for as long as it has not ended.
    owned: Option<FileId>,
    /// Ends after the state, whose end lets go of that lock: fields are dropped in their order.
    departure: OnceLock<Departure>,
}

#[derive(Debug)]
struct State<S: SystemCalls> {
    stage: Stage<S>,
    /// How many bytes are in the file for good.
    written: u64,
    /// Whether an empty session is worth keeping: one that was begun, not one that was only asked for.
    keep_empty: bool,
}

#[derive(Debug)]
enum Stage<S: SystemCalls> {
    Fresh(Partial<S>),
    Resumed(Resumed<S>),
    /// A sync failed: what the disk has is not known.
    Lost(Bytes<S>),
    Kept,
    Committed(FileInfo),
    Discarded,
}

/// What is left to clean up.
#[derive(Debug)]
enum Bytes<S: SystemCalls> {
    Fresh { _partial: Partial<S> },
    Resumed(Resumed<S>),
}

impl<S: SystemCalls> Session<S> {
    /// Begins a session, or continues the one kept at `path`; answers with the bytes it has.
    pub(crate) fn open(
        store: &Arc<Store<S>>,
        context: &Context,
        path: &StoragePath,
        mode: &WriteMode,
    ) -> Result<(Self, u64)> {
        context.check()?;
        let root = store.make_root()?;
        let stage = match mode {
            WriteMode::Truncate => {
                store.discard_kept(&root, path)?;
                Stage::Fresh(Partial::create(store)?)
            }
            WriteMode::Append { expected_size } => {
                let resumed = store.resume(&root, path)?;
                let size = resumed.as_ref().map_or(0, |resumed| resumed.size);
                if expected_size.is_some_and(|expected| expected != size) {
                    return Err(Error::new(
                        ErrorKind::Conflict,
                        format!("{size} bytes are kept here, not as many as the caller expects"),
                    ));
                }
                match resumed {
                    Some(resumed) => Stage::Resumed(resumed),
                    None => {
                        refuse_to_append(store, &root, path)?;
                        Stage::Fresh(Partial::create(store)?)
                    }
                }
            }
        };
        let (written, owned) = match &stage {
            Stage::Resumed(resumed) => (resumed.size, Some(resumed.id)),
            _ => (0, None),
        };
        let keep_empty = *mode == WriteMode::Truncate;
        let state = Mutex::new(State { stage, written, keep_empty });
        Ok((Self { store: Arc::clone(store), path: path.clone(), state, owned, departure: OnceLock::new() }, written))
    }

    /// Says that the writer was dropped. What is left of it may still hold the lock of a kept session.
    pub(crate) fn depart(&self) {
        if let Some(file) = self.owned {
            self.departure.get_or_init(|| Departure::announce(file));
        }
    }

    /// Appends a chunk. After an error nothing of it is left.
    pub(crate) fn write(&self, chunk: &[u8]) -> Result<()> {
        let mut state = self.state.lock();
        state.reopen()?;
        let at = state.written;
        let file = state.file()?;
        if let Err(error) = self.store.write_all(file, at, chunk) {
            // Gives the room back; if that fails too, the bytes stay behind what counts.
            let _ = self.store.system.set_length(file, at);
            return Err(error).trying_to("write");
        }
        state.written += chunk.len() as u64;
        Ok(())
    }

    /// Keeps what was written.
    pub(crate) fn close(&self, context: &Context) -> Result<u64> {
        let mut state = self.state.lock();
        let state = &mut *state;
        let size = state.written;
        match &mut state.stage {
            Stage::Kept => return Ok(size),
            Stage::Fresh(_) if size == 0 && !state.keep_empty => {
                state.stage = Stage::Discarded;
                return Ok(0);
            }
            Stage::Resumed(resumed) if resumed.size == size => {}
            _ => {
                self.seal(state)?;
                context.check()?;
                let kept = self.keep(&mut state.stage, size);
                state.unless_uncertain(kept)?;
            }
        }
        state.stage = Stage::Kept;
        Ok(size)
    }

    /// Publishes what was written.
    pub(crate) fn commit(&self, context: &Context, options: &CommitOptions) -> Result<FileInfo> {
        let mut state = self.state.lock();
        let state = &mut *state;
        if let Stage::Committed(info) = &state.stage {
            return Ok(info.clone());
        }
        let status = self.seal(state)?;
        context.check()?;
        let to = options.to.as_ref().unwrap_or(&self.path);
        let published = self.publish(&mut state.stage, to, &options.condition);
        let copy = state.unless_uncertain(published)?;
        let info = Store::<S>::file_info(to, &copy.unwrap_or(status));
        state.stage = Stage::Committed(info.clone());
        Ok(info)
    }

    fn keep(&self, stage: &mut Stage<S>, size: u64) -> Result<()> {
        match stage {
            Stage::Fresh(partial) => {
                partial.close()?;
                self.store.keep(&self.path, partial, size)
            }
            Stage::Resumed(resumed) => self.store.keep_on(resumed, size),
            ended => Err(ended.refusal()),
        }
    }

    /// Publishes the file; where it had to be copied to another file system, answers with what the copy is.
    fn publish(&self, stage: &mut Stage<S>, to: &StoragePath, condition: &Condition) -> Result<Option<Status>> {
        match stage {
            Stage::Fresh(partial) => {
                partial.close()?;
                match self.store.publish(&partial.staging.root, partial.place(), to, condition)? {
                    Publication::Done(copy) => {
                        partial.published();
                        Ok(copy)
                    }
                    Publication::SourceGone => Err(removed_from_staging()),
                }
            }
            Stage::Resumed(resumed) => match self.store.publish(&resumed.root, resumed.place(), to, condition)? {
                Publication::Done(copy) => {
                    self.store.tidy_resumed(resumed);
                    Ok(copy)
                }
                Publication::SourceGone => Err(discarded_by_others()),
            },
            ended => Err(ended.refusal()),
        }
    }

    /// Discards what was written, and what was kept of it before.
    pub(crate) fn cancel(&self) -> Result<()> {
        let mut state = self.state.lock();
        match &state.stage {
            Stage::Committed(_) | Stage::Kept => return Ok(()),
            Stage::Resumed(resumed) | Stage::Lost(Bytes::Resumed(resumed)) => self.store.drop_resumed(resumed)?,
            Stage::Fresh(_) | Stage::Lost(Bytes::Fresh { .. }) | Stage::Discarded => {}
        }
        state.stage = Stage::Discarded;
        Ok(())
    }

    /// Dates the file and brings it to the disk. If that fails, nobody knows what the disk has, and the session is lost.
    fn seal(&self, state: &mut State<S>) -> Result<Status> {
        state.reopen()?;
        let sealed = match self.store.seal(state.file()?) {
            // A write that failed may have left bytes behind those that count.
            Ok(status) if status.size != state.written => self
                .store
                .system
                .set_length(state.file()?, state.written)
                .trying_to("cut off what a failed write left")
                .and_then(|()| self.store.seal(state.file()?)),
            answer => answer,
        };
        sealed.inspect_err(|_| {
            cut_back(&self.store, state);
            state.lose();
        })
    }
}

impl<S: SystemCalls> State<S> {
    /// Gives up on a session of which nobody knows what the disk has.
    fn lose(&mut self) {
        self.stage = match std::mem::replace(&mut self.stage, Stage::Discarded) {
            Stage::Fresh(partial) => Stage::Lost(Bytes::Fresh { _partial: partial }),
            Stage::Resumed(resumed) => Stage::Lost(Bytes::Resumed(resumed)),
            ended => ended,
        };
    }

    /// Passes an answer on. Where a step after the rename failed, trying again would prove nothing.
    fn unless_uncertain<T>(&mut self, answer: Result<T>) -> Result<T> {
        answer.inspect_err(|error| {
            if error.retry() == Retry::MaybeApplied {
                self.lose();
            }
        })
    }

    /// Opens the file again if it was closed for a publication that failed.
    fn reopen(&mut self) -> Result<()> {
        if let Stage::Fresh(partial) = &mut self.stage { partial.reopen() } else { Ok(()) }
    }

    fn file(&self) -> Result<&S::File> {
        match &self.stage {
            Stage::Fresh(partial) => partial.file(),
            Stage::Resumed(resumed) => Ok(&resumed.file),
            ended => Err(ended.refusal()),
        }
    }
}

impl<S: SystemCalls> Stage<S> {
    fn refusal(&self) -> Error {
        let message = match self {
            Self::Lost(_) => "bringing the content to the disk failed before; cancel, and write it anew",
            Self::Fresh(_) | Self::Resumed(_) | Self::Kept => "the writer was closed",
            Self::Committed(_) => "the writer was committed",
            Self::Discarded => "the writer was cancelled",
        };
        Error::new(ErrorKind::InvalidArgument, message)
    }
}

impl<S: SystemCalls> Drop for Session<S> {
    /// What was kept before stays as it was kept; the rest goes (the partial file removes itself).
    fn drop(&mut self) {
        cut_back(&self.store, self.state.get_mut());
    }
}

/// Gives back the room of what was written to a kept session since it was kept. What stays in spite of this is cut off by
/// whoever resumes it.
fn cut_back<S: SystemCalls>(store: &Store<S>, state: &State<S>) {
    if let Stage::Resumed(resumed) = &state.stage
        && state.written != resumed.size
    {
        let _ = store.system.set_length(&resumed.file, resumed.size);
    }
}

/// Append where nothing is kept begins with nothing, and only where no content would be left out (WRITE-7).
fn refuse_to_append<S: SystemCalls>(store: &Store<S>, root: &S::Directory, path: &StoragePath) -> Result<()> {
    let found = present(store.system.status_at(root, std::path::Path::new(path.relative())));
    match found.trying_to("look at the file")? {
        Some(status) if status.kind == Kind::File && status.size > 0 => Err(Error::new(
            ErrorKind::Conflict,
            "nothing is kept here, and the file is committed: it can't be appended to",
        )),
        _ => Ok(()),
    }
}
