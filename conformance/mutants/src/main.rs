//! Runs the whole suite against the mutants named as arguments, or against all, and shows what it says of each.

use std::process::ExitCode;

use conformance_mutants::{Extent, Matrix, mutants, try_on};

fn main() -> std::io::Result<ExitCode> {
    let named: Vec<_> = std::env::args().skip(1).collect();
    let wanted = mutants().filter(|mutant| named.is_empty() || named.iter().any(|name| name == mutant.id));
    let matrix = Matrix::new(try_on(wanted, Extent::Whole, 1)?);
    for trial in matrix.trials() {
        println!("{trial}");
    }
    println!("{matrix}");
    Ok(if matrix.missed().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
