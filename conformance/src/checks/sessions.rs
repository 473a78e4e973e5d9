//! Sessions that are kept and continued.

use driver_api::{ErrorKind, Storage, StoragePath, WriteMode, WriteOptions};

use super::writes::write_in_chunks;
use crate::case::{Case, path, unfinished};
use crate::check::Verdict;
use crate::expect::{ensure, fails, same, same_bytes, succeeds};
use crate::payload::{Content, payload_range};

fn expecting(size: u64) -> WriteOptions {
    WriteOptions::default().with_mode(WriteMode::Append { expected_size: Some(size) })
}

/// Writes `content` in pieces that end at `ends`, with a close behind each, and commits it.
async fn write_across_closes(case: &Case, target: &StoragePath, content: Content, ends: &[u64]) -> Verdict {
    let mut at = 0;
    for end in ends {
        let opened = case.writer(target, WriteOptions::append()).await;
        let mut writer = succeeds("WRITE-5", opened, format_args!("resuming after {at} bytes"))?;
        same("WRITE-5", writer.size(), at, "the size of a resumed writer")?;
        writer.write(case.context(), payload_range(content.write, at..*end)).await?;
        same("WRITE-9", writer.size(), *end, "the size after a write")?;
        let kept = succeeds("WRITE-5", writer.close(case.context()).await, format_args!("close after {end} bytes"))?;
        same("WRITE-5", kept, *end, "the size that close tells")?;
        at = *end;
    }
    let writer = succeeds("WRITE-5", case.writer(target, WriteOptions::append()).await, "resuming for the commit")?;
    same("WRITE-5", writer.size(), content.size, "the size of the writer that commits")?;
    succeeds("WRITE-5", case.commit(writer).await, "commit of a resumed session")?;
    case.holds("WRITE-5", target, content).await
}

pub(crate) async fn continued_where_they_were_closed(case: &Case) -> Verdict {
    let byte_by_byte: Vec<u64> = (1..=20).collect();
    let plans: &[&[u64]] = &[
        &byte_by_byte,
        &[32, 64, 96],
        &[1, 65_536, 65_537, 131_072],
        &[(1 << 20) - 1, 1 << 20, (1 << 20) + 1],
        &[5 << 20, (5 << 20) + 1],
        &[(8 << 20) + 1, (8 << 20) + 2],
    ];
    for (number, ends) in plans.iter().enumerate() {
        let size = ends.last().copied().unwrap_or(0);
        if size <= case.budget().large_file {
            let target = path(&format!("/sessions/{number}"));
            write_across_closes(case, &target, case.content(size), ends).await?;
        }
    }
    Ok(())
}

pub(crate) async fn continued_at_random(case: &Case) -> Verdict {
    let mut random = case.random();
    for round in case.rounds(case.budget().rounds.min(20)) {
        let mut ends: Vec<_> = (0..random.usize(1..8)).map(|_| random.u64(1..400_000)).collect();
        ends.sort_unstable();
        ends.dedup();
        let content = case.content(ends.last().copied().unwrap_or(0));
        write_across_closes(case, &path(&format!("/random/{round}")), content, &ends).await?;
    }
    Ok(())
}

#[derive(Debug, Clone, Copy)]
enum End {
    Close,
    Commit,
    Cancel,
}

pub(crate) async fn truncating_discards_the_earlier(case: &Case) -> Verdict {
    let target = path("/a/truncated");
    for (end, written) in [(End::Close, 10), (End::Close, 0), (End::Commit, 10), (End::Commit, 0), (End::Cancel, 10)] {
        case.keep(&target, WriteOptions::append(), case.content(150_000).bytes()).await?;
        let content = case.content(written);
        let mut writer =
            succeeds("WRITE-6", case.writer(&target, WriteOptions::default()).await, "a truncating writer")?;
        same("WRITE-6", writer.size(), 0, "the size of a truncating writer")?;
        writer.write(case.context(), content.bytes()).await?;
        match end {
            End::Close => writer.close(case.context()).await.map(drop)?,
            End::Commit => case.commit(writer).await.map(drop)?,
            End::Cancel => writer.cancel(case.context()).await?,
        }
        let kept: Vec<_> = case.unfinished(&StoragePath::root()).await?.iter().map(|session| session.size).collect();
        let expected = if matches!(end, End::Close) { vec![written] } else { Vec::new() };
        same("WRITE-6", kept, expected, format_args!("the sizes kept after {end:?} of a truncating writer"))?;
        if matches!(end, End::Close) {
            let writer = case.writer(&target, WriteOptions::append()).await?;
            same("WRITE-6", writer.size(), written, "the size of the session that replaced another")?;
            case.commit(writer).await?;
            case.holds("WRITE-6", &target, content).await?;
        }
        if case.stat(&target).await.is_ok() {
            case.delete(&target).await?;
        }
    }
    Ok(())
}

