//! Writing by session: nothing shows before the commit, and then all of it at once.

use bytes::Bytes;
use driver_api::{CommitOptions, ErrorKind, GetOptions, ListOptions, StoragePath, WriteOptions, Writer};
use futures_util::future::try_join_all;

use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::expect::{ensure, fails, file, same, same_bytes, succeeds, told_as_by_stat};
use crate::payload::{Content, explain};

/// Writes `content` in chunks, the sizes of which are taken from `sizes` in turn for ever.
pub(super) async fn write_in_chunks(case: &Case, writer: &mut Writer, content: Content, sizes: &[u64]) -> Verdict {
    let begun = writer.size();
    let whole = content.bytes();
    let (mut at, mut sizes) = (0, sizes.iter().cycle());
    while at < whole.len() {
        let size = sizes.next().copied().unwrap_or(1).min((whole.len() - at) as u64) as usize;
        let chunk = whole.slice(at..at + size);
        succeeds("WRITE-1", writer.write(case.context(), chunk).await, format_args!("write of {size} bytes at {at}"))?;
        at += size;
        same("WRITE-9", writer.size(), begun + at as u64, "the size after a write")?;
    }
    Ok(())
}

pub(crate) async fn chunks_of_any_size(case: &Case) -> Verdict {
    let target = path("/written/file");
    let plans: &[(u64, &[u64])] = &[
        (1, &[1]),
        (300, &[1]),
        (10_000, &[1, 0, 7, 32, 0, 4096]),
        (65_535, &[65_535]),
        (65_536, &[65_536]),
        (65_537, &[65_537]),
        (200_000, &[65_535, 2, 65_536, 1, 65_537]),
        ((1 << 20) + 1, &[1 << 20, 1]),
        (3 << 20, &[(1 << 20) - 1, (1 << 20) + 1]),
        (3 << 20, &[100, 1 << 20, 100, 64 << 10]),
    ];
    for (size, chunks) in plans {
        let content = case.content(*size);
        let mut writer = case.writer(&target, WriteOptions::default()).await?;
        write_in_chunks(case, &mut writer, content, chunks).await?;
        let info = succeeds("WRITE-1", case.commit(writer).await, format_args!("commit of chunks of {chunks:?}"))?;
        same("PUT-8", info.size, *size, "the size that commit tells")?;
        told_as_by_stat(&info, &file("PUT-8", case.stat(&target).await?)?, "commit")?;
        case.holds("WRITE-1", &target, content).await?;
    }
    Ok(())
}

pub(crate) async fn chunks_at_random(case: &Case) -> Verdict {
    let (target, mut random) = (path("/random"), case.random());
    for _ in case.rounds(case.budget().rounds.min(30)) {
        let content = case.content(random.u64(0..600_000));
        let most = [100, 5000, 70_000, 300_000][random.usize(..4)];
        let sizes: Vec<_> = (0..16).map(|_| random.u64(0..most)).chain([most]).collect();
        let options =
            if random.bool() { WriteOptions::default() } else { WriteOptions::default().with_size_hint(content.size) };
        let mut writer = case.writer(&target, options).await?;
        write_in_chunks(case, &mut writer, content, &sizes).await?;
        case.commit(writer).await?;
        case.holds("WRITE-1", &target, content).await?;
    }
    Ok(())
}

pub(crate) async fn large_files(case: &Case) -> Verdict {
    let (target, moved) = (path("/large/file"), path("/large/moved"));
    let size = case.budget().large_file;
    let content = case.content(size);
    let mut writer = case.writer(&target, WriteOptions::default().with_size_hint(size)).await?;
    let mut at = 0;
    while at < size {
        let end = (at + (1 << 20)).min(size);
        writer.write(case.context(), crate::payload::payload_range(content.write, at..end)).await?;
        at = end;
    }
    case.commit(writer).await?;
    is_streamed(case, "WRITE-1", &target, content).await?;
    succeeds("MOVE-7", case.move_to(&target, &moved).await, format_args!("move of {size} bytes"))?;
    is_streamed(case, "MOVE-7", &moved, content).await
}

