//! Names: which are taken, which refused, how long they may be, and that none is mistaken for another.

use driver_api::{
    CommitOptions, DeleteOptions, EntryKey, Error, ErrorKind, ListOptions, MAX_COMPONENT_BYTES, MAX_COMPONENTS,
    MAX_PATH_BYTES, ReadOptions, StoragePath, WriteOptions,
};

use crate::case::{Case, path};
use crate::check::Verdict;
use crate::expect::{fails, file, same, succeeds};

/// Names that registries have used for ten years, and such as a backend could mistake for something else.
const ACCEPTED: &[&str] = &[
    "/a",
    "/2",
    "/aa",
    "/a.a",
    "/0-9/abcdefg",
    "/abcdefg/z.75",
    "/abc/1.2.3.4.5-6_zyx/123.z/4",
    "/docker/docker-registry",
    "/123.abc",
    "/abc./abc",
    "/.abc",
    "/a--b",
    "/a-.b",
    "/_.abc",
    "/Docker/docker-registry",
    "/Abc/Cba",
    "/...",
    "/..../..a",
    "/-",
    "/-rf",
    "/_",
    "/.tmp",
    "/x.tmp",
    "/CON",
    "/nul.txt",
    "/index.html",
    "/a.lock",
    "/lost-found",
    "/0",
];

const REFUSED: &[&str] = &[
    "",
    "a",
    "abc",
    "123.abc",
    "//",
    "//bcd",
    "/a//b",
    "/abc_123/",
    "/.",
    "/..",
    "/a/.",
    "/a/..",
    "/../a",
    "/a/./b",
    "/a/../b",
    "/a b",
    "/a\0",
    "/a\\b",
    "/\u{e9}",
    "/a~",
    "/~",
    "/a%2fb",
    "/a*",
    "/a?b",
    "/a:b",
    "/a\n",
    "/a\t",
    "/a+b",
    "/@",
    "/a=b",
];

pub(crate) async fn accepted_names(case: &Case) -> Verdict {
    for name in ACCEPTED {
        works(case, "PATH-1", &path(name)).await?;
    }
    let listed =
        succeeds("PATH-1", case.list(&StoragePath::root(), ListOptions::recursive()).await, "the listing of all")?;
    let mut expected = ACCEPTED.to_vec();
    expected.sort_unstable();
    let found: Vec<_> = listed.iter().map(|entry| entry.path().as_str()).collect();
    same("PATH-1", found, expected, "the names of all files")?;
    for name in ACCEPTED {
        let deleted = case.storage().delete(case.context(), &path(name), DeleteOptions::default()).await;
        succeeds("PATH-1", deleted, format_args!("delete of {name}"))?;
        case.misses("PATH-1", &path(name)).await?;
    }
    Ok(())
}

/// Puts, reads, looks at, writes by session, and moves away and back.
async fn works(case: &Case, clause: &'static str, name: &StoragePath) -> Verdict {
    let content = case.content(40);
    succeeds(clause, case.put(name, content).await, format_args!("put of {name}"))?;
    case.holds("GET-1", name, content).await?;
    let entry = succeeds(clause, case.stat(name).await, format_args!("stat of {name}"))?;
    same("STAT-1", file("STAT-1", entry)?.path.as_str(), name.as_str(), "the path that stat tells")?;

    let session = case.content(50);
    let kept = case.keep(name, WriteOptions::default(), session.bytes()).await;
    succeeds(clause, kept, format_args!("keeping a session at {name}"))?;
    let writer = succeeds(clause, case.writer(name, WriteOptions::append()).await, format_args!("resuming at {name}"))?;
    succeeds(clause, case.commit(writer).await, format_args!("commit at {name}"))?;
    case.holds(clause, name, session).await?;

    let aside = path("/elsewhere");
    for (from, to) in [(name, &aside), (&aside, name)] {
        let moved = case.storage().move_to(case.context(), from, to).await;
        succeeds(clause, moved, format_args!("move of {from} to {to}"))?;
    }
    case.holds(clause, name, session).await
}

pub(crate) async fn refused_names(case: &Case) -> Verdict {
    for text in REFUSED {
        refused("PATH-2", text)?;
    }
    refused("PATH-3", &format!("/{}", "c".repeat(MAX_COMPONENT_BYTES + 1)))?;
    refused("PATH-3", &"/123456789".repeat(MAX_PATH_BYTES / 10 + 1))?;
    refused("PATH-3", &"/d".repeat(MAX_COMPONENTS + 1))?;
    let listed = case.list(&StoragePath::root(), ListOptions::default()).await?;
    same("PATH-2", listed.len(), 0, "the number of entries after refusals")
}

