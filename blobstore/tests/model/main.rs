//! Random sequences of everything that can be done to the stores, against a model of what each repository must show.
//!
//! A failure prints the shortest sequence that shows it, and the seed: `SEED=… cargo nextest run -p blobstore --test model`
//! repeats the run. `CASES` makes it longer.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail where it stands")]

mod contents;
mod expected;
#[path = "../stores/fixture.rs"]
#[allow(dead_code, reason = "made for another test, too")]
mod fixture;
mod step;
mod subject;

use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

use crate::fixture::Store;
use crate::step::{Step, steps};
use crate::subject::Subject;

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|value| value.parse().unwrap())
}

async fn run(store: &Store, steps: &[Step]) -> Result<(), String> {
    let mut subject = Subject::new(store.storage.clone());
    for (number, step) in steps.iter().enumerate() {
        subject.perform(step).await.map_err(|problem| format!("behind step {number}, {step:?}: {problem}"))?;
    }
    subject.compare().await
}

fn drill(driver: usize, cases: u64) {
    let seed = setting("SEED").unwrap_or_else(|| fastrand::u64(..));
    let cases = setting("CASES").unwrap_or(cases);
    println!("SEED={seed} CASES={cases} repeats this");
    let mut config = Config::with_cases(cases as u32);
    config.rng_seed = RngSeed::Fixed(seed);
    config.failure_persistence = None;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let outcome = TestRunner::new(config).run(&steps(24), |steps| {
        let store = Store::on_each_driver().into_iter().nth(driver).unwrap();
        runtime.block_on(run(&store, &steps)).map_err(TestCaseError::fail)
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn the_stores_show_what_the_model_does_in_memory() {
    drill(0, 150);
}

#[test]
fn the_stores_show_what_the_model_does_on_the_filesystem() {
    drill(1, 20);
}
