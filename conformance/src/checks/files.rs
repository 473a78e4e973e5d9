//! Whole files: what was put is what is got, all of it and nothing else, at once and everywhere.

use bytes::Bytes;
use driver_api::{
    ByteRange, Entry, ErrorKind, GetOptions, ListOptions, Payload, PutOptions, ReadOptions, Retry, Storage, StoragePath,
};
use tokio::time::{Duration, sleep};

use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::expect::{ensure, fails, file, same, same_bytes, same_part, succeeds, told_as_by_stat};
use crate::payload::{Content, explain, payload};

/// Sizes around those at which drivers are known to change their way: a page of memory, a pipe, a buffer, a part.
pub(super) const SIZES: &[u64] = &[
    0,
    1,
    2,
    15,
    16,
    17,
    4095,
    4096,
    4097,
    (64 << 10) - 1,
    64 << 10,
    (64 << 10) + 1,
    (128 << 10) + 1,
    (1 << 20) - 1,
    1 << 20,
    (1 << 20) + 1,
    (4 << 20) - 1,
    4 << 20,
    (4 << 20) + 1,
    (5 << 20) - 1,
    5 << 20,
    (5 << 20) + 1,
    (8 << 20) + 1,
];

/// Those of [`SIZES`] that the budget allows.
pub(super) fn sizes(case: &Case) -> impl Iterator<Item = u64> {
    SIZES.iter().copied().filter(|size| *size <= case.budget().large_file)
}

pub(crate) async fn contents_of_every_size(case: &Case) -> Verdict {
    for size in sizes(case) {
        let path = path(&format!("/sizes/{size}"));
        let content = case.put_new(&path, size).await?;
        case.holds("GET-1", &path, content).await?;
        let found = succeeds("READ-1", case.read(&path, ByteRange::FULL).await, format_args!("reader of {path}"))?;
        same_bytes("READ-1", &found, content, format_args!("the stream of {path}"))?;
        same("PUT-8", file("PUT-8", case.stat(&path).await?)?.size, size, format_args!("the size of {path}"))?;
        case.delete(&path).await?;
    }
    Ok(())
}

pub(crate) async fn odd_contents(case: &Case) -> Verdict {
    let file = path("/odd");
    let every_byte: Vec<u8> = (0..=255).collect();
    let contents: [&[u8]; 8] = [
        b"",
        b"\0",
        b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        b"\n",
        b"\r\n\x1a",
        b"\xff\xfe\xc3\x28",
        "\u{e9}\u{1f4be}".as_bytes(),
        &every_byte,
    ];
    for content in contents {
        let payload = Bytes::copy_from_slice(content);
        case.storage().put(case.context(), &file, payload, PutOptions::default()).await?;
        let found = succeeds("GET-1", case.get(&file).await, format_args!("get of {content:?}"))?;
        same("GET-1", found.as_ref(), content, "the content")?;
    }
    Ok(())
}

pub(crate) async fn overwriting(case: &Case) -> Verdict {
    let file = path("/a/file");
    for size in [1 << 20, 1024, 4096, 2048, 0, 1, (1 << 20) + 1, 70_000, 70_000] {
        let content = case.put_new(&file, size).await?;
        case.holds("PUT-1", &file, content).await?;
        same("PUT-3", listed_size(case.storage(), case, &file).await?, Some(size), "the size in the listing")?;
    }
    Ok(())
}

/// The size of the file as the listing of its directory tells it.
async fn listed_size(storage: &Storage, case: &Case, path: &StoragePath) -> Verdict<Option<u64>> {
    let directory = path.parent().unwrap_or_else(StoragePath::root);
    let entries = storage.list(case.context(), &directory, ListOptions::default()).await?.collect().await?;
    let file = entries.iter().filter_map(Entry::as_file).find(|info| info.path == *path);
    Ok(file.map(|info| info.size))
}

