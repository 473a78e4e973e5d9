//! What is kept of a write between a close and the next open: one object for each path, under a name that no path has.
//!
//! It holds a line of JSON (the upload and its parts, the nonce) and then the bytes that are too few for a part. Replacing it is
//! one request, so that a session is always the one that a close has kept, whole. The tags of the parts are in it: another
//! writer of the same upload can make a commit fail, and never mix its bytes into it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use driver_api::{Condition, Error, ErrorKind, Payload, Result, StoragePath, Unfinished, UnfinishedPages};
use futures_util::stream::{self, StreamExt, TryStreamExt, unfold};
use serde::{Deserialize, Serialize};

use crate::body;
use crate::bucket::{Bucket, PAGE, UploadedPart};
use crate::listing::Listed;
use crate::owners::Owners;
use crate::publish::{Nonce, Put};
use crate::upload::Upload;

/// The form of the object; one that is written by a later version is left alone.
const FORMAT: u32 = 1;

/// Where the object's metadata has the size of the session and the id of its upload.
const SIZE: &str = "size";
const UPLOAD: &str = "upload";

/// How many sessions are looked at at once.
const LOOKS: usize = 16;

/// A kept session.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) nonce: Nonce,
    pub(crate) upload: Option<KeptUpload>,
    /// The bytes behind the parts.
    pub(crate) tail: Vec<Bytes>,
}

#[derive(Debug)]
pub(crate) struct KeptUpload {
    pub(crate) id: String,
    pub(crate) parts: Vec<UploadedPart>,
}

impl Session {
    pub(crate) fn size(&self) -> u64 {
        let parts = self.upload.iter().flat_map(|upload| &upload.parts).map(|part| part.size);
        parts.sum::<u64>() + self.tail.iter().map(|piece| piece.len() as u64).sum::<u64>()
    }

    fn header(&self) -> Result<Bytes> {
        let upload = self.upload.as_ref().map(|upload| UploadHeader {
            id: upload.id.clone(),
            parts: upload.parts.iter().map(|part| (part.etag.clone(), part.size)).collect(),
        });
        let header = Header { format: FORMAT, nonce: self.nonce.as_str().to_owned(), upload };
        let mut line = serde_json::to_vec(&header).map_err(|error| {
            Error::new(ErrorKind::Other, "the unfinished write could not be described").with_source(error)
        })?;
        line.push(b'\n');
        Ok(line.into())
    }

    fn parse(object: &Bytes) -> Result<Self> {
        let corrupt = |message: &'static str| Error::new(ErrorKind::Corrupt, message);
        let end = object.iter().position(|byte| *byte == b'\n');
        let end = end.ok_or_else(|| corrupt("what is kept of the unfinished write has no description"))?;
        let header: Header = serde_json::from_slice(&object[..end])
            .map_err(|error| corrupt("what is kept of the unfinished write can't be read").with_source(error))?;
        if header.format != FORMAT {
            let message =
                format!("the unfinished write is kept in format {}, and this driver knows {FORMAT}", header.format);
            return Err(Error::new(ErrorKind::Other, message));
        }
        let upload = header.upload.map(|upload| KeptUpload {
            id: upload.id,
            parts: upload.parts.into_iter().map(|(etag, size)| UploadedPart { etag, size }).collect(),
        });
        let tail = vec![object.slice(end + 1..)];
        Ok(Self { nonce: Nonce::from_text(header.nonce), upload, tail })
    }
}

/// The first line of the object.
#[derive(Serialize, Deserialize)]
struct Header {
    format: u32,
    nonce: String,
    upload: Option<UploadHeader>,
}

#[derive(Serialize, Deserialize)]
struct UploadHeader {
    id: String,
    /// Tag and size of each part, in order.
    parts: Vec<(String, u64)>,
}

/// What the head of a session's object tells.
#[derive(Debug, Clone)]
pub(crate) struct SessionHead {
    pub(crate) size: u64,
    pub(crate) modified: SystemTime,
    pub(crate) upload_id: Option<String>,
}

impl SessionHead {
    fn read(modified: SystemTime, metadata: &HashMap<String, String>) -> Option<Self> {
        let size = metadata.get(SIZE)?.parse().ok()?;
        Some(Self { size, modified, upload_id: metadata.get(UPLOAD).cloned() })
    }
}

