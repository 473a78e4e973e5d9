//! Deletes: what is meant goes, all of it, and nothing else.

use driver_api::{DeleteOptions, Error, ErrorKind, ListOptions, StoragePath, WriteOptions};
use futures_util::future::{join, join_all};

use crate::case::{Case, path};
use crate::check::Verdict;
use crate::expect::{ensure, fails, same, succeeds};

pub(crate) async fn files_and_trees(case: &Case) -> Verdict {
    let names = ["/t/a", "/t/b/c", "/t/b/d/e", "/t/f"].map(path);
    case.put_all(names.clone()).await?;
    succeeds("DEL-1", case.delete(&names[0]).await, "delete of a file")?;
    case.misses("DEL-1", &names[0]).await?;
    let directory = case.delete(&path("/t/b")).await;
    fails("DEL-1", directory, ErrorKind::NotFound, "delete of a directory as a file")?;
    let keys = case.keys(&path("/t"), ListOptions::recursive()).await?;
    same("DEL-1", keys, vec!["/t/b/c".to_owned(), "/t/b/d/e".to_owned(), "/t/f".to_owned()], "what is left")?;
    succeeds("DEL-1", case.delete_tree(&path("/t/b")).await, "delete of a tree")?;
    same("DEL-1", case.keys(&path("/t"), ListOptions::recursive()).await?, vec!["/t/f".to_owned()], "what is left")?;
    succeeds("DEL-1", case.delete_tree(&path("/t/f")).await, "delete of a file as a tree")?;
    let keys = case.keys(&StoragePath::root(), ListOptions::recursive()).await?;
    same("DEL-1", keys.len(), 0, "the number of files that are left")
}

pub(crate) async fn missing(case: &Case) -> Verdict {
    case.put_new(&path("/a/file"), 10).await?;
    case.put_new(&path("/ab-c"), 10).await?;
    for missing in ["/missing", "/a/missing", "/a/fil", "/a/file/below", "/ab", "/A", "/x/y/z"].map(path) {
        let error =
            fails("DEL-2", case.delete(&missing).await, ErrorKind::NotFound, format_args!("delete of {missing}"))?;
        same("DEL-2", error.path(), Some(&missing), "the path that the error names")?;
        let tree = case.delete_tree(&missing).await;
        fails("DEL-2", tree, ErrorKind::NotFound, format_args!("delete of the tree {missing}"))?;
    }
    same("DEL-2", case.keys(&StoragePath::root(), ListOptions::recursive()).await?.len(), 2, "the number of files left")
}

pub(crate) async fn racing(case: &Case) -> Verdict {
    let target = path("/raced/file");
    for _ in case.rounds(case.budget().rounds) {
        case.put_new(&target, 10).await?;
        let answers = join_all((0..4).map(|_| case.delete(&target))).await;
        let mut deleted = 0;
        for answer in answers {
            match answer {
                Ok(()) => deleted += 1,
                refused => drop(fails("DEL-2", refused, ErrorKind::NotFound, "a delete that came too late")?),
            }
        }
        ensure(deleted > 0, "DEL-2", "one of four racing deletes to succeed", "none")?;
        case.misses("DEL-2", &target).await?;
    }
    Ok(())
}

pub(crate) async fn siblings_stay(case: &Case) -> Verdict {
    let kept =
        ["/d/fsuffix", "/d/f-2", "/d/f.d/x", "/d2/x", "/d-/x", "/d.x", "/d/dsuffix/f", "/d/d-1/f", "/D/x"].map(path);
    case.put_all(kept.clone()).await?;
    case.put_all(["/d/f", "/d/d/f", "/d/d/d"].map(path)).await?;
    case.delete(&path("/d/f")).await?;
    case.delete_tree(&path("/d/d")).await?;
    for name in &kept {
        succeeds("DEL-3", case.get(name).await, format_args!("get of {name}, the sibling of what was deleted,"))?;
    }
    case.delete_tree(&path("/d")).await?;
    let mut left: Vec<_> = kept.iter().filter(|name| !name.is_below(&path("/d"))).map(ToString::to_string).collect();
    left.sort_unstable();
    same("DEL-3", case.keys(&StoragePath::root(), ListOptions::recursive()).await?, left, "what is left beside /d")
}

pub(crate) async fn many(case: &Case) -> Verdict {
    let entries = case.budget().entries;
    case.put_all((0..entries).map(|number| path(&format!("/many/{}/{number:05}", number % 7)))).await?;
    case.put_new(&path("/many-2"), 10).await?;
    succeeds("DEL-4", case.delete_tree(&path("/many")).await, format_args!("delete of a tree of {entries} files"))?;
    let left = case.keys(&StoragePath::root(), ListOptions::recursive()).await?;
    same("DEL-4", left, vec!["/many-2".to_owned()], "what is left")
}

pub(crate) async fn the_root_is_refused(case: &Case) -> Verdict {
    let (root, target) = (StoragePath::root(), path("/file"));
    let content = case.put_new(&target, 10).await?;
    fails("DEL-5", case.delete(&root).await, ErrorKind::InvalidPath, "delete of `/`")?;
    fails("DEL-5", case.delete_tree(&root).await, ErrorKind::InvalidPath, "delete of the tree `/`")?;
    let several = case.storage().delete_files(case.context(), [root.clone(), target.clone()]).await;
    fails("DEL-5", several, ErrorKind::InvalidPath, "delete_files of `/`")?;
    case.holds("DEL-5", &target, content).await
}

