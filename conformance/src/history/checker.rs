//! Decides whether a history is linearizable: whether its operations can be put in one order, each at a moment between its
//! begin and its answer, in which every answer is right.
//!
//! The search is that of Wing and Gong with Lowe's memory: of the operations that may come next it tries each, and never
//! goes on twice from the same set of operations done and the same state. What it may spend is bounded.

use std::collections::HashSet;

use super::event::{Event, Operation, Outcome, Place, When};
use crate::payload::Content;

/// How many pairs of operations done and state a search visits before it gives up.
const MOST_VISITED: usize = 200_000;
/// The same while a history is made smaller, which takes a search for each event: one that would take longer keeps its event.
const MOST_VISITED_SHRINKING: usize = 4_000;
/// How many operations a history has at most: a search keeps them in the bits of a word.
pub(super) const MOST_EVENTS: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    Linearizable,
    Refuted,
    /// The search was given up.
    Undecided,
}

/// A file at one of the paths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Held {
    content: Content,
    /// Whether a move brought it. Whether its version is another then, no clause says, so one that comes back may or may not
    /// have the version that it was seen with before it left.
    moved: bool,
}

impl Held {
    fn written(content: Content) -> Self {
        Self { content, moved: false }
    }
}

/// What is at the two paths.
type State = [Option<Held>; 2];

/// An event, and whether a delete that removed nothing may have answered Ok.
#[derive(Debug, Clone, Copy)]
struct Step {
    event: Event,
    /// Of racing deletes more than one may be Ok (DEL-2).
    races_with_a_delete: bool,
}

/// Decides on a history that began with nothing at either path. Paths that no move connects are decided one by one: a history
/// is linearizable if and only if each of its objects' is.
pub(super) fn decide(history: &[Event]) -> Decision {
    decide_within(MOST_VISITED, history)
}

fn decide_within(most_visited: usize, history: &[Event]) -> Decision {
    if history.iter().any(|event| matches!(event.operation, Operation::Move { .. })) {
        return decide_together(most_visited, history);
    }
    let decisions = Place::ALL.map(|place| {
        let of_place = |event: &&Event| event.operation.places().any(|other| other == place);
        decide_together(most_visited, &history.iter().filter(of_place).copied().collect::<Vec<_>>())
    });
    let worst = |decision: Decision| decisions.contains(&decision);
    match () {
        () if worst(Decision::Refuted) => Decision::Refuted,
        () if worst(Decision::Undecided) => Decision::Undecided,
        () => Decision::Linearizable,
    }
}

fn decide_together(most_visited: usize, history: &[Event]) -> Decision {
    if history.len() > MOST_EVENTS {
        return Decision::Undecided;
    }
    let steps: Vec<_> = history
        .iter()
        .map(|event| Step { event: *event, races_with_a_delete: races_with_a_delete(event, history) })
        .collect();
    let answered: u64 = bits(&steps, |step| step.event.outcome != Outcome::Unknown);
    let mut visited = HashSet::new();
    let mut open: Vec<(u64, State)> = vec![(0, [None; 2])];
    while let Some((done, state)) = open.pop() {
        if done & answered == answered {
            return Decision::Linearizable;
        }
        if !visited.insert((done, state)) {
            continue;
        }
        if visited.len() > most_visited {
            return Decision::Undecided;
        }
        // Nothing that began after an operation answered can come before it.
        let pending = || steps.iter().enumerate().filter(|(at, _)| done & (1 << at) == 0);
        let first_answer = pending().map(|(_, step)| step.event.latest()).min().unwrap_or(u64::MAX);
        for (at, step) in pending().filter(|(_, step)| step.event.begun < first_answer) {
            open.extend(step.apply(state).map(|next| (done | 1 << at, next)));
        }
    }
    Decision::Refuted
}

fn bits(steps: &[Step], set: impl Fn(&Step) -> bool) -> u64 {
    steps.iter().enumerate().filter(|(_, step)| set(step)).fold(0, |bits, (at, _)| bits | 1 << at)
}