/// Compares a file piece by piece, without holding all of it.
async fn is_streamed(case: &Case, clause: &'static str, path: &StoragePath, expected: Content) -> Verdict {
    let mut reader = succeeds(clause, case.storage().reader(case.context(), path, Default::default()).await, "reader")?;
    let mut at = 0;
    while let Some(chunk) = reader.next_chunk().await {
        let chunk = succeeds(clause, chunk, format_args!("the stream of {path} from byte {at} on"))?;
        if !expected.has_at(&chunk, at) {
            return Err(Failure::new(clause, format_args!("{expected}"), explain(&chunk, at, &[expected])).into());
        }
        at += chunk.len() as u64;
    }
    same(clause, at, expected.size, "the number of bytes")
}

pub(crate) async fn nothing_shows_before_the_commit(case: &Case) -> Verdict {
    let (old, new) = (path("/shown/old"), path("/hidden/deeper/new"));
    let content = case.put_new(&old, 1000).await?;
    for size in [0, 10, 100_000, 2 << 20] {
        let mut over_old = case.writer(&old, WriteOptions::default()).await?;
        let mut over_new = case.writer(&new, WriteOptions::default()).await?;
        let written = case.content(size);
        write_in_chunks(case, &mut over_old, written, &[70_000]).await?;
        write_in_chunks(case, &mut over_new, written, &[70_000]).await?;
        unchanged(case, &old, content, &new).await?;
        over_old.close(case.context()).await?;
        over_new.close(case.context()).await?;
        unchanged(case, &old, content, &new).await?;
    }
    Ok(())
}

async fn unchanged(case: &Case, old: &StoragePath, content: Content, new: &StoragePath) -> Verdict {
    case.holds("WRITE-2", old, content).await?;
    case.misses("WRITE-2", new).await?;
    case.misses("WRITE-2", &path("/hidden/deeper")).await?;
    case.misses("WRITE-2", &path("/hidden")).await?;
    for options in [ListOptions::default(), ListOptions::recursive()] {
        let expected = if options.recursive { "/shown/old" } else { "/shown/" };
        let keys = case.keys(&StoragePath::root(), options).await?;
        same("WRITE-2", keys, vec![expected.to_owned()], "the listing of `/` while writers are open")?;
    }
    let listed = case.list(&path("/shown"), ListOptions::default()).await?;
    let sizes: Vec<_> = listed.iter().map(|entry| entry.as_file().map(|info| info.size)).collect();
    same("WRITE-2", sizes, vec![Some(content.size)], "the sizes in the listing while writers are open")
}

pub(crate) async fn commits_replace(case: &Case) -> Verdict {
    let target = path("/a/replaced");
    for size in [200_000, 10, 0, 70_000, 1 << 20] {
        let content = case.content(size);
        let mut writer = case.writer(&target, WriteOptions::default()).await?;
        write_in_chunks(case, &mut writer, content, &[65_536]).await?;
        succeeds("WRITE-3", case.commit(writer).await, "commit over a file")?;
        case.holds("WRITE-3", &target, content).await?;
        let left = case.unfinished(&StoragePath::root()).await?;
        same("WRITE-3", left.len(), 0, "the number of sessions after a commit")?;
    }
    Ok(())
}

