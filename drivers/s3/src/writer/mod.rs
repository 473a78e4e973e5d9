//! A write in progress.
//!
//! Chunks gather in a tail. What is longer than the next part is cut off and sent in the background, while there is room for
//! parts on their way; a file no longer than one part goes up in one put at the commit. Nothing is forgotten before the service
//! has it, so that whatever fails can be tried again.

mod earlier;
mod parts;
mod tail;

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Context, Error, ErrorKind, FileInfo, FileWriter, Result, Retry, StoragePath, WriteMode,
    async_trait, too_large,
};

use crate::bucket::{Bucket, UploadedPart};
use crate::part_plan::{MAX_PARTS, PartPlan};
use crate::publish::Nonce;
use crate::sessions::{KeptUpload, Owners, Ownership, Session};
use crate::writer::earlier::Earlier;
use crate::writer::parts::Parts;
use crate::writer::tail::Tail;

pub(crate) struct S3Writer {
    bucket: Arc<Bucket>,
    path: StoragePath,
    plan: PartPlan,
    /// The size at which a close has nothing to keep: what is kept already, or nothing where nothing was (WRITE-12).
    kept_size: Option<u64>,
    earlier: Earlier,
    ownership: Option<Ownership>,
    nonce: Nonce,
    parts: Parts,
    tail: Tail,
    /// The tail as a part that an earlier commit has sent, while the tail has this length.
    last: Option<UploadedPart>,
    /// Whether a commit had no answer, and may take effect yet.
    tried: bool,
    /// What a commit has published, and has not cleaned up after.
    published: Option<FileInfo>,
    ended: bool,
}

impl S3Writer {
    pub(crate) async fn open(
        bucket: Arc<Bucket>,
        owners: &Arc<Owners>,
        plan: PartPlan,
        path: &StoragePath,
        mode: &WriteMode,
    ) -> Result<Self> {
        let WriteMode::Append { expected_size } = mode else {
            return Ok(Self::new(bucket, plan, path, None, Earlier::Unknown));
        };
        let resumed = owners.resume(&bucket, path).await?;
        let kept = resumed.as_ref().map_or(0, |(session, _)| session.size());
        if let Some(expected) = expected_size.filter(|expected| *expected != kept) {
            let message = format!("{kept} bytes are kept of the unfinished write, not {expected}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let writer = match resumed {
            Some((session, ownership)) => {
                Self { ownership: Some(ownership), ..Self::new(bucket, plan, path, Some(session), Earlier::own()) }
            }
            None => {
                refuse_to_append(&bucket, path).await?;
                Self::new(bucket, plan, path, None, Earlier::Nothing)
            }
        };
        Ok(Self { kept_size: Some(kept), ..writer })
    }

    fn new(
        bucket: Arc<Bucket>,
        plan: PartPlan,
        path: &StoragePath,
        session: Option<Session>,
        earlier: Earlier,
    ) -> Self {
        let session = session.unwrap_or_else(|| Session { nonce: Nonce::random(), upload: None, tail: Vec::new() });
        Self {
            parts: Parts::new(bucket.clone(), bucket.keys.file(path), session.nonce.clone(), session.upload),
            bucket,
            path: path.clone(),
            plan,
            kept_size: None,
            earlier,
            ownership: None,
            nonce: session.nonce,
            tail: Tail::new(session.tail),
            last: None,
            tried: false,
            published: None,
            ended: false,
        }
    }

    fn check_open(&self, context: &Context) -> Result<()> {
        context.check()?;
        if self.ended {
            return Err(Error::new(ErrorKind::Conflict, "the writer was closed, committed or cancelled before"));
        }
        Ok(())
    }

    /// Cuts off and sends what is longer than the next part; waits for room where there is none.
    async fn send_full_parts(&mut self) -> Result<()> {
        self.parts.repeat_failed();
        loop {
            self.parts.collect().map_err(|failure| failure.of_read(&self.path))?;
            let Some(size) = self.full_part()? else { return Ok(()) };
            self.parts.begun().await.map_err(|failure| failure.of_read(&self.path))?;
            if self.parts.has_room(size) {
                self.parts.send(self.tail.cut(size));
            } else {
                self.parts.wait_for_one().await.map_err(|failure| failure.of_read(&self.path))?;
            }
        }
    }

    /// The size of the next part, if the tail has more than that. A tail of just one part may be the last, and stays.
    fn full_part(&self) -> Result<Option<u64>> {
        let number = self.parts.count() + 1;
        let size = self.plan.size(number);
        if self.tail.len() <= size {
            return Ok(None);
        }
        if number >= MAX_PARTS {
            return Err(too_large(self.size(), self.bucket.options.object_bytes));
        }
        Ok(Some(size))
    }

    /// Sends what can be sent without waiting.
    fn send_in_background(&mut self) {
        while let Ok(Some(size)) = self.full_part() {
            self.parts.begin();
            if !self.parts.is_begun() || !self.parts.has_room(size) {
                return;
            }
            self.parts.send(self.tail.cut(size));
        }
    }

    /// Publishes what was accepted: in one put where it is no more than a part.
    async fn publish(&mut self, context: &Context, condition: &Condition) -> Result<FileInfo> {
        self.send_full_parts().await?;
        if !self.parts.is_begun() {
            context.check()?;
            let published =
                self.bucket.publish(&self.path, self.tail.pieces(), condition, &self.nonce, self.tried).await;
            self.tried |= published.as_ref().is_err_and(|error| error.retry() == Retry::MaybeApplied);
            return published;
        }
        self.send_all().await?;
        let Some(upload) = self.parts.upload() else { return Err(not_begun()) };
        let sent = self.parts.sent()?;
        let parts: Vec<_> = sent.iter().copied().chain(&self.last).collect();
        context.check()?;
        upload.complete(&self.path, parts, condition, &self.nonce, &mut self.tried).await
    }

    /// Waits until all parts are there, the tail as the last of them. The tail stays: a close after a failed commit keeps it.
    async fn send_all(&mut self) -> Result<()> {
        let number = self.parts.count() + 1;
        let is_sent = self.last.as_ref().is_some_and(|last| last.size == self.tail.len());
        let Some(upload) = self.parts.upload() else { return Err(not_begun()) };
        let (bucket, key, id) = (self.bucket.clone(), self.bucket.keys.file(&self.path), upload.id().to_owned());
        let tail = &self.tail;
        let last = async {
            if is_sent || tail.len() == 0 {
                return Ok(None);
            }
            let number = i32::try_from(number).unwrap_or(i32::MAX);
            bucket.upload_part(&key, &id, number, tail.pieces()).await.map(Some)
        };
        let (sent, last) = tokio::join!(self.parts.finish(), last);
        if let Some(last) = last.map_err(|failure| failure.of_read(&self.path))? {
            self.last = Some(last);
        }
        sent.map_err(|failure| failure.of_read(&self.path))
    }

    async fn keep(&mut self) -> Result<()> {
        self.send_full_parts().await?;
        self.parts.finish().await.map_err(|failure| failure.of_read(&self.path))?;
        let upload = match self.parts.upload() {
            None => None,
            Some(upload) => {
                let parts = self.parts.sent()?.into_iter().cloned().collect();
                Some(KeptUpload { id: upload.id().to_owned(), parts })
            }
        };
        // Looked at before it is replaced: what replaces it does not tell of its upload.
        self.earlier = self.earlier.clone().look(&self.bucket, &self.path).await?;
        self.earlier.replace();
        let session = Session { nonce: self.nonce.clone(), upload, tail: self.tail.pieces().to_vec() };
        self.bucket.keep_session(&self.path, &session).await?;
        self.parts.keep();
        self.earlier.abort_upload(&self.bucket, &self.path).await
    }

    /// Marks the writer as ended, and gives its session free.
    fn end(&mut self) {
        self.ended = true;
        self.ownership = None;
    }
}

#[async_trait]
impl FileWriter for S3Writer {
    fn size(&self) -> u64 {
        self.parts.bytes() + self.tail.len()
    }

