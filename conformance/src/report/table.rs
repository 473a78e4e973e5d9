//! The report as it is read in a terminal.

use std::fmt;

use super::{Report, Status, TargetReport};
use crate::deviations::Deviation;

/// Clause by clause and target by target; then each failure; then a line for each target.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.matrix(f)?;
        self.failures(f)?;
        self.deviations(f)?;
        self.growth(f)?;
        writeln!(f)?;
        for target in &self.targets {
            let engine = target.engine.as_ref().map(|engine| format!(" on {engine}")).unwrap_or_default();
            writeln!(f, "{}{engine}: {}", target.name, Counts::of(self, target))?;
        }
        writeln!(
            f,
            "profile {}, seed {}, {:.1} s{}",
            self.profile,
            self.seed,
            self.elapsed.as_secs_f64(),
            if self.stopped { ", stopped before its end" } else { "" },
        )
    }
}

/// What failed in a report, and nothing else of it.
pub(crate) struct Failures<'a>(pub(crate) &'a Report);

impl fmt::Display for Failures<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.failures(f)
    }
}

impl Report {
    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in &self.targets {
            for (result, failure, repeat) in target.failures() {
                writeln!(f, "\n{}: {} failed", target.name, result.check)?;
                for clause in failure.clauses() {
                    writeln!(f, "  clause    {} {}: {}", clause.id, clause.level, clause.text)?;
                }
                writeln!(f, "  expected  {}", indented(&failure.expected))?;
                writeln!(f, "  found     {}", indented(&failure.found))?;
                if let Some(evidence) = &failure.evidence {
                    writeln!(f, "  evidence  {}", indented(evidence))?;
                }
                writeln!(f, "  repeat    {repeat}")?;
            }
        }
        Ok(())
    }

    fn deviations(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in &self.targets {
            let engine = target.engine.as_deref().unwrap_or_default();
            for (result, failure, known) in target.deviations() {
                writeln!(f, "\n{}: {} deviates, as is known of {engine}", target.name, result.check)?;
                writeln!(f, "  clause    {}", failure.clauses.join(", "))?;
                writeln!(f, "  found     {}", indented(&failure.found))?;
                writeln!(f, "  known     since {}: {}", known.since, indented(known.reason.trim()))?;
                writeln!(f, "  evidence  {}", indented(known.evidence.trim()))?;
            }
            for mended in &target.mended {
                let Deviation { check, clause, .. } = mended;
                writeln!(f, "\n{}: {check} passes, and {clause} is said to be broken by {engine}", target.name)?;
                writeln!(f, "  remove the entry from the file of known deviations")?;
            }
        }
        Ok(())
    }

    fn growth(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for target in &self.targets {
            for result in target.results.iter().filter(|result| !result.growth.is_empty()) {
                writeln!(f, "\n{}: what {} measured", target.name, result.check)?;
                writeln!(f, "  {:<24}{:<10} slope  median time of a call at so many entries", "call", "should be")?;
                for growth in &result.growth {
                    writeln!(f, "  {growth}")?;
                }
            }
        }
        Ok(())
    }

    fn matrix(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let widths: Vec<_> = self.targets.iter().map(|target| target.name.len().max("unsupported".len())).collect();
        write!(f, "{:<11}{:<8}", "clause", "level")?;
        for (target, width) in self.targets.iter().zip(&widths) {
            write!(f, "{:<width$}  ", target.name)?;
        }
        writeln!(f, "needs")?;
        for (clause, statuses) in self.rows() {
            write!(f, "{:<11}{:<8}", clause.id, clause.level.to_string())?;
            for (status, width) in statuses.iter().zip(&widths) {
                write!(f, "{:<width$}  ", status.word())?;
            }
            let needs =
                [clause.capability.map(|name| format!("cap {name}")), clause.drill.map(|name| format!("drill {name}"))];
            writeln!(f, "{}", needs.into_iter().flatten().collect::<Vec<_>>().join(", "))?;
        }
        Ok(())
    }
}

/// How many clauses have which status.
struct Counts {
    passed: usize,
    failed: usize,
    deviates: usize,
    unsupported: usize,
    drill: usize,
    untested: usize,
    checks: u64,
}

impl Counts {
    fn of(report: &Report, target: &TargetReport) -> Self {
        let mut counts = Self { passed: 0, failed: 0, deviates: 0, unsupported: 0, drill: 0, untested: 0, checks: 0 };
        for (clause, _) in report.rows() {
            *match target.status(clause) {
                Status::Passed => &mut counts.passed,
                Status::Failed => &mut counts.failed,
                Status::Deviates => &mut counts.deviates,
                Status::Unsupported => &mut counts.unsupported,
                Status::Drill(_) => &mut counts.drill,
                Status::Untested(_) => &mut counts.untested,
            } += 1;
        }
        counts.checks = target.results.iter().map(|result| result.runs).sum();
        counts
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} clauses pass, {} fail, {} unsupported, {} left to drills, {} untested; {} runs of checks",
            self.passed, self.failed, self.unsupported, self.drill, self.untested, self.checks
        )?;
        match self.deviates {
            0 => Ok(()),
            deviates => write!(f, "; {deviates} broken by known faults of the engine"),
        }
    }
}

/// Text of several lines, the later ones below the first.
fn indented(text: &str) -> String {
    text.replace('\n', "\n            ")
}
