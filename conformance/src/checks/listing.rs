//! Listings: everything, once, in order, from anywhere, in pages of any size.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;

use driver_api::{EntryKey, ErrorKind, ListOptions, StoragePath};
use futures_util::future::try_join;

use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict};
use crate::expect::{ensure, fails, same, succeeds};

/// Files of which many a backend would make the wrong order, or take one for a part of another.
const FILES: &[&str] = &[
    "/a-b",
    "/a.b",
    "/a/b",
    "/a/b-c",
    "/a/b.c/d",
    "/a/c/d/e",
    "/a0",
    "/aa",
    "/A",
    "/A0/x",
    "/b",
    "/_/x",
    "/-/-",
    "/0",
    "/x/x/x",
    "/x/x-/x",
    "/x/x.",
    "/tags/0.1.2",
    "/tags/0.1.20",
    "/tags/0.1.2-a/f",
    "/tags/0.1.2.3/f",
    "/z/z",
];

fn files() -> impl Iterator<Item = StoragePath> {
    FILES.iter().map(|name| path(name))
}

/// The keys that a listing of `directory` must yield: straight from the names of the files below it.
fn expected_keys(directory: &StoragePath, recursive: bool) -> Vec<String> {
    let keys: BTreeSet<String> = files()
        .filter(|file| file.is_below(directory))
        .map(|file| {
            let directories = file.ancestors().filter(|above| above.is_below(directory));
            let key = if recursive { None } else { directories.last().map(|above| EntryKey::directory(&above)) };
            key.unwrap_or_else(|| EntryKey::file(&file)).to_string()
        })
        .collect();
    keys.into_iter().collect()
}

fn options(recursive: bool) -> ListOptions {
    ListOptions::default().with_recursive(recursive)
}

/// `/` and every directory of [`FILES`].
fn directories() -> BTreeSet<StoragePath> {
    files().flat_map(|file| file.ancestors().collect::<Vec<_>>()).collect()
}

pub(crate) async fn direct_descendants(case: &Case) -> Verdict {
    for file in files() {
        case.put_new(&file, 10 + file.as_str().len() as u64).await?;
    }
    for directory in directories() {
        let listed =
            succeeds("LIST-1", case.list(&directory, options(false)).await, format_args!("list of {directory}"))?;
        let mut keys: Vec<_> = listed.iter().map(|entry| entry.key().to_string()).collect();
        let sorted = keys.is_sorted();
        let in_order = keys.clone();
        keys.sort_unstable();
        same("LIST-1", keys, expected_keys(&directory, false), format_args!("the entries of {directory}"))?;
        ensure(sorted, "LIST-2", "ascending keys", format!("{in_order:?}"))?;
        for info in listed.iter().filter_map(|entry| entry.as_file()) {
            same("LIST-1", info.size, 10 + info.path.as_str().len() as u64, format_args!("the size of {}", info.path))?;
        }
    }
    Ok(())
}

pub(crate) async fn all_files_below(case: &Case) -> Verdict {
    case.put_all(files()).await?;
    for directory in directories() {
        let found = succeeds(
            "LIST-7",
            case.keys(&directory, options(true)).await,
            format_args!("list of all below {directory}"),
        )?;
        let mut sorted = found.clone();
        sorted.sort_unstable();
        let expected = expected_keys(&directory, true);
        same("LIST-7", &sorted, &expected, format_args!("the files below {directory}"))?;
        same("LIST-2", found, expected, format_args!("the order of the files below {directory}"))?;
    }
    Ok(())
}

/// Recursive is the union of the levels.
pub(crate) async fn levels_unite(case: &Case) -> Verdict {
    case.put_all(files()).await?;
    let (mut open, mut found) = (vec![StoragePath::root()], Vec::new());
    while let Some(directory) = open.pop() {
        for entry in case.list(&directory, options(false)).await? {
            match entry.as_file() {
                Some(info) => found.push(info.path.to_string()),
                None => open.push(entry.path().clone()),
            }
        }
    }
    found.sort_unstable();
    let all = case.keys(&StoragePath::root(), options(true)).await?;
    same("LIST-7", all, found, "all files, by what the levels together have,")
}

pub(crate) async fn begun_behind_a_key(case: &Case) -> Verdict {
    case.put_all(files()).await?;
    let mut keys: BTreeSet<String> = BTreeSet::new();
    for directory in directories() {
        keys.insert(EntryKey::directory(&directory).to_string());
    }
    keys.extend(files().map(|file| file.to_string()));
    keys.extend(
        ["/a", "/a/", "/a/b/", "/a/bb", "/zzz", "/-", "/x/x/", "/x/x", "/tags/0.1.2/", "/tags/0.1", "/a-"]
            .map(str::to_owned),
    );
    for directory in ["/", "/a", "/x", "/tags"].map(path) {
        for recursive in [false, true] {
            let all = expected_keys(&directory, recursive);
            for key in &keys {
                let start = EntryKey::parse(key).map_err(|error| Failure::new("LIST-2", "a key", error))?;
                let listed = case.keys(&directory, options(recursive).with_start_after(start)).await;
                let found = succeeds("LIST-2", listed, format_args!("list of {directory} behind {key}"))?;
                let expected: Vec<_> = all.iter().filter(|known| *known > key).cloned().collect();
                same("LIST-2", found, expected, format_args!("what stands in {directory} behind {key}"))?;
            }
        }
    }
    Ok(())
}

