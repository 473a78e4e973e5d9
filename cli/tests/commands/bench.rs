//! `blobstore bench`

use std::collections::BTreeSet;

use crate::support::{Store, run};

const SMALL: [&str; 5] = ["bench", "--time=50ms", "--count=20", "--large=64KiB", "--jobs=1,4"];

#[test]
fn every_operation_is_measured() {
    let printed = run(SMALL.into_iter().chain(["--json"])).done();
    let rows: Vec<serde_json::Value> = serde_json::from_str(&printed).unwrap();
    let drivers: BTreeSet<_> = rows.iter().map(|row| row["driver"].as_str().unwrap()).collect();
    assert_eq!(drivers.len(), 2, "{drivers:?}");
    let operations: BTreeSet<_> = rows.iter().map(|row| row["operation"].as_str().unwrap()).collect();
    assert_eq!(
        operations.into_iter().collect::<Vec<_>>(),
        [
            "delete",
            "delete a tree",
            "get",
            "list a page",
            "move",
            "put",
            "stat",
            "stream in",
            "stream out",
            "write a session"
        ]
    );
    assert_eq!(rows.len(), 2 * 2 * 10);
    for row in &rows {
        let (median, p99) = (row["median_microseconds"].as_f64().unwrap(), row["p99_microseconds"].as_f64().unwrap());
        assert!(row["calls"].as_u64().unwrap() >= 1 && median > 0.0 && p99 >= median, "{row}");
    }
}

#[test]
fn time_runs_out_at_any_moment() {
    for time in ["0s", "1ms", "3ms", "10ms"] {
        run(["bench", "--driver=inmemory", "--large=1KiB", "--jobs=16", "--time", time]).done();
    }
}

#[test]
fn a_backend_is_left_as_it_was() {
    let store = Store::new();
    store.put("/mine", "mine");
    let table = store.run(&SMALL).done();
    assert!(table.starts_with("driver       operation        jobs     calls"), "{table}");
    assert_eq!(table.lines().count(), 1 + 2 * 10);
    assert_eq!(store.run(&["ls", "-r"]).done(), "/mine\n");
}
