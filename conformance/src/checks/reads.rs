//! Streams of bytes: the right range of one version, or an error.

use bytes::BytesMut;
use driver_api::{ByteRange, Error, ErrorKind, ReadOptions, Reader, StoragePath};
use futures_util::future::try_join_all;

use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::expect::{ensure, fails, same, same_bytes, same_part, succeeds};
use crate::payload::{Content, explain};

/// Ranges at and around the ends of a file of `size` bytes, some of them behind it.
pub(super) fn ranges(size: u64) -> Vec<ByteRange> {
    let mut offsets = vec![0, 1, size / 2, size.saturating_sub(1), size, size + 1, size + 4096, u64::MAX];
    offsets.dedup();
    let mut ranges = Vec::new();
    for offset in offsets {
        ranges.push(ByteRange::from(offset));
        for length in [0, 1, 2, size / 2, size, size + 1, u64::MAX] {
            ranges.push(ByteRange::span(offset, length));
        }
    }
    ranges
}

pub(crate) async fn ranges_of_streams(case: &Case) -> Verdict {
    let file = path("/ranged");
    for size in [0, 1, 2, 100, 65_537, (1 << 20) + 1] {
        let content = case.put_new(&file, size).await?;
        for range in ranges(size) {
            check_range(case, &file, content, range).await?;
        }
    }
    Ok(())
}

async fn check_range(case: &Case, file: &StoragePath, content: Content, range: ByteRange) -> Verdict {
    let size = content.size;
    let answer = case.storage().reader(case.context(), file, ReadOptions::default().with_range(range)).await;
    let Ok(part) = range.resolve(size) else {
        fails("READ-2", answer, ErrorKind::InvalidRange, format_args!("reader of {range:?} of {size} bytes"))?;
        return Ok(());
    };
    let reader = succeeds("READ-1", answer, format_args!("reader of {range:?} of {size} bytes"))?;
    same("READ-8", reader.range.clone(), part.clone(), format_args!("the range of the reader of {range:?}"))?;
    same("READ-8", reader.info.size, size, "the size of the file that the reader tells")?;
    same("READ-8", &reader.info.path, file, "the path that the reader tells")?;
    let found = succeeds("READ-1", reader.read_to_end(u64::MAX).await, format_args!("the stream of {range:?}"))?;
    same_part("READ-1", &found, content, part, format_args!("the stream of {range:?}"))
}

/// Any split of a file into ranges is the file.
pub(crate) async fn split_ranges_are_the_whole(case: &Case) -> Verdict {
    let (file, mut random) = (path("/split"), case.random());
    for _ in case.rounds(case.budget().rounds.min(20)) {
        let content = case.put_new(&file, random.u64(1..300_000)).await?;
        let mut whole = BytesMut::new();
        while (whole.len() as u64) < content.size {
            let at = whole.len() as u64;
            let range = ByteRange::span(at, random.u64(1..100_000));
            let found = succeeds("READ-1", case.read(&file, range).await, format_args!("the stream of {range:?}"))?;
            ensure(!found.is_empty(), "READ-1", format_args!("bytes from {range:?} of {content}"), "none")?;
            whole.extend_from_slice(&found);
        }
        same_bytes("READ-1", &whole, content, "all ranges one behind the other")?;
    }
    Ok(())
}

pub(crate) async fn missing_files(case: &Case) -> Verdict {
    case.put_new(&path("/directory/file"), 10).await?;
    for missing in ["/missing", "/directory", "/dir", "/directory/file/below"] {
        let missing = path(missing);
        for range in [ByteRange::FULL, ByteRange::from(64), ByteRange::span(0, 0)] {
            let options = ReadOptions::default().with_range(range);
            let direct = case.driver().reader(case.context(), &missing, options.clone()).await;
            fails("READ-2", direct, ErrorKind::NotFound, format_args!("the driver's own reader of {missing}"))?;
            let answer = case.storage().reader(case.context(), &missing, options).await;
            let error = fails("READ-2", answer, ErrorKind::NotFound, format_args!("reader of {missing}"))?;
            same("READ-2", error.path(), Some(&missing), "the path that the error names")?;
        }
    }
    Ok(())
}

/// What is done to a file while a stream of it is open.
#[derive(Debug, Clone, Copy)]
enum Change {
    OverwriteShorter,
    OverwriteLonger,
    Commit,
    Delete,
    Move,
    Replace,
}

pub(crate) async fn streams_opened_before_a_change(case: &Case) -> Verdict {
    use Change::*;
    let size = case.budget().large_file.min(3 << 20);
    for change in [OverwriteShorter, OverwriteLonger, Commit, Delete, Move, Replace] {
        for taken in [0, 1] {
            let file = path(&format!("/open/{change:?}-{taken}"));
            let old = case.put_new(&file, size).await?;
            let mut reader = case.storage().reader(case.context(), &file, ReadOptions::default()).await?;
            let mut found = BytesMut::new();
            for _ in 0..taken {
                if let Some(chunk) = reader.next_chunk().await {
                    found.extend_from_slice(&chunk?);
                }
            }
            apply(case, change, &file, size).await?;
            whole_or_error(reader, found, old, change).await?;
        }
    }
    Ok(())
}

