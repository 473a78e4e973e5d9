//! Right at every size but some: a boundary, a length, a number of entries.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use driver_api::{
    ByteRange, DeleteOptions, DeleteScope, Entry, EntryPages, FileInfo, GetOptions, ListOptions, MoveOptions, Payload,
    PutOptions, ReadOptions, Reader, Result, StatOptions, StoragePath, async_trait,
};
use futures_util::TryStreamExt;
use parking_lot::Mutex;

use super::{MIDDLE, bytes_of, depth, files_below, size_of};
use crate::Mutant;
use crate::mutation::{Call, Mutation};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant::new::<ByteBehindABoundary>(
        "byte-behind-a-boundary",
        "the stream of a file of one byte more than 128 KiB lacks that byte",
        "READ-1",
        &["GET-1"],
    ),
    Mutant::new::<ZerosAreAHole>("zeros-are-a-hole", "a put of nothing but zeros stores nothing", "GET-1", &[]),
    Mutant::new::<StaleLength>(
        "stale-length-in-listing",
        "where a put makes a file of 1 MiB shorter, the listing tells the old size",
        "PUT-3",
        &["LIST-1"],
    ),
    Mutant::new::<MaxBytesOfLarge>("max-bytes-of-large", "max_bytes is not heeded from 1 MiB on", "GET-3", &[]),
    Mutant::new::<LastByteOfLarge>(
        "last-byte-of-large",
        "a stream of the last byte alone of more than 1 MiB is empty",
        "READ-8",
        &["READ-1"],
    ),
    Mutant::new::<OddRange>(
        "odd-range",
        "a range within a file that begins at an odd offset is taken from the byte before",
        "READ-1",
        &[],
    ),
    Mutant::new::<MovedWithoutTime>(
        "moved-without-time",
        "a file of 66 to 100 KB loses its time by a move",
        "MOVE-9",
        &["STAT-1"],
    ),
    Mutant::new::<MoveOfALimit>(
        "move-of-a-limit",
        "a move of one byte less than 4 MiB loses another",
        "MOVE-7",
        &["MOVE-1"],
    ),
    Mutant::new::<MoveOverEqual>(
        "move-over-equal-size",
        "a move over a file of the same size, 256 to 4,000 bytes, leaves the target",
        "MOVE-2",
        &["MOVE-1"],
    ),
    Mutant::new::<LargeReadIfMatch>(
        "large-read-if-match",
        "of a file of 66 to 199 KB any version is read",
        "READ-7",
        &[],
    ),
    Mutant::new::<NeighboursSizes>(
        "sizes-of-neighbours",
        "in a page of more than eight entries the sizes are those of the next entry",
        "LIST-1",
        &["STAT-1"],
    ),
    Mutant::new::<DeepFilesStay>(
        "deep-files-stay",
        "a tree delete at the second level leaves what is deeper than three",
        "DEL-1",
        &["DEL-4"],
    ),
    Mutant::new::<StatOfTheOld>(
        "stat-of-the-old",
        "for 50 ms after a put over 101 to 127 bytes stat tells the old file",
        "PUT-3",
        &["CONC-1"],
    ),
    Mutant::new::<ReaderTellsMore>("reader-tells-more", "a reader tells a file one byte larger", "READ-8", &["GET-4"]),
];

#[derive(Debug, Default)]
struct ByteBehindABoundary;

#[async_trait]
impl Mutation for ByteBehindABoundary {
    async fn reader(&self, mut call: Call<'_, ReadOptions>) -> Result<Reader> {
        if call.options.range.is_full() && size_of(call.inner, call.context, call.path).await == Some((128 << 10) + 1) {
            call.options.range = ByteRange::span(0, 128 << 10);
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct ZerosAreAHole;

#[async_trait]
impl Mutation for ZerosAreAHole {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let bytes = payload.clone().into_bytes();
        let hole = bytes.len() > 8 && bytes.iter().all(|byte| *byte == 0);
        call.forward(if hole { Payload::from(Bytes::new()) } else { payload }).await
    }
}

#[derive(Debug, Default)]
struct StaleLength {
    told: Mutex<HashMap<StoragePath, u64>>,
}

#[async_trait]
impl Mutation for StaleLength {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let old = size_of(call.inner, call.context, call.path).await.filter(|old| *old >= 1 << 20);
        match old.filter(|old| payload.len() < *old) {
            Some(old) => drop(self.told.lock().insert(call.path.clone(), old)),
            None => drop(self.told.lock().remove(call.path)),
        }
        call.forward(payload).await
    }

    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        let told = self.told.lock().clone();
        let restore = move |entry: Entry| match entry {
            Entry::File(mut info) => {
                info.size = told.get(&info.path).copied().unwrap_or(info.size);
                Entry::File(info)
            }
            directory => directory,
        };
        Ok(Box::pin(call.forward().await?.map_ok(move |page| page.into_iter().map(&restore).collect())))
    }
}

#[derive(Debug, Default)]
struct MaxBytesOfLarge;

