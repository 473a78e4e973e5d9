//! Runs the whole suite on every mutant, and writes what catches what: docs/MUTANTS.md, and the table that reports show.

use std::path::Path;

use conformance_mutants::{Extent, Matrix, document, mutants, try_on};

fn main() -> std::io::Result<()> {
    let matrix = Matrix::new(try_on(mutants(), Extent::Whole, 1)?);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::write(root.join("docs/MUTANTS.md"), document::document(&matrix))?;
    std::fs::write(root.join("conformance/src/report/mutants.tsv"), document::table(&matrix))?;
    println!("{matrix}");
    Ok(())
}
