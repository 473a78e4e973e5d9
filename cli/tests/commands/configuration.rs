//! Configuration files, the environment, and `config check`.

use std::path::Path;

use tempfile::TempDir;

use crate::support::{Ended, Store, blobstore};

fn file(text: &str) -> (TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("storage.yml");
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn run_in(variables: &[(&str, &Path)], arguments: &[&str]) -> Ended {
    Ended(blobstore().envs(variables.iter().copied()).args(arguments).output().unwrap())
}

#[test]
fn a_file_chooses_the_backend() {
    let store = Store::new();
    store.put("/x", "content");
    let text = format!("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n", store.root().display());
    let (_directory, path) = file(&text);
    assert_eq!(run_in(&[], &["cat", "/x", "--config", &path]).done(), "content");
}

#[test]
fn the_environment_overrides_the_file() {
    let store = Store::new();
    store.put("/x", "content");
    let (_directory, path) = file("storage: {filesystem: {rootdirectory: /nowhere}}\n");
    let variables = [("REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", store.root())];
    assert_eq!(run_in(&variables, &["cat", "/x", "-c", &path]).done(), "content");
}

#[test]
fn all_mistakes_are_told_before_anything_is_opened() {
    let (directory, path) = file("");
    let root = directory.path().join("root");
    let text = format!(
        "storage:\n  filesystem:\n    rootdirectory: {}\n    maxthread: 5\n  delete: {{enabled: maybe}}\n",
        root.display()
    );
    std::fs::write(&path, text).unwrap();
    let expected = format!(
        "blobstore: the configuration is wrong\n\
         {path}:4:5: storage.filesystem.maxthread: unknown key; did you mean `maxthreads`? \
         allowed: durability, maxthreads, rootdirectory\n\
         {path}:5:21: storage.delete.enabled: expected true or false, found \"maybe\"\n"
    );
    assert_eq!(run_in(&[], &["config", "check", &path]).failed(2), expected);
    assert_eq!(run_in(&[], &["ls", "--config", &path]).failed(2), expected);
    assert!(!root.exists());
}

#[test]
fn check_says_what_is_right_and_what_is_doubtful() {
    let (_directory, path) = file("strict: false\nstorage: {inmemory: {size: 5}}\n");
    let ended = run_in(&[("REGISTRY_PORT", Path::new("tcp://10.0.0.1:5000"))], &["config", "check", &path]);
    assert_eq!((ended.code(), ended.stdout()), (0, format!("{path}: right; the driver is inmemory\n")));
    let expected = format!(
        "blobstore: warning: {path}:2:22: storage.inmemory.size: unknown key, ignored; allowed: maxbytes\n\
         blobstore: warning: REGISTRY_PORT: there is no section `port`; the variable is ignored\n"
    );
    assert_eq!(ended.stderr(), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_told() {
    let failed = run_in(&[], &["ls", "--config", "/nowhere.yml"]).failed(2);
    assert_eq!(failed, "blobstore: /nowhere.yml: No such file or directory (os error 2)\n");
    let (_directory, path) = file("storage: {");
    let failed = run_in(&[], &["config", "check", &path]).failed(2);
    assert!(failed.contains(&format!("{path}:1:")) && failed.contains("this is no YAML"), "{failed}");
}

#[test]
fn arguments_choose_a_driver() {
    let failed = run_in(&[], &["ls", "--driver", "filesystm"]).failed(2);
    assert!(
        failed.contains("--driver filesystm: storage.filesystm: unknown key; did you mean `filesystem`?"),
        "{failed}"
    );
    let failed = run_in(&[], &["ls", "--driver", "filesystem", "-o", "maxthreads=many"]).failed(2);
    assert!(failed.contains("-o maxthreads: storage.filesystem.maxthreads: expected a whole number"), "{failed}");
    assert_eq!(run_in(&[], &["ls", "-d", "inmemory", "-o", "maxbytes=1MiB"]).done(), "");
}