pub(crate) async fn appending_where_nothing_is_kept(case: &Case) -> Verdict {
    let (missing, empty, full) = (path("/missing"), path("/empty"), path("/full"));
    case.put_new(&empty, 0).await?;
    let standing = case.put_new(&full, 10).await?;
    for target in [&missing, &empty] {
        let content = case.content(100);
        let opened = case.writer(target, WriteOptions::append()).await;
        let mut writer = succeeds("WRITE-7", opened, format_args!("append at {target}"))?;
        same("WRITE-7", writer.size(), 0, "the size of a writer where nothing is kept")?;
        write_in_chunks(case, &mut writer, content, &[30]).await?;
        case.commit(writer).await?;
        case.holds("WRITE-7", target, content).await?;
    }
    let refused = case.writer(&full, WriteOptions::append()).await;
    fails("WRITE-7", refused, ErrorKind::Conflict, "append to a file that is not empty")?;
    case.holds("WRITE-7", &full, standing).await?;
    let left = case.unfinished(&StoragePath::root()).await?;
    same("WRITE-7", left.len(), 0, "the number of sessions after a refusal")
}

pub(crate) async fn asking_has_no_side_effect(case: &Case) -> Verdict {
    let begun = std::time::SystemTime::now();
    let sessions = [("/u/a", 10), ("/u/a-b", 70_000), ("/u/deep/c", 3), ("/u2", 4), ("/v", 0)];
    for (name, size) in sessions {
        case.keep(&path(name), WriteOptions::default(), payload_range(size, 0..size)).await?;
    }
    for _ in 0..3 {
        for (prefix, expected) in [
            ("/", &sessions[..]),
            ("/u", &sessions[..3]),
            ("/u/a", &sessions[..1]),
            ("/u/deep", &sessions[2..3]),
            ("/u/a-", &[]),
            ("/nowhere", &[]),
        ] {
            let answer =
                succeeds("WRITE-12", case.unfinished(&path(prefix)).await, format_args!("unfinished of {prefix}"))?;
            let found: Vec<_> = answer.iter().map(|session| (session.path.as_str(), session.size)).collect();
            let mut expected = expected.to_vec();
            expected.sort_unstable();
            same("WRITE-12", found, expected, format_args!("the sessions at and below {prefix}"))?;
            for session in &answer {
                let skew = std::time::Duration::from_secs(if case.instance().prefix().is_root() { 2 } else { 900 });
                let holds = session.modified >= begun - skew && session.modified <= std::time::SystemTime::now() + skew;
                ensure(holds, "WRITE-12", "the time at which the session was kept", format!("{:?}", session.modified))?;
            }
        }
        for (name, size) in sessions {
            let writer =
                succeeds("WRITE-12", case.writer(&path(name), WriteOptions::append()).await, "asking by a writer")?;
            same("WRITE-12", writer.size(), size, format_args!("the size kept at {name}"))?;
            succeeds("WRITE-12", writer.close(case.context()).await, "close without a write")?;
        }
    }
    for (name, size) in sessions {
        let writer = case.writer(&path(name), WriteOptions::append()).await?;
        case.commit(writer).await?;
        case.holds("WRITE-12", &path(name), Content { write: size, size }).await?;
    }
    Ok(())
}

pub(crate) async fn a_resumed_session_has_one_owner(case: &Case) -> Verdict {
    one_owner(case, "WRITE-13", &case.storage().clone()).await
}

pub(crate) async fn one_owner_among_all_handles(case: &Case) -> Verdict {
    one_owner(case, "WRITE-23", &case.reopen().await?).await
}

