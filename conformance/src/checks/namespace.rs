//! Whether a path can be a file and a directory at once: refused without harm, or kept apart.

use driver_api::{CommitOptions, Entry, Error, ErrorKind, ListOptions, StoragePath, WriteOptions};

use crate::case::{Case, path};
use crate::check::Verdict;
use crate::expect::{fails, same, succeeds};
use crate::payload::Content;

/// A place where a file cannot be in a tree, with what stands in its way.
const REFUSED: &[&str] = &["/d", "/d/e", "/file/below", "/file/below/deeper"];

struct Standing {
    file: (StoragePath, Content),
    deep: (StoragePath, Content),
}

impl Standing {
    async fn new(case: &Case) -> Result<Self, Error> {
        let (file, deep) = (path("/file"), path("/d/e/f"));
        let contents = (case.put_new(&file, 100).await?, case.put_new(&deep, 200).await?);
        Ok(Self { file: (file, contents.0), deep: (deep, contents.1) })
    }

    async fn unharmed(&self, case: &Case) -> Verdict {
        case.holds("PUT-5", &self.file.0, self.file.1).await?;
        case.holds("PUT-5", &self.deep.0, self.deep.1).await?;
        let keys = case.keys(&StoragePath::root(), ListOptions::recursive()).await?;
        let expected: Vec<_> = keys.iter().filter(|key| !key.starts_with("/aside")).cloned().collect();
        same("PUT-5", expected, vec!["/d/e/f".to_owned(), "/file".to_owned()], "the files after a refusal")
    }
}

pub(crate) async fn a_tree_refuses(case: &Case) -> Verdict {
    let standing = Standing::new(case).await?;
    let aside = path("/aside");
    for name in REFUSED {
        let target = path(name);
        let put = case.put_new(&target, 10).await;
        fails("PUT-5", put, ErrorKind::Conflict, format_args!("put of {target}"))?;
        standing.unharmed(case).await?;

        let content = case.put_new(&aside, 10).await?;
        fails("PUT-5", case.move_to(&aside, &target).await, ErrorKind::Conflict, format_args!("move to {target}"))?;
        case.holds("PUT-5", &aside, content).await?;
        standing.unharmed(case).await?;
        commit_is_refused(case, &target).await?;
        standing.unharmed(case).await?;
    }
    Ok(())
}

/// A writer may be refused when it is opened, when it is written to, or when it commits.
async fn commit_is_refused(case: &Case, target: &StoragePath) -> Verdict {
    let mut writer = match case.writer(target, WriteOptions::default()).await {
        Ok(writer) => writer,
        refused => return fails("PUT-5", refused, ErrorKind::Conflict, format_args!("writer of {target}")).map(drop),
    };
    if let Err(refused) = writer.write(case.context(), case.content(70_000).bytes()).await {
        fails::<()>("PUT-5", Err(refused), ErrorKind::Conflict, format_args!("write at {target}"))?;
        return succeeds("WRITE-4", writer.cancel(case.context()).await, "cancel after a refused write");
    }
    let failure = match writer.commit(case.context(), CommitOptions::default()).await {
        Err(failure) => failure,
        Ok(info) => return fails("PUT-5", Ok::<_, Error>(info), ErrorKind::Conflict, "a commit").map(drop),
    };
    fails::<()>("PUT-5", Err(failure.error), ErrorKind::Conflict, format_args!("commit at {target}"))?;
    match failure.writer {
        Some(writer) => succeeds("WRITE-4", writer.cancel(case.context()).await, "cancel after a refused commit"),
        None => Ok(()),
    }
}

/// A tree that changes shape: what was a directory can be a file, once nothing is below it, and the other way.
pub(crate) async fn a_tree_changes_shape(case: &Case) -> Verdict {
    let (outer, inner) = (path("/shape"), path("/shape/inner/file"));
    for _ in 0..2 {
        let content = case.put_new(&inner, 10).await?;
        case.holds("PUT-5", &inner, content).await?;
        case.delete_tree(&outer).await?;
        let content = succeeds("PUT-5", case.put_new(&outer, 10).await, "put where a directory was")?;
        case.holds("PUT-5", &outer, content).await?;
        case.delete(&outer).await?;
    }
    Ok(())
}

pub(crate) async fn flat_keeps_both(case: &Case) -> Verdict {
    let (outer, inner, beside) = (path("/both"), path("/both/inner"), path("/both-2"));
    let file = case.put_new(&outer, 100).await?;
    let below = succeeds("PUT-7", case.put_new(&inner, 200).await, "put below a file")?;
    case.put_new(&beside, 10).await?;
    case.holds("PUT-7", &outer, file).await?;
    case.holds("PUT-7", &inner, below).await?;
    let is_file = matches!(case.stat(&outer).await?, Entry::File(info) if info.size == 100);
    same("PUT-7", is_file, true, "stat of what is both, a file of 100 bytes,")?;
    same("PUT-7", case.keys(&outer, ListOptions::default()).await?, vec!["/both/inner".to_owned()], "its children")?;
    let root = StoragePath::root();
    let keys = case.keys(&root, ListOptions::default()).await?;
    let expected = vec!["/both".to_owned(), "/both-2".to_owned(), "/both/".to_owned()];
    same("PUT-7", keys, expected, "the listing of what is both")?;
    let keys = case.keys(&root, ListOptions::recursive()).await?;
    let expected = vec!["/both".to_owned(), "/both-2".to_owned(), "/both/inner".to_owned()];
    same("PUT-7", keys, expected, "all files")?;
    case.delete(&outer).await?;
    case.holds("PUT-7", &inner, below).await?;
    case.put_new(&outer, 10).await?;
    succeeds("PUT-7", case.delete_tree(&outer).await, "delete of both")?;
    same("PUT-7", case.keys(&root, ListOptions::recursive()).await?, vec!["/both-2".to_owned()], "what is left")
}
