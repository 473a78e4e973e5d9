//! A writer over an upload of another crate.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::SystemTime;

use driver_api::{
    Bytes, CommitOptions, Context, Error, ErrorKind, FileInfo, FileWriter, Result, StoragePath, async_trait,
};
use tokio::runtime::Handle;

use super::sessions::{Mark, Sessions};
use super::upload::Upload;

pub(super) struct UploadWriter<U: Upload> {
    sessions: Arc<Sessions<U>>,
    path: StoragePath,
    /// None once it has ended, in whatever way.
    upload: Option<U>,
    /// How many bytes the upload was given.
    given: u64,
    /// What came behind a session that was resumed. The upload is given it by the close or commit, for nobody could take it
    /// back from there, and a drop leaves what was kept.
    pending: VecDeque<Bytes>,
    accepted: u64,
    resumed: Option<Mark>,
}

impl<U: Upload> UploadWriter<U> {
    pub(super) fn begin(sessions: Arc<Sessions<U>>, path: &StoragePath, upload: U) -> Self {
        let (path, upload, pending) = (path.clone(), Some(upload), VecDeque::new());
        Self { sessions, path, upload, given: 0, pending, accepted: 0, resumed: None }
    }

    pub(super) fn resume(sessions: Arc<Sessions<U>>, path: &StoragePath, upload: U, mark: Mark) -> Self {
        let mut writer = Self::begin(sessions, path, upload);
        (writer.given, writer.accepted, writer.resumed) = (mark.size, mark.size, Some(mark));
        writer
    }

    async fn give(&mut self, chunk: Bytes) -> Result<()> {
        let length = chunk.len() as u64;
        self.upload.as_mut().ok_or_else(ended)?.write(chunk).await?;
        self.given += length;
        Ok(())
    }

    async fn give_pending(&mut self) -> Result<()> {
        while let Some(chunk) = self.pending.front().cloned() {
            self.give(chunk).await?;
            self.pending.pop_front();
        }
        Ok(())
    }

    fn end_session(&mut self) {
        if let Some(mark) = self.resumed.take() {
            self.sessions.end(&self.path, mark);
        }
    }
}

fn ended() -> Error {
    Error::new(ErrorKind::Other, "the upload has ended with an error")
}

/// By hand, for the crates' own would print the bytes of files.
impl<U: Upload> fmt::Debug for UploadWriter<U> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UploadWriter").field("path", &self.path).finish_non_exhaustive()
    }
}

#[async_trait]
impl<U: Upload> FileWriter for UploadWriter<U> {
    fn size(&self) -> u64 {
        self.accepted
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        context.check()?;
        let length = chunk.len() as u64;
        if self.resumed.is_some() {
            self.pending.push_back(chunk);
        } else {
            self.give(chunk).await?;
        }
        self.accepted += length;
        Ok(())
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        context.check()?;
        self.give_pending().await?;
        let upload = self.upload.take().ok_or_else(ended)?;
        // Opening to ask for the size and closing is no change.
        let unchanged = self.resumed.take().filter(|mark| mark.size == self.accepted);
        let modified = unchanged.map_or_else(SystemTime::now, |mark| mark.modified);
        if let Some(replaced) = self.sessions.keep(&self.path, upload, self.accepted, modified) {
            replaced.abort().await?;
        }
        Ok(self.accepted)
    }

    async fn commit(&mut self, context: &Context, _options: CommitOptions) -> Result<FileInfo> {
        context.check()?;
        self.give_pending().await?;
        context.check()?;
        let published = self.upload.take().ok_or_else(ended)?.complete(&self.path, self.accepted).await;
        self.end_session();
        published
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        context.check()?;
        self.end_session();
        match self.upload.take() {
            Some(upload) => upload.abort().await,
            None => Ok(()),
        }
    }
}

impl<U: Upload> Drop for UploadWriter<U> {
    fn drop(&mut self) {
        let Some(upload) = self.upload.take() else { return };
        let given_up = match self.resumed {
            Some(mark) if mark.size == self.given => self.sessions.release(&self.path, upload, mark),
            _ => Some(upload),
        };
        let Some(upload) = given_up else { return };
        self.end_session();
        if let Ok(runtime) = Handle::try_current() {
            // Nobody is left to be told that it failed; what it leaves is for the look behind the driver.
            runtime.spawn(upload.abort());
        }
    }
}
