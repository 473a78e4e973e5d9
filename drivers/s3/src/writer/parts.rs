//! The parts of one upload: on their way in parallel, within a bound, and held until the service has them.

use std::sync::Arc;

use bytes::Bytes;
use driver_api::Result;
use tokio::task::{JoinHandle, JoinSet};

use crate::bucket::{Answer, Bucket, UploadedPart};
use crate::errors::Failure;
use crate::publish::Nonce;
use crate::sessions::KeptUpload;
use crate::upload::Upload;

pub(super) struct Parts {
    bucket: Arc<Bucket>,
    key: String,
    nonce: Nonce,
    beginning: Beginning,
    parts: Vec<Part>,
    /// Sends parts; what it answers belongs to the part of this index.
    sending: JoinSet<(usize, Answer<UploadedPart>)>,
    bytes_on_their_way: u64,
}

/// How far the upload has come.
enum Beginning {
    NotYet,
    /// Under way in a task of its own: dropped in between, the upload would be nobody's. The task's answer is dropped with
    /// the writer, which aborts it.
    UnderWay(JoinHandle<Answer<Upload>>),
    Done(Upload),
}

enum Part {
    /// The service has it.
    Sent(UploadedPart),
    OnItsWay(Vec<Bytes>, u64),
    Failed(Vec<Bytes>, u64),
}

impl Part {
    fn size(&self) -> u64 {
        match self {
            Self::Sent(part) => part.size,
            Self::OnItsWay(_, size) | Self::Failed(_, size) => *size,
        }
    }
}

impl Parts {
    /// The parts of `kept`, which belongs to a session of `size` bytes.
    pub(super) fn new(bucket: Arc<Bucket>, key: String, nonce: Nonce, kept: Option<KeptUpload>, size: u64) -> Self {
        let (beginning, parts) = match kept {
            None => (Beginning::NotYet, Vec::new()),
            Some(KeptUpload { id, parts }) => {
                let upload = Upload::resume(bucket.clone(), key.clone(), id, size);
                (Beginning::Done(upload), parts.into_iter().map(Part::Sent).collect())
            }
        };
        Self { bucket, key, nonce, beginning, parts, sending: JoinSet::new(), bytes_on_their_way: 0 }
    }

    /// How many parts there are, sent or not.
    pub(super) fn count(&self) -> usize {
        self.parts.len()
    }

    /// The bytes of all parts.
    pub(super) fn bytes(&self) -> u64 {
        self.parts.iter().map(Part::size).sum()
    }

    pub(super) fn upload(&self) -> Option<&Upload> {
        match &self.beginning {
            Beginning::Done(upload) => Some(upload),
            _ => None,
        }
    }

    pub(super) fn is_begun(&self) -> bool {
        self.upload().is_some()
    }

    /// Begins the upload in the background.
    pub(super) fn begin(&mut self) {
        if matches!(self.beginning, Beginning::NotYet) {
            let (bucket, key, nonce) = (self.bucket.clone(), self.key.clone(), self.nonce.clone());
            let beginning = tokio::spawn(async move { Upload::begin(bucket, key, &nonce, None).await });
            self.beginning = Beginning::UnderWay(beginning);
        }
    }

    /// Waits until the upload has begun.
    pub(super) async fn begun(&mut self) -> Answer<()> {
        self.begin();
        let Beginning::UnderWay(task) = &mut self.beginning else { return Ok(()) };
        match task.await {
            Ok(Ok(upload)) => {
                self.beginning = Beginning::Done(upload);
                Ok(())
            }
            Ok(Err(failure)) => {
                self.beginning = Beginning::NotYet;
                Err(failure)
            }
            Err(_) => {
                self.beginning = Beginning::NotYet;
                Err(Failure::interrupted())
            }
        }
    }

    /// Whether a part of `size` bytes may go on its way beside the others.
    pub(super) fn has_room(&self, size: u64) -> bool {
        let options = &self.bucket.options;
        let room = options.part_size.saturating_mul(options.part_concurrency as u64);
        self.sending.is_empty() || self.bytes_on_their_way + size <= room
    }

    /// Sends the next part.
    pub(super) fn send(&mut self, pieces: Vec<Bytes>) {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        self.parts.push(Part::Failed(pieces, size));
        self.put_on_its_way(self.parts.len() - 1);
    }

    /// Sends those parts again that failed.
    pub(super) fn repeat_failed(&mut self) {
        for index in 0..self.parts.len() {
            self.put_on_its_way(index);
        }
    }

