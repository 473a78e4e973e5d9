//! The targets of `ci/fuzz` on what it found, on the seeds it begins with, and on some variations of both.
//!
//! A failure prints the input; `SEED=…` repeats the variations. An input that `ci/fuzz` finds belongs into `corpus`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod targets;

use std::fs;
use std::path::{Path, PathBuf};

use crate::targets::TARGETS;

/// How many variations of each seed are tried.
const VARIATIONS: usize = 300;

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(name);
    let files = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut files: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|file| (file.clone(), fs::read(file).unwrap())).collect()
}

/// A few changes: bytes replaced, taken out, doubled, and a piece of another input put in.
fn varied(random: &mut fastrand::Rng, input: &[u8], other: &[u8]) -> Vec<u8> {
    let mut varied = input.to_vec();
    for _ in 0..random.usize(1..4) {
        let at = random.usize(..=varied.len());
        let end = random.usize(at..=varied.len()).min(at + 20);
        match random.u8(..5) {
            0 => varied.drain(at..end).for_each(drop),
            1 => drop(varied.splice(at..at, varied[at..end].to_vec())),
            2 => varied.insert(at, random.u8(..)),
            3 => {
                let from = random.usize(..=other.len());
                drop(varied.splice(at..end, other[from..].iter().take(30).copied()));
            }
            _ => varied[at..end].iter_mut().for_each(|byte| *byte ^= 1 << random.u8(..8)),
        }
    }
    varied
}

#[test]
fn no_input_breaks_a_target() {
    let seed = std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed} repeats this");
    let mut random = fastrand::Rng::with_seed(seed);
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(!inputs.is_empty(), "{name} has no seeds");
        for (file, input) in &inputs {
            println!("{}", file.display());
            target(input);
            for _ in 0..VARIATIONS {
                let other = &inputs[random.usize(..inputs.len())].1;
                let varied = varied(&mut random, input, other);
                let failed = std::panic::catch_unwind(|| target(&varied)).is_err();
                assert!(!failed, "{name}: {:?}", String::from_utf8_lossy(&varied));
            }
        }
    }
}