    async fn write(&mut self, context: &Context, chunk: Bytes) -> Result<()> {
        self.check_open(context)?;
        // The chunk is accepted behind the last point at which this can fail or be dropped.
        self.send_full_parts().await?;
        self.last = None;
        self.tail.push(chunk);
        self.send_in_background();
        Ok(())
    }

    async fn close(&mut self, context: &Context) -> Result<u64> {
        self.check_open(context)?;
        let size = self.size();
        if self.kept_size != Some(size) {
            self.keep().await?;
        }
        self.end();
        Ok(size)
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        self.check_open(context)?;
        if self.published.is_none() {
            let (bucket, path, earlier) = (self.bucket.clone(), self.path.clone(), self.earlier.clone());
            let look = async move { earlier.look(&bucket, &path).await };
            let (published, earlier) = tokio::join!(self.publish(context, &options.condition), look);
            self.published = Some(published?);
            self.parts.keep();
            if let Ok(earlier) = earlier {
                self.earlier = earlier;
            }
        }
        // The file is there, whatever becomes of this.
        let cleaned = self.earlier.discard(&self.bucket, &self.path).await;
        cleaned.map_err(|error| error.with_retry(Retry::MaybeApplied))?;
        self.end();
        self.published.clone().ok_or_else(not_begun)
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        context.check()?;
        self.parts.cancel().await.map_err(|failure| failure.of_change(&self.path))?;
        self.earlier.discard(&self.bucket, &self.path).await?;
        self.end();
        Ok(())
    }
}

/// Append, where nothing is kept, begins a file, or goes on with one that is empty (WRITE-7).
async fn refuse_to_append(bucket: &Bucket, path: &StoragePath) -> Result<()> {
    match bucket.head(&bucket.keys.file(path)).await {
        Ok(head) if head.size > 0 => {
            let message = "nothing is kept of an unfinished write, and a file that is not empty is not appended to";
            Err(Error::new(ErrorKind::Conflict, message))
        }
        Ok(_) => Ok(()),
        Err(failure) if failure.is_missing_key() => Ok(()),
        Err(failure) => Err(failure.of_read(path)),
    }
}

/// What can't be: it would be an error in this module, and is told as one.
fn not_begun() -> Error {
    Error::new(ErrorKind::Other, "the upload was not begun")
}

impl fmt::Debug for S3Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Writer").field("path", &self.path).field("size", &self.size()).finish_non_exhaustive()
    }
}
