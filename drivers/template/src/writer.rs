//! One write in progress, and what a close keeps of it.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use driver_api::{
    Bytes, CommitOptions, Context, Error, ErrorKind, FileInfo, FileWriter, Result, StoragePath, WriteMode, async_trait,
};

use crate::{State, lock};

/// What a close has kept: invisible to everything but `unfinished`, `abandon` and a writer that continues it.
pub(crate) struct Session {
    pub(crate) bytes: Bytes,
    pub(crate) modified: SystemTime,
}

impl Session {
    /// The map holds one reference, and an owner the other. It lets go when it ends, in whatever way; what was kept stays.
    pub(crate) fn refuse_if_owned(self: &Arc<Self>) -> Result<()> {
        if Arc::strong_count(self) > 1 {
            return Err(Error::new(ErrorKind::Conflict, "another writer continues this write"));
        }
        Ok(())
    }
}

pub(crate) struct TemplateWriter {
    state: Arc<Mutex<State>>,
    path: StoragePath,
    /// The session that this writer owns, as it was kept last.
    resumed: Option<Arc<Session>>,
    /// All that was accepted. A driver of a real backend keeps parts of bounded size instead, and sends them (WRITE-10).
    accepted: Vec<u8>,
}

impl fmt::Debug for TemplateWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TemplateWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

impl TemplateWriter {
    pub(crate) fn open(state: Arc<Mutex<State>>, path: &StoragePath, mode: &WriteMode) -> Result<Self> {
        let resumed = match mode {
            // Nothing of an earlier session may come back once this writer has ended (WRITE-6).
            WriteMode::Truncate => {
                lock(&state).kept.remove(path);
                None
            }
            WriteMode::Append { expected_size } => resume(&lock(&state), path, *expected_size)?,
        };
        let accepted = resumed.as_ref().map_or_else(Vec::new, |session| session.bytes.to_vec());
        Ok(Self { state, path: path.clone(), resumed, accepted })
    }
}

fn resume(state: &State, path: &StoragePath, expected_size: Option<u64>) -> Result<Option<Arc<Session>>> {
    let kept = state.kept.get(path);
    let size = kept.map_or(0, |session| session.bytes.len() as u64);
    if expected_size.is_some_and(|expected| expected != size) {
        return Err(Error::new(ErrorKind::Conflict, format!("{size} bytes are kept")));
    }
    match kept {
        Some(session) => {
            session.refuse_if_owned()?;
            Ok(Some(session.clone()))
        }
        // Bytes are never appended to a published file: that would be a change that others see (WRITE-7).
        None if state.files.get(path).is_some_and(|file| file.info.size > 0) => {
            Err(Error::new(ErrorKind::Conflict, "a file that is not empty is there"))
        }
        None => Ok(None),
    }
}

// After a close, commit or cancel that succeeded only `size` is called, so no method looks whether the writer has ended.
// There is no `Drop`: what was accepted goes with the writer, and what was kept is in the map (WRITE-4).
#[async_trait]
impl FileWriter for TemplateWriter {
    fn size(&self) -> u64 {
        self.accepted.len() as u64
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        context.check()?;
        self.accepted.extend_from_slice(&chunk);
        Ok(())
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        context.check()?;
        // Opening to ask for the size and closing is no change: the session keeps its time (WRITE-12).
        let unchanged = self.resumed.take().filter(|session| session.bytes.len() == self.accepted.len());
        let session = unchanged.unwrap_or_else(|| {
            Arc::new(Session { bytes: Bytes::copy_from_slice(&self.accepted), modified: SystemTime::now() })
        });
        lock(&self.state).kept.insert(self.path.clone(), session);
        Ok(self.size())
    }

    async fn commit(&mut self, context: &Context, _options: CommitOptions) -> Result<FileInfo> {
        context.check()?;
        // One lock for both: nobody sees the file and its session side by side.
        let mut state = lock(&self.state);
        state.kept.remove(&self.path);
        Ok(state.publish(&self.path, Bytes::copy_from_slice(&self.accepted)))
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        context.check()?;
        lock(&self.state).kept.remove(&self.path);
        Ok(())
    }
}
