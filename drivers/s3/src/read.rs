//! Reading: what stands at a path, and its bytes in one request.

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use bytes::{Bytes, BytesMut};
use driver_api::{
    ByteRange, ByteStream, Entry, Error, ErrorKind, FileInfo, GetOptions, ReadOptions, Reader, Result, StoragePath,
    Version, too_large,
};
use futures_util::{StreamExt, stream};

use crate::body;
use crate::bucket::{Answer, Bucket, Head, info, time};
use crate::errors::Failure;
use crate::listing::Listed;

/// An object that was opened for reading.
struct Opened {
    info: FileInfo,
    range: std::ops::Range<u64>,
    /// None where the range is empty: S3 has no request for that.
    body: Option<aws_sdk_s3::primitives::ByteStream>,
}

impl Bucket {
    pub(crate) async fn read_whole(&self, path: &StoragePath, options: GetOptions) -> Result<(FileInfo, Bytes)> {
        let opened = self.open(path, options.range, options.if_match.as_ref()).await?;
        let length = opened.range.end - opened.range.start;
        if let Some(max_bytes) = options.max_bytes
            && length > max_bytes
        {
            return Err(too_large(length, max_bytes).with_path(path));
        }
        let bytes = collected(self.stream(opened.body), length).await?;
        Ok((opened.info, bytes))
    }

    pub(crate) async fn read_stream(&self, path: &StoragePath, options: ReadOptions) -> Result<Reader> {
        let opened = self.open(path, options.range, options.if_match.as_ref()).await?;
        Ok(Reader::new(opened.info, opened.range, self.stream(opened.body)))
    }

    fn stream(&self, body: Option<aws_sdk_s3::primitives::ByteStream>) -> ByteStream {
        match body {
            None => Box::pin(stream::empty()),
            Some(body) => Box::pin(body::pieces(body, self.options.timeouts.stall)),
        }
    }

