//! Tests of the reports, on one of each outcome.

use super::*;
use crate::growth::Point;

fn report() -> Report {
    let failure = Failure::new("GET-1", "the file at /a", "<b>&\"nothing\"\u{1}").with_evidence("line 1\nline 2");
    let results = vec![
        CheckResult::new(&check("paths::accepted_names"), Outcome::Passed, Duration::from_millis(5)),
        CheckResult::new(
            &check("paths::refused_names"),
            Outcome::Failed { failure, repeat: "run --seed 1".to_owned() },
            Duration::from_millis(7),
        ),
        CheckResult::new(
            &check("paths::case_matters"),
            Outcome::Skipped { reason: "no hook".to_owned() },
            Duration::ZERO,
        ),
    ];
    let target =
        TargetReport { name: "a<b".to_owned(), capabilities: vec!["tree"], engine: None, results, mended: Vec::new() };
    Report {
        profile: "quick".to_owned(),
        seed: 1,
        elapsed: Duration::from_secs(1),
        stopped: false,
        targets: vec![target],
    }
}

fn check(name: &str) -> Check {
    let found = crate::check(name).unwrap();
    Check { ..*found }
}

fn status(id: &str) -> String {
    let report = report();
    report.targets[0].status(crate::clause(id).unwrap()).word().to_owned()
}

#[test]
fn a_clause_passes_only_where_a_check_of_it_passed_and_none_failed() {
    assert_eq!(status("PATH-1"), "pass");
    assert_eq!(status("GET-1"), "FAIL", "one check of it passed, another failed because of it");
    assert_eq!(status("PATH-3"), "untested", "its check failed because of another clause");
    assert_eq!(status("PATH-4"), "untested", "its check was skipped");
    assert_eq!(status("PUT-4"), "unsupported");
    assert_eq!(status("WRITE-15"), "drill");
    assert_eq!(status("LIST-1"), "untested");
}

#[test]
fn a_drill_that_is_unsupported_leaves_no_clause_to_itself() {
    let mut report = report();
    let drill = check("crash::files");
    let unsupported = Outcome::Unsupported { capability: "persistent" };
    report.targets[0].results.push(CheckResult::new(&drill, unsupported, Duration::ZERO));
    for id in ["DUR-1", "MOVE-10", "PUT-2"] {
        assert_eq!(report.targets[0].status(crate::clause(id).unwrap()), Status::Unsupported, "{id}");
    }
    report.targets[0].results.push(CheckResult::new(&check("faults::put"), Outcome::Passed, Duration::ZERO));
    assert_eq!(report.targets[0].status(crate::clause("PUT-2").unwrap()), Status::Passed, "another check shows it");
}

#[test]
fn what_a_growing_store_costs_is_drawn_and_told() {
    let mut report = report();
    let mut growth = Growth::new("stat", crate::growth::Order::Constant);
    growth.points = [(100, 1e-6), (10_000, 1e-4)].map(|(entries, seconds)| Point { entries, seconds }).to_vec();
    report.targets[0].results[0].growth = vec![growth];
    let page = report.to_html();
    assert_eq!(page.matches("<polyline").count(), 1);
    assert!(page.contains("<td class=\"fail\">1.00</td>") && page.contains("100 µs at 10000"), "{page}");
    assert!(report.to_string().contains("stat                    constant    1.00"), "{report}");
    assert!(report.to_json().unwrap().contains("\"slope\": 1.0"), "{}", report.to_json().unwrap());
}

#[test]
fn a_broken_must_is_no_conformance() {
    let mut report = report();
    assert!(!report.conforms());
    report.targets[0].results.remove(1);
    assert!(report.conforms());
}

#[test]
fn the_table_shows_what_one_needs_to_repeat_a_failure() {
    let text = report().to_string();
    for line in [
        "GET-1      MUST    FAIL",
        "  expected  the file at /a",
        "line 1\n            line 2",
        "  repeat    run --seed 1",
    ] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(!text.contains("LIST-1 "), "only clauses of selected checks are shown");
}