/// A session resumed through the case's handle is refused to `other` until its owner is gone, whichever way it goes.
async fn one_owner(case: &Case, clause: &'static str, other: &Storage) -> Verdict {
    let (context, target) = (case.context(), path("/a/owned"));
    for end in ["close", "drop", "cancel", "commit"] {
        let content = case.content(100_000);
        case.keep(&target, WriteOptions::default(), content.bytes()).await?;
        let owner = case.writer(&target, WriteOptions::append()).await?;
        let refused = other.writer(context, &target, WriteOptions::append()).await;
        fails(clause, refused, ErrorKind::Conflict, "a second resume")?;
        same(clause, owner.size(), content.size, "the owner's size after another was refused")?;
        match end {
            "close" => owner.close(context).await.map(drop)?,
            "drop" => drop(owner),
            "cancel" => owner.cancel(context).await?,
            _ => case.commit(owner).await.map(drop)?,
        }
        let left = if end == "close" || end == "drop" { content.size } else { 0 };
        if end == "commit" {
            case.holds(clause, &target, content).await?;
            case.delete(&target).await?;
        }
        let opened = other.writer(context, &target, WriteOptions::append()).await;
        let next = succeeds(clause, opened, format_args!("a resume after the owner's {end}"))?;
        same(clause, next.size(), left, format_args!("the size after the owner's {end}"))?;
        next.cancel(context).await?;
    }
    Ok(())
}

/// A drop discards what was not kept, and leaves what was.
pub(crate) async fn a_dropped_owner_leaves_what_was_kept(case: &Case) -> Verdict {
    let target = path("/dropped");
    for (kept, more) in [(10, 10), (70_000, 200_000), (0, 100)] {
        let content = case.content(kept + more);
        case.keep(&target, WriteOptions::default(), payload_range(content.write, 0..kept)).await?;
        let mut owner = case.writer(&target, WriteOptions::append()).await?;
        owner.write(case.context(), payload_range(content.write, kept..kept + more)).await?;
        drop(owner);
        let sizes: Vec<_> = case.unfinished(&target).await?.iter().map(|session| session.size).collect();
        same("WRITE-4", sizes, vec![kept], "what is kept after the owner was dropped")?;
        let writer = succeeds("WRITE-4", case.writer(&target, WriteOptions::append()).await, "resuming after a drop")?;
        same("WRITE-4", writer.size(), kept, "the size after the owner was dropped")?;
        case.commit(writer).await?;
        case.holds("WRITE-4", &target, Content { size: kept, ..content }).await?;
        case.delete(&target).await?;
    }
    Ok(())
}

pub(crate) async fn continued_through_another_handle(case: &Case) -> Verdict {
    let other = case.reopen().await?;
    let (context, target) = (case.context(), path("/a/continued"));
    for piece in [1, 1000, 70_000] {
        let content = case.content(3 * piece);
        case.keep(&target, WriteOptions::append(), payload_range(content.write, 0..piece)).await?;
        let seen: Vec<_> = unfinished(&other, &target).await?.iter().map(|session| session.size).collect();
        same("WRITE-16", seen, vec![piece], "the sizes kept, as another handle sees them")?;
        let opened = other.writer(context, &target, expecting(piece)).await;
        let mut writer = succeeds("WRITE-16", opened, "resuming through another handle")?;
        writer.write(context, payload_range(content.write, piece..2 * piece)).await?;
        writer.close(context).await?;
        let mut writer = succeeds("WRITE-16", case.writer(&target, expecting(2 * piece)).await, "resuming again")?;
        writer.write(context, payload_range(content.write, 2 * piece..3 * piece)).await?;
        case.commit(writer).await?;
        let (_, found) = other.get(context, &target, Default::default()).await?;
        same_bytes("WRITE-16", &found, content, "a file written through two handles in turn")?;
        case.delete(&target).await?;
    }
    case.keep(&target, WriteOptions::append(), payload_range(1, 0..10)).await?;
    succeeds("WRITE-16", other.abandon(context, &target).await, "abandoning through another handle")?;
    same("WRITE-16", case.unfinished(&target).await?.len(), 0, "the number of sessions that are left")
}

pub(crate) async fn abandoned(case: &Case) -> Verdict {
    let (context, target, beside) = (case.context(), path("/a/session"), path("/a/session-2"));
    let file = case.put_new(&target, 50).await?;
    let kept = case.content(70_000);
    case.keep(&target, WriteOptions::default(), kept.bytes()).await?;
    case.keep(&beside, WriteOptions::default(), kept.bytes()).await?;
    for missing in ["/a", "/a/sess", "/nowhere", "/a/session/below"] {
        let answer = case.storage().abandon(context, &path(missing)).await;
        fails("WRITE-21", answer, ErrorKind::NotFound, format_args!("abandon of {missing}"))?;
    }
    let owner = case.writer(&target, WriteOptions::append()).await?;
    let refused = case.storage().abandon(context, &target).await;
    fails("WRITE-21", refused, ErrorKind::Conflict, "abandon of a session that has an owner")?;
    owner.close(context).await?;
    succeeds("WRITE-21", case.storage().abandon(context, &target).await, "abandon of a kept session")?;
    let again = case.storage().abandon(context, &target).await;
    fails("WRITE-21", again, ErrorKind::NotFound, "abandon of what was abandoned")?;
    let left: Vec<_> = case.unfinished(&path("/a")).await?.iter().map(|session| session.path.clone()).collect();
    same("WRITE-21", left, vec![beside], "the sessions that are left")?;
    case.holds("WRITE-21", &target, file).await
}