pub(crate) async fn cancel_leaves_nothing(case: &Case) -> Verdict {
    let (old, new) = (path("/old"), path("/directory/new"));
    let content = case.put_new(&old, 1000).await?;
    for size in [0, 10, 200_000] {
        for kept in [0, 100] {
            for target in [&old, &new] {
                if kept > 0 {
                    case.keep(target, WriteOptions::default(), case.content(kept).bytes()).await?;
                }
                let options = if kept > 0 { WriteOptions::append() } else { WriteOptions::default() };
                let mut writer = case.writer(target, options).await?;
                write_in_chunks(case, &mut writer, case.content(size), &[70_000]).await?;
                succeeds("WRITE-4", writer.cancel(case.context()).await, format_args!("cancel after {size} bytes"))?;
                let left = case.unfinished(&StoragePath::root()).await?;
                same("WRITE-4", left.len(), 0, "the number of sessions after a cancel")?;
                case.holds("WRITE-4", &old, content).await?;
                case.misses("WRITE-4", &new).await?;
                case.misses("WRITE-4", &path("/directory")).await?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn dropped_writers_publish_nothing(case: &Case) -> Verdict {
    let (old, new) = (path("/old"), path("/directory/new"));
    let content = case.put_new(&old, 1000).await?;
    for size in [0, 10, 200_000, 2 << 20] {
        for target in [&old, &new] {
            let mut writer = case.writer(target, WriteOptions::default()).await?;
            write_in_chunks(case, &mut writer, case.content(size), &[70_000]).await?;
            drop(writer);
            case.holds("WRITE-4", &old, content).await?;
            case.misses("WRITE-4", &new).await?;
            let left = case.unfinished(&StoragePath::root()).await?;
            same("WRITE-4", left.len(), 0, "the number of sessions after a drop")?;
        }
    }
    Ok(())
}

pub(crate) async fn empty_commits(case: &Case) -> Verdict {
    for name in ["/empty", "/over/file"] {
        let target = path(name);
        if name == "/over/file" {
            case.put_new(&target, 100).await?;
        }
        let writer = case.writer(&target, WriteOptions::default()).await?;
        same("WRITE-9", writer.size(), 0, "the size of a new writer")?;
        let info = succeeds("WRITE-8", case.commit(writer).await, "commit without a write")?;
        same("WRITE-8", info.size, 0, "the size that commit tells")?;
        same("WRITE-8", case.get(&target).await?.len(), 0, "the length of the file")?;
    }
    let (target, options) = (path("/kept-empty"), WriteOptions::default());
    case.writer(&target, options).await?.close(case.context()).await?;
    let writer = succeeds("WRITE-8", case.writer(&target, WriteOptions::append()).await, "resuming an empty session")?;
    case.commit(writer).await?;
    same("WRITE-8", case.get(&target).await?.len(), 0, "the length of the file")
}

/// Writers that are open on one path at once, each of which publishes what it was given.
pub(crate) async fn writers_on_one_path(case: &Case) -> Verdict {
    let target = path("/contended/file");
    for round in case.rounds(case.budget().rounds.min(20)) {
        let writers = (0..4).map(|_| async {
            let content = case.content(150_000);
            let mut writer = case.writer(&target, WriteOptions::default()).await?;
            write_in_chunks(case, &mut writer, content, &[70_000, 1]).await?;
            Verdict::Ok((writer, content))
        });
        let mut published = Vec::new();
        // One by one in the even rounds: there each must be found; at once in the odd ones.
        let writers = try_join_all(writers).await?;
        if round % 2 == 0 {
            for (writer, content) in writers {
                if committed_or_conflict(case, writer).await? {
                    case.holds("WRITE-13", &target, content).await?;
                    published.push(content);
                }
            }
        } else {
            let commits = writers.into_iter().map(|(writer, content)| async move {
                Verdict::Ok((committed_or_conflict(case, writer).await?, content))
            });
            let commits = try_join_all(commits).await?;
            published.extend(commits.into_iter().filter(|(ok, _)| *ok).map(|(_, content)| content));
            let found = succeeds("CONC-2", case.get(&target).await, "get after concurrent commits")?;
            if !published.iter().any(|content| content.is(&found)) {
                let found = explain(&found, 0, &published);
                return Err(Failure::new("CONC-2", "one of the commits that succeeded", found).and("WRITE-13").into());
            }
        }
        ensure(!published.is_empty(), "WRITE-13", "at least one of four commits to succeed", "four conflicts")?;
    }
    Ok(())
}

async fn committed_or_conflict(case: &Case, writer: Writer) -> Verdict<bool> {
    match writer.commit(case.context(), CommitOptions::default()).await {
        Ok(_) => Ok(true),
        Err(failure) => {
            fails::<()>("WRITE-13", Err(failure.error), ErrorKind::Conflict, "a commit beside others, if it fails,")?;
            if let Some(writer) = failure.writer {
                writer.cancel(case.context()).await?;
            }
            Ok(false)
        }
    }
}

pub(crate) async fn a_writer_outlives_its_contexts(case: &Case) -> Verdict {
    let (committed, kept) = (path("/outlived/committed"), path("/outlived/kept"));
    for size in [100, 70_000, 1 << 20] {
        let content = case.content(size);
        for target in [&committed, &kept] {
            let (opening, token) = case.context().with_cancellation();
            let mut writer = case.storage().writer(&opening, target, WriteOptions::default()).await?;
            let (writing, other) = case.context().with_cancellation();
            writer.write(&writing, content.bytes()).await?;
            token.cancel();
            other.cancel();
            if target == &committed {
                succeeds("WRITE-14", case.commit(writer).await, "commit with another context")?;
                case.holds("WRITE-14", target, content).await?;
            } else {
                let closed = writer.close(case.context()).await;
                same("WRITE-14", succeeds("WRITE-14", closed, "close with another context")?, size, "the size kept")?;
                let writer = case.writer(target, WriteOptions::append()).await?;
                case.commit(writer).await?;
                case.holds("WRITE-14", target, content).await?;
            }
        }
    }
    Ok(())
}

/// A chunk that is refused is not there, and one that is there is counted.
pub(crate) async fn refused_chunks(case: &Case) -> Verdict {
    let target = path("/refused");
    let (ended, token) = case.context().with_cancellation();
    token.cancel();
    let content = case.content(300_000);
    let whole = content.bytes();
    let mut writer = case.writer(&target, WriteOptions::default()).await?;
    let mut accepted = 0;
    for end in [10, 70_000, 70_001, 140_000, 300_000] {
        let chunk = whole.slice(accepted..end);
        let refused = writer.write(&ended, Bytes::from_static(&[b'#'; 100_000])).await;
        fails("CTX-1", refused, ErrorKind::Cancelled, "write with a cancelled context")?;
        same("WRITE-25", writer.size(), accepted as u64, "the size after a refused write")?;
        succeeds("WRITE-25", writer.write(case.context(), chunk).await, "write after a refused one")?;
        accepted = end;
        same("WRITE-25", writer.size(), accepted as u64, "the size after a write")?;
    }
    case.commit(writer).await?;
    case.holds("WRITE-25", &target, content).await
}

/// A commit that ends elsewhere, over nothing and over a file.
pub(crate) async fn commits_to_another_path(case: &Case) -> Verdict {
    let (own, other) = (path("/uploads/one"), path("/blobs/deep/other"));
    for size in [0, 100, 200_000] {
        let content = case.content(size);
        let mut writer = case.writer(&own, WriteOptions::default()).await?;
        write_in_chunks(case, &mut writer, content, &[65_536]).await?;
        let options = CommitOptions::default().with_to(other.clone());
        let info = succeeds("WRITE-19", writer.commit(case.context(), options).await, "commit to another path")?;
        same("WRITE-19", &info.path, &other, "the path that commit tells")?;
        same("WRITE-19", info.size, size, "the size that commit tells")?;
        case.holds("WRITE-19", &other, content).await?;
        case.misses("WRITE-19", &own).await?;
        let left = case.unfinished(&StoragePath::root()).await?;
        same("WRITE-19", left.len(), 0, "the number of sessions after a commit")?;
    }
    Ok(())
}

pub(crate) async fn commits_elsewhere_in_one_step(case: &Case) -> Verdict {
    let (own, other) = (path("/uploads/one"), path("/blobs/other"));
    let standing = case.put_new(&own, 50).await?;
    for kept in [false, true] {
        let content = case.content(100_000);
        let mut writer = case.writer(&own, WriteOptions::default()).await?;
        writer.write(case.context(), content.bytes()).await?;
        if kept {
            writer.close(case.context()).await?;
            let resumed =
                WriteOptions::default().with_mode(driver_api::WriteMode::Append { expected_size: Some(100_000) });
            writer = case.writer(&own, resumed).await?;
        }
        let options = CommitOptions::default().with_to(other.clone());
        succeeds("WRITE-20", writer.commit(case.context(), options).await, "commit to another path")?;
        case.holds("WRITE-20", &own, standing).await?;
        case.holds("WRITE-20", &other, content).await?;
    }
    let (_, bytes) = case.storage().get(case.context(), &own, GetOptions::default()).await?;
    same_bytes("WRITE-20", &bytes, standing, "the file at the writer's own path")
}
