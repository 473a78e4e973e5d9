//! The report as one page of HTML: no scripts, nothing loaded from elsewhere, readable on a phone, light or dark.

use std::collections::BTreeSet;

use super::markup::{Escaped, prose, without_repetitions};
use super::{CheckResult, Report, Status, TargetReport};
use crate::check::Failure;
use crate::clause::Clause;

const STYLE: &str = include_str!("page.css");

impl Report {
    /// The report as a page of HTML.
    pub fn to_html(&self) -> String {
        let names: Vec<_> = self.targets.iter().map(|target| target.name.as_str()).collect();
        let title = Escaped(format!("Conformance of {}", names.join(", "))).to_string();
        let verdict = if self.conforms() {
            "<p class=\"pass\">Every MUST that was tested holds.</p>"
        } else {
            "<p class=\"fail\">A MUST is broken.</p>"
        };
        let summary = format!(
            "<p class=\"soft\">Profile {}, seed {}, {:.1} s{}.</p>",
            Escaped(&self.profile),
            self.seed,
            self.elapsed.as_secs_f64(),
            if self.stopped { ", stopped before its end" } else { "" },
        );
        let heads: String = names.iter().map(|name| format!("<th scope=\"col\">{}</th>", Escaped(name))).collect();
        let rows: String = self.rows().map(|(clause, statuses)| row(clause, &names, &statuses)).collect();
        let failures: String = self.targets.iter().flat_map(failures).collect();
        let deviations: String = self.targets.iter().map(deviations).collect();
        let growth: String = self.targets.iter().map(super::growth::sections).collect();
        let timings: String = self.targets.iter().map(timings).collect();
        let mutants = super::mutants::section();
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n\
             <style>\n{STYLE}</style>\n</head>\n<body>\n<h1>{title}</h1>\n{verdict}\n{summary}\n{failures}{deviations}\
             <h2>Clauses</h2>\n{FILTER}<div class=\"scroll\"><table class=\"clauses\">\n<thead><tr><th scope=\"col\">Clause</th>{heads}\
             <th scope=\"col\">What it says</th></tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n{growth}{timings}{mutants}</body>\n</html>\n"
        )
    }
}

const FILTER: &str = "<fieldset><legend>Show</legend>\
    <label><input type=\"radio\" name=\"show\" id=\"all\" checked> all</label>\
    <label><input type=\"radio\" name=\"show\" id=\"failed\"> broken</label>\
    <label><input type=\"radio\" name=\"show\" id=\"tested\"> tested</label>\
    <label><input type=\"radio\" name=\"show\" id=\"open\"> not tested somewhere</label></fieldset>\n";

fn row(clause: &Clause, targets: &[&str], statuses: &[Status<'_>]) -> String {
    let classes: BTreeSet<_> = statuses.iter().map(class).collect();
    let classes = classes.into_iter().collect::<Vec<_>>().join(" ");
    let cells: String = statuses.iter().zip(targets).map(|(status, target)| cell(status, target)).collect();
    let needs = match (clause.capability, clause.drill) {
        (None, None) => String::new(),
        (capability, drill) => {
            let capability = capability.map(|name| format!("capability {name}"));
            let drill = drill.map(|name| format!("drill {name}"));
            let needs = capability.into_iter().chain(drill).collect::<Vec<_>>().join(", ");
            format!(" <span class=\"soft\">({})</span>", Escaped(needs))
        }
    };
    format!(
        "<tr id=\"{id}\" data-status=\"{classes}\"><td class=\"id\">{id}<br><span class=\"soft\">{}</span></td>{cells}\
         <td class=\"text\">{}{needs}</td></tr>\n",
        clause.level,
        prose(&clause.text),
        id = Escaped(clause.id),
    )
}

fn class(status: &Status<'_>) -> &'static str {
    match status {
        Status::Passed => "pass",
        Status::Failed => "fail",
        Status::Deviates => "known",
        Status::Unsupported | Status::Drill(_) | Status::Untested(_) => "none",
    }
}

/// A narrow page has no heads of columns, and each cell says whose it is.
fn cell(status: &Status<'_>, target: &str) -> String {
    let reason = match status {
        Status::Drill(drill) => format!(" title=\"left to the drill {}\"", Escaped(drill)),
        Status::Untested(reason) => format!(" title=\"{}\"", Escaped(reason)),
        _ => String::new(),
    };
    format!("<td class=\"{}\" data-target=\"{}\"{reason}>{}</td>", class(status), Escaped(target), status.word())
}

fn failures(target: &TargetReport) -> Vec<String> {
    target.failures().map(|(result, failure, repeat)| article(target, result, failure, repeat)).collect()
}

fn article(target: &TargetReport, result: &CheckResult, failure: &Failure, repeat: &str) -> String {
    let clauses: String = failure
        .clauses()
        .map(|clause| {
            format!(
                "<dt>Clause</dt><dd><a href=\"#{id}\">{id}</a> {}: {}</dd>",
                clause.level,
                prose(&clause.text),
                id = Escaped(clause.id),
            )
        })
        .collect();
    let evidence = match &failure.evidence {
        Some(evidence) => format!("<dt>Evidence</dt><dd><pre>{}</pre></dd>", Escaped(evidence)),
        None => String::new(),
    };
    format!(
        "<article><h2>{}: {} failed</h2><dl>{clauses}<dt>Expected</dt><dd>{}</dd><dt>Found</dt><dd>{}</dd>{evidence}\
         <dt>Repeat</dt><dd><pre>{}</pre></dd></dl></article>\n",
        Escaped(&target.name),
        Escaped(result.check),
        Escaped(without_repetitions(&failure.expected)),
        Escaped(without_repetitions(&failure.found)),
        Escaped(repeat),
    )
}

fn deviations(target: &TargetReport) -> String {
    let engine = Escaped(target.engine.as_deref().unwrap_or_default()).to_string();
    let known = target.deviations().map(|(result, failure, known)| {
        format!(
            "<article class=\"deviation\"><h2>{}: {} deviates</h2><dl><dt>Clause</dt><dd>{}</dd><dt>Known of {engine} since \
             {}</dt><dd>{}</dd><dt>Evidence</dt><dd><pre>{}</pre></dd></dl></article>\n",
            Escaped(&target.name),
            Escaped(result.check),
            Escaped(failure.clauses.join(", ")),
            Escaped(&known.since),
            Escaped(&known.reason),
            Escaped(&known.evidence),
        )
    });
    let mended = target.mended.iter().map(|known| {
        format!(
            "<article><h2>{}: {} passes</h2><p>{} is said to be broken by {engine}: remove the entry.</p></article>\n",
            Escaped(&target.name),
            Escaped(&known.check),
            Escaped(&known.clause),
        )
    });
    known.chain(mended).collect()
}

fn timings(target: &TargetReport) -> String {
    let rows: String = target
        .results
        .iter()
        .map(|result| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td><td>{:.3} s</td></tr>\n",
                Escaped(result.check),
                Escaped(result.clauses.join(", ")),
                result.runs,
                result.elapsed.as_secs_f64(),
            )
        })
        .collect();
    format!(
        "<details><summary>Checks of {}</summary><div class=\"scroll\"><table><thead><tr><th scope=\"col\">Check</th>\
         <th scope=\"col\">Clauses</th><th scope=\"col\">Runs</th><th scope=\"col\">Time</th></tr></thead>\n<tbody>\n{rows}\
         </tbody></table></div></details>\n",
        Escaped(&target.name),
    )
}
