//! Calls side by side: whole answers, and no harm to each other.

use std::sync::atomic::{AtomicBool, Ordering};

use driver_api::{ByteRange, Error, FileInfo, GetOptions, ListOptions, ReadOptions, StoragePath, WriteOptions};
use futures_util::future::{try_join, try_join_all};

use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict};
use crate::expect::{same, same_bytes, succeeds};
use crate::payload::{Content, explain};

/// Sizes whose contents a reader could mistake for one another, were it not for their bytes.
const OVERWRITES: &[u64] = &[1000, 300_000, 65_536, 1 << 20, 17, 300_001];

/// While a file is overwritten, in every way there is, whoever reads it meets one content whole.
pub(crate) async fn reads_are_never_torn(case: &Case) -> Verdict {
    let file = path("/torn/file");
    let first = case.put_new(&file, OVERWRITES[0]).await?;
    for _ in case.rounds(case.budget().rounds.min(30)) {
        let writing = AtomicBool::new(true);
        let readers = (0..3).map(|way| read_while(case, &file, &writing, way));
        let writer = async {
            let written = overwrite(case, &file).await;
            writing.store(false, Ordering::Relaxed);
            written
        };
        let raced = try_join(writer, try_join_all(readers)).await.map_err(|stop| stop.led_to_by(script_of_overwrites));
        let ((), reads) = raced?;
        for (way, (number, (info, found))) in
            reads.iter().enumerate().flat_map(|(way, reads)| reads.iter().enumerate().map(move |read| (way, read)))
        {
            let judged = whole(found, first)
                .and_then(|whole| same("GET-4", info.size, whole, "the size that comes with the bytes"));
            judged.map_err(|stop| {
                let by = if way == 0 { "a get" } else { "a reader" };
                let read = format!(
                    "read {} of {} of one task, by {by}, tells {} bytes",
                    number + 1,
                    reads[way].len(),
                    info.size
                );
                stop.led_to_by(|| format!("{}\n{read}", script_of_overwrites()))
            })?;
        }
    }
    Ok(())
}

/// What happens to the file while it is read.
fn script_of_overwrites() -> String {
    let steps = OVERWRITES.iter().enumerate().map(|(number, size)| {
        let way = ["a put", "a commit", "a put elsewhere and a move"][number % 3];
        format!("\n  {way} of {size} bytes")
    });
    format!("/torn/file is read by three tasks, over and over, and meanwhile replaced by{}", steps.collect::<String>())
}

