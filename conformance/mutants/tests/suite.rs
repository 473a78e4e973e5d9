//! The suite is not blind: it fails on every mutant, and names the clause.

use std::collections::BTreeSet;

use conformance_mutants::{Extent, matrix, mutants, try_on};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_mutant_is_caught_by_the_clause_it_breaks() {
    let seed = 1;
    let mut trials = Vec::new();
    for mutant in mutants() {
        trials.push(try_on(mutant, Extent::Listed, seed).await);
    }
    println!("{}", matrix(&trials));
    let missed: Vec<_> = trials
        .iter()
        .filter(|trial| !trial.is_caught())
        .map(|trial| format!("{}: {} is not among {:?}", trial.mutant.id, trial.mutant.primary, trial.clauses()))
        .collect();
    assert!(missed.is_empty(), "{missed:#?}");
}

#[test]
fn mutants_are_told_apart_and_name_clauses_that_exist() {
    let ids: BTreeSet<_> = mutants().map(|mutant| mutant.id).collect();
    assert_eq!(ids.len(), mutants().count());
    for mutant in mutants() {
        assert!(mutant.others.len() <= 2, "{} lists too many clauses", mutant.id);
        for id in mutant.clauses() {
            assert!(conformance::clause(id).is_some(), "{} names {id}", mutant.id);
        }
    }
}
