//! ls, stat, cat, put, mv, rm and url.

use crate::support::{Store, run};

fn populated() -> Store {
    let store = Store::new();
    for path in ["/a/b", "/a/c/d", "/a-b", "/z"] {
        store.put(path, path);
    }
    store
}

#[test]
fn ls_lists_in_the_order_of_keys() {
    let store = populated();
    assert_eq!(store.run(&["ls"]).done(), "/a-b\n/a/\n/z\n");
    assert_eq!(store.run(&["ls", "/a"]).done(), "/a/b\n/a/c/\n");
    assert_eq!(store.run(&["ls", "-r"]).done(), "/a-b\n/a/b\n/a/c/d\n/z\n");
    assert_eq!(Store::new().run(&["ls"]).done(), "");
}

#[test]
fn ls_tells_size_and_time_on_demand() {
    let store = populated();
    let long = store.run(&["ls", "-l"]).done();
    let lines: Vec<Vec<&str>> = long.lines().map(|line| line.split_whitespace().collect()).collect();
    let [["4", modified, "/a-b"], ["-", "-", "/a/"], ["2", _, "/z"]] =
        [lines[0].as_slice(), lines[1].as_slice(), lines[2].as_slice()]
    else {
        panic!("{long}");
    };
    assert!(modified.starts_with("20") && modified.ends_with('Z'), "{modified}");
}

#[test]
fn ls_and_stat_print_json() {
    let store = populated();
    let listed = store.run(&["ls", "--json"]).done();
    let entries: Vec<serde_json::Value> = listed.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(entries.iter().map(|entry| entry["path"].as_str().unwrap()).collect::<Vec<_>>(), ["/a-b", "/a", "/z"]);
    assert_eq!((&entries[0]["kind"], &entries[0]["size"]), (&"file".into(), &4.into()));
    assert_eq!(entries[1], serde_json::json!({"kind": "directory", "path": "/a"}));

    let stated: serde_json::Value = serde_json::from_str(&store.run(&["stat", "/a-b", "--json"]).done()).unwrap();
    assert_eq!(stated, entries[0]);
}

#[test]
fn stat_tells_what_stands_at_a_path() {
    let store = populated();
    let file = store.run(&["stat", "/z"]).done();
    assert!(file.starts_with("path      /z\nkind      file\nsize      2\nmodified  20"), "{file}");
    assert_eq!(store.run(&["stat", "/a"]).done(), "path      /a\nkind      directory\n");
}

#[test]
fn cat_writes_files_and_parts_of_them() {
    let store = populated();
    assert_eq!(store.run(&["cat", "/a/b", "/z"]).done(), "/a/b/z");
    assert_eq!(store.run(&["cat", "/a/b", "--offset", "1", "--length", "2"]).done(), "a/");
    assert_eq!(store.run(&["cat", "/a/b", "--offset", "4"]).done(), "");
    let behind = store.run(&["cat", "/a/b", "--offset", "5"]).failed(1);
    assert!(behind.contains("invalid_range"), "{behind}");
}

#[test]
fn put_replaces_unless_it_may_not() {
    let store = populated();
    store.put("/z", "new");
    assert_eq!(store.run(&["cat", "/z"]).done(), "new");
    let refused = store.run_with(&["put", "-", "/z", "--if-absent"], b"newer").failed(4);
    assert!(refused.contains("/z") && refused.contains("already_exists"), "{refused}");
    assert_eq!(store.run(&["cat", "/z"]).done(), "new");
    store.run_with(&["put", "-", "/y", "--if-absent"], b"newer").done();
    assert_eq!(store.run(&["cat", "/y"]).done(), "newer");
}

#[test]
fn put_takes_a_local_file_and_tells_what_it_cannot_read() {
    let store = Store::new();
    let local = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&local, "local").unwrap();
    store.run(&["put", local.path().to_str().unwrap(), "/x"]).done();
    assert_eq!(store.run(&["cat", "/x"]).done(), "local");
    let failed = store.run(&["put", "/nowhere/at/all", "/y"]).failed(1);
    assert_eq!(failed, "blobstore: /nowhere/at/all: No such file or directory (os error 2)\n");
    let failed = store.run(&["put", "/", "/y"]).failed(1);
    assert!(failed.contains("directory"), "{failed}");
    assert_eq!(store.files_on_disk(), ["x"]);
}

#[test]
fn mv_moves_and_replaces() {
    let store = populated();
    store.run(&["mv", "/a/b", "/z"]).done();
    assert_eq!(store.run(&["cat", "/z"]).done(), "/a/b");
    assert_eq!(store.run(&["ls", "/a"]).done(), "/a/c/\n");
}

#[test]
fn rm_deletes_files_and_trees() {
    let store = populated();
    let refused = store.run(&["rm", "/a"]).failed(3);
    assert!(refused.ends_with("it is a directory: -r deletes it\n"), "{refused}");
    store.run(&["rm", "/z", "/a-b"]).done();
    store.run(&["rm", "-r", "/a"]).done();
    assert_eq!(store.run(&["ls", "-r"]).done(), "");
}

#[test]
fn rm_goes_on_behind_a_failure() {
    let store = populated();
    let failed = store.run(&["rm", "/missing", "/z", "/missing/too"]).failed(3);
    let paths: Vec<_> = failed.lines().map(|line| line.contains("/missing/too")).collect();
    assert_eq!(paths, [false, true], "{failed}");
    assert_eq!(store.run(&["stat", "/z"]).code(), 3);
}

#[test]
fn what_is_missing_has_a_code_of_its_own() {
    let store = Store::new();
    for arguments in
        [&["cat", "/x"][..], &["stat", "/x"], &["ls", "/x"], &["rm", "/x"], &["rm", "-r", "/x"], &["mv", "/x", "/y"]]
    {
        let failed = store.run(arguments).failed(3);
        assert!(failed.contains("/x: there is no such file or directory"), "{arguments:?}: {failed}");
    }
}

#[test]
fn a_conflict_has_a_code_of_its_own() {
    let store = populated();
    let failed = store.run_with(&["put", "-", "/z/below"], b"").failed(4);
    assert!(failed.contains("conflict"), "{failed}");
}

#[test]
fn url_says_that_there_are_none() {
    let failed = Store::new().run(&["url", "/x", "--lifetime", "1h"]).failed(1);
    assert_eq!(failed, "blobstore: the driver filesystem has no URLs that others can use\n");
}

#[test]
fn what_is_wrong_in_the_arguments_is_told() {
    let store = Store::new();
    let wrong_path = store.run(&["cat", "no/slash"]).failed(2);
    assert!(wrong_path.contains("a path begins with `/`"), "{wrong_path}");
    let wrong_size = store.run(&["cat", "/x", "--length", "many"]).failed(2);
    assert!(wrong_size.contains("expected a number of bytes"), "{wrong_size}");
    let no_backend = run(["ls"]).failed(2);
    assert_eq!(no_backend, "blobstore: choose a backend, with --config FILE or --driver NAME\n");
    let lonely = run(["ls", "-o", "rootdirectory=/x"]).failed(2);
    assert!(lonely.contains("--driver"), "{lonely}");
}

#[test]
fn the_help_tells_the_exit_codes() {
    let help = run(["--help"]).done();
    for code in ["0  done", "3  there is no such file or directory", "130  interrupted"] {
        assert!(help.contains(code), "{help}");
    }
}

#[test]
fn completions_are_for_the_binary() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(run(["completions", shell]).done().contains("blobstore"), "{shell}");
    }
}