pub(crate) async fn sessions_go_with_their_tree(case: &Case) -> Verdict {
    let sessions = ["/s/a", "/s/b/c", "/s", "/s-2/x"].map(path);
    for with_file in [true, false] {
        for session in &sessions {
            case.keep(session, WriteOptions::default(), case.content(70_000).bytes()).await?;
        }
        if with_file {
            case.put_new(&path("/s/file"), 10).await?;
        }
        match case.delete_tree(&path("/s")).await {
            Err(error) if error.is_not_found() && !with_file => {}
            answer => succeeds("DEL-6", answer, "delete of a tree with sessions")?,
        }
        let left: Vec<_> =
            case.unfinished(&StoragePath::root()).await?.into_iter().map(|session| session.path).collect();
        same("DEL-6", left, vec![path("/s-2/x")], "the sessions that are left")?;
        let writer = case.writer(&path("/s/a"), WriteOptions::append()).await?;
        same("DEL-6", writer.size(), 0, "the size of a session at a path in the deleted tree")?;
        writer.cancel(case.context()).await?;
    }
    Ok(())
}

/// The removal of the last file of a directory must not take the directory from under a put.
pub(crate) async fn puts_beside_the_last_delete(case: &Case) -> Verdict {
    for round in case.rounds(case.budget().rounds * 4) {
        let (last, new) = (path("/edge/deep/last"), path(&format!("/edge/deep/new-{round}")));
        case.put_new(&last, 10).await?;
        let content = case.content(10);
        let (deleted, put) = join(case.delete(&last), case.put(&new, content)).await;
        succeeds("DEL-7", deleted, "delete of the last file beside a put")?;
        succeeds("DEL-7", put, "put beside the delete of the last file")?;
        case.holds("DEL-7", &new, content).await?;
        case.delete(&new).await?;
    }
    Ok(())
}

pub(crate) async fn several_files(case: &Case) -> Verdict {
    let names: Vec<_> = (0..30).map(|number| path(&format!("/batch/{number}"))).collect();
    case.put_all(names.iter().cloned()).await?;
    case.put_all(["/batch/dir/file", "/batch-2"].map(path)).await?;
    let mut asked: Vec<_> = names[..20].to_vec();
    asked.extend(["/missing", "/batch/dir", "/batch/2/below", "/batch/1"].map(path));
    let failures = case.storage().delete_files(case.context(), asked).await;
    let failures: Vec<Error> = succeeds("DEL-8", failures, "delete_files")?;
    for failure in &failures {
        ensure(failure.path().is_some(), "DEL-8", "a failure that names its path", failure)?;
        ensure(failure.path() == Some(&path("/batch/dir")), "DEL-8", "no failure for a path with no file", failure)?;
    }
    let mut left: Vec<_> = names[20..].iter().map(ToString::to_string).collect();
    left.extend(["/batch/dir/file", "/batch-2"].map(str::to_owned));
    left.sort_unstable();
    same("DEL-8", case.keys(&StoragePath::root(), ListOptions::recursive()).await?, left, "what is left")?;
    let none = case.storage().delete_files(case.context(), []).await;
    same("DEL-8", succeeds("DEL-8", none, "delete_files of nothing")?.len(), 0, "the number of failures")
}

/// As many paths as a batch takes, and one more. Few of them have files, for a path without one is no failure.
pub(crate) async fn as_many_as_declared(case: &Case) -> Verdict {
    let batch = case.capabilities().limits.delete_batch.min(10_000);
    let names: Vec<_> = (0..=batch).map(|number| path(&format!("/limit/{number:05}"))).collect();
    let mut files: Vec<_> = names[..batch].iter().step_by(batch.div_ceil(20)).cloned().collect();
    files.push(names[batch - 1].clone());
    case.put_all(files.clone()).await?;
    let direct = case.driver().delete_files(case.context(), &names[..batch]).await;
    let failures = succeeds("LIMIT-3", direct, format_args!("the driver's own delete_files of {batch} paths"))?;
    same("LIMIT-3", failures.len(), 0, "the number of failures")?;
    nothing_is_left(case).await?;
    files.push(names[batch].clone());
    case.put_all(files).await?;
    let failures = case.storage().delete_files(case.context(), names).await;
    let failures = succeeds("LIMIT-3", failures, format_args!("delete_files of {} paths", batch + 1))?;
    same("LIMIT-3", failures.len(), 0, "the number of failures")?;
    nothing_is_left(case).await
}

async fn nothing_is_left(case: &Case) -> Verdict {
    let left = case.keys(&StoragePath::root(), ListOptions::recursive()).await?;
    same("LIMIT-3", left, Vec::new(), "the files that are left")
}

pub(crate) async fn a_version_with_a_tree(case: &Case) -> Verdict {
    let target = path("/a/file");
    let content = case.put_new(&target, 10).await?;
    let options = DeleteOptions::tree().with_if_match(driver_api::Version::new("any"));
    let answer = case.storage().delete(case.context(), &path("/a"), options).await;
    fails("ERR-9", answer, ErrorKind::InvalidArgument, "delete of a tree if-match")?;
    case.holds("ERR-9", &target, content).await
}
