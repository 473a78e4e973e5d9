//! `blobstore conformance`

use crate::support::{Store, run};

#[test]
fn checks_can_be_listed() {
    assert!(run(["conformance", "--list"]).done().contains("GET-1"));
}

#[test]
fn the_embedded_drivers_keep_a_clause() {
    let ended = run(["conformance", "--profile", "quick", "--only", "GET-2"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout(), ended.stderr());
    assert!(ended.stdout().contains("filesystem") && ended.stdout().contains("inmemory"), "{}", ended.stdout());
}

#[test]
fn a_backend_is_left_as_it_was() {
    let store = Store::new();
    store.put("/mine", "mine");
    let ended = store.run(&["conformance", "--profile", "quick", "--only", "GET-2"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout(), ended.stderr());
    assert_eq!(store.run(&["ls", "-r"]).done(), "/mine\n");
}

#[test]
fn what_could_not_run_has_a_code_of_its_own() {
    let ended = run(["conformance", "--only", "GTE-1"]);
    assert_eq!(ended.code(), 2);
    assert!(ended.stderr().contains("GTE-1"), "{}", ended.stderr());
}
