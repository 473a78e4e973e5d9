//! What stands at a path.

use std::time::{Duration, SystemTime};

use driver_api::{Entry, ErrorKind, ListOptions, StoragePath, WriteOptions};

use crate::case::{Case, path};
use crate::check::Verdict;
use crate::expect::{ensure, fails, file, same, succeeds};

/// How far the clock of a backend on this machine, or elsewhere, may be from ours.
pub(super) fn clock_skew(case: &Case) -> Duration {
    Duration::from_secs(if case.instance().prefix().is_root() { 2 } else { 900 })
}

pub(crate) async fn files(case: &Case) -> Verdict {
    let target = path("/a/file");
    for (size, by_session) in [(0, false), (10, false), (70_000, true), (5, true)] {
        let begun = SystemTime::now();
        if by_session {
            let mut writer = case.writer(&target, WriteOptions::default()).await?;
            writer.write(case.context(), case.content(size).bytes()).await?;
            case.commit(writer).await?;
        } else {
            case.put_new(&target, size).await?;
        }
        let entry = succeeds("STAT-1", case.stat(&target).await, "stat of a file")?;
        let info = file("STAT-1", entry)?;
        same("STAT-1", (&info.path, info.size), (&target, size), "path and size")?;
        let skew = clock_skew(case);
        let due = begun - skew..SystemTime::now() + skew;
        ensure(due.contains(&info.modified), "STAT-1", format!("a time in {due:?}"), format!("{:?}", info.modified))?;
        let listed = case.list(&path("/a"), ListOptions::default()).await?;
        let listed: Vec<_> = listed.iter().filter_map(Entry::as_file).map(|info| (info.size, info.modified)).collect();
        same("LIST-1", listed, vec![(info.size, info.modified)], "size and time in the listing, by what stat tells,")?;
    }
    Ok(())
}

pub(crate) async fn directories(case: &Case) -> Verdict {
    for name in ["/ab/c/d", "/ab/c-2", "/ab/c/d-2"] {
        case.put_new(&path(name), 10).await?;
    }
    for directory in ["/ab", "/ab/c"] {
        let entry = succeeds("STAT-2", case.stat(&path(directory)).await, format_args!("stat of {directory}"))?;
        same("STAT-2", entry, Entry::Directory(path(directory)), format_args!("what stat of {directory} tells"))?;
    }
    for prefix in ["/a", "/ab/c-", "/ab/c/d-"] {
        let answer = case.stat(&path(prefix)).await;
        fails("STAT-2", answer, ErrorKind::NotFound, format_args!("stat of {prefix}, where nothing is,"))?;
    }
    Ok(())
}

pub(crate) async fn missing(case: &Case) -> Verdict {
    case.put_new(&path("/a/file"), 10).await?;
    for missing in ["/missing", "/a/missing", "/a/file/below", "/a/file/below/deeper", "/A", "/a/fil"] {
        let missing = path(missing);
        let error = fails("STAT-3", case.stat(&missing).await, ErrorKind::NotFound, format_args!("stat of {missing}"))?;
        same("STAT-3", error.path(), Some(&missing), "the path that the error names")?;
    }
    Ok(())
}

pub(crate) async fn the_root(case: &Case) -> Verdict {
    let root = StoragePath::root();
    for _ in 0..2 {
        let entry = succeeds("STAT-4", case.stat(&root).await, "stat of `/`")?;
        same("STAT-4", entry, Entry::Directory(root.clone()), "what stat of `/` tells")?;
        case.put_new(&path("/file"), 10).await?;
    }
    case.delete(&path("/file")).await?;
    let entry = succeeds("STAT-4", case.stat(&root).await, "stat of `/` of a store that is empty again")?;
    same("STAT-4", entry, Entry::Directory(root), "what stat of `/` tells")
}