fn refused(clause: &'static str, text: &str) -> Verdict {
    fails(
        clause,
        StoragePath::parse(text).map_err(Error::from),
        ErrorKind::InvalidPath,
        format_args!("the path {text:?}"),
    )?;
    Ok(())
}

pub(crate) async fn longest_names(case: &Case) -> Verdict {
    let taken = case.instance().prefix();
    let (bytes, components) = if taken.is_root() {
        (MAX_PATH_BYTES, MAX_COMPONENTS)
    } else {
        (MAX_PATH_BYTES - taken.as_str().len(), MAX_COMPONENTS - taken.components().count())
    };
    let component = format!("/{}", "c".repeat(MAX_COMPONENT_BYTES));
    let mut longest = component.repeat(bytes / component.len());
    longest.push_str(&format!("/{}", "t".repeat(bytes - longest.len() - 1)));
    let deepest = "/d".repeat(components);
    let directory = format!("{component}/f");
    for name in [component, longest, deepest, directory].iter().rev() {
        let name = path(name);
        // The namespace may be a tree, so one name must not lie below another.
        works(case, "PATH-3", &name).await?;
        let deleted = case.storage().delete(case.context(), &name, DeleteOptions::default()).await;
        succeeds("PATH-3", deleted, format_args!("delete of {name}"))?;
    }
    Ok(())
}

pub(crate) async fn case_matters(case: &Case) -> Verdict {
    let (lower, upper) = (path("/name/file"), path("/NAME/File"));
    let one = case.put_new(&lower, 30).await?;
    case.misses("PATH-4", &upper).await?;
    let other = case.put_new(&upper, 31).await?;
    case.holds("PATH-4", &lower, one).await?;
    case.holds("PATH-4", &upper, other).await?;
    let listed = case.list(&StoragePath::root(), ListOptions::default()).await?;
    let keys: Vec<_> = listed.iter().map(|entry| entry.key().to_string()).collect();
    same("PATH-4", keys, vec!["/NAME/".to_owned(), "/name/".to_owned()], "the listing of `/`")
}

pub(crate) async fn the_root_is_no_file(case: &Case) -> Verdict {
    let (storage, context, root) = (case.storage(), case.context(), StoragePath::root());
    let other = path("/other");
    let content = case.put_new(&other, 20).await?;
    fails("PATH-5", case.get(&root).await, ErrorKind::NotFound, "get of `/`")?;
    let reader = storage.reader(context, &root, ReadOptions::default()).await;
    fails("PATH-5", reader, ErrorKind::NotFound, "reader of `/`")?;
    fails("PATH-5", case.put_new(&root, 5).await, ErrorKind::InvalidPath, "put of `/`")?;
    fails("PATH-5", case.writer(&root, WriteOptions::default()).await, ErrorKind::InvalidPath, "writer of `/`")?;
    fails("PATH-5", storage.move_to(context, &other, &root).await, ErrorKind::InvalidPath, "move to `/`")?;
    fails("PATH-5", storage.move_to(context, &root, &other).await, ErrorKind::InvalidPath, "move of `/`")?;
    let writer = case.writer(&other, WriteOptions::default()).await?;
    let elsewhere = writer.commit(context, CommitOptions::default().with_to(root.clone())).await;
    fails("PATH-5", elsewhere, ErrorKind::InvalidPath, "commit to `/`")?;
    case.holds("PATH-5", &other, content).await
}

pub(crate) async fn directories_follow_their_files(case: &Case) -> Verdict {
    let (one, two) = (path("/a/b/c/one"), path("/a/b/two"));
    case.put_new(&one, 10).await?;
    case.put_new(&two, 10).await?;
    for directory in ["/a", "/a/b", "/a/b/c"] {
        let entry = succeeds("PATH-6", case.stat(&path(directory)).await, format_args!("stat of {directory}"))?;
        same("PATH-6", entry.key(), EntryKey::directory(&path(directory)), "what stat tells")?;
    }
    case.storage().delete(case.context(), &one, DeleteOptions::default()).await?;
    case.misses("PATH-6", &path("/a/b/c")).await?;
    case.storage().move_to(case.context(), &two, &path("/elsewhere")).await?;
    case.misses("PATH-6", &path("/a/b")).await?;
    case.misses("PATH-6", &path("/a")).await?;
    let listed = case.list(&StoragePath::root(), ListOptions::default()).await?;
    let keys: Vec<_> = listed.iter().map(|entry| entry.key().to_string()).collect();
    same("PATH-6", keys, vec!["/elsewhere".to_owned()], "the listing of `/`")
}
