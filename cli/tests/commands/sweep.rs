//! `sweep` on the embedded drivers.

use std::fs;

use crate::support::{Store, run};

#[test]
fn a_sweep_removes_what_dead_writers_had_staged() {
    let store = Store::new();
    store.put("/a/file", "content");
    assert_eq!(store.run(&["sweep"]).done(), "", "a process that ended as it should leaves nothing");
    // A staging directory whose lock nobody holds, and directories without a file.
    fs::create_dir_all(store.root().join("~/live/dead")).unwrap();
    fs::write(store.root().join("~/live/dead/0"), "partial").unwrap();
    fs::create_dir_all(store.root().join("a/b/c")).unwrap();
    let what = "what writers that are gone had staged: 1; copies that were not published: 0; directories without a \
                file: 2\n";
    assert_eq!(store.run(&["sweep", "--dry-run"]).done(), format!("found {what}"));
    assert_eq!(store.files_on_disk(), ["a/file", "~/live/dead/0"]);
    assert_eq!(store.run(&["sweep", "--older-than", "1h"]).done(), format!("removed {what}"));
    assert_eq!(store.files_on_disk(), ["a/file"]);
    assert!(!store.root().join("a/b").exists());
    assert_eq!(store.run(&["sweep", "--dry-run"]).done(), "");
}

#[test]
fn a_sweep_of_what_keeps_nothing_says_so() {
    let ended = run(["sweep", "--driver", "inmemory"]);
    assert_eq!((ended.code(), ended.stdout()), (0, String::new()));
    assert_eq!(ended.stderr(), "blobstore: with the driver inmemory there is nothing to sweep\n");
}