async fn apply(case: &Case, change: Change, file: &StoragePath, size: u64) -> Verdict {
    let aside = path(&format!("{file}.aside"));
    match change {
        Change::OverwriteShorter => case.put_new(file, size / 2).await.map(drop)?,
        Change::OverwriteLonger => case.put_new(file, size * 2).await.map(drop)?,
        Change::Commit => {
            let mut writer = case.writer(file, Default::default()).await?;
            writer.write(case.context(), case.content(size).bytes()).await?;
            case.commit(writer).await?;
        }
        Change::Delete => case.delete(file).await?,
        Change::Move => case.move_to(file, &aside).await?,
        Change::Replace => {
            case.put_new(&aside, size).await?;
            case.move_to(&aside, file).await?;
        }
    }
    Ok(())
}

async fn whole_or_error(mut reader: Reader, mut found: BytesMut, old: Content, change: Change) -> Verdict {
    while let Some(chunk) = reader.next_chunk().await {
        match chunk {
            Ok(chunk) => found.extend_from_slice(&chunk),
            // What came before the error must still be of the old version.
            Err(_) if old.has_at(&found, 0) => return Ok(()),
            Err(error) => {
                let found = format!("{}, and then {error}", explain(&found, 0, &[old]));
                return Err(Failure::new("READ-3", "the old bytes before the error", found).into());
            }
        }
    }
    same_bytes("READ-3", &found, old, format_args!("a stream that was open at {change:?}"))
}

pub(crate) async fn readers_side_by_side(case: &Case) -> Verdict {
    let file = path("/shared");
    let content = case.put_new(&file, case.budget().large_file.min(2 << 20)).await?;
    let mut readers = Vec::new();
    for number in 0..32 {
        let range = ByteRange::from(number * content.size / 32);
        let opened = case.storage().reader(case.context(), &file, ReadOptions::default().with_range(range)).await;
        readers.push((range.offset, succeeds("READ-6", opened, "one of 32 readers that are open at once")?));
    }
    let readers = readers.into_iter().map(|(offset, reader)| {
        tokio::spawn(async move { Ok::<_, Error>((offset, reader.read_to_end(u64::MAX).await?)) })
    });
    for answer in try_join_all(readers).await.map_err(|error| Failure::new("ERR-1", "no panic", error))? {
        let (offset, found) = succeeds("READ-6", answer, "one of 32 readers")?;
        same_part("READ-6", &found, content, offset..content.size, "one of 32 readers")?;
    }
    Ok(())
}

/// Streams that are opened, perhaps begun, and dropped.
pub(crate) async fn abandoned_streams(case: &Case) -> Verdict {
    let file = path("/abandoned");
    let content = case.put_new(&file, 1 << 20).await?;
    // The first streams fill pools and caches, which may stay.
    for _ in 0..16 {
        abandon(case, &file, true).await?;
    }
    let before = Held::now();
    for number in 0..case.budget().abandoned_streams {
        abandon(case, &file, number % 2 == 0).await?;
    }
    let mut after = Held::now();
    for _ in 0..100 {
        if !after.exceeds(&before) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        after = Held::now();
    }
    ensure(
        !after.exceeds(&before),
        "READ-5",
        format_args!("about {before:?} after {} abandoned streams", case.budget().abandoned_streams),
        format_args!("{after:?}"),
    )?;
    case.holds("READ-5", &file, content).await
}

async fn abandon(case: &Case, file: &StoragePath, begun: bool) -> Verdict {
    let mut reader = case.storage().reader(case.context(), file, ReadOptions::default()).await?;
    if begun {
        reader.next_chunk().await.transpose()?;
    }
    Ok(())
}

/// What this process holds at one moment.
#[derive(Debug)]
struct Held {
    /// None where the system does not tell.
    descriptors: Option<usize>,
    tasks: usize,
}

impl Held {
    /// How much more may be held than before: a pool of idle connections, another task of the process.
    const SLACK: usize = 16;

    fn now() -> Self {
        let descriptors = ["/proc/self/fd", "/dev/fd"].iter().find_map(|directory| std::fs::read_dir(directory).ok());
        let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
        Self { descriptors: descriptors.map(Iterator::count), tasks }
    }

    fn exceeds(&self, before: &Self) -> bool {
        let more = |now: usize, before: usize| now > before + Self::SLACK;
        let descriptors = self.descriptors.zip(before.descriptors).is_some_and(|(now, before)| more(now, before));
        descriptors || more(self.tasks, before.tasks)
    }
}