#[test]
fn markup_is_escaped_and_well_formed() {
    for text in [report().to_html(), report().to_junit()] {
        assert!(!text.contains("<b>&\"nothing\""), "{text}");
        assert!(text.contains("&lt;b&gt;&amp;&quot;nothing&quot;\u{fffd}"), "{text}");
        assert!(text.contains("a&lt;b"));
    }
    balanced(&report().to_junit());
    balanced(report().to_html().split_once("<body>").unwrap().1.split_once("</body>").unwrap().0);
}

/// Every tag is closed, in order.
fn balanced(text: &str) {
    let mut open: Vec<String> = Vec::new();
    for tag in text.split('<').skip(1) {
        let tag = tag.split_once('>').unwrap().0;
        let name: String = tag.trim_start_matches('/').chars().take_while(char::is_ascii_alphanumeric).collect();
        if tag.starts_with('/') {
            assert_eq!(open.pop().as_deref(), Some(name.as_str()), "in {text}");
        } else if !tag.ends_with('/') && !tag.starts_with('?') && !["br", "input"].contains(&name.as_str()) {
            open.push(name);
        }
    }
    assert!(open.is_empty(), "{open:?} is not closed");
}

#[test]
fn json_has_the_matrix_and_the_results() {
    let json: serde_json::Value = serde_json::from_str(&report().to_json().unwrap()).unwrap();
    assert_eq!(json["matrix"][0]["id"], "PATH-1");
    assert_eq!(json["matrix"][0]["status"][0], "pass");
    assert_eq!(json["targets"][0]["results"][1]["outcome"], "failed");
    assert_eq!(json["targets"][0]["results"][1]["failure"]["clauses"][0], "GET-1");
}

#[test]
fn the_page_tells_what_the_suite_was_tried_on() {
    let page = report().to_html();
    assert!(page.contains("<td>torn-put</td><td>PUT-1</td>"), "the table of mutants is missing");
    balanced(page.split_once("<body>").unwrap().1.split_once("</body>").unwrap().0);
}

fn known(check: &str, clause: &str) -> Deviations {
    let known = Deviation {
        check: check.to_owned(),
        clause: clause.to_owned(),
        shows: Shows::Always,
        since: "2026-11-24".to_owned(),
        reason: "it <forgets>".to_owned(),
        evidence: "a request".to_owned(),
    };
    Deviations { engine: "example".to_owned(), version: "1.0".to_owned(), deviations: vec![known] }
}

#[test]
fn a_known_fault_is_told_from_a_failure_and_is_no_pass() {
    let mut report = report();
    report.explain(&known("paths::refused_names", "GET-1"));
    assert!(report.conforms());
    assert_eq!(report.targets[0].status(crate::clause("GET-1").unwrap()), Status::Deviates);
    let text = report.to_string();
    for line in ["GET-1      MUST    deviates", "as is known of example 1.0", "since 2026-11-24: it <forgets>"] {
        assert!(text.contains(line), "{line:?} is not in\n{text}");
    }
    assert!(report.to_junit().contains("<skipped message=\"a known fault of the engine: it &lt;forgets&gt;\"/>"));
    balanced(&report.to_junit());
    balanced(report.to_html().split_once("<body>").unwrap().1.split_once("</body>").unwrap().0);
}

#[test]
fn a_fault_that_is_known_for_another_reason_is_a_failure() {
    let mut report = report();
    report.explain(&known("paths::refused_names", "GET-2"));
    assert!(!report.conforms());
}

#[test]
fn a_known_fault_that_is_gone_fails_the_run() {
    let mut report = report();
    report.targets[0].results.remove(1);
    report.explain(&known("paths::accepted_names", "PATH-1"));
    assert!(!report.conforms());
    assert!(
        report.to_string().contains("paths::accepted_names passes, and PATH-1 is said to be broken by example 1.0")
    );
    let mut sometimes = known("paths::accepted_names", "PATH-1");
    sometimes.deviations[0].shows = Shows::Sometimes;
    report.explain(&sometimes);
    assert!(report.conforms(), "a fault that shows at times may not show");
}