pub(crate) async fn missing_files(case: &Case) -> Verdict {
    case.put_new(&path("/directory/file"), 10).await?;
    for missing in
        ["/missing", "/directory", "/dir", "/directory/fil", "/directory/file2", "/directory/file/below", "/x/y/z"]
    {
        let missing = path(missing);
        let error = fails("GET-2", case.get(&missing).await, ErrorKind::NotFound, format_args!("get of {missing}"))?;
        same("GET-2", error.path(), Some(&missing), "the path that the error names")?;
        same("GET-2", error.driver(), Some(case.storage().name()), "the driver that the error names")?;
        let direct = case.driver().get(case.context(), &missing, GetOptions::default()).await;
        fails("GET-2", direct, ErrorKind::NotFound, format_args!("the driver's own get of {missing}"))?;
    }
    Ok(())
}

pub(crate) async fn bytes_are_limited(case: &Case) -> Verdict {
    let file = path("/limited");
    for size in [0, 1, 100, 70_000, 1 << 20] {
        let content = case.put_new(&file, size).await?;
        let get = |options: GetOptions| case.storage().get(case.context(), &file, options);
        let (_, found) =
            succeeds("GET-3", get(GetOptions::default().with_max_bytes(size)).await, "get with just enough room")?;
        same_bytes("GET-3", &found, content, "what comes with just enough room")?;
        let Some(less) = size.checked_sub(1) else { continue };
        let answer = get(GetOptions::default().with_max_bytes(less)).await;
        fails("GET-3", answer, ErrorKind::TooLarge, format_args!("get of {size} bytes with room for {less}"))?;
        let part = GetOptions::default().with_max_bytes(less).with_range(ByteRange::from(1));
        let (_, found) = succeeds("GET-3", get(part).await, "get of a range that fits")?;
        same_part("GET-3", &found, content, 1..size, "what comes")?;
        let behind = GetOptions::default().with_max_bytes(less).with_range(ByteRange::span(0, u64::MAX));
        fails(
            "GET-3",
            get(behind).await,
            ErrorKind::TooLarge,
            "get of a range that ends past the end and does not fit",
        )?;
    }
    Ok(())
}

pub(crate) async fn infos_belong_to_their_bytes(case: &Case) -> Verdict {
    let file = path("/a/info");
    let mut versions = Vec::new();
    for size in [10, 20, 20, 0] {
        let content = case.content(size);
        let put = case.put(&file, content).await?;
        let (got, bytes) = case.storage().get(case.context(), &file, GetOptions::default()).await?;
        let reader = case.storage().reader(case.context(), &file, ReadOptions::default()).await?;
        let stat = crate::expect::file("PUT-8", case.stat(&file).await?)?;
        same_bytes("GET-4", &bytes, content, "the bytes")?;
        same("PUT-8", put.size, size, "the size that put tells")?;
        told_as_by_stat(&put, &stat, "put")?;
        for (info, source) in [(&got, "get"), (&reader.info, "reader")] {
            same("GET-4", &info.path, &file, format_args!("the path that {source} tells"))?;
            same("GET-4", info.size, size, format_args!("the size that {source} tells"))?;
            same("GET-4", info.modified, stat.modified, format_args!("the time that {source} tells"))?;
            if let (Some(version), Some(later)) = (&info.version, &stat.version) {
                same("GET-4", version, later, format_args!("the version that {source} tells, by what stat tells,"))?;
            }
        }
        if let Some(version) = stat.version {
            ensure(
                !versions.contains(&version),
                "GET-4",
                "another version for another content",
                format!("{version:?} again"),
            )?;
            versions.push(version);
        }
    }
    Ok(())
}

pub(crate) async fn ranges_of_get(case: &Case) -> Verdict {
    let file = path("/ranged");
    for size in [0, 1, 100, 65_537, (1 << 20) + 1] {
        let content = case.put_new(&file, size).await?;
        for range in super::reads::ranges(size) {
            let options = GetOptions::default().with_range(range);
            let answer = case.storage().get(case.context(), &file, options).await;
            let Ok(part) = range.resolve(size) else {
                fails("GET-5", answer, ErrorKind::InvalidRange, format_args!("get of {range:?} of {size} bytes"))?;
                continue;
            };
            let (info, found) = succeeds("GET-5", answer, format_args!("get of {range:?} of {size} bytes"))?;
            same_part("GET-5", &found, content, part, format_args!("get of {range:?}"))?;
            same("GET-4", info.size, size, "the size of the file that comes with a range")?;
        }
    }
    Ok(())
}

