//! The drill of the scale: a directory grows, and calls are timed with a 64th, a 16th, a quarter and all of the entries. Medians
//! are compared, and what seems to grow too fast is measured once more, in a new directory, before it counts.

mod measure;

use self::measure::Measured;
use crate::case::{Case, path};
use crate::check::{Failure, Verdict};
use crate::growth::{Growth, Order};

/// The parts of all entries at which is measured.
const PARTS: [u32; 4] = [64, 16, 4, 1];

/// Calls on one file, and listings.
pub(crate) async fn growth(case: &Case) -> Verdict {
    use Measured::{Delete, Get, Listing, Parent, Put, Stat};
    judged(
        case,
        &[
            (Get, "COST-1"),
            (Stat, "COST-1"),
            (Put, "COST-1"),
            (Delete, "COST-1"),
            (Listing, "LIST-11"),
            (Parent, "LIST-11"),
        ],
    )
    .await
}

/// Pages of a listing, where the driver can begin one anywhere.
pub(crate) async fn growth_of_pages(case: &Case) -> Verdict {
    judged(case, &[(Measured::FirstPage, "LIST-12"), (Measured::LaterPage, "LIST-12")]).await
}

async fn judged(case: &Case, operations: &[(Measured, &'static str)]) -> Verdict {
    let mut suspects = Vec::new();
    for attempt in 0..2 {
        let growths = grow(case, attempt, operations).await?;
        let too_fast = |growth: &Growth| growth.is_too_fast();
        let fast: Vec<_> = growths.iter().filter(|growth| too_fast(growth)).map(|growth| growth.operation).collect();
        case.equipment().measure(growths.clone());
        suspects = if attempt == 0 { fast } else { fast.into_iter().filter(|name| suspects.contains(name)).collect() };
        if suspects.is_empty() {
            return Ok(());
        }
        if attempt == 1 {
            return Err(failure(&growths, &suspects, operations).into());
        }
    }
    Ok(())
}

fn failure(growths: &[Growth], suspects: &[&'static str], operations: &[(Measured, &'static str)]) -> Failure {
    let bad: Vec<_> = growths.iter().filter(|growth| suspects.contains(&growth.operation)).collect();
    let mut clauses: Vec<_> = operations
        .iter()
        .filter(|(operation, _)| suspects.contains(&operation.name()))
        .map(|(_, clause)| *clause)
        .collect();
    clauses.dedup();
    let order = |order| if order == Order::Constant { "the same" } else { "in proportion" };
    let expected: Vec<_> =
        bad.iter().map(|growth| format!("{} to cost {}", growth.operation, order(growth.allowed))).collect();
    let found: Vec<_> = bad
        .iter()
        .map(|growth| format!("{} {:.1} times dearer than that", growth.operation, growth.excess()))
        .collect();
    let evidence: Vec<_> = growths.iter().map(Growth::to_string).collect();
    Failure {
        clauses,
        expected: format!("{}, however many entries there are", expected.join(", ")),
        found: found.join(", "),
        evidence: Some(evidence.join("\n")),
    }
}

async fn grow(case: &Case, attempt: u32, operations: &[(Measured, &'static str)]) -> Verdict<Vec<Growth>> {
    let parent = path(&format!("/scale-{attempt}"));
    let directory = path(&format!("{parent}/entries"));
    let all = case.equipment().entries.get();
    let mut growths: Vec<_> =
        operations.iter().map(|(operation, _)| Growth::new(operation.name(), operation.allowed())).collect();
    let mut random = case.random();
    let mut there = 0;
    for part in PARTS {
        let entries = all / part;
        case.put_all((there..entries).map(|number| measure::entry(&directory, number))).await?;
        there = entries;
        for ((operation, _), growth) in operations.iter().zip(&mut growths) {
            growth.points.push(operation.measure(case, &directory, entries, &mut random).await?);
        }
    }
    case.delete_tree(&parent).await?;
    Ok(growths)
}

#[cfg(test)]
mod tests;