fn races_with_a_delete(event: &Event, history: &[Event]) -> bool {
    let Operation::Delete { place, .. } = event.operation else { return false };
    history.iter().any(|other| {
        let removes = matches!(other.operation, Operation::Delete { place: p, .. } if p == place)
            || matches!(other.operation, Operation::Move { from, .. } if from == place);
        removes && other != event && matches!(other.outcome, Outcome::Done | Outcome::Unknown) && other.overlaps(event)
    })
}

impl Step {
    /// The state after this step; none where its answer would be wrong in `state`.
    fn apply(&self, state: State) -> Option<State> {
        let outcome = self.event.outcome;
        match self.event.operation {
            Operation::Get(place) => {
                let right = match state[place.index()] {
                    Some(held) => outcome == Outcome::Content(held.content),
                    None => outcome == Outcome::NotFound,
                };
                right.then_some(state)
            }
            Operation::Stat(place) => {
                let right = match state[place.index()] {
                    Some(held) => outcome == Outcome::Size(held.content.size),
                    None => outcome == Outcome::NotFound,
                };
                right.then_some(state)
            }
            Operation::Publish { place, content, when, .. } => {
                let there = state[place.index()];
                if outcome == Outcome::Conflict && may_be_another_version(when, there) {
                    return Some(state);
                }
                self.changed(expected(when, there), state, |next| next[place.index()] = Some(Held::written(content)))
            }
            Operation::Delete { place, when } => {
                let there = state[place.index()];
                let right = if there.is_none() { Outcome::NotFound } else { expected(when, there) };
                if there.is_none() && outcome == Outcome::Done && self.races_with_a_delete {
                    return Some(state);
                }
                // Where no file is, a delete if-match may be a Conflict too (DEL-9).
                let may_conflict = there.is_none() && when != When::Always || may_be_another_version(when, there);
                if outcome == Outcome::Conflict && may_conflict {
                    return Some(state);
                }
                self.changed(right, state, |next| next[place.index()] = None)
            }
            Operation::Move { from, to } => {
                let moved = state[from.index()];
                let right = if moved.is_some() { Outcome::Done } else { Outcome::NotFound };
                self.changed(right, state, |next| {
                    next[from.index()] = None;
                    next[to.index()] = moved.map(|held| Held { moved: true, ..held });
                })
            }
        }
    }

    /// The state after a change whose right answer is `right`. One whose answer was lost is right whatever it did; where it
    /// would have been refused it comes to nothing, which the search has by leaving it out.
    fn changed(&self, right: Outcome, state: State, change: impl FnOnce(&mut State)) -> Option<State> {
        let applies = right == Outcome::Done;
        match self.event.outcome {
            Outcome::Unknown if !applies => None,
            outcome if outcome != right && outcome != Outcome::Unknown => None,
            _ => {
                let mut next = state;
                if applies {
                    change(&mut next);
                }
                Some(next)
            }
        }
    }
}

/// Whether the version that a condition names may have been left behind by a move of the very content that had it.
fn may_be_another_version(when: When, there: Option<Held>) -> bool {
    there.is_some_and(|held| held.moved && when == When::Is(held.content))
}

fn expected(when: When, there: Option<Held>) -> Outcome {
    match when {
        When::Always => Outcome::Done,
        When::Absent if there.is_some() => Outcome::AlreadyExists,
        When::Absent => Outcome::Done,
        When::Is(content) if there.is_some_and(|held| held.content == content) => Outcome::Done,
        When::Is(_) => Outcome::Conflict,
    }
}

