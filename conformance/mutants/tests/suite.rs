//! The suite is not blind: it fails on every mutant and names the clause, and none of its checks is there for nothing.

use std::collections::BTreeSet;
use std::path::Path;

use conformance::{Level, clauses};
use conformance_mutants::{BEFORE_ANY_DRIVER, Extent, Matrix, Trial, document, mutants, try_on};

/// A file of the project.
fn read(file: &str) -> std::io::Result<String> {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(file))
}

fn told<'a>(missed: impl Iterator<Item = &'a Trial>) -> Vec<String> {
    missed
        .map(|trial| format!("{}: {} is not among {:?}", trial.mutant.id, trial.mutant.primary, trial.clauses()))
        .collect()
}

/// The whole suite once, for what each check catches; the checks of the listed clauses twice more, with other seeds.
#[test]
fn every_mutant_is_caught_and_every_check_catches_one_that_no_other_does() {
    let matrix = Matrix::new(try_on(mutants(), Extent::Whole, 1).unwrap());
    println!("{matrix}");
    let mut missed = told(matrix.missed());
    for seed in [2, 3] {
        let again = Matrix::new(try_on(mutants(), Extent::Listed, seed).unwrap());
        missed.extend(told(again.missed()).into_iter().map(|missed| format!("{missed} (seed {seed})")));
    }
    println!("{} mutants, each tried three times; {} survived", matrix.trials().len(), missed.len());
    assert!(missed.is_empty(), "{missed:#?}");
    let dispensable = dispensable(&matrix).unwrap();
    assert!(dispensable.is_empty(), "without these checks every mutant would be caught all the same: {dispensable:#?}");
}

/// What another check catches by chance, such as a change that was cut short at the one moment, makes no check dispensable: those
/// that seem so are asked once more, on the mutants that they catch.
fn dispensable(matrix: &Matrix) -> std::io::Result<Vec<&'static str>> {
    let mut doubtful: Vec<_> = matrix.dispensable().collect();
    if doubtful.is_empty() {
        return Ok(Vec::new());
    }
    let ids: BTreeSet<_> =
        doubtful.iter().flat_map(|check| matrix.caught_by(check)).map(|trial| trial.mutant.id).collect();
    let again = Matrix::new(try_on(mutants().filter(|mutant| ids.contains(mutant.id)), Extent::Whole, 2)?);
    println!("{again}");
    doubtful.retain(|check| again.caught_by_it_alone(check).next().is_none());
    Ok(doubtful.into_iter().map(|check| check.name).collect())
}

#[test]
fn mutants_are_told_apart_and_name_clauses_that_exist() {
    let ids: BTreeSet<_> = mutants().map(|mutant| mutant.id).collect();
    assert_eq!(ids.len(), mutants().count());
    assert!(ids.len() >= 95, "{} mutants", ids.len());
    for mutant in mutants() {
        assert!(mutant.others.len() <= 2, "{} lists too many clauses", mutant.id);
        for id in mutant.clauses() {
            assert!(conformance::clause(id).is_some(), "{} names {id}", mutant.id);
        }
    }
    for (name, _) in BEFORE_ANY_DRIVER {
        assert!(conformance::check(name).is_some(), "{name} is no check");
    }
}

#[test]
fn every_must_is_broken_by_a_mutant_or_out_of_the_reach_of_one() {
    let forgotten: Vec<_> = clauses()
        .iter()
        .filter(|clause| {
            clause.level == Level::Must && document::reason(clause).is_some_and(|reason| reason.is_empty())
        })
        .map(|clause| clause.id)
        .collect();
    assert!(forgotten.is_empty(), "no mutant breaks {forgotten:?}");
}

#[test]
fn what_is_published_is_of_these_mutants() {
    let (page, table) = (read("docs/MUTANTS.md").unwrap(), read("conformance/src/report/mutants.tsv").unwrap());
    let repeat = "run `cargo run --release -p conformance-mutants --example matrix`";
    for mutant in mutants() {
        let row = document::row(mutant);
        assert!(page.lines().any(|line| line.starts_with(&row)), "docs/MUTANTS.md lacks {}: {repeat}", mutant.id);
        let line = document::line(mutant);
        assert!(table.lines().any(|known| known.starts_with(&line)), "mutants.tsv lacks {}: {repeat}", mutant.id);
    }
    let rows = page.lines().filter(|line| line.starts_with("| `")).count();
    assert_eq!((rows, table.lines().count()), (mutants().count(), mutants().count()), "{repeat}");
    for check in conformance::checks() {
        assert!(page.contains(&format!("| {} |", check.name)), "docs/MUTANTS.md lacks {}: {repeat}", check.name);
    }
}
