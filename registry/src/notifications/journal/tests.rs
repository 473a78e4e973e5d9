use std::collections::VecDeque;
use std::fs;

use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

const LIMIT: u64 = 64 * 1024;

fn content(number: u64) -> Bytes {
    format!("event {number} {}", "x".repeat((number % 7) as usize)).into()
}

fn open(directory: &TempDir) -> Journal {
    Journal::open(directory.path(), LIMIT).unwrap()
}

/// Takes out all that is in a journal.
fn drain(journal: &mut Journal) -> Vec<Bytes> {
    let mut drained = Vec::new();
    while let Some((number, content)) = journal.first().unwrap() {
        drained.push(content);
        journal.delivered(number).unwrap();
    }
    drained
}

fn files(directory: &TempDir) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|path| Segment::index_of(path).is_some());
    files.sort();
    files
}

fn bytes(directory: &TempDir) -> u64 {
    files(directory).iter().map(|path| fs::metadata(path).unwrap().len()).sum()
}

#[test]
fn what_is_not_delivered_is_there_after_a_restart() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 1..=5 {
        journal.append(content(number)).unwrap();
    }
    let (first, _) = journal.first().unwrap().unwrap();
    journal.delivered(first).unwrap();
    let (second, _) = journal.first().unwrap().unwrap();
    journal.delivered(second).unwrap();
    drop(journal);
    let mut journal = open(&directory);
    assert_eq!(journal.pending(), 3);
    journal.append(content(6)).unwrap();
    assert_eq!(drain(&mut journal), [3, 4, 5, 6].map(content));
    assert_eq!((journal.pending(), journal.take_dropped()), (0, 0));
}

#[test]
fn nobody_else_opens_it() {
    let directory = TempDir::new().unwrap();
    let journal = open(&directory);
    assert_eq!(Journal::open(directory.path(), LIMIT).unwrap_err().kind(), io::ErrorKind::WouldBlock);
    drop(journal);
    open(&directory);
}

#[test]
fn others_do_not_read_it() {
    use std::os::unix::fs::PermissionsExt;
    let directory = TempDir::new().unwrap();
    let inner = directory.path().join("inner");
    let mut journal = Journal::open(&inner, LIMIT).unwrap();
    journal.append(content(1)).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o077;
    assert_eq!(mode(&inner), 0);
    assert!(fs::read_dir(&inner).unwrap().all(|entry| mode(&entry.unwrap().path()) == 0));
}

#[test]
fn a_tail_that_was_cut_at_any_byte_costs_nothing_but_itself() {
    let origin = TempDir::new().unwrap();
    let mut journal = open(&origin);
    let mut ends = vec![HEADER_BYTES as u64];
    for number in 1..=4 {
        journal.append(content(number)).unwrap();
        ends.push(journal.bytes());
    }
    drop(journal);
    let whole = fs::read(&files(&origin)[0]).unwrap();
    for cut in 0..=whole.len() {
        let directory = TempDir::new().unwrap();
        fs::write(Segment::path_of(directory.path(), 0), &whole[..cut]).unwrap();
        let mut journal = open(&directory);
        let kept = ends.iter().filter(|end| **end <= cut as u64).count().saturating_sub(1) as u64;
        assert_eq!(journal.pending(), kept, "cut at {cut}");
        // What comes next stands right behind what was kept.
        journal.append(content(99)).unwrap();
        drop(journal);
        let mut journal = open(&directory);
        let expected: Vec<_> = (1..=kept).chain([99]).map(content).collect();
        assert_eq!(drain(&mut journal), expected, "cut at {cut}");
    }
}