/// Leaves out of a refuted history what is not needed to refute it.
///
/// A read is dropped whole: without it there is one demand less. A change is dropped only where the rest is refuted even if the
/// change had happened at any time, or never; so what is left is refuted by itself, and not for lack of what was dropped. What
/// wrote a content that is spoken of stays: without it nobody could follow.
pub(super) fn smallest(history: &[Event]) -> Vec<Event> {
    let mut shown = history.to_vec();
    let mut dropped_changes: Vec<Event> = Vec::new();
    // The reads first, for they speak of writes; the latest first, for what came after the fault is least likely to be needed.
    let (reads, changes): (Vec<&Event>, Vec<&Event>) =
        history.iter().rev().partition(|event| event.operation.is_read());
    for event in reads.into_iter().chain(changes) {
        let rest: Vec<_> = shown.iter().filter(|other| *other != event).copied().collect();
        let mut dropped = dropped_changes.clone();
        if let Operation::Publish { content, .. } = event.operation
            && rest.iter().any(|other| other.speaks_of(content))
        {
            continue;
        }
        if !event.operation.is_read() {
            dropped.push(Event { outcome: Outcome::Unknown, begun: 0, ..*event });
        }
        let demands: Vec<_> = rest.iter().chain(&dropped).copied().collect();
        if decide_within(MOST_VISITED_SHRINKING, &demands) == Decision::Refuted {
            (shown, dropped_changes) = (rest, dropped);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::history::event::By;

    fn event(task: usize, operation: Operation, outcome: Outcome, begun: u64, answered: u64) -> Event {
        Event { task, operation, outcome, begun, answered }
    }

    fn content(write: u64) -> Content {
        Content { write, size: 16 + write }
    }

    fn put(write: u64, when: When) -> Operation {
        Operation::Publish { place: Place::A, content: content(write), when, by: By::Put }
    }

    const GET: Operation = Operation::Get(Place::A);
    const MOVE: Operation = Operation::Move { from: Place::A, to: Place::B };

    fn done(write: u64, begun: u64, answered: u64) -> Event {
        event(0, put(write, When::Always), Outcome::Done, begun, answered)
    }

    #[test]
    fn concurrent_operations_may_be_seen_in_any_order() {
        for seen in [Outcome::Content(content(1)), Outcome::Content(content(2)), Outcome::NotFound] {
            let history = [done(1, 0, 10), done(2, 1, 9), event(1, GET, seen, 2, 8)];
            assert_eq!(decide(&history), Decision::Linearizable, "{seen}");
        }
    }

    #[test]
    fn a_stale_read_is_refuted_and_shown_without_bystanders() {
        let (first, second) = (done(1, 0, 1), done(2, 2, 3));
        let stale = event(1, GET, Outcome::Content(content(1)), 4, 5);
        let bystander = event(2, GET, Outcome::Content(content(2)), 6, 7);
        let elsewhere = event(2, Operation::Get(Place::B), Outcome::NotFound, 0, 9);
        let history = [first, second, stale, bystander, elsewhere];
        assert_eq!(decide(&history), Decision::Refuted);
        // Write 1 must have been before its read, whenever that was; it is write 2 that makes the read too late.
        assert_eq!(smallest(&history), [first, second, stale]);
    }

    #[test]
    fn going_back_in_time_is_refuted() {
        let new = event(1, GET, Outcome::Content(content(2)), 3, 4);
        let old = event(1, GET, Outcome::Content(content(1)), 5, 6);
        assert_eq!(decide(&[done(1, 0, 1), done(2, 2, 9), new, old]), Decision::Refuted);
        assert_eq!(decide(&[done(1, 0, 1), done(2, 2, 9), old, new]), Decision::Refuted);
        let (old, new) = (event(1, GET, old.outcome, 3, 4), event(1, GET, new.outcome, 5, 6));
        assert_eq!(decide(&[done(1, 0, 1), done(2, 2, 9), old, new]), Decision::Linearizable);
    }

    #[test]
    fn of_two_conditional_puts_one_may_succeed() {
        for when in [When::Absent, When::Is(content(1))] {
            let begin = if when == When::Absent { vec![] } else { vec![done(1, 0, 1)] };
            let both = [event(0, put(2, when), Outcome::Done, 2, 9), event(1, put(3, when), Outcome::Done, 2, 9)];
            assert_eq!(decide(&[begin.clone(), both.to_vec()].concat()), Decision::Refuted, "{when}");
            let refused = if when == When::Absent { Outcome::AlreadyExists } else { Outcome::Conflict };
            let one = [both[0], event(1, put(3, when), refused, 2, 9)];
            assert_eq!(decide(&[begin, one.to_vec()].concat()), Decision::Linearizable, "{when}");
        }
    }

    #[test]
    fn a_move_is_one_step_on_both_paths() {
        let moved = event(0, MOVE, Outcome::Done, 2, 9);
        let gone = event(1, GET, Outcome::NotFound, 3, 4);
        let not_yet = event(1, Operation::Get(Place::B), Outcome::NotFound, 5, 6);
        assert_eq!(decide(&[done(1, 0, 1), moved, gone, not_yet]), Decision::Refuted);
        let arrived = event(1, Operation::Get(Place::B), Outcome::Content(content(1)), 5, 6);
        assert_eq!(decide(&[done(1, 0, 1), moved, gone, arrived]), Decision::Linearizable);
    }

    #[test]
    fn what_a_move_brought_back_may_have_another_version() {
        let back = Operation::Move { from: Place::B, to: Place::A };
        let left = [done(1, 0, 1), event(0, MOVE, Outcome::Done, 2, 3), event(0, back, Outcome::Done, 4, 5)];
        let delete = Operation::Delete { place: Place::A, when: When::Is(content(1)) };
        for operation in [put(2, When::Is(content(1))), delete] {
            for outcome in [Outcome::Done, Outcome::Conflict] {
                let history = [&left[..], &[event(1, operation, outcome, 6, 7)]].concat();
                assert_eq!(decide(&history), Decision::Linearizable, "{operation}: {outcome}");
                let refused = [done(1, 0, 1), event(1, operation, outcome, 6, 7)];
                assert_eq!(decide(&refused) == Decision::Refuted, outcome == Outcome::Conflict, "{operation}");
            }
        }
    }

    #[test]
    fn the_write_that_a_read_saw_is_shown() {
        let seen = |write, begun| event(1, GET, Outcome::Content(content(write)), begun, begun + 1);
        // Whenever write 1 was, the reads between which write 2 was seen cannot both have seen it.
        let history = [done(1, 0, 1), done(2, 2, 20), seen(1, 3), seen(2, 5), seen(1, 7), done(3, 30, 31)];
        let smallest = smallest(&history);
        for event in &smallest {
            if let Outcome::Content(content) = event.outcome {
                let writes =
                    |other: &Event| matches!(other.operation, Operation::Publish { content: c, .. } if c == content);
                assert!(smallest.iter().any(writes), "{smallest:?}");
            }
        }
        assert!(smallest.len() < history.len(), "{smallest:?}");
    }

    #[test]
    fn a_change_whose_answer_was_lost_happens_late_or_never() {
        let lost = event(0, put(2, When::Always), Outcome::Unknown, 2, 3);
        let old = event(1, GET, Outcome::Content(content(1)), 4, 5);
        let new = event(1, GET, Outcome::Content(content(2)), 6, 7);
        let old_again = event(1, GET, Outcome::Content(content(1)), 8, 9);
        assert_eq!(decide(&[done(1, 0, 1), lost, old]), Decision::Linearizable);
        assert_eq!(decide(&[done(1, 0, 1), lost, old, new]), Decision::Linearizable);
        assert_eq!(decide(&[done(1, 0, 1), lost, new, old_again]), Decision::Refuted);
    }

    #[test]
    fn racing_deletes_may_both_succeed_and_later_ones_not() {
        let delete = Operation::Delete { place: Place::A, when: When::Always };
        let racing = [done(1, 0, 1), event(0, delete, Outcome::Done, 2, 5), event(1, delete, Outcome::Done, 3, 6)];
        assert_eq!(decide(&racing), Decision::Linearizable);
        let later = [done(1, 0, 1), event(0, delete, Outcome::Done, 2, 3), event(1, delete, Outcome::Done, 4, 6)];
        assert_eq!(decide(&later), Decision::Refuted);
    }

    #[test]
    fn a_wide_bad_history_is_refuted_within_bounds() {
        let mut history: Vec<_> = (1..=12).map(|write| done(write, 0, 100)).collect();
        history.push(event(1, GET, Outcome::NotFound, 101, 102));
        assert_eq!(decide(&history), Decision::Refuted);
    }

    /// The definition itself: some order of some subset that has all answered operations is right and keeps real time.
    fn by_brute_force(history: &[Event], done: u64, state: State) -> bool {
        let all: Vec<_> = history
            .iter()
            .map(|event| Step { event: *event, races_with_a_delete: races_with_a_delete(event, history) })
            .collect();
        let pending = |at: usize| done & (1 << at) == 0;
        let finished = (0..all.len()).all(|at| !pending(at) || all[at].event.outcome == Outcome::Unknown);
        finished
            || (0..all.len()).filter(|at| pending(*at)).any(|at| {
                let in_time =
                    (0..all.len()).all(|other| !pending(other) || all[other].event.latest() > all[at].event.begun);
                in_time && all[at].apply(state).is_some_and(|next| by_brute_force(history, done | 1 << at, next))
            })
    }

    fn operation() -> impl Strategy<Value = (Operation, Outcome)> {
        let outcome = prop_oneof![
            4 => Just(Outcome::Done), 2 => Just(Outcome::NotFound), 1 => Just(Outcome::AlreadyExists),
            1 => Just(Outcome::Conflict), 1 => Just(Outcome::Unknown),
        ];
        let place = prop_oneof![3 => Just(Place::A), 1 => Just(Place::B)];
        let when = prop_oneof![3 => Just(When::Always), 1 => Just(When::Absent), 1 => Just(When::Is(content(1)))];
        prop_oneof![
            (place.clone(), 1u64..4, prop::bool::weighted(0.8)).prop_map(|(place, write, there)| {
                let seen = if there { Outcome::Content(content(write)) } else { Outcome::NotFound };
                (Operation::Get(place), seen)
            }),
            (place.clone(), 1u64..4, when.clone(), outcome.clone()).prop_map(|(place, write, when, outcome)| {
                (Operation::Publish { place, content: content(write), when, by: By::Put }, outcome)
            }),
            (place, outcome.clone())
                .prop_map(|(place, outcome)| (Operation::Delete { place, when: When::Always }, outcome)),
            outcome.prop_map(|outcome| (MOVE, outcome)),
        ]
    }

    fn tiny_history() -> impl Strategy<Value = Vec<Event>> {
        let events = prop::collection::vec((operation(), 0u64..8, 1u64..5), 1..6);
        events.prop_map(|events| {
            let timed = |(at, ((operation, outcome), begun, length)): (usize, _)| {
                let (begun, length): (u64, u64) = (begun, length);
                // Distinct times, as one counter gives them.
                event(at, operation, outcome, begun * 16 + at as u64, (begun + length) * 16 + 8 + at as u64)
            };
            events.into_iter().enumerate().map(timed).collect()
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 4000, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn decides_as_brute_force_does(history in tiny_history()) {
            let expected = by_brute_force(&history, 0, [None; 2]);
            prop_assert_eq!(decide(&history) == Decision::Linearizable, expected);
        }

        #[test]
        fn the_smallest_history_is_refuted_by_itself(history in tiny_history()) {
            if decide(&history) == Decision::Refuted {
                let smallest = smallest(&history);
                for write in history.iter().filter(|event| !smallest.contains(event)) {
                    let Operation::Publish { content, .. } = write.operation else { continue };
                    prop_assert!(!smallest.iter().any(|event| event.speaks_of(content)));
                }
                let dropped = history.iter().filter(|event| !smallest.contains(event) && !event.operation.is_read());
                let at_any_time = dropped.map(|event| Event { outcome: Outcome::Unknown, begun: 0, ..*event });
                let demands: Vec<_> = smallest.iter().copied().chain(at_any_time).collect();
                prop_assert!(!by_brute_force(&demands, 0, [None; 2]));
            }
        }
    }
}
