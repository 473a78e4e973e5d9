//! Tests of the model: that a right driver agrees with it, that every transition is taken, that a difference is shrunk and
//! replayed.

use driver_api::layers::{Fault, Faults};
use driver_api::{Condition, Error, ErrorKind, Storage, WriteMode};
use driver_inmemory::MemoryDriver;

use super::call::Answer;
use super::coverage::Transition;
use super::*;
use crate::payload::Content;
use crate::profile::Profile;
use crate::target::{Instance, Target};

async fn case(target: Target, seed: u64, sequences: u32, steps: usize) -> Case {
    let mut budget = Profile::Quick.budget();
    (budget.sequences, budget.sequence_steps, budget.slice) = (sequences, steps, budget.time_limit);
    let instance = target.fresh().await.unwrap();
    Case::new(target, instance, budget, seed)
}

fn memory() -> Target {
    Target::new("memory", || async { MemoryDriver::default() })
}

/// What a driver with a flat namespace and every condition must have been asked, and have answered, in enough sequences.
const TRANSITIONS: &[Transition] = &[
    ("abandon", "conflict", "the session has an owner"),
    ("abandon", "not_found", "nothing kept"),
    ("abandon", "ok", "kept"),
    ("cancel", "ok", "of a fresh session"),
    ("cancel", "ok", "of a session that was kept"),
    ("close", "ok", "kept"),
    ("close", "ok", "kept again"),
    ("commit", "ok", "created"),
    ("commit", "ok", "replaced"),
    ("commit if-absent", "already_exists", "a file is there"),
    ("commit if-absent", "ok", "created"),
    ("commit if-match", "conflict", "not that version"),
    ("commit if-match", "ok", "replaced"),
    ("commit to", "already_exists", "a file is there"),
    ("commit to", "ok", "elsewhere"),
    ("delete file", "not_found", "a directory"),
    ("delete file", "not_found", "no file"),
    ("delete file", "ok", "deleted"),
    ("delete if-match", "conflict", "another version"),
    ("delete if-match", "ok", "deleted"),
    ("delete tree", "not_found", "nothing there"),
    ("delete tree", "ok", "one file"),
    ("delete tree", "ok", "several files"),
    ("delete tree", "ok", "with sessions"),
    ("delete_files", "ok", "all there"),
    ("delete_files", "ok", "some missing"),
    ("drop writer", "ok", "of a fresh session"),
    ("drop writer", "ok", "of a session that was kept"),
    ("get", "invalid_range", "behind the end"),
    ("get", "not_found", "a directory"),
    ("get", "not_found", "no file"),
    ("get", "ok", "a part"),
    ("get", "ok", "whole"),
    ("get if-match", "conflict", "another version"),
    ("get if-match", "ok", "whole"),
    ("get max-bytes", "ok", "whole"),
    ("get max-bytes", "too_large", "more than max_bytes"),
    ("list", "not_found", "no directory"),
    ("list", "ok", "entries"),
    ("list", "ok", "nothing"),
    ("list recursive", "not_found", "no directory"),
    ("list recursive", "ok", "entries"),
    ("list recursive", "ok", "nothing"),
    ("list start-after", "not_found", "no directory"),
    ("list start-after", "ok", "entries"),
    ("list start-after", "ok", "nothing"),
    ("move", "not_found", "the source is a directory"),
    ("move", "not_found", "the source is missing"),
    ("move", "ok", "moved"),
    ("move", "ok", "onto itself"),
    ("move", "ok", "replaced"),
    ("put", "ok", "created"),
    ("put", "ok", "replaced"),
    ("put if-absent", "already_exists", "a file is there"),
    ("put if-absent", "ok", "created"),
    ("put if-match", "conflict", "not that version"),
    ("put if-match", "ok", "replaced"),
    ("read on", "ok", "a chunk"),
    ("read on", "ok", "finished"),
    ("read on", "ok", "finished with the old bytes"),
    ("reader", "invalid_range", "behind the end"),
    ("reader", "not_found", "a directory"),
    ("reader", "not_found", "no file"),
    ("reader", "ok", "a part"),
    ("reader", "ok", "whole"),
    ("reader if-match", "conflict", "another version"),
    ("reader if-match", "ok", "whole"),
    ("reader kept open", "ok", "opened"),
    ("stat", "not_found", "nothing there"),
    ("stat", "ok", "a directory"),
    ("stat", "ok", "a file"),
    ("unfinished", "ok", "none"),
    ("unfinished", "ok", "some"),
    ("write", "ok", "a chunk"),
    ("write", "ok", "an empty chunk"),
    ("writer append", "conflict", "refused on a file"),
    ("writer append", "conflict", "the session has an owner"),
    ("writer append", "ok", "begun"),
    ("writer append", "ok", "beside another writer"),
    ("writer append", "ok", "continued"),
    ("writer append expecting", "conflict", "another size"),
    ("writer append expecting", "ok", "begun"),
    ("writer append expecting", "ok", "continued"),
    ("writer truncate", "ok", "beside another writer"),
    ("writer truncate", "ok", "nothing kept"),
    ("writer truncate", "ok", "something kept"),
];

