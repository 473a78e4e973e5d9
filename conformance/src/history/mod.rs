//! Concurrent histories: several tasks on two paths, every call and answer noted, and the whole decided on: is there one order
//! of the calls that explains every answer?
//!
//! Contents tell which write they are of, so torn or mixed bytes are recognised before the order is asked for. A history that
//! no order explains is shrunk to the calls that it takes, and told as an interleaving.

mod checker;
mod event;
mod record;

use std::fmt::Write as _;

use driver_api::{Context, DeleteOptions, ErrorKind, StoragePath};

use self::checker::{Decision, decide, smallest};
pub(crate) use self::event::Event;
use self::record::record;
pub(crate) use self::record::{Clock, play_alone};
use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict};

/// Records and decides as many histories as the budget has.
pub(crate) async fn explore(case: &Case) -> Verdict {
    let mut undecided = 0;
    for number in case.rounds(case.budget().histories) {
        let seed = case.seed().wrapping_add(u64::from(number));
        let directory = path(&format!("/history-{number}"));
        let paths = ["a", "b"].map(|name| path(&format!("{directory}/{name}")));
        let history = record(case.storage(), paths.clone(), seed).await?;
        undecided += u32::from(!decided(history, &paths, "both begin with nothing")?);
        tidy(case, &directory).await?;
    }
    if undecided > 0 {
        let histories = case.budget().histories;
        return Err(Stop::Skipped(format!("{undecided} of {histories} histories took too long to decide on")));
    }
    Ok(())
}

/// Whether a history could be decided on; fails where no order explains it, and says so with `remark`. Both paths began
/// with nothing.
pub(crate) fn decided(mut history: Vec<Event>, paths: &[StoragePath; 2], remark: &str) -> Verdict<bool> {
    history.sort_by_key(|event| event.begun);
    match decide(&history) {
        Decision::Linearizable => Ok(true),
        Decision::Undecided => Ok(false),
        Decision::Refuted => Err(refuted(&history, paths, remark)),
    }
}

fn refuted(history: &[Event], paths: &[StoragePath; 2], remark: &str) -> Stop {
    let smallest = smallest(history);
    let [a, b] = paths;
    let found = format!("{} calls that no order explains (of {} in the history)", smallest.len(), history.len());
    let evidence = format!("A is {a}, B is {b}; {remark}\n{}", interleaving(&smallest));
    Failure::new("CONC-1", "one order of the calls that explains every answer", found).with_evidence(evidence).into()
}

/// Removes what the history left, so that a run holds only what one history does.
async fn tidy(case: &Case, directory: &StoragePath) -> Verdict {
    match case.storage().delete(&Context::background(), directory, DeleteOptions::tree()).await {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The history as lines in the order of time, one column for each task. A call that nothing happened in stands in one line.
fn interleaving(history: &[Event]) -> String {
    let mut moments: Vec<(u64, bool, &Event)> =
        history.iter().flat_map(|event| [(event.begun, true, event), (event.answered, false, event)]).collect();
    moments.sort_by_key(|(time, _, _)| *time);
    let mut text = String::new();
    let mut moments = moments.iter().peekable();
    while let Some((_, begins, event)) = moments.next() {
        let Event { task, operation, outcome, .. } = event;
        let column = "    ".repeat(*task);
        let at_once = *begins && moments.next_if(|(_, _, next)| next == event).is_some();
        // Writing to a String cannot fail.
        let _ = match (begins, at_once) {
            (_, true) => writeln!(text, "  {column}task {task}: {operation}  ->  {outcome}"),
            (true, false) => writeln!(text, "  {column}task {task}: {operation} ..."),
            (false, false) => writeln!(text, "  {column}task {task}: ... {operation}  ->  {outcome}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use driver_inmemory::MemoryDriver;

    use super::event::{By, Operation, Outcome, Place, When};
    use super::*;
    use crate::payload::Content;
    use crate::profile::Profile;
    use crate::target::Target;

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn a_right_driver_has_histories_that_an_order_explains() {
        let target = Target::new("memory", || async { MemoryDriver::default() });
        let instance = target.fresh().await.unwrap();
        let mut budget = Profile::Quick.budget();
        (budget.histories, budget.slice) = (2000, budget.time_limit);
        let seed = fastrand::u64(..);
        if let Err(stop) = explore(&Case::new(target, instance, budget, seed)).await {
            panic!("seed {seed}: {stop:?}");
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn histories_hold_calls_that_really_overlap() {
        let storage = driver_api::Storage::new(MemoryDriver::default());
        let mut overlapping = 0;
        for seed in 0..200 {
            let paths = ["/a", "/b"].map(|name| path(&format!("/{seed}{name}")));
            let history = record(&storage, paths, seed).await.unwrap();
            let pairs = history.iter().flat_map(|one| history.iter().map(move |other| (one, other)));
            overlapping +=
                usize::from(pairs.into_iter().any(|(one, other)| one.task < other.task && one.overlaps(other)));
        }
        assert!(overlapping > 20, "only {overlapping} of 200 histories have calls that overlap");
    }

    #[test]
    fn an_interleaving_reads_from_top_to_bottom() {
        let content = Content { write: 1, size: 16 };
        let publish = Operation::Publish { place: Place::A, content, when: When::Always, by: By::Put };
        let history = [
            Event { task: 0, operation: publish, outcome: Outcome::Done, begun: 0, answered: 3 },
            Event { task: 1, operation: Operation::Get(Place::A), outcome: Outcome::NotFound, begun: 1, answered: 2 },
        ];
        assert_eq!(
            interleaving(&history),
            "  task 0: put A = write 1 of 16 bytes ...\n      task 1: get A  ->  not_found\n  \
             task 0: ... put A = write 1 of 16 bytes  ->  ok\n"
        );
    }
}