    async fn open(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Opened> {
        let Some(header) = range_header(range) else { return self.open_nothing(path, range, if_match).await };
        let key = self.keys.file(path);
        let answer = match self.get(&key, header, if_match).await {
            Ok(answer) => answer,
            // An empty object has no range that S3 would serve, and an offset at the end is in none.
            Err(failure) if failure.is_outside_range() => return self.open_nothing(path, range, if_match).await,
            Err(failure) if failure.is_unmet_condition() => return Err(another_version(path)),
            Err(failure) => return Err(failure.of_read(path)),
        };
        let opened = opened(path, range, answer)?;
        check_version(&opened.info, if_match)?;
        Ok(opened)
    }

    /// Opens a range that is empty, or behind the end: the head tells which.
    async fn open_nothing(&self, path: &StoragePath, range: ByteRange, if_match: Option<&Version>) -> Result<Opened> {
        let info = self.head_of_file(path).await?.info(path);
        check_version(&info, if_match)?;
        let range = range.resolve(info.size)?;
        if range.is_empty() {
            return Ok(Opened { info, range, body: None });
        }
        // The object has grown since S3 refused the range.
        Err(Error::new(ErrorKind::Unavailable, "the file was replaced while it was opened").with_path(path))
    }

    /// The head of the file at `path`; NotFound only where nothing is wrong with the bucket.
    pub(crate) async fn head_of_file(&self, path: &StoragePath) -> Result<Head> {
        match self.head(&self.keys.file(path)).await {
            Err(failure) if failure.is_missing_key() => Err(self.missing(path).await),
            answer => answer.map_err(|failure| failure.of_read(path)),
        }
    }

    /// The error of a file whose head is not there.
    async fn missing(&self, path: &StoragePath) -> Error {
        match self.expect_absence(&self.keys.file(path)).await {
            Ok(_) => Error::not_found(path),
            Err(failure) => failure.of_read(path),
        }
    }

    /// Makes sure that there is no object at `key`, where a HEAD was answered so. Such an answer has no body that would tell a
    /// missing object from a missing bucket, or the service's word from that of something in between, so that a listing does
    /// (ERR-7). Answers with the first of the keys that begin with this one.
    pub(crate) async fn expect_absence(&self, key: &str) -> Answer<Option<String>> {
        let listed = Listed { prefix: key.to_owned(), limit: 1, ..Listed::default() };
        let mut token = None;
        loop {
            let page = self.list(&listed, token.as_deref()).await?;
            match page.items.first() {
                Some(item) if item.key() == key => return Err(Failure::contradicted()),
                Some(item) => return Ok(Some(item.key().to_owned())),
                None if page.next.is_none() => return Ok(None),
                None => token = page.next,
            }
        }
    }

    pub(crate) async fn look(&self, path: &StoragePath) -> Result<Entry> {
        if path.is_root() {
            return Ok(Entry::Directory(path.clone()));
        }
        match self.head(&self.keys.file(path)).await {
            Ok(head) => Ok(Entry::File(head.info(path))),
            Err(failure) if failure.is_missing_key() => match self.is_directory(path).await {
                Ok(true) => Ok(Entry::Directory(path.clone())),
                Ok(false) => Err(Error::not_found(path)),
                Err(failure) => Err(failure.of_read(path)),
            },
            Err(failure) => Err(failure.of_read(path)),
        }
    }

    /// Whether a file lies below `path`, where a HEAD found none at it. The listing that confirms the absence tells that too,
    /// unless the names of siblings come in between: those of `a` with a character before `/`, as `a-b` and `a.b`.
    async fn is_directory(&self, path: &StoragePath) -> Answer<bool> {
        let below = self.keys.below(path);
        match self.expect_absence(&self.keys.file(path)).await? {
            None => Ok(false),
            Some(first) if !first.starts_with(&below) && first > below => Ok(false),
            Some(first) if first.starts_with(&below) && self.keys.path(&first).is_some() => Ok(true),
            Some(_) => self.has_files_below(path).await,
        }
    }
}

/// The header of a range; none for what no header can say: an empty range, and one behind all objects.
fn range_header(range: ByteRange) -> Option<Option<String>> {
    const LAST: u64 = i64::MAX as u64;
    match range {
        ByteRange { length: Some(0), .. } => None,
        ByteRange { offset, .. } if offset > LAST => None,
        range if range.is_full() => Some(None),
        ByteRange { offset, length: None } => Some(Some(format!("bytes={offset}-"))),
        ByteRange { offset, length: Some(length) } => {
            Some(Some(format!("bytes={offset}-{}", offset.saturating_add(length - 1).min(LAST))))
        }
    }
}

fn opened(path: &StoragePath, asked: ByteRange, answer: GetObjectOutput) -> Result<Opened> {
    let incomplete = |what| Failure::incomplete(what).of_read(path);
    let length = answer.content_length.and_then(|length| u64::try_from(length).ok());
    let length = length.ok_or_else(|| incomplete("length"))?;
    let modified = answer.last_modified.as_ref().map(time).ok_or_else(|| incomplete("time"))?;
    let other = || Error::new(ErrorKind::Other, "the service answered with another range than it was asked for");
    let size = asked.size_of_whole(answer.content_range.as_deref(), length).ok_or_else(other)?;
    let info = info(path, size, modified, answer.e_tag.as_deref());
    Ok(Opened { info, range: asked.resolve(size)?, body: Some(answer.body) })
}

/// Looks at the version too: a service may take no notice of a condition.
fn check_version(info: &FileInfo, if_match: Option<&Version>) -> Result<()> {
    match if_match {
        Some(version) if info.version.as_ref() != Some(version) => Err(another_version(&info.path)),
        _ => Ok(()),
    }
}

fn another_version(path: &StoragePath) -> Error {
    Error::new(ErrorKind::Conflict, "the file has another version").with_path(path)
}

/// All pieces of a stream in one; no copy where there is one.
async fn collected(mut stream: ByteStream, length: u64) -> Result<Bytes> {
    let first = match stream.next().await {
        None => Bytes::new(),
        Some(piece) => piece?,
    };
    if first.len() as u64 == length {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(piece) = stream.next().await {
        whole.extend_from_slice(&piece?);
    }
    if whole.len() as u64 != length {
        return Err(Error::new(ErrorKind::Unavailable, "the connection ended before the end of the file"));
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_become_headers_where_a_header_can_say_them() {
        assert_eq!(range_header(ByteRange::FULL), Some(None));
        assert_eq!(range_header(ByteRange::from(5)), Some(Some("bytes=5-".to_owned())));
        assert_eq!(range_header(ByteRange::span(0, 1)), Some(Some("bytes=0-0".to_owned())));
        let last = format!("bytes=7-{}", i64::MAX);
        assert_eq!(range_header(ByteRange::span(7, u64::MAX)), Some(Some(last)));
        assert_eq!(range_header(ByteRange::span(3, 0)), None);
        assert_eq!(range_header(ByteRange::from(u64::MAX)), None);
    }
}
