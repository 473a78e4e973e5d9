//! The commands that know what a registry keeps.

use std::fs;

use serde_json::Value;

use crate::support::Store;

/// Puts an image into the repository: its manifest's digest.
fn image(store: &Store, repository: &str, tag: &str, content: &str) -> String {
    let directory = tempfile::tempdir().unwrap();
    let blob = |content: &str| {
        let file = directory.path().join("blob");
        fs::write(&file, content).unwrap();
        store.run(&["blob", "put", repository, file.to_str().unwrap()]).done().trim().to_owned()
    };
    let (config, layer) = (blob("{}"), blob(content));
    let file = directory.path().join("manifest");
    let manifest = format!(
        r#"{{"schemaVersion": 2, "config": {{"digest": "{config}", "size": 2}},
             "layers": [{{"digest": "{layer}", "size": {}}}]}}"#,
        content.len()
    );
    fs::write(&file, &manifest).unwrap();
    let digest = store.run(&["manifest", "put", repository, file.to_str().unwrap(), "--tag", tag]).done();
    assert_eq!(store.run(&["manifest", "get", repository, tag]).done(), manifest);
    digest.trim().to_owned()
}

#[test]
fn what_is_put_is_listed_and_read() {
    let store = Store::new();
    let digest = image(&store, "library/hello", "latest", "hello");
    assert_eq!(store.run(&["repo", "ls"]).done(), "library/hello\n");
    assert_eq!(store.run(&["repo", "ls", "--json", "--limit", "1"]).done(), "\"library/hello\"\n");
    assert_eq!(store.run(&["repo", "ls", "--after", "library/hello"]).done(), "");
    assert_eq!(store.run(&["repo", "tags", "library/hello"]).done(), format!("latest  {digest}\n"));
    let layer = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(store.run(&["blob", "cat", "library/hello", layer]).done(), "hello");
    assert_eq!(store.run(&["blob", "stat", "library/hello", layer]).done(), format!("{layer}  5\n"));
    assert!(store.run(&["blob", "cat", "other", layer]).failed(3).contains("there is no blob"));
    assert!(store.run(&["manifest", "get", "library/hello", "other"]).failed(3).contains("no manifest other"));
    assert!(store.run(&["repo", "tags", "other"]).failed(3).contains("no repository other"));
    store.run(&["repo", "tags", "UPPER"]).failed(2);
}

#[test]
fn a_damaged_blob_is_told() {
    let store = Store::new();
    image(&store, "a", "latest", "hello");
    let layer = "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    let hex = &layer[7..];
    fs::write(store.root().join(format!("docker/registry/v2/blobs/sha256/2c/{hex}/data")), "jello").unwrap();
    let ended = store.run(&["blob", "cat", "a", layer]);
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr().contains("damaged"), "{}", ended.stderr());
}

#[test]
fn garbage_is_told_and_then_deleted() {
    let store = Store::new();
    image(&store, "a", "latest", "kept");
    let gone = image(&store, "a", "old", "gone");
    store.run(&["manifest", "rm", "a", &gone]).done();
    store.run(&["manifest", "get", "a", "old"]).failed(3);
    // Young as it is, nothing goes.
    assert!(
        store.run(&["gc"]).done().starts_with("1 repositories, 1 manifests, 4 contents needed; 0 manifests, 0 links")
    );
    let files = || store.files_on_disk().into_iter().filter(|file| file.starts_with("docker")).collect::<Vec<_>>();
    let before = files();
    let would = store.run(&["gc", "--grace", "0s", "--dry-run"]).done();
    assert_eq!(would.matches("would delete /docker/").count(), 3, "{would}");
    assert_eq!(files(), before);
    let did = store.run(&["gc", "--grace", "0s", "--json"]).done();
    let lines: Vec<Value> = did.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [deleted @ .., summary] = lines.as_slice() else { panic!("{did}") };
    assert!(deleted.iter().all(|line| line["kind"] == "deleted"), "{did}");
    assert_eq!((deleted.len(), &summary["blobs_deleted"], &summary["links_deleted"]), (3, &2.into(), &1.into()));
    assert_eq!(files().len(), before.len() - 3);
    store.run(&["manifest", "get", "a", "latest"]).done();
}