async fn overwrite(case: &Case, file: &StoragePath) -> Verdict {
    for (number, size) in OVERWRITES.iter().enumerate() {
        match number % 3 {
            0 => drop(case.put_new(file, *size).await?),
            1 => {
                let mut writer = case.writer(file, WriteOptions::default()).await?;
                writer.write(case.context(), case.content(*size).bytes()).await?;
                case.commit(writer).await?;
            }
            _ => {
                let aside = path("/torn/aside");
                case.put_new(&aside, *size).await?;
                case.move_to(&aside, file).await?;
            }
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// Reads, in one of three ways, for as long as somebody writes.
async fn read_while(
    case: &Case,
    file: &StoragePath,
    writing: &AtomicBool,
    way: u32,
) -> Verdict<Vec<(FileInfo, Vec<u8>)>> {
    let mut reads = Vec::new();
    while writing.load(Ordering::Relaxed) {
        let read = if way == 0 {
            let answer = case.storage().get(case.context(), file, GetOptions::default()).await;
            Some(succeeds("PUT-1", answer, "get of a file that is being overwritten")?)
        } else {
            let opened = case.storage().reader(case.context(), file, ReadOptions::default()).await;
            let reader = succeeds("PUT-1", opened, "reader of a file that is being overwritten")?;
            let info = reader.info.clone();
            // A stream may end in an error where its bytes are out of reach (READ-3).
            reader.read_to_end(u64::MAX).await.ok().map(|bytes| (info, bytes))
        };
        reads.extend(read.map(|(info, bytes)| (info, bytes.to_vec())));
        // Also after an error: the writer is polled by the same task.
        tokio::task::yield_now().await;
    }
    Ok(reads)
}

/// The size of the one content that `found` is.
fn whole(found: &[u8], first: Content) -> Verdict<u64> {
    match Content::identify(found) {
        Some(content) if OVERWRITES.contains(&content.size) && content.write >= first.write => Ok(content.size),
        _ => {
            let found = explain(found, 0, &[]);
            Err(Failure::new("PUT-1", "one content whole", found).and("READ-3").into())
        }
    }
}

/// The ranges that several reads make of a file that is being overwritten.
pub(crate) async fn ranges_are_of_one_version(case: &Case) -> Verdict {
    let (file, size) = (path("/torn/ranged"), 400_000);
    case.put_new(&file, size).await?;
    for _ in case.rounds(case.budget().rounds.min(30)) {
        let writer = async {
            for _ in 0..4 {
                case.put_new(&file, size).await?;
                tokio::task::yield_now().await;
            }
            Ok::<_, Stop>(())
        };
        let reader = async {
            for offset in [0, 1, 65_536, 399_000] {
                let range = ByteRange::span(offset, 250_000);
                let found = succeeds("READ-1", case.read(&file, range).await, "a ranged read beside overwrites")?;
                let part = offset..(offset + 250_000).min(size);
                // The write is told by the first cell; the rest must agree with it.
                let holds =
                    (1..10_000).map(|write| Content { write, size }).find(|content| content.has_at(&found, offset));
                if holds.is_none() || found.len() as u64 != part.end - part.start {
                    let found = explain(&found, offset, &[]);
                    let expected = format!("bytes {}..{} of one content", part.start, part.end);
                    return Err(Failure::new("READ-3", expected, found).into());
                }
            }
            Ok(())
        };
        try_join(writer, reader).await?;
    }
    Ok(())
}

/// Many tasks, each with files of its own in directories that all share.
pub(crate) async fn different_paths(case: &Case) -> Verdict {
    let tasks = (0..16_u64).map(|task| async move {
        let own = path(&format!("/shared/deep/{task}"));
        let moved = path(&format!("/shared/moved/{task}"));
        let seed = case.seed() ^ task;
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in case.rounds(case.budget().rounds.min(20)) {
            let content = case.content(random.u64(0..100_000));
            succeeds("CONC-3", case.put(&own, content).await, "put beside others")?;
            case.holds("CONC-3", &own, content).await?;
            if random.bool() {
                succeeds("CONC-3", case.move_to(&own, &moved).await, "move beside others")?;
                case.holds("CONC-3", &moved, content).await?;
                succeeds("CONC-3", case.delete(&moved).await, "delete beside others")?;
            } else {
                succeeds("CONC-3", case.delete_tree(&own).await, "delete of a tree beside others")?;
            }
            case.misses("CONC-3", &own).await?;
            case.misses("CONC-3", &moved).await?;
        }
        Verdict::Ok(())
    });
    try_join_all(tasks).await?;
    if !case.capabilities().exact_directories {
        return Ok(());
    }
    let keys = case.keys(&StoragePath::root(), ListOptions::default()).await?;
    same("CONC-3", keys.len(), 0, "the number of entries in the end")
}

/// Many writers at once, each of a file of its own, in small pieces.
pub(crate) async fn writers_of_different_files(case: &Case) -> Verdict {
    let writers = (0..24_u64).map(|number| {
        let (storage, context, content) =
            (case.storage().clone(), case.context().clone(), case.content(200_000 + number));
        tokio::spawn(async move {
            let file = path(&format!("/parallel/{number}"));
            let mut writer = storage.writer(&context, &file, WriteOptions::default()).await?;
            let whole = content.bytes();
            for at in (0..whole.len()).step_by(30_000) {
                writer.write(&context, whole.slice(at..(at + 30_000).min(whole.len()))).await?;
                tokio::task::yield_now().await;
            }
            writer.commit(&context, Default::default()).await?;
            Ok::<_, Error>((file, content))
        })
    });
    let written = try_join_all(writers).await.map_err(|error| Failure::new("ERR-1", "no panic", error))?;
    for answer in written {
        let (file, content) = succeeds("CONC-3", answer, "one of 24 writers")?;
        case.holds("CONC-3", &file, content).await?;
    }
    Ok(())
}

/// A move that is atomic is never seen half: never both files, never none.
pub(crate) async fn moves_are_atomic(case: &Case) -> Verdict {
    let (one, two) = (path("/atomic/one"), path("/atomic/two"));
    for _ in case.rounds(case.budget().rounds * 2) {
        let content = case.put_new(&one, 50_000).await?;
        let mover = async { succeeds("MOVE-8", case.move_to(&one, &two).await, "a move") };
        let watcher = async {
            for _ in 0..6 {
                let arrived = is_there(case, &two, content).await?;
                let left = !is_there(case, &one, content).await?;
                if arrived != left && arrived {
                    return Err(Failure::new("MOVE-8", "the source gone once the target is there", "both").into());
                }
                if left && !is_there(case, &two, content).await? {
                    return Err(Failure::new("MOVE-8", "the target there once the source is gone", "neither").into());
                }
            }
            Ok(())
        };
        try_join(mover, watcher).await?;
        case.delete(&two).await?;
    }
    Ok(())
}

async fn is_there(case: &Case, path: &StoragePath, content: Content) -> Verdict<bool> {
    match case.get(path).await {
        Ok(found) => same_bytes("MOVE-8", &found, content, format_args!("the file at {path}")).map(|()| true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(error) => Err(error.into()),
    }
}
