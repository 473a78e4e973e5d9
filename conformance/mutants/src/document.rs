//! What the matrix says, as it is published: a document, and the table that the suite's reports show.

use std::collections::BTreeSet;

use conformance::{Clause, Drill, Level, clauses};

use crate::{BEFORE_ANY_DRIVER, Matrix, Mutant, Trial, mutants};

/// The row of a mutant in the document, as far as no run decides it.
pub fn row(mutant: &Mutant) -> String {
    let Mutant { id, description, primary, others, drill, .. } = mutant;
    let drill = drill.map(|drill| format!(" (drill {drill})")).unwrap_or_default();
    format!("| `{id}` | {description}{drill} | {primary} | {} |", others.join(", "))
}

/// The line of a mutant in the table of the reports, as far as no run decides it.
pub fn line(mutant: &Mutant) -> String {
    format!("{}\t{}\t{}\t", mutant.id, mutant.primary, mutant.description)
}

/// The checks that caught a mutant.
fn checks(trial: &Trial) -> impl Iterator<Item = &'static str> {
    trial.failures.keys().copied()
}

/// The table of the reports: a line for each mutant, and behind it the checks that caught it.
pub fn table(matrix: &Matrix) -> String {
    let lines = matrix.trials().iter().map(|trial| {
        let checks: Vec<_> = checks(trial).collect();
        format!("{}{}\n", line(trial.mutant), checks.join(" "))
    });
    lines.collect()
}

/// Why no mutant breaks a clause: nothing, where one does.
pub fn reason(clause: &Clause) -> Option<String> {
    if mutants().any(|mutant| mutant.primary == clause.id) {
        return None;
    }
    let tests = |name| conformance::check(name).is_some_and(|check| check.clauses.contains(&clause.id));
    let before = BEFORE_ANY_DRIVER.iter().find(|(name, _)| tests(name));
    let drills = conformance::drill_checks().iter().filter(|check| check.clauses.contains(&clause.id));
    let drills: BTreeSet<_> = drills.filter_map(Drill::of).map(Drill::group).collect();
    match (before, clause.drill) {
        (Some((_, what)), _) => Some(what.to_string()),
        (None, Some(drill)) if drills.is_empty() => {
            Some(format!("left to the drill ({drill}) in each driver's own tests"))
        }
        (None, Some(drill)) => Some(format!("shows only in the drill ({drill})")),
        (None, None) => Some(String::new()),
    }
}

/// The whole document.
pub fn document(matrix: &Matrix) -> String {
    let must = || clauses().iter().filter(|clause| clause.level == Level::Must);
    let broken = must().filter(|clause| mutants().any(|mutant| mutant.primary == clause.id)).count();
    let mutants: String = matrix
        .trials()
        .iter()
        .map(|trial| format!("{} {} |\n", row(trial.mutant), checks(trial).collect::<Vec<_>>().join(", ")))
        .collect();
    let of_checks: String = conformance::checks()
        .iter()
        .map(|check| {
            let before = BEFORE_ANY_DRIVER.iter().find(|(name, _)| *name == check.name);
            let alone: Vec<_> =
                matrix.caught_by_it_alone(check).map(|trial| format!("`{}`", trial.mutant.id)).collect();
            let alone = before.map_or_else(|| alone.join(", "), |(_, what)| format!("none: {what}"));
            format!("| {} | {} | {alone} |\n", check.name, matrix.caught_by(check).count())
        })
        .collect();
    let unbroken: String =
        must().filter_map(|clause| reason(clause).map(|reason| format!("| {} | {reason} |\n", clause.id))).collect();
    format!(
        "# What the suite catches\n\n\
         A mutant is the in-memory driver with one defect. The suite, profile quick, must fail on each and report the clause \
         that the defect breaks; `cargo nextest run -p conformance-mutants` shows it, three times with other seeds. This page is \
         written by\n\n\
         ```console\n\
         $ cargo run --release -p conformance-mutants --example matrix\n\
         ```\n\n\
         {count} mutants break {broken} of {all} MUST clauses; {caught} are caught.\n\n\
         ## The mutants\n\n\
         The second column of clauses has those that may break along with the first. Random checks can fail on more than is \
         told here.\n\n\
         | mutant | what it does wrong | clause | with it | caught by |\n| --- | --- | --- | --- | --- |\n{mutants}\n\
         ## The checks\n\n\
         Without a check, the mutants in its last column would live.\n\n\
         | check | catches | alone |\n| --- | --- | --- |\n{of_checks}\n\
         ## Clauses that no mutant breaks\n\n\
         | clause | why none does |\n| --- | --- |\n{unbroken}",
        count = matrix.trials().len(),
        all = must().count(),
        caught = matrix.trials().len() - matrix.missed().count(),
    )
}