#[test]
fn a_full_journal_drops_the_oldest() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    let large = |number: u64| Bytes::from(format!("{number:06}{}", "y".repeat(1000)));
    let mut most = 0;
    for number in 0..500 {
        journal.append(large(number)).unwrap();
        most = most.max(bytes(&directory));
        assert!(files(&directory).len() <= FILES as usize + 1);
    }
    assert!(most <= LIMIT && most > LIMIT / 2, "{most}");
    let (pending, dropped) = (journal.pending(), journal.take_dropped());
    assert_eq!(pending + dropped, 500);
    drop(journal);
    let mut journal = open(&directory);
    assert_eq!((journal.pending(), journal.take_dropped()), (pending, 0));
    assert_eq!(drain(&mut journal), (dropped..500).map(large).collect::<Vec<_>>());
}

#[test]
fn an_event_that_was_dropped_while_it_was_delivered_is_not_delivered_twice() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    journal.append(Bytes::from(vec![0; 7000])).unwrap();
    let (number, _) = journal.first().unwrap().unwrap();
    for _ in 0..20 {
        journal.append(Bytes::from(vec![1; 7000])).unwrap();
    }
    assert!(!journal.has(number));
    journal.delivered(number).unwrap();
    assert_eq!(journal.pending() + journal.take_dropped(), 21);
    assert_eq!(journal.first().unwrap().unwrap().1[0], 1);
}

#[test]
fn an_event_that_is_larger_than_the_journal_is_dropped() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    journal.append(content(1)).unwrap();
    journal.append(Bytes::from(vec![0; LIMIT as usize])).unwrap();
    assert_eq!(journal.take_dropped(), 1);
    assert_eq!(drain(&mut journal), [content(1)]);
}

#[test]
fn a_journal_that_is_kept_empty_does_not_grow() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..5000 {
        journal.append(content(number)).unwrap();
        assert_eq!(drain(&mut journal), [content(number)]);
        assert!(journal.bytes() < LIMIT / 4);
    }
    assert_eq!(journal.take_dropped(), 0);
    assert!(files(&directory).len() <= 2);
}

#[test]
fn damage_in_the_middle_costs_the_rest_of_its_file_and_is_counted() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..40u8 {
        journal.append(Bytes::from(vec![number; 1000])).unwrap();
    }
    drop(journal);
    let damaged = &files(&directory)[1];
    let mut bytes = fs::read(damaged).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(damaged, bytes).unwrap();
    let mut journal = open(&directory);
    let (pending, dropped) = (journal.pending(), journal.take_dropped());
    assert!(dropped > 0 && dropped < 8, "{dropped}");
    assert_eq!(pending + dropped, 40);
    let read = drain(&mut journal);
    assert_eq!(read.len() as u64, pending);
    assert!(read.is_sorted_by(|a, b| a[0] < b[0]));
}

#[test]
fn damage_under_an_open_journal_is_counted_and_passed_over() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..40u8 {
        journal.append(Bytes::from(vec![number; 1000])).unwrap();
    }
    for path in files(&directory) {
        let mut bytes = fs::read(&path).unwrap();
        bytes[HEADER_BYTES] ^= 1;
        fs::write(&path, bytes).unwrap();
    }
    assert_eq!(drain(&mut journal), Vec::<Bytes>::new());
    assert_eq!((journal.take_dropped(), journal.pending()), (40, 0));
    journal.append(content(1)).unwrap();
    assert_eq!(drain(&mut journal), [content(1)]);
}

#[test]
fn a_file_that_is_no_journal_is_set_aside() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    journal.append(content(1)).unwrap();
    drop(journal);
    fs::write(Segment::path_of(directory.path(), 7), vec![7; 100]).unwrap();
    let mut journal = open(&directory);
    assert!(Segment::path_of(directory.path(), 7).with_extension("damaged").exists());
    journal.append(content(2)).unwrap();
    assert_eq!(drain(&mut journal), [1, 2].map(content));
}