/// Whether a session's object with this metadata may name the upload. One that does not tell what it is may name any.
pub(crate) fn may_name_upload(metadata: Option<&HashMap<String, String>>, upload_id: &str) -> bool {
    let Some(metadata) = metadata.filter(|metadata| metadata.contains_key(SIZE)) else { return true };
    metadata.get(UPLOAD).is_some_and(|named| named == upload_id)
}

impl Bucket {
    /// Keeps a session, in the place of what was kept at the path.
    pub(crate) async fn keep_session(&self, path: &StoragePath, session: &Session) -> Result<()> {
        let mut notes = vec![(SIZE, session.size().to_string())];
        notes.extend(session.upload.as_ref().map(|upload| (UPLOAD, upload.id.clone())));
        let pieces: Vec<_> = std::iter::once(session.header()?).chain(session.tail.iter().cloned()).collect();
        let key = self.keys.session(path);
        // This object's own: the session's is the one of the file that it will be.
        let nonce = Nonce::random();
        let put =
            Put { key: &key, path, pieces: &pieces, nonce: &nonce, notes, condition: &Condition::None, tried: false };
        self.store(put).await.map(drop)
    }

    /// The session kept at `path`.
    pub(crate) async fn load_session(&self, path: &StoragePath) -> Result<Option<Session>> {
        let answer = match self.get(&self.keys.session(path), None, None).await {
            Ok(answer) => answer,
            Err(failure) if failure.is_missing_key() => return Ok(None),
            Err(failure) => return Err(failure.of_read(path)),
        };
        let told = answer.metadata.as_ref().and_then(|metadata| metadata.get(SIZE)).and_then(|size| size.parse().ok());
        let pieces: Vec<Bytes> = body::pieces(answer.body, self.options.timeouts.stall).try_collect().await?;
        let object = Payload::from(pieces).into_bytes();
        let session = Session::parse(&object).map_err(|error| error.with_path(path))?;
        if told != Some(session.size()) {
            let message = "what is kept of the unfinished write has another size than it should";
            return Err(Error::new(ErrorKind::Corrupt, message).with_path(path));
        }
        Ok(Some(session))
    }

    /// What is known of the session kept at `path`, without reading it.
    pub(crate) async fn head_session(&self, path: &StoragePath) -> Result<Option<SessionHead>> {
        match self.head(&self.keys.session(path)).await {
            Ok(head) => Ok(SessionHead::read(head.modified, &head.metadata)),
            Err(failure) if failure.is_missing_key() => Ok(None),
            Err(failure) => Err(failure.of_read(path)),
        }
    }

    /// Aborts the upload to `path` of a session that is gone. Where that fails it is tried once more behind the answer: the
    /// session shows no more, so that no repeated call would come to it.
    pub(crate) async fn abort_left(self: &Arc<Self>, path: &StoragePath, upload_id: String) {
        let mut upload = Upload::of_nobody(self.clone(), self.keys.file(path), upload_id);
        drop(upload.abort().await);
    }

    /// Deletes the object of the session kept at `path`, and leaves its upload.
    pub(crate) async fn forget_session(&self, path: &StoragePath) -> Result<()> {
        let forgotten = self.delete(&self.keys.session(path), None).await;
        forgotten.map_err(|failure| failure.of_change(path))
    }

    /// Discards the session kept at `path`, which the caller owns. Its upload goes last: a crash in between leaves an upload to
    /// the sweep, and not a session that nobody can commit.
    pub(crate) async fn abandon_session(self: &Arc<Self>, path: &StoragePath) -> Result<()> {
        let key = self.keys.session(path);
        let head = match self.head(&key).await {
            Ok(head) => SessionHead::read(head.modified, &head.metadata),
            Err(failure) if failure.is_missing_key() => {
                self.expect_absence(&key).await.map_err(|failure| failure.of_read(path))?;
                None
            }
            Err(failure) => return Err(failure.of_read(path)),
        };
        let Some(head) = head else { return Err(Error::not_found(path)) };
        self.forget_session(path).await?;
        if let Some(upload_id) = head.upload_id {
            self.abort_left(path, upload_id).await;
        }
        Ok(())
    }