pub(crate) async fn expected_sizes(case: &Case) -> Verdict {
    let target = path("/a/expected");
    let refused = case.writer(&target, expecting(5)).await;
    fails("WRITE-22", refused, ErrorKind::Conflict, "expecting 5 bytes where nothing is kept")?;
    let writer =
        succeeds("WRITE-22", case.writer(&target, expecting(0)).await, "expecting nothing where nothing is kept")?;
    writer.cancel(case.context()).await?;
    let content = case.content(70_000);
    case.keep(&target, WriteOptions::default(), content.bytes()).await?;
    for wrong in [0, 1, content.size - 1, content.size + 1, u64::MAX] {
        let refused = case.writer(&target, expecting(wrong)).await;
        fails("WRITE-22", refused, ErrorKind::Conflict, format_args!("expecting {wrong} bytes where 70000 are kept"))?;
    }
    let writer = succeeds("WRITE-22", case.writer(&target, expecting(content.size)).await, "expecting what is kept")?;
    same("WRITE-22", writer.size(), content.size, "the size after refusals")?;
    case.commit(writer).await?;
    case.holds("WRITE-22", &target, content).await
}

/// What is done to files while sessions are kept at their paths.
pub(crate) async fn files_and_sessions_are_apart(case: &Case) -> Verdict {
    let (target, aside) = (path("/a/both"), path("/a/aside"));
    for change in ["put", "delete", "move away", "move here", "commit"] {
        let kept = case.content(80_000);
        case.put_new(&target, 10).await?;
        case.keep(&target, WriteOptions::default(), kept.bytes()).await?;
        match change {
            "put" => case.put_new(&target, 20).await.map(drop)?,
            "delete" => case.delete(&target).await?,
            "move away" => case.move_to(&target, &aside).await?,
            "move here" => {
                case.put_new(&aside, 20).await?;
                case.move_to(&aside, &target).await?;
            }
            _ => {
                let mut elsewhere = case.writer(&aside, WriteOptions::default()).await?;
                elsewhere.write(case.context(), case.content(20).bytes()).await?;
                case.commit(elsewhere).await?;
            }
        }
        let sessions = case.unfinished(&path("/a")).await?;
        if let [session] = &sessions[..] {
            same(
                "WRITE-24",
                (&session.path, session.size),
                (&target, kept.size),
                format_args!("what is kept after {change}"),
            )?;
            let writer = succeeds("WRITE-24", case.writer(&target, WriteOptions::append()).await, "resuming")?;
            case.commit(writer).await?;
            case.holds("WRITE-24", &target, kept).await?;
        } else {
            same(
                "WRITE-24",
                sessions.len(),
                0,
                format_args!("the number of sessions after {change}, where none stayed,"),
            )?;
        }
        case.delete_tree(&path("/a")).await?;
    }
    Ok(())
}

/// Kept sessions stay while other things happen in the store.
pub(crate) async fn kept_until_somebody_ends_them(case: &Case) -> Verdict {
    let (target, mut random) = (path("/long/kept"), case.random());
    let content = case.content(100_000);
    case.keep(&target, WriteOptions::default(), content.bytes()).await?;
    for number in 0..30 {
        let other = path(&format!("/long/other-{}", random.u32(..5)));
        case.put_new(&other, random.u64(..1000)).await?;
        case.keep(&path(&format!("/long/kept-{number}")), WriteOptions::default(), content.bytes()).await?;
        case.storage().abandon(case.context(), &path(&format!("/long/kept-{number}"))).await?;
        case.delete(&other).await?;
    }
    let writer =
        succeeds("LIMIT-4", case.writer(&target, expecting(content.size)).await, "resuming a session kept long ago")?;
    case.commit(writer).await?;
    case.holds("LIMIT-4", &target, content).await
}