#[test]
fn a_repository_is_deleted_only_for_good() {
    let store = Store::new();
    image(&store, "a", "latest", "one");
    image(&store, "a/b", "latest", "two");
    assert_eq!(store.run(&["repo", "rm", "--dry-run", "a"]).done(), "would delete a:latest\n");
    store.run(&["repo", "rm", "a"]).done();
    assert_eq!(store.run(&["repo", "ls"]).done(), "a/b\n");
    assert!(store.run(&["repo", "rm", "a", "a/b"]).failed(3).contains("no repository a"));
    assert_eq!(store.run(&["repo", "ls"]).done(), "");
}

#[test]
fn old_uploads_are_deleted() {
    let store = Store::new();
    let at = "/docker/registry/v2/repositories/a/_uploads/6ba7b810-9dad-41d1-80b4-00c04fd430c8/startedat";
    store.put(at, "2015-06-01T12:34:56Z");
    let would = store.run(&["purge-uploads", "--dry-run"]).done();
    assert!(would.starts_with("would delete /docker/") && would.ends_with("1 uploads, 1 deleted\n"), "{would}");
    assert!(store.run(&["purge-uploads"]).done().ends_with("1 uploads, 1 deleted\n"));
    assert_eq!(store.run(&["purge-uploads"]).done(), "0 uploads, 0 deleted\n");
}

#[test]
fn damage_is_found_and_moved_out_of_the_way() {
    let store = Store::new();
    image(&store, "a", "latest", "hello");
    assert!(store.run(&["verify"]).done().ends_with("4 links and 1 manifests; 0 damaged, 0 broken\n"));
    let hex = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    fs::write(store.root().join(format!("docker/registry/v2/blobs/sha256/2c/{hex}/data")), "jello").unwrap();
    let ended = store.run(&["verify", "--quarantine", "--json"]);
    assert_eq!(ended.code(), 1);
    assert!(ended.stderr().contains(hex) && ended.stderr().contains("not as they should be"), "{}", ended.stderr());
    let sums: Value = serde_json::from_str(&ended.stdout()).unwrap();
    // The blob; its link, and the manifest that names it.
    assert_eq!((&sums["damaged"], &sums["quarantined"], &sums["broken"]), (&1.into(), &1.into(), &2.into()));
    assert!(store.files_on_disk().contains(&format!("blobstore/quarantine/sha256/{hex}")));
}

#[test]
fn repositories_are_copied_to_another_backend() {
    let (from, to) = (Store::new(), Store::new());
    for (repository, content) in [("a", "one"), ("b", "two"), ("b/c", "three")] {
        image(&from, repository, "latest", content);
    }
    let configuration = from.root().join("to.yml");
    let text = format!("version: 0.1\nstorage:\n  filesystem:\n    rootdirectory: {}\n", to.root().display());
    fs::write(&configuration, text).unwrap();
    let file = configuration.to_str().unwrap();
    let some = from.run(&["copy", "--to", file, "--repository", "b/*"]).done();
    assert!(some.starts_with("1 repositories: 1 manifests, 2 blobs"), "{some}");
    assert_eq!(to.run(&["repo", "ls"]).done(), "b/c\n");
    from.run(&["copy", "--to", file]).done();
    assert_eq!(to.run(&["repo", "ls"]).done(), "a\nb\nb/c\n");
    to.run(&["verify"]).done();
    let again = from.run(&["copy", "--to", file]).done();
    assert_eq!(again, "3 repositories: 0 manifests, 0 blobs with 0 bytes, 0 tags\n");
}
