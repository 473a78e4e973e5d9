//! Moving: a copy within the service, and then a delete.

use std::sync::Arc;

use driver_api::{Condition, Error, ErrorKind, Result, StoragePath};
use futures_util::{StreamExt, TryStreamExt, stream};

use crate::bucket::{Bucket, Head, UploadedPart};
use crate::errors::Failure;
use crate::part_plan::MAX_PARTS;
use crate::publish::Nonce;
use crate::upload::Upload;

impl Bucket {
    pub(crate) async fn move_file(self: &Arc<Self>, from: &StoragePath, to: &StoragePath) -> Result<()> {
        let head = self.head_of_file(from).await?;
        if head.size <= self.options.copy_threshold {
            self.copy_whole(from, &head, to).await?;
        } else {
            self.copy_in_parts(from, &head, to).await?;
        }
        // Whatever happens from here on, the bytes are at the target; so a source that somebody else has deleted is moved.
        match self.delete_known(from, None).await {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            deleted => deleted,
        }
    }

    async fn copy_whole(&self, from: &StoragePath, head: &Head, to: &StoragePath) -> Result<()> {
        let (source, target) = (self.keys.file(from), self.keys.file(to));
        match self.copy(&source, head, &target).await {
            Ok(()) => Ok(()),
            Err(failure) if failure.is_unsure() => match self.head(&target).await {
                // The copy is there, or an equal one was before.
                Ok(copy) if is_copy(head, &copy) => Ok(()),
                Ok(_) => Err(failure.not_applied().of_change(to)),
                Err(look) if look.is_missing_key() && self.expect_absence(&target).await.is_ok() => {
                    Err(failure.not_applied().of_change(to))
                }
                Err(_) => Err(failure.of_change(to)),
            },
            Err(failure) => Err(source_failure(failure, from)),
        }
    }

    async fn copy_in_parts(self: &Arc<Self>, from: &StoragePath, head: &Head, to: &StoragePath) -> Result<()> {
        let (source, target, nonce) = (self.keys.file(from), self.keys.file(to), Nonce::random());
        // Dropping the upload on any way out aborts it.
        let mut upload = Upload::begin(self.clone(), target.clone(), &nonce, head.content_type.as_deref())
            .await
            .map_err(|failure| failure.of_read(to))?;
        let ranges = ranges(head.size, self.options.copy_part_size);
        let copies = (1..).zip(ranges).map(|(number, range)| {
            self.copy_part((&source, head.etag.as_deref()), (&target, upload.id()), number, range)
        });
        let parts: Result<Vec<UploadedPart>, Failure> =
            stream::iter(copies).buffered(self.options.copy_concurrency).try_collect().await;
        let copied = match parts {
            Ok(parts) => upload.complete(to, &parts, &Condition::None, &nonce, &mut false).await.map(drop),
            Err(failure) => Err(source_failure(failure, from)),
        };
        match copied {
            Ok(()) => upload.set_kept(true),
            // Waiting for the end of the upload leaves nothing behind the answer; dropping it tries once more.
            Err(_) => drop(upload.abort().await),
        }
        copied
    }
}

/// Whether `copy` is of `source`: it has its bytes, or the nonce that no other object has. What else stands in metadata, such as
/// other programs write, two objects can have in common.
fn is_copy(source: &Head, copy: &Head) -> bool {
    let same_bytes = source.etag.is_some() && source.etag == copy.etag;
    source.size == copy.size && (same_bytes || Nonce::is_common(&source.metadata, &copy.metadata))
}

/// A failure of a copy that is not about its target. A part that fails changes nothing that shows.
fn source_failure(failure: Failure, from: &StoragePath) -> Error {
    if failure.is_unmet_condition() {
        return Error::new(ErrorKind::Conflict, "the file was replaced while it was moved").with_path(from);
    }
    failure.of_read(from)
}

/// The parts of a copy: as large as asked for, or larger where there would be too many.
fn ranges(size: u64, part_size: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
    let part = part_size.max(size.div_ceil(MAX_PARTS as u64));
    (0..size.div_ceil(part)).map(move |number| number * part..((number + 1) * part).min(size))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::part_plan::{MAX_OBJECT, MAX_PART};

    #[test]
    fn a_copy_is_known_by_its_bytes_or_its_nonce() {
        let head = |etag: &str, metadata: &[(&str, &str)]| Head {
            size: 5,
            modified: std::time::SystemTime::UNIX_EPOCH,
            etag: Some(etag.to_owned()),
            content_type: None,
            metadata: metadata.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let foreign = [("mtime", "1")];
        assert!(is_copy(&head("a", &[]), &head("a", &[])));
        assert!(!is_copy(&head("a", &foreign), &head("b", &foreign)));
        assert!(is_copy(&head("a", &[("nonce", "n")]), &head("b", &[("nonce", "n")])));
        assert!(!is_copy(&head("a", &[("nonce", "n")]), &head("b", &[("nonce", "m")])));
        assert!(!is_copy(&head("a", &[]), &head("b", &[])));
    }

    #[test]
    fn the_parts_of_a_copy_cover_it_within_the_limits() {
        const MIB: u64 = 1 << 20;
        for (size, part) in
            [(1, 5 * MIB), (5 * MIB, 5 * MIB), (5 * MIB + 1, 5 * MIB), (5 << 40, 32 * MIB), (MAX_OBJECT, 5 * MIB)]
        {
            let ranges: Vec<_> = ranges(size, part).collect();
            assert!(ranges.len() <= MAX_PARTS && ranges.iter().all(|range| range.end - range.start <= MAX_PART));
            assert_eq!((ranges[0].start, ranges[ranges.len() - 1].end), (0, size));
            assert!(ranges.windows(2).all(|pair| pair[0].end == pair[1].start));
        }
    }
}
