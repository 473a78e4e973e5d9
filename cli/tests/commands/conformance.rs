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

#[test]
fn drills_can_be_listed_and_are_no_checks_of_the_suite() {
    let drills = run(["conformance", "--drills", "faults,crash", "--list"]).done();
    assert!(
        drills.contains("faults::put") && drills.contains("crash::files") && !drills.contains("scale::"),
        "{drills}"
    );
    assert!(!run(["conformance", "--list"]).done().contains("faults::put"));
}

#[test]
fn a_drill_is_run_on_both_embedded_drivers_with_processes_of_its_own() {
    let ended = run(["conformance", "--drills", "crash", "--profile", "quick", "--only", "crash::files"]);
    assert_eq!(ended.code(), 0, "{}{}", ended.stdout(), ended.stderr());
    let text = ended.stdout();
    let row = text.lines().find(|line| line.starts_with("DUR-1 ")).unwrap();
    assert_eq!(row.split_whitespace().collect::<Vec<_>>()[2..4], ["pass", "unsupported"], "{text}");
}

#[test]
fn a_drill_is_run_on_a_backend_and_leaves_it_as_it_was() {
    let store = Store::new();
    store.put("/mine", "mine");
    for only in ["crash::sessions", "cluster::histories_have_one_order"] {
        let drills = ["conformance", "--drills", "crash,cluster", "--profile", "quick", "--only", only];
        let ended = store.run(&drills);
        assert_eq!(ended.code(), 0, "{}{}", ended.stdout(), ended.stderr());
        assert!(ended.stdout().contains(" pass ") && !ended.stdout().contains("untested "), "{}", ended.stdout());
    }
    assert_eq!(store.run(&["ls", "-r"]).done(), "/mine\n");
}

#[test]
fn a_store_that_grows_is_drawn() {
    let directory = tempfile::tempdir().unwrap();
    let report = directory.path().to_str().unwrap();
    let drill = ["conformance", "--drills", "scale", "--entries", "640", "--profile", "quick", "--report", report];
    let ended = run(drill);
    assert!(
        ended.stdout().contains("slope") && ended.stdout().contains("at 640"),
        "{}{}",
        ended.stdout(),
        ended.stderr()
    );
    let page = std::fs::read_to_string(directory.path().join("report.html")).unwrap();
    assert!(page.contains("<svg") && page.contains("<polyline"), "{page}");
    let wrong = run(["conformance", "--drills", "scale", "--entries", "7"]);
    assert_eq!(wrong.code(), 2);
    assert!(wrong.stderr().contains("640"), "{}", wrong.stderr());
}