pub(crate) async fn payloads_in_pieces(case: &Case) -> Verdict {
    let file = path("/pieces");
    let whole = payload(1, 200_000);
    for piece in [1000, 4096, 65_536, 199_999] {
        let mut pieces = vec![Bytes::new()];
        for at in (0..whole.len()).step_by(piece) {
            pieces.push(whole.slice(at..(at + piece).min(whole.len())));
            pieces.push(Bytes::new());
        }
        let put = case.storage().put(case.context(), &file, pieces, PutOptions::default()).await;
        let info = succeeds("PUT-9", put, format_args!("put in pieces of {piece} bytes"))?;
        same("PUT-9", info.size, 200_000, "the size that put tells")?;
        case.holds("PUT-9", &file, Content { write: 1, size: 200_000 }).await?;
    }
    let nothing = Payload::from(vec![Bytes::new(), Bytes::new()]);
    case.storage().put(case.context(), &file, nothing, PutOptions::default()).await?;
    same("PUT-9", case.get(&file).await?.len(), 0, "the length of a file of empty pieces")
}

pub(crate) async fn puts_are_seen_at_once(case: &Case) -> Verdict {
    seen_at_once(case, "PUT-3", &case.storage().clone()).await
}

pub(crate) async fn puts_are_seen_by_others(case: &Case) -> Verdict {
    seen_at_once(case, "PUT-10", &case.reopen().await?).await
}

/// Changes a file through the case's handle, and looks at it through `other` after each change.
async fn seen_at_once(case: &Case, clause: &'static str, other: &Storage) -> Verdict {
    let (context, file) = (case.context(), path("/seen/file"));
    for round in case.rounds(case.budget().rounds.min(20)) {
        let size = 100 + u64::from(round);
        let content = case.put_new(&file, size).await?;
        let (_, found) = succeeds(clause, other.get(context, &file, GetOptions::default()).await, "get after a put")?;
        same_bytes(clause, &found, content, "what get finds after a put")?;
        let reader =
            succeeds(clause, other.reader(context, &file, ReadOptions::default()).await, "reader after a put")?;
        let found = succeeds(clause, reader.read_to_end(size + 1).await, "the stream after a put")?;
        same_bytes(clause, &found, content, "what a stream finds after a put")?;
        let entry = succeeds(clause, other.stat(context, &file).await, "stat after a put")?;
        same(clause, crate::expect::file(clause, entry)?.size, size, "the size that stat tells after a put")?;
        same(clause, listed_size(other, case, &file).await?, Some(size), "the size in the listing after a put")?;
        if round % 4 == 3 {
            case.delete(&file).await?;
            let got = other.get(context, &file, GetOptions::default()).await;
            fails(clause, got, ErrorKind::NotFound, "get after a delete")?;
            fails(clause, other.stat(context, &file).await, ErrorKind::NotFound, "stat after a delete")?;
        }
    }
    Ok(())
}

/// Puts whose time is over at some moment of their way.
pub(crate) async fn interrupted_puts(case: &Case) -> Verdict {
    let mut random = case.random();
    for round in case.rounds(case.budget().rounds) {
        let file = path(&format!("/interrupted/{round}"));
        let mut possible = vec![case.put_new(&file, random.u64(1..100_000)).await?];
        let content = case.content(random.u64(1..(1 << 20)));
        // Before the time begins to run: making them takes longer than it has.
        let bytes = content.bytes();
        let context = case.context().with_timeout(Duration::from_micros(random.u64(1..2000)));
        match case.storage().put(&context, &file, bytes, PutOptions::default()).await {
            Ok(_) => possible = vec![content],
            Err(error) => {
                same("CTX-2", error.kind(), ErrorKind::DeadlineExceeded, "the kind of a put whose time is over")?;
                if error.retry() == Retry::MaybeApplied {
                    possible.push(content);
                }
            }
        }
        // It may still take effect, so the file is looked at more than once.
        for _ in 0..3 {
            let found = succeeds("PUT-2", case.get(&file).await, "get after an interrupted put")?;
            if !possible.iter().any(|content| content.is(&found)) {
                let found = explain(&found, 0, &possible);
                return Err(Failure::new("PUT-2", "the old bytes whole, or the new ones", found).into());
            }
            sleep(Duration::from_micros(500)).await;
        }
    }
    Ok(())
}
