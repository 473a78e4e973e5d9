//! The report as JUnit XML, for build servers: a suite for each target, a case for each check.

use std::fmt::Write as _;

use super::markup::Escaped;
use super::{CheckResult, Outcome, Report, TargetReport};

impl Report {
    /// The report as JUnit XML.
    pub fn to_junit(&self) -> String {
        let suites: String = self.targets.iter().map(suite).collect();
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"conformance\">\n{suites}</testsuites>\n"
        )
    }
}

fn suite(target: &TargetReport) -> String {
    let count = |is: fn(&Outcome) -> bool| target.results.iter().filter(|result| is(&result.outcome)).count();
    let failed = count(|outcome| matches!(outcome, Outcome::Failed { .. }));
    let skipped = count(|outcome| !matches!(outcome, Outcome::Passed | Outcome::Failed { .. }));
    let seconds: f64 = target.results.iter().map(|result| result.elapsed.as_secs_f64()).sum();
    let cases: String = target.results.iter().map(case).collect();
    format!(
        "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{failed}\" errors=\"0\" skipped=\"{skipped}\" time=\"{seconds:.3}\">\n{cases}  </testsuite>\n",
        Escaped(&target.name),
        target.results.len(),
    )
}

fn case(result: &CheckResult) -> String {
    let (group, name) = result.check.split_once("::").unwrap_or(("", result.check));
    let mut text = format!(
        "    <testcase classname=\"{}\" name=\"{} [{}]\" time=\"{:.3}\"",
        Escaped(group),
        Escaped(name),
        Escaped(result.clauses.join(" ")),
        result.elapsed.as_secs_f64(),
    );
    // Writing to a String cannot fail.
    let _ = match &result.outcome {
        Outcome::Passed => writeln!(text, "/>"),
        Outcome::Failed { failure, repeat } => writeln!(
            text,
            "><failure message=\"{}\">{}</failure></testcase>",
            Escaped(format!("{}: {}", failure.clauses.join(", "), failure.found)),
            Escaped(format!("{failure}\nrepeat: {repeat}")),
        ),
        Outcome::Deviated { known, .. } => {
            writeln!(text, "><skipped message=\"a known fault of the engine: {}\"/></testcase>", Escaped(&known.reason))
        }
        Outcome::Unsupported { capability } => {
            writeln!(text, "><skipped message=\"the driver does not declare {}\"/></testcase>", Escaped(capability))
        }
        Outcome::Skipped { reason } => writeln!(text, "><skipped message=\"{}\"/></testcase>", Escaped(reason)),
    };
    text
}