#[tokio::test]
async fn a_right_driver_agrees_on_every_transition() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut coverage = Coverage::default();
    if let Err(stop) = explore(&case(memory(), seed, 1500, 60).await, &mut coverage).await {
        panic!("seed {seed}: {stop:?}");
    }
    let missed: Vec<_> = TRANSITIONS.iter().filter(|transition| coverage.of(**transition) == 0).collect();
    assert!(missed.is_empty(), "seed {seed}: no sequence had {missed:?}\n{coverage}");
}

#[test]
fn a_seed_gives_the_same_sequence_always() {
    let drawn = |seed| format!("{:?}", step::sequences(40).new_tree(&mut runner(seed)).unwrap().current());
    assert_eq!(drawn(1), drawn(1));
    assert_ne!(drawn(1), drawn(2));
    assert_eq!(sequence_seed(5, 0), 5);
}

#[test]
fn the_paths_and_keys_of_sequences_are_valid() {
    assert!(step::PATHS.iter().all(|path| StoragePath::parse(path).is_ok()));
    assert!(step::KEYS.iter().all(|key| driver_api::EntryKey::parse(key).is_ok()));
}

#[tokio::test]
async fn a_difference_is_shrunk_to_the_steps_it_takes() {
    let forgetful = Target::new("forgetful", || async {
        let faults = Faults::new(|point| match (point.operation, point.path.as_str()) {
            (driver_api::Operation::Move, _) => Fault::Before(ErrorKind::AlreadyExists),
            _ => Fault::None,
        });
        Instance::over(Storage::new(MemoryDriver::default()).layered(faults))
    });
    let explore_once =
        async |seed| match explore(&case(forgetful.clone(), seed, 50, 40).await, &mut Coverage::default()).await {
            Err(Stop::Failed(failure)) => failure,
            other => panic!("{other:?}"),
        };
    let failure = explore_once(11).await;
    assert_eq!(failure.clauses[0], "MOVE-3", "{failure}");
    let script = failure.evidence.clone().unwrap();
    assert_eq!(script.lines().count(), 1, "one move of a missing file is enough:\n{script}");
    assert_eq!(explore_once(11).await.evidence, failure.evidence);
}

/// Shows calls to a model with the one path `/a`, with answers that it must allow.
fn allows(calls: impl IntoIterator<Item = (Call, Answer)>) {
    let mut model = Model::new(Storage::new(MemoryDriver::default()).capabilities(), &["/a"]);
    for (call, answer) in calls {
        model.judge(&call, &answer).unwrap();
    }
}

fn path() -> StoragePath {
    StoragePath::parse("/a").unwrap()
}

fn open(slot: usize, mode: WriteMode) -> (Call, Answer) {
    (Call::OpenWriter { slot, path: path(), mode }, Answer::Size(0))
}

/// A commit if-absent can be refused for two reasons: a file is there, and its session was taken away by another writer.
#[test]
fn a_commit_with_two_reasons_to_be_refused_may_tell_either() {
    let info = driver_api::FileInfo::new(path(), 17, std::time::SystemTime::UNIX_EPOCH);
    for kind in [ErrorKind::AlreadyExists, ErrorKind::Conflict] {
        let put =
            StorageCall::Put { path: path(), content: Content { write: 1, size: 17 }, condition: Condition::None };
        let commit = WriterCall::Commit { to: None, condition: Condition::IfAbsent };
        let refused = Answer::Failed { error: Error::new(kind, "refused"), writer_kept: true };
        allows([
            (Call::Storage(put), Answer::File(info.clone())),
            open(1, WriteMode::Truncate),
            (Call::Writer { slot: 1, call: WriterCall::Close }, Answer::Size(0)),
            open(0, WriteMode::Append { expected_size: None }),
            open(1, WriteMode::Truncate),
            (Call::Writer { slot: 0, call: commit }, refused),
        ]);
    }
}

/// Of two writers that were opened to append where an empty session is kept, or none, the end of one says nothing of the other.
#[test]
fn writers_of_an_empty_session_may_each_have_one_of_their_own() {
    let append = || WriteMode::Append { expected_size: None };
    let write = WriterCall::Write { write: 3, range: 0..17 };
    allows([
        open(1, append()),
        (Call::Writer { slot: 1, call: WriterCall::Close }, Answer::Size(0)),
        open(0, append()),
        open(1, append()),
        (Call::Writer { slot: 1, call: write }, Answer::Size(17)),
        (Call::Writer { slot: 1, call: WriterCall::Close }, Answer::Size(17)),
        (Call::Writer { slot: 0, call: WriterCall::Cancel }, Answer::Done),
        (
            Call::Storage(StorageCall::Unfinished { prefix: StoragePath::root() }),
            Answer::Sessions(vec![driver_api::Unfinished::new(path(), 17, std::time::SystemTime::UNIX_EPOCH)]),
        ),
    ]);
}
