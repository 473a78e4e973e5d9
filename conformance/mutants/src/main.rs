//! Runs the whole suite against the mutants named as arguments, or against all, and shows what it says of each.

use std::process::ExitCode;

use conformance_mutants::{Extent, matrix, mutants, try_on};

#[tokio::main]
async fn main() -> ExitCode {
    let named: Vec<_> = std::env::args().skip(1).collect();
    let mut trials = Vec::new();
    for mutant in mutants().filter(|mutant| named.is_empty() || named.iter().any(|name| name == mutant.id)) {
        let trial = try_on(mutant, Extent::Whole, 1).await;
        println!("{trial}");
        trials.push(trial);
    }
    println!("{}", matrix(&trials));
    if trials.iter().all(|trial| trial.is_caught()) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