#[test]
fn a_file_without_events_between_others_is_passed_over() {
    let directory = TempDir::new().unwrap();
    let mut journal = open(&directory);
    for number in 0..24u8 {
        journal.append(Bytes::from(vec![number; 1000])).unwrap();
    }
    drop(journal);
    let files = files(&directory);
    assert!(files.len() >= 3);
    let emptied = fs::OpenOptions::new().write(true).open(&files[1]).unwrap();
    emptied.set_len(HEADER_BYTES as u64).unwrap();
    let mut journal = open(&directory);
    let (pending, dropped) = (journal.pending(), journal.take_dropped());
    assert_eq!(pending + dropped, 24);
    assert_eq!(drain(&mut journal).len() as u64, pending);
}

#[derive(Debug, Clone)]
enum Step {
    Append(u16),
    Deliver,
    Sync,
    Reopen,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0u16..600).prop_map(Step::Append),
        3 => Just(Step::Deliver),
        1 => Just(Step::Sync),
        1 => Just(Step::Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 16, ..ProptestConfig::default() })]

    /// A queue in memory is the model: what a journal drops is dropped from its front.
    #[test]
    fn a_journal_is_a_queue(steps in proptest::collection::vec(step(), 0..120)) {
        let directory = TempDir::new().unwrap();
        let limit = 4096;
        let mut journal = Journal::open(directory.path(), limit).unwrap();
        let mut model = VecDeque::new();
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Append(size) => {
                    let content = Bytes::from(format!("{number:06}{}", "z".repeat(size.into())));
                    journal.append(content.clone()).unwrap();
                    model.push_back(content);
                }
                Step::Deliver => {
                    let first = journal.first().unwrap();
                    let expected = model.pop_front();
                    prop_assert_eq!(first.as_ref().map(|(_, content)| content.clone()), expected);
                    if let Some((number, _)) = first {
                        journal.delivered(number).unwrap();
                    }
                }
                Step::Sync => journal.sync().unwrap(),
                Step::Reopen => {
                    drop(journal);
                    journal = Journal::open(directory.path(), limit).unwrap();
                }
            }
            let dropped = journal.take_dropped() as usize;
            model.drain(..dropped);
            prop_assert_eq!(journal.pending(), model.len() as u64);
            prop_assert!(bytes(&directory) <= limit + limit / 4);
        }
    }

    /// Whatever stands in its files: opening succeeds, and no event comes out that did not go in.
    #[test]
    fn damaged_files_make_no_events(
        count in 1u64..30,
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        let directory = TempDir::new().unwrap();
        let mut journal = Journal::open(directory.path(), 2048).unwrap();
        for number in 0..count {
            journal.append(content(number)).unwrap();
            if number % 3 == 0 {
                let (first, _) = journal.first().unwrap().unwrap();
                journal.delivered(first).unwrap();
            }
        }
        drop(journal);
        let files = files(&directory);
        for (file, place, value) in damage {
            let path = &files[file.index(files.len())];
            let mut bytes = fs::read(path).unwrap();
            if !bytes.is_empty() {
                let place = place.index(bytes.len());
                bytes[place] = value;
            }
            if value < 20 {
                bytes.truncate(cut.index(bytes.len() + 1));
            }
            fs::write(path, bytes).unwrap();
        }
        let mut journal = Journal::open(directory.path(), 2048).unwrap();
        let known: Vec<_> = (0..count).map(content).collect();
        journal.append(content(count)).unwrap();
        let read = drain(&mut journal);
        let (last, before) = read.split_last().unwrap();
        prop_assert_eq!(last, &content(count));
        let places: Vec<_> = before.iter().map(|event| known.iter().position(|known| known == event)).collect();
        prop_assert!(places.iter().all(|place| place.is_some()));
        prop_assert!(places.is_sorted());
    }

    #[test]
    fn arbitrary_files_make_no_events(contents in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..100), 0..4)) {
        let directory = TempDir::new().unwrap();
        for (index, bytes) in contents.iter().enumerate() {
            fs::write(Segment::path_of(directory.path(), index as u64), bytes).unwrap();
        }
        let mut journal = Journal::open(directory.path(), LIMIT).unwrap();
        prop_assert_eq!((journal.pending(), journal.first().unwrap()), (0, None));
    }
}
