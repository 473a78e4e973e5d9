//! Moves: the bytes arrive, or stay, and are never gone.

use driver_api::{ErrorKind, ListOptions, StoragePath, WriteOptions};
use futures_util::future::try_join;

use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::expect::{ensure, fails, file, same, succeeds};
use crate::payload::{Content, explain};

pub(crate) async fn arrive(case: &Case) -> Verdict {
    for (from, to) in
        [("/a", "/b"), ("/x/a", "/x/b"), ("/x/b2", "/y/new/deep/b"), ("/y/d/e/f", "/g"), ("/h/i", "/h/i-2/j")]
    {
        let (from, to) = (path(from), path(to));
        let content = case.put_new(&from, 70_000).await?;
        let before = file("STAT-1", case.stat(&from).await?)?;
        succeeds("MOVE-1", case.move_to(&from, &to).await, format_args!("move of {from} to {to}"))?;
        case.holds("MOVE-1", &to, content).await?;
        case.misses("MOVE-1", &from).await?;
        let after = file("MOVE-9", case.stat(&to).await?)?;
        same("MOVE-1", after.size, content.size, "the size of the moved file")?;
        ensure(
            after.modified >= before.modified,
            "MOVE-9",
            format_args!("a time not before {:?}", before.modified),
            format_args!("{:?}", after.modified),
        )?;
    }
    Ok(())
}

pub(crate) async fn of_every_size(case: &Case) -> Verdict {
    let (from, to) = (path("/from/file"), path("/to/file"));
    for size in super::files::sizes(case) {
        let content = case.put_new(&from, size).await?;
        succeeds("MOVE-7", case.move_to(&from, &to).await, format_args!("move of {size} bytes"))?;
        case.holds("MOVE-7", &to, content).await?;
        case.misses("MOVE-1", &from).await?;
    }
    Ok(())
}

pub(crate) async fn replace_the_target(case: &Case) -> Verdict {
    let (from, to) = (path("/a/from"), path("/b/to"));
    for (source, target) in [(10, 1 << 20), (1 << 20, 10), (0, 10), (10, 0), (500, 500)] {
        case.put_new(&to, target).await?;
        let content = case.put_new(&from, source).await?;
        succeeds("MOVE-2", case.move_to(&from, &to).await, "move over a file")?;
        case.holds("MOVE-2", &to, content).await?;
        case.misses("MOVE-1", &from).await?;
    }
    Ok(())
}

pub(crate) async fn missing_sources(case: &Case) -> Verdict {
    let to = path("/target/file");
    let content = case.put_new(&to, 100).await?;
    case.put_new(&path("/directory/file"), 10).await?;
    for (clause, from) in [
        ("MOVE-3", "/missing"),
        ("MOVE-3", "/directory/missing"),
        ("MOVE-3", "/directory/fil"),
        ("MOVE-3", "/directory/file/below"),
        ("MOVE-5", "/directory"),
        ("MOVE-5", "/target"),
    ] {
        let from = path(from);
        let error = fails(clause, case.move_to(&from, &to).await, ErrorKind::NotFound, format_args!("move of {from}"))?;
        same(clause, error.path(), Some(&from), "the path that the error names")?;
        case.holds(clause, &to, content).await?;
        let nowhere = path("/made/on/the/way");
        fails(clause, case.move_to(&from, &nowhere).await, ErrorKind::NotFound, format_args!("move of {from}"))?;
        for made in ["/made/on/the/way", "/made/on", "/made"] {
            case.misses("MOVE-5", &path(made)).await?;
        }
        let itself = case.move_to(&from, &from).await;
        fails(clause, itself, ErrorKind::NotFound, format_args!("move of {from} onto itself"))?;
    }
    let keys = case.keys(&StoragePath::root(), ListOptions::default()).await?;
    same("MOVE-5", keys, vec!["/directory/".to_owned(), "/target/".to_owned()], "the listing of `/`")
}

pub(crate) async fn onto_itself(case: &Case) -> Verdict {
    let target = path("/a/same");
    for size in [0, 10, 70_000] {
        let content = case.put_new(&target, size).await?;
        let before = case.stat(&target).await?;
        succeeds("MOVE-4", case.move_to(&target, &target).await, "move of a file onto itself")?;
        case.holds("MOVE-4", &target, content).await?;
        same("MOVE-4", case.stat(&target).await?, before, "what stat tells")?;
    }
    Ok(())
}

/// While a file is moved to and fro, somebody looks for it all the time, first where it comes from.
pub(crate) async fn never_out_of_sight(case: &Case) -> Verdict {
    let (one, two) = (path("/one/file"), path("/two/file"));
    for _ in case.rounds(case.budget().rounds) {
        let content = case.put_new(&one, 100_000).await?;
        let mover = async { succeeds("MOVE-6", case.move_to(&one, &two).await, "a move").map(drop) };
        let watcher = async {
            for _ in 0..8 {
                look(case, &one, &two, content).await?;
            }
            Ok(())
        };
        try_join(mover, watcher).await?;
        case.holds("MOVE-6", &two, content).await?;
    }
    Ok(())
}

/// The move goes one way, so who looks at the source first and then at the target must find the file.
async fn look(case: &Case, from: &StoragePath, to: &StoragePath, expected: Content) -> Verdict {
    for place in [from, to] {
        match case.get(place).await {
            Ok(found) if expected.is(&found) => return Ok(()),
            // The target of an earlier round, which this move is about to replace.
            Ok(_) if place == to => {}
            Ok(found) => {
                let found = explain(&found, 0, &[expected]);
                return Err(Failure::new("MOVE-6", format!("{expected} at {place}"), found).into());
            }
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error.into()),
        }
    }
    Err(Failure::new("MOVE-6", format!("the file at {from} or at {to}"), "at neither").into())
}

pub(crate) async fn sessions_stay(case: &Case) -> Verdict {
    let (from, to) = (path("/a/from"), path("/b/to"));
    let content = case.put_new(&from, 100).await?;
    case.keep(&from, WriteOptions::default(), case.content(500).bytes()).await?;
    case.move_to(&from, &to).await?;
    case.holds("MOVE-1", &to, content).await?;
    let kept: Vec<_> = case.unfinished(&path("/b")).await?.iter().map(|session| session.path.clone()).collect();
    same("MOVE-1", kept, Vec::new(), "the sessions at the target")
}
