//! What is still there when the store is opened again. The kill of a process and the loss of power are drills.

use driver_api::{CommitOptions, DeleteOptions, GetOptions, ListOptions, StoragePath, WriteOptions};

use crate::case::{Case, path, unfinished};
use crate::check::Verdict;
use crate::expect::{same, same_bytes, succeeds};

pub(crate) async fn opened_again(case: &Case) -> Verdict {
    let context = case.context();
    let (put, committed, moved, deleted) = (path("/p/put"), path("/c/committed"), path("/m/moved"), path("/d/deleted"));
    let mut contents = vec![(put.clone(), case.put_new(&put, 1000).await?)];

    let content = case.content(200_000);
    let mut writer = case.writer(&committed, WriteOptions::default()).await?;
    writer.write(context, content.bytes()).await?;
    case.commit(writer).await?;
    contents.push((committed, content));

    let from = path("/m/from");
    contents.push((moved.clone(), case.put_new(&from, 3000).await?));
    case.move_to(&from, &moved).await?;
    case.put_new(&deleted, 10).await?;
    case.delete(&deleted).await?;
    case.put_all(["/t/1", "/t/2/3"].map(path)).await?;
    case.storage().delete(context, &path("/t"), DeleteOptions::tree()).await?;

    let other = case.reopen().await?;
    for (file, content) in &contents {
        let (_, found) =
            succeeds("DUR-1", other.get(context, file, GetOptions::default()).await, format_args!("get of {file}"))?;
        same_bytes("DUR-1", &found, *content, format_args!("the file at {file}, in a store opened again"))?;
    }
    let listed = other.list(context, &StoragePath::root(), ListOptions::recursive()).await?.collect().await?;
    let keys: Vec<_> = listed.iter().map(|entry| entry.key().to_string()).collect();
    let mut expected: Vec<_> = contents.iter().map(|(file, _)| file.to_string()).collect();
    expected.sort_unstable();
    same("DUR-1", keys, expected, "all files of a store opened again")
}

pub(crate) async fn kept_sessions_are_there_again(case: &Case) -> Verdict {
    let (context, target) = (case.context(), path("/a/session"));
    let content = case.content(150_000);
    case.keep(&target, WriteOptions::default(), content.bytes()).await?;
    let other = case.reopen().await?;
    let kept: Vec<_> =
        unfinished(&other, &StoragePath::root()).await?.into_iter().map(|session| session.size).collect();
    same("DUR-1", kept, vec![content.size], "the sessions of a store opened again")?;
    let writer = succeeds("DUR-1", other.writer(context, &target, WriteOptions::append()).await, "resuming there")?;
    writer.commit(context, CommitOptions::default()).await?;
    case.holds("DUR-1", &target, content).await
}