    fn put_on_its_way(&mut self, index: usize) {
        let Beginning::Done(upload) = &self.beginning else { return };
        let Some(Part::Failed(pieces, size)) = self.parts.get(index) else { return };
        let (pieces, size) = (pieces.clone(), *size);
        let (bucket, key, id) = (self.bucket.clone(), self.key.clone(), upload.id().to_owned());
        let sent = pieces.clone();
        self.sending.spawn(async move {
            let number = i32::try_from(index + 1).unwrap_or(i32::MAX);
            (index, bucket.upload_part(&key, &id, number, &sent).await)
        });
        self.bytes_on_their_way += size;
        self.parts[index] = Part::OnItsWay(pieces, size);
    }

    /// Takes notice of what has arrived. Waits for nothing, unless a part has failed.
    pub(super) async fn collect(&mut self) -> Answer<()> {
        while let Some(arrived) = self.sending.try_join_next() {
            if let Err(failure) = self.take(arrived.ok()) {
                return Err(self.fail(failure).await);
            }
        }
        Ok(())
    }

    /// Waits for one part.
    pub(super) async fn wait_for_one(&mut self) -> Answer<()> {
        let Some(arrived) = self.sending.join_next().await else { return Ok(()) };
        match self.take(arrived.ok()) {
            Ok(()) => Ok(()),
            Err(failure) => Err(self.fail(failure).await),
        }
    }

    /// Waits until the service has all parts, those that failed before sent again.
    pub(super) async fn finish(&mut self) -> Answer<()> {
        self.repeat_failed();
        while !self.sending.is_empty() {
            self.wait_for_one().await?;
        }
        Ok(())
    }

    /// What to tell where a part has failed, once the others on their way have ended too: what refuses one part mostly refuses
    /// several, and a failure that was told only to the next attempt would cost that one.
    async fn fail(&mut self, first: Failure) -> Failure {
        let mut told = first;
        while let Some(arrived) = self.sending.join_next().await {
            // That the upload is gone is what no other attempt would mend.
            if let Err(failure) = self.take(arrived.ok())
                && failure.is_missing_upload()
            {
                told = failure;
            }
        }
        told
    }

    fn take(&mut self, arrived: Option<(usize, Answer<UploadedPart>)>) -> Answer<()> {
        // A task of the set ends early only with the set.
        let Some((index, answer)) = arrived else { return Err(Failure::interrupted()) };
        let Some(part) = self.parts.get_mut(index) else { return Ok(()) };
        self.bytes_on_their_way = self.bytes_on_their_way.saturating_sub(part.size());
        match answer {
            Ok(sent) => *part = Part::Sent(sent),
            Err(failure) => {
                if let Part::OnItsWay(pieces, size) = part {
                    *part = Part::Failed(std::mem::take(pieces), *size);
                }
                return Err(failure);
            }
        }
        Ok(())
    }

    /// All parts, which the service has.
    pub(super) fn sent(&self) -> Result<Vec<&UploadedPart>> {
        let sent = self.parts.iter().map(|part| match part {
            Part::Sent(part) => Ok(part),
            _ => Err(super::not_begun()),
        });
        sent.collect()
    }

    /// Whether the upload is left when this is dropped.
    pub(super) fn is_kept(&self) -> bool {
        self.upload().is_some_and(Upload::is_kept)
    }

    /// Says whether the upload is left when this is dropped: it is where it may be kept, or completed.
    pub(super) fn set_kept(&mut self, kept: bool) {
        if let Beginning::Done(upload) = &mut self.beginning {
            upload.set_kept(kept);
        }
    }

    /// Stops sending. What was on its way is there to be sent again.
    async fn stop(&mut self) {
        let mut stopped = std::mem::take(&mut self.sending);
        for part in &mut self.parts {
            if let Part::OnItsWay(pieces, size) = part {
                *part = Part::Failed(std::mem::take(pieces), *size);
            }
        }
        self.bytes_on_their_way = 0;
        stopped.shutdown().await;
    }

    /// Stops sending, and aborts the upload.
    pub(super) async fn cancel(&mut self) -> Answer<()> {
        self.stop().await;
        if matches!(self.beginning, Beginning::UnderWay(_)) {
            // One that did not begin needs no abort.
            let _ = self.begun().await;
        }
        if let Beginning::Done(upload) = &mut self.beginning {
            upload.abort().await?;
        }
        Ok(())
    }
}