pub(crate) async fn missing_directories(case: &Case) -> Verdict {
    let root = StoragePath::root();
    for recursive in [false, true] {
        let empty = succeeds("LIST-3", case.keys(&root, options(recursive)).await, "list of `/` of an empty store")?;
        same("LIST-3", empty.len(), 0, "the number of entries of an empty store")?;
    }
    case.put_new(&path("/a/file"), 10).await?;
    for missing in ["/missing", "/a/file", "/a/fil", "/a/missing", "/a/file/below", "/A"].map(path) {
        for recursive in [false, true] {
            let opened = case.storage().list(case.context(), &missing, options(recursive)).await;
            let error = fails("LIST-3", opened.map(drop), ErrorKind::NotFound, format_args!("list of {missing}"))?;
            same("LIST-3", error.path(), Some(&missing), "the path that the error names")?;
        }
        let start = EntryKey::file(&path("/a/aaa"));
        let opened = case.storage().list(case.context(), &missing, options(false).with_start_after(start)).await;
        fails("LIST-3", opened.map(drop), ErrorKind::NotFound, format_args!("list of {missing} behind a key"))?;
    }
    let behind = case.keys(&path("/a"), options(false).with_start_after(EntryKey::file(&path("/zzz")))).await;
    same(
        "LIST-3",
        succeeds("LIST-3", behind, "list behind the last key")?.len(),
        0,
        "the number of entries behind the last key",
    )
}

pub(crate) async fn siblings_are_apart(case: &Case) -> Verdict {
    case.put_all(["/a/x", "/ab/x", "/a-b/x", "/a.b", "/a0/a/x"].map(path)).await?;
    for recursive in [false, true] {
        let found = succeeds("LIST-4", case.keys(&path("/a"), options(recursive)).await, "list of /a")?;
        same("LIST-4", found, vec!["/a/x".to_owned()], "the entries of /a")?;
    }
    case.delete(&path("/a/x")).await?;
    let gone = case.storage().list(case.context(), &path("/a"), options(false)).await;
    if case.capabilities().exact_directories {
        fails("LIST-4", gone.map(drop), ErrorKind::NotFound, "list of /a where only its siblings are left")?;
    }
    Ok(())
}

/// Numbers of entries around the driver's page and that of every backend known.
pub(crate) async fn of_any_length(case: &Case) -> Verdict {
    let (page, most) = (case.capabilities().limits.page, case.budget().entries);
    let lengths: BTreeSet<usize> =
        [1, 2, page.saturating_sub(1), page, page.saturating_add(1), 999, 1000, 1001, 2500, most].into_iter().collect();
    let mut there = 0;
    for length in lengths.into_iter().filter(|length| (1..=most).contains(length)) {
        case.put_all((there..length).map(|number| path(&format!("/long/{number:05}")))).await?;
        there = length;
        for recursive in [false, true] {
            let found = succeeds("LIST-5", case.keys(&path("/long"), options(recursive)).await, "a long listing")?;
            same("LIST-5", found.len(), length, "the number of entries")?;
            let right = found.iter().enumerate().all(|(number, key)| *key == format!("/long/{number:05}"));
            ensure(right, "LIST-5", format!("/long/00000 to /long/{:05}", length - 1), "other keys or another order")?;
        }
    }
    // Directories count as entries, too.
    case.delete_tree(&path("/long")).await?;
    let wide = most / 4;
    case.put_all((0..wide).map(|number| path(&format!("/wide/{number:05}/f")))).await?;
    let found = succeeds("LIST-5", case.keys(&path("/wide"), options(false)).await, "a listing of many directories")?;
    same("LIST-5", found.len(), wide, "the number of directories")
}

pub(crate) async fn in_pages_of_any_size(case: &Case) -> Verdict {
    case.put_all(files()).await?;
    let limit = case.capabilities().limits.page;
    for directory in [StoragePath::root(), path("/a"), path("/tags")] {
        for recursive in [false, true] {
            let expected = expected_keys(&directory, recursive);
            for size in (1..=expected.len() + 1).chain([1000, limit, usize::MAX]).filter_map(NonZeroUsize::new) {
                let options = options(recursive).with_page_size(size);
                let mut listing = case.storage().list(case.context(), &directory, options).await?;
                let mut found = Vec::new();
                while let Some(page) = listing.next_page().await {
                    let page = succeeds("LIST-10", page, "a page")?;
                    let fits = (1..=size.get().min(limit)).contains(&page.len());
                    ensure(fits, "LIST-10", format!("1 to {} entries in a page", size.get().min(limit)), page.len())?;
                    found.extend(page.iter().map(|entry| entry.key().to_string()));
                }
                same("LIST-10", &found, &expected, format_args!("the entries of {directory} in pages of {size}"))?;
            }
        }
    }
    Ok(())
}