    /// Discards the sessions kept at and below `path`; answers whether there was one. One that a writer has resumed leaves its
    /// upload to that writer, which keeps all of it once more when it is closed.
    pub(crate) async fn discard_sessions_of_tree(
        self: &Arc<Self>,
        path: &StoragePath,
        owners: &Owners,
    ) -> Result<bool> {
        let mut found = false;
        let mut pages = self.clone().session_heads(path);
        while let Some(page) = pages.try_next().await? {
            for (path, head) in page {
                found = true;
                // Before the session is gone and after: a writer may come in between, and it may end.
                let had_owner = owners.supersede(&path);
                self.forget_session(&path).await?;
                let has_owner = owners.supersede(&path);
                if let Some(upload_id) = head.upload_id.filter(|_| !had_owner && !has_owner) {
                    self.abort_left(&path, upload_id).await;
                }
            }
        }
        Ok(found)
    }

    pub(crate) fn unfinished_sessions(self: Arc<Self>, path: &StoragePath) -> UnfinishedPages {
        let shown = |(path, head): (StoragePath, SessionHead)| Unfinished::new(path, head.size, head.modified);
        Box::pin(self.session_heads(path).map_ok(move |page| page.into_iter().map(shown).collect()))
    }

    /// The sessions kept at and below `path`, in pages that are not empty.
    fn session_heads(
        self: Arc<Self>,
        path: &StoragePath,
    ) -> stream::BoxStream<'static, Result<Vec<(StoragePath, SessionHead)>>> {
        let listed = Listed { prefix: self.keys.sessions_below(path), limit: PAGE, ..Listed::default() };
        let at = (!path.is_root()).then(|| path.clone());
        let (bucket, about) = (self.clone(), path.clone());
        let here = stream::iter(at).map(Ok).try_filter_map(move |path| {
            let bucket = self.clone();
            async move { Ok(bucket.head_session(&path).await?.map(|head| vec![(path, head)])) }
        });
        let below = unfold(Some(None), move |token: Option<Option<String>>| {
            let (bucket, listed, about) = (bucket.clone(), listed.clone(), about.clone());
            async move {
                let page = bucket.session_page(&listed, token?, &about).await;
                Some(match page {
                    Ok((page, next)) => (Ok(page), next.map(Some)),
                    Err(error) => (Err(error), None),
                })
            }
        });
        here.chain(below).try_filter(|page| std::future::ready(!page.is_empty())).boxed()
    }

    async fn session_page(
        &self,
        listed: &Listed,
        token: Option<String>,
        about: &StoragePath,
    ) -> Result<(Vec<(StoragePath, SessionHead)>, Option<String>)> {
        let page = self.list(listed, token.as_deref()).await.map_err(|failure| failure.of_read(about))?;
        let paths = page.items.iter().filter_map(|item| self.keys.path_of_session(item.key()));
        let paths: Vec<_> = paths.collect();
        let heads: Vec<_> = stream::iter(paths)
            .map(|path| async move { Ok((self.head_session(&path).await?, path)) })
            .buffered(LOOKS)
            .try_collect::<Vec<_>>()
            .await
            .map_err(|error: Error| error)?;
        // One that is gone by now was ended meanwhile.
        let sessions = heads.into_iter().filter_map(|(head, path)| Some((path, head?)));
        Ok((sessions.collect(), page.next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        let part = |etag: &str, size| UploadedPart { etag: etag.to_owned(), size };
        let upload = KeptUpload { id: "id".to_owned(), parts: vec![part("\"a\"", 7), part("\"b\"", 5)] };
        Session { nonce: Nonce::random(), upload: Some(upload), tail: vec!["line\n".into(), "and more".into()] }
    }

    #[test]
    fn what_is_kept_is_read_back() {
        let kept = session();
        let object = [kept.header().unwrap(), kept.tail.concat().into()].concat().into();
        let read = Session::parse(&object).unwrap();
        assert_eq!(
            (read.nonce == kept.nonce, read.size(), read.tail.concat()),
            (true, kept.size(), kept.tail.concat())
        );
        assert_eq!(read.upload.unwrap().parts, kept.upload.unwrap().parts);
    }

    #[test]
    fn what_cannot_be_read_is_an_error_and_not_a_panic() {
        for (object, kind) in [
            ("", ErrorKind::Corrupt),
            ("no json\n", ErrorKind::Corrupt),
            ("{\"format\":2,\"nonce\":\"\",\"upload\":null}\n", ErrorKind::Other),
        ] {
            assert_eq!(Session::parse(&Bytes::from(object)).unwrap_err().kind(), kind, "{object:?}");
        }
    }
}