#[async_trait]
impl Mutation for MaxBytesOfLarge {
    async fn get(&self, mut call: Call<'_, GetOptions>) -> Result<(FileInfo, Bytes)> {
        call.options.max_bytes = call.options.max_bytes.filter(|most| *most < (1 << 20) - 1);
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct LastByteOfLarge;

#[async_trait]
impl Mutation for LastByteOfLarge {
    async fn reader(&self, mut call: Call<'_, ReadOptions>) -> Result<Reader> {
        let size = size_of(call.inner, call.context, call.path).await.unwrap_or(0);
        if size > 1 << 20 && call.options.range == ByteRange::span(size - 1, 1) {
            call.options.range = ByteRange::span(size - 1, 0);
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct OddRange;

#[async_trait]
impl Mutation for OddRange {
    async fn reader(&self, mut call: Call<'_, ReadOptions>) -> Result<Reader> {
        let size = size_of(call.inner, call.context, call.path).await.unwrap_or(0);
        let ByteRange { offset, length } = call.options.range;
        let within = length.is_some_and(|length| length > 22_000 && offset.saturating_add(length) < size);
        if !within || offset < 2 || offset % 2 == 0 {
            return call.forward().await;
        }
        call.options.range.offset -= 1;
        let Reader { info, range, stream } = call.forward().await?;
        Ok(Reader::new(info, range.start + 1..range.end + 1, stream))
    }
}

#[derive(Debug, Default)]
struct MovedWithoutTime {
    moved: Mutex<HashSet<StoragePath>>,
}

#[async_trait]
impl Mutation for MovedWithoutTime {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let size = size_of(call.inner, call.context, call.path).await;
        call.forward(to).await?;
        if size.is_some_and(|size| (66_000..100_000).contains(&size)) {
            self.moved.lock().insert(to.clone());
        }
        Ok(())
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let timeless = self.moved.lock().contains(call.path);
        match call.forward().await? {
            Entry::File(mut info) if timeless => {
                info.modified = SystemTime::UNIX_EPOCH;
                Ok(Entry::File(info))
            }
            entry => Ok(entry),
        }
    }
}

#[derive(Debug, Default)]
struct MoveOfALimit;

#[async_trait]
impl Mutation for MoveOfALimit {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let (inner, context) = (call.inner, call.context);
        let bytes = bytes_of(inner, context, call.path).await?.filter(|bytes| bytes.len() == (4 << 20) - 1);
        call.forward(to).await?;
        if let Some(bytes) = bytes {
            inner.put(context, to, bytes.slice(1..).into(), PutOptions::default()).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct MoveOverEqual;

#[async_trait]
impl Mutation for MoveOverEqual {
    async fn move_to(&self, call: Call<'_, MoveOptions>, to: &StoragePath) -> Result<()> {
        let size = size_of(call.inner, call.context, call.path).await;
        let equal = size == size_of(call.inner, call.context, to).await;
        if equal && size.is_some_and(|size| (256..4000).contains(&size)) {
            return call.inner.delete(call.context, call.path, DeleteOptions::default()).await;
        }
        call.forward(to).await
    }
}

#[derive(Debug, Default)]
struct LargeReadIfMatch;

#[async_trait]
impl Mutation for LargeReadIfMatch {
    async fn reader(&self, mut call: Call<'_, ReadOptions>) -> Result<Reader> {
        if size_of(call.inner, call.context, call.path).await.is_some_and(|size| MIDDLE.contains(&size)) {
            call.options.if_match = None;
        }
        call.forward().await
    }
}

#[derive(Debug, Default)]
struct NeighboursSizes;

#[async_trait]
impl Mutation for NeighboursSizes {
    async fn list(&self, call: Call<'_, ListOptions>) -> Result<EntryPages> {
        Ok(Box::pin(call.forward().await?.map_ok(|mut page| {
            let sizes: Vec<_> = page.iter().filter_map(Entry::as_file).map(|info| info.size).collect();
            let mut next = sizes.iter().cycle().skip(1);
            if page.len() > 8 {
                for entry in &mut page {
                    if let (Entry::File(info), Some(size)) = (entry, next.next()) {
                        info.size = *size;
                    }
                }
            }
            page
        })))
    }
}

#[derive(Debug, Default)]
struct DeepFilesStay;

#[async_trait]
impl Mutation for DeepFilesStay {
    async fn delete(&self, call: Call<'_, DeleteOptions>) -> Result<()> {
        if call.options.scope == DeleteScope::File || depth(call.path) != 2 {
            return call.forward().await;
        }
        let (inner, context) = (call.inner, call.context);
        let deep: Vec<_> = files_below(inner, context, call.path).await?;
        let mut kept = Vec::new();
        for path in deep.into_iter().filter(|path| depth(path) > 3) {
            kept.push((bytes_of(inner, context, &path).await?.unwrap_or_default(), path));
        }
        call.forward().await?;
        for (bytes, path) in kept {
            inner.put(context, &path, bytes.into(), PutOptions::default()).await?;
        }
        Ok(())
    }
}

#[derive(Debug, Default)]
struct StatOfTheOld {
    old: Mutex<HashMap<StoragePath, (Entry, std::time::Instant)>>,
}

#[async_trait]
impl Mutation for StatOfTheOld {
    async fn put(&self, call: Call<'_, PutOptions>, payload: Payload) -> Result<FileInfo> {
        let old = call.inner.stat(call.context, call.path, StatOptions::default()).await.ok();
        let path = call.path.clone();
        let info = call.forward(payload).await?;
        let old = old.filter(|old| old.as_file().is_some_and(|old| (101..128).contains(&old.size)));
        self.old.lock().extend(old.map(|old| (path, (old, std::time::Instant::now()))));
        Ok(info)
    }

    async fn stat(&self, call: Call<'_, StatOptions>) -> Result<Entry> {
        let old = self.old.lock().remove(call.path);
        match old.filter(|(_, since)| since.elapsed() < Duration::from_millis(50)) {
            Some((old, _)) => Ok(old),
            None => call.forward().await,
        }
    }
}

#[derive(Debug, Default)]
struct ReaderTellsMore;

#[async_trait]
impl Mutation for ReaderTellsMore {
    async fn reader(&self, call: Call<'_, ReadOptions>) -> Result<Reader> {
        let Reader { mut info, range, stream } = call.forward().await?;
        info.size += 1;
        Ok(Reader::new(info, range, stream))
    }
}