/// How many entries stay where they are while others come and go.
const STABLE: u32 = 60;

/// Entries that stay are listed once each, whatever happens beside them.
pub(crate) async fn while_others_come_and_go(case: &Case) -> Verdict {
    let stable: Vec<_> = (0..STABLE).map(|number| path(&format!("/busy/{:03}/f", number * 5))).collect();
    case.put_all(stable.iter().cloned()).await?;
    let flat: Vec<_> = (0..STABLE).map(|number| path(&format!("/flat/{:03}", number * 5))).collect();
    case.put_all(flat.iter().cloned()).await?;
    let mut random = case.random();
    for round in case.rounds(case.budget().rounds) {
        let (directory, stays, recursive) = match round % 3 {
            0 => {
                ("/busy", stable.iter().filter_map(StoragePath::parent).map(|path| format!("{path}/")).collect(), false)
            }
            1 => ("/busy", stable.iter().map(ToString::to_string).collect(), true),
            _ => ("/flat", flat.iter().map(ToString::to_string).collect::<BTreeSet<_>>(), false),
        };
        let seed = random.u64(..);
        let listing = async {
            let options = options(recursive).with_page_size(NonZeroUsize::new(17).unwrap_or(NonZeroUsize::MIN));
            let mut listing =
                succeeds("LIST-9", case.storage().list(case.context(), &path(directory), options).await, "list")?;
            let mut keys = Vec::new();
            while let Some(page) = listing.next_page().await {
                let page = succeeds("LIST-9", page, "a page of a listing while entries vanish")?;
                keys.extend(page.iter().map(|entry| entry.key().to_string()));
                tokio::task::yield_now().await;
            }
            Ok::<_, Stop>(keys)
        };
        let (keys, touched) = try_join(listing, disturb(case, directory, recursive || round % 3 == 0, seed)).await?;
        complete(&keys, &stays, &touched)?;
    }
    Ok(())
}

/// Creates, replaces and deletes beside the entries that stay, and replaces those. Tells what it made.
async fn disturb(case: &Case, directory: &str, deep: bool, seed: u64) -> Verdict<BTreeSet<String>> {
    let (mut random, mut made) = (fastrand::Rng::with_seed(seed), BTreeSet::new());
    for _ in 0..20 {
        let number = random.u32(0..STABLE) * 5;
        let (old, new) = if deep {
            (
                path(&format!("{directory}/{number:03}/f")),
                path(&format!("{directory}/{:03}/f", number + random.u32(1..5))),
            )
        } else {
            (path(&format!("{directory}/{number:03}")), path(&format!("{directory}/{:03}", number + random.u32(1..5))))
        };
        made.insert(new.to_string());
        made.extend(new.parent().map(|parent| format!("{parent}/")));
        case.put_new(&old, 30).await?;
        case.put_new(&new, 30).await?;
        if random.bool() {
            case.delete(&new).await?;
        }
    }
    Ok(made)
}

fn complete(keys: &[String], stays: &BTreeSet<String>, touched: &BTreeSet<String>) -> Verdict {
    let found: BTreeSet<_> = keys.iter().cloned().collect();
    let missed: Vec<_> = stays.difference(&found).collect();
    ensure(missed.is_empty(), "LIST-6", "every entry that was there throughout", format_args!("{missed:?} missing"))?;
    ensure(
        found.len() == keys.len(),
        "LIST-6",
        "no entry twice",
        format_args!("{} doubles", keys.len() - found.len()),
    )?;
    let ascending = keys.is_sorted();
    ensure(ascending, "LIST-2", "ascending keys while entries come and go", format_args!("{keys:?}"))?;
    let foreign = found.iter().find(|key| !stays.contains(*key) && !touched.contains(*key) && !key_of_before(key));
    ensure(foreign.is_none(), "LIST-6", "no entry that was never there", format_args!("{foreign:?}"))
}

/// Whether an earlier round may have made it: its number is none of those that stay.
fn key_of_before(key: &str) -> bool {
    let number = key.split('/').nth(2).and_then(|number| number.parse::<u32>().ok());
    number.is_some_and(|number| number % 5 != 0 && number < 1000)
}

pub(crate) async fn foreign_entries_are_passed_over(case: &Case) -> Verdict {
    case.put_all(files()).await?;
    for directory in [StoragePath::root(), path("/a"), path("/a/b.c")] {
        match case.instance().plant(&directory).await {
            None => return Err(Stop::Skipped("the target cannot put foreign entries into its backend".to_owned())),
            Some(planted) => planted?,
        }
    }
    for directory in directories() {
        for recursive in [false, true] {
            let listed = case.keys(&directory, options(recursive)).await;
            let found = succeeds("LIST-8", listed, format_args!("list of {directory} beside foreign entries"))?;
            let expected = expected_keys(&directory, recursive);
            same("LIST-8", found, expected, format_args!("the entries of {directory} beside foreign ones"))?;
        }
    }
    succeeds("LIST-8", case.delete_tree(&path("/a")).await, "delete of a tree with foreign entries in it")?;
    case.misses("LIST-8", &path("/a/b")).await
}
