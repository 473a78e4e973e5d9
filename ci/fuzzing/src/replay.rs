//! Targets without a fuzzer: on the inputs of a corpus, and on some variations of each.
//!
//! It is part of tests alone, where what fails panics: a seed that is no number, a corpus that is not there, a broken target.

use std::fs;
use std::path::{Path, PathBuf};

/// How many variations of each input are tried.
const VARIATIONS: usize = 300;

/// Runs each target on the directory of its name below `corpora`.
pub(crate) fn replay(corpora: &str, targets: &[super::targets::Target]) {
    let seed = std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("SEED={seed} repeats this");
    let mut random = fastrand::Rng::with_seed(seed);
    for (name, target) in targets {
        let inputs = corpus(&Path::new(corpora).join(name));
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

fn corpus(directory: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = fs::read_dir(directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
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
