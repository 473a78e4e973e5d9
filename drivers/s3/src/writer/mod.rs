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

use crate::bucket::{Answer, Bucket, UploadedPart};
use crate::owners::{Owners, Ownership};
use crate::part_plan::{MAX_PARTS, PartPlan};
use crate::publish::{Look, Nonce, Own};
use crate::sessions::{KeptUpload, Session};
use crate::upload::ended;
use crate::writer::earlier::Earlier;
use crate::writer::parts::Parts;
use crate::writer::tail::Tail;

pub(crate) struct S3Writer {
    bucket: Arc<Bucket>,
    owners: Arc<Owners>,
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
    /// Whether the service would not complete the upload, after which it may have ended it: Amazon says to begin another one
    /// where a conflicting request came in between.
    is_upload_unsure: bool,
    /// What a commit has published, and has not cleaned up after.
    published: Option<FileInfo>,
    /// Whether a cancel has begun, which may have discarded what a close would keep.
    is_given_up: bool,
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
            return Ok(Self::new(bucket, owners, plan, path, None, Earlier::Unknown));
        };
        let resumed = owners.resume(&bucket, path).await?;
        let kept = resumed.as_ref().map_or(0, |(session, _)| session.size());
        if let Some(expected) = expected_size.filter(|expected| *expected != kept) {
            let message = format!("{kept} bytes are kept of the unfinished write, not {expected}");
            return Err(Error::new(ErrorKind::Conflict, message));
        }
        let writer = match resumed {
            Some((session, ownership)) => {
                let writer = Self::new(bucket, owners, plan, path, Some(session), Earlier::own());
                Self { ownership: Some(ownership), ..writer }
            }
            None => {
                refuse_to_append(&bucket, path).await?;
                Self::new(bucket, owners, plan, path, None, Earlier::Nothing)
            }
        };
        Ok(Self { kept_size: Some(kept), ..writer })
    }

    fn new(
        bucket: Arc<Bucket>,
        owners: &Arc<Owners>,
        plan: PartPlan,
        path: &StoragePath,
        session: Option<Session>,
        earlier: Earlier,
    ) -> Self {
        let session = session.unwrap_or_else(|| Session { nonce: Nonce::random(), upload: None, tail: Vec::new() });
        let size = session.size();
        // An upload is begun with the nonce of the file. Without one nobody but this writer is to have its nonce: others that
        // resume the session write other bytes behind it.
        let nonce = if session.upload.is_some() { session.nonce } else { Nonce::random() };
        Self {
            parts: Parts::new(bucket.clone(), bucket.keys.file(path), nonce.clone(), session.upload, size),
            bucket,
            owners: owners.clone(),
            path: path.clone(),
            plan,
            kept_size: None,
            earlier,
            ownership: None,
            nonce,
            tail: Tail::new(session.tail),
            last: None,
            tried: false,
            is_upload_unsure: false,
            published: None,
            is_given_up: false,
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
            self.parts.collect().await.map_err(|failure| failure.of_read(&self.path))?;
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
        let all = self.send_all().await;
        let own = Own { nonce: &self.nonce, size: self.size(), condition };
        let Some(upload) = self.parts.upload() else { return Err(not_begun()) };
        match all {
            Ok(()) => {}
            // Whoever has ended it may have published just this.
            Err(failure) if failure.is_missing_upload() => {
                return upload.find_completed(&self.path, own, self.tried).await;
            }
            Err(failure) => return Err(failure.of_read(&self.path)),
        }
        let sent = self.parts.sent()?;
        let parts: Vec<_> = sent.iter().copied().chain(&self.last).collect();
        context.check()?;
        let completed = upload.complete(&self.path, parts, condition, &self.nonce, &mut self.tried).await;
        self.is_upload_unsure |= completed.as_ref().is_err_and(|error| error.kind() == ErrorKind::Unavailable);
        completed
    }

    /// Waits until all parts are there, the tail as the last of them. The tail stays: a close after a failed commit keeps it.
    async fn send_all(&mut self) -> Answer<()> {
        let number = self.parts.count() + 1;
        let is_sent = self.last.as_ref().is_some_and(|last| last.size == self.tail.len());
        let Some(upload) = self.parts.upload() else { return Ok(()) };
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
        if let Some(last) = last? {
            self.last = Some(last);
        }
        sent
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
        self.earlier.leave_to_owner(&self.owners, &self.path);
        let session = Session { nonce: self.nonce.clone(), upload, tail: self.tail.pieces().to_vec() };
        // From here on the session may name the upload, whether or not there is an answer, and whoever waits for one.
        let was_kept = self.parts.is_kept();
        self.parts.set_kept(true);
        if let Err(error) = self.bucket.keep_session(&self.path, &session).await {
            self.parts.set_kept(was_kept || error.retry() == Retry::MaybeApplied);
            return Err(error);
        }
        self.earlier.abort_upload(&self.bucket, &self.owners, &self.path).await;
        Ok(())
    }

    /// A close would keep nothing that can be continued where the file was published, or where a cancel has begun.
    async fn refuse_to_keep(&mut self) -> Result<()> {
        if self.is_given_up {
            return Err(Error::new(ErrorKind::Conflict, "a cancel has discarded a part of the write: cancel it again"));
        }
        if self.published.is_some() {
            return Err(published(&self.path));
        }
        if !self.tried {
            return if self.is_upload_unsure { self.expect_upload().await } else { Ok(()) };
        }
        let own = Own { nonce: &self.nonce, size: self.size(), condition: &Condition::None };
        match self.bucket.look_at_own(&self.bucket.keys.file(&self.path), own).await {
            Look::Own(_) => Err(published(&self.path)),
            Look::Other(_) | Look::Nothing => self.expect_upload().await,
            Look::Failed(look) => Err(look.of_read(&self.path)),
        }
    }

    /// Makes sure that the upload is there yet: what a commit has published of it may have been replaced since. Nothing tells
    /// sooner than a part, and the tail is one.
    async fn expect_upload(&mut self) -> Result<()> {
        if !self.parts.is_begun() {
            return Ok(());
        }
        self.last = None;
        self.send_all().await.map_err(|failure| match failure.is_missing_upload() {
            true if self.tried => published(&self.path),
            true => ended(&self.path),
            false => failure.of_read(&self.path),
        })
    }

    /// Whether a close has something to keep: more than is kept already, or what somebody else has discarded since.
    fn has_more_to_keep(&self) -> bool {
        self.kept_size != Some(self.size()) || self.ownership.as_ref().is_some_and(Ownership::is_superseded)
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
        self.refuse_to_keep().await?;
        if self.has_more_to_keep() {
            self.keep().await?;
        }
        self.end();
        Ok(self.size())
    }

    async fn commit(&mut self, context: &Context, options: CommitOptions) -> Result<FileInfo> {
        self.check_open(context)?;
        if self.published.is_none() {
            let (bucket, path, earlier) = (self.bucket.clone(), self.path.clone(), self.earlier.clone());
            let look = async move { earlier.look(&bucket, &path).await };
            let (published, earlier) = tokio::join!(self.publish(context, &options.condition), look);
            self.published = Some(published?);
            self.parts.set_kept(true);
            if let Ok(earlier) = earlier {
                self.earlier = earlier;
            }
        }
        // The file is there, whatever becomes of this.
        let cleaned = self.earlier.discard(&self.bucket, &self.owners, &self.path).await;
        cleaned.map_err(|error| error.with_retry(Retry::MaybeApplied))?;
        self.end();
        self.published.clone().ok_or_else(not_begun)
    }

    async fn cancel(&mut self, context: &Context) -> Result<()> {
        if self.ended {
            return Ok(());
        }
        context.check()?;
        self.earlier = self.earlier.clone().look(&self.bucket, &self.path).await?;
        self.is_given_up = true;
        // In this order, so that a crash in between leaves no session of an upload that is gone.
        self.earlier.discard(&self.bucket, &self.owners, &self.path).await?;
        // No session names the upload any more: where the abort fails it is this writer's to abort, by another cancel or its drop.
        self.parts.set_kept(false);
        self.parts.cancel().await.map_err(|failure| failure.of_change(&self.path))?;
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

/// The error of a close behind a commit that has published the file.
fn published(path: &StoragePath) -> Error {
    let message = "the commit before has published the file, of which nothing is left to keep";
    Error::new(ErrorKind::Conflict, message).with_retry(Retry::MaybeApplied).with_path(path)
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
