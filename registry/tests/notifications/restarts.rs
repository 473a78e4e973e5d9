//! Processes that end without a word.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::endpoint::{Endpoint, Mood, wait};
use crate::source::{Origin, numbers, one, with_spool};

const DIRECTORY: &str = "NOTIFICATIONS_TEST_DIRECTORY";
const URL: &str = "NOTIFICATIONS_TEST_URL";

/// The process that is killed: it is this program again. It tells how many events are safe.
#[test]
#[ignore = "it is what the others start"]
fn child() {
    let (Ok(directory), Ok(url)) = (std::env::var(DIRECTORY), std::env::var(URL)) else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = one(&url, json!({ "backoff": "10ms" }));
        let origin = Origin::new(with_spool(options, directory.as_ref()));
        let begun: usize = std::env::var("NOTIFICATIONS_TEST_FROM").unwrap().parse().unwrap();
        for number in begun.. {
            origin.push(number).await;
            if number % 3 == 0 {
                origin.broadcaster.flush().await;
                println!("safe {number}");
            }
            if number == begun + 30 && std::env::var("NOTIFICATIONS_TEST_ABORT").is_ok() {
                std::process::abort();
            }
        }
    });
}

/// Runs the child until it has told of `lines` safe events, and kills it; answers with the last of those.
fn run_and_kill(directory: &TempDir, url: &str, from: usize, lines: usize, abort: bool) -> usize {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "restarts::child", "--ignored", "--nocapture"])
        .env(DIRECTORY, directory.path())
        .env(URL, url)
        .env("NOTIFICATIONS_TEST_FROM", from.to_string())
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if abort {
        command.env("NOTIFICATIONS_TEST_ABORT", "1");
    }
    let mut child = command.spawn().unwrap();
    let output = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let last = output.filter_map(|line| line.split("safe ").nth(1)?.parse().ok()).take(lines).last().unwrap();
    let _ = child.kill();
    child.wait().unwrap();
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_safe_when_a_process_aborted_is_delivered_by_the_next() {
    let directory = TempDir::new().unwrap();
    let last = run_and_kill(&directory, "http://127.0.0.1:1/", 0, usize::MAX, true);
    assert_eq!(last, 30);
    let endpoint = Endpoint::start(Mood::Answer(200)).await;
    let origin = Origin::new(with_spool(one(&endpoint.url(), json!({})), directory.path()));
    let taken = endpoint.wait_for(31).await;
    assert_eq!(numbers(&taken, 31), (0..31).collect::<Vec<_>>());
    drop(origin);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_are_killed_while_they_deliver_lose_nothing_that_was_safe() {
    let directory = TempDir::new().unwrap();
    let endpoint = Endpoint::start(Mood::Answer(200)).await;
    let mut safe = BTreeSet::new();
    for (round, lines) in [3, 1, 7, 12, 2].into_iter().enumerate() {
        let from = round * 1000;
        endpoint.set(if round % 2 == 0 { Mood::Answer(200) } else { Mood::Answer(500) });
        let last = tokio::task::block_in_place(|| run_and_kill(&directory, &endpoint.url(), from, lines, false));
        safe.extend(from..=last);
    }
    endpoint.set(Mood::Answer(200));
    let origin = Origin::new(with_spool(one(&endpoint.url(), json!({})), directory.path()));
    wait(|| origin.numbers().pending == 0).await;
    let taken = numbers(&endpoint.taken(), 5000);
    let different: BTreeSet<_> = taken.iter().copied().collect();
    assert!(safe.is_subset(&different), "{:?}", safe.difference(&different));
    // Again is possible; out of order is not: what is told again is what was told last.
    let firsts: Vec<_> = taken.iter().enumerate().filter(|(place, number)| !taken[..*place].contains(number)).collect();
    assert!(firsts.is_sorted_by_key(|(_, number)| **number));
}

#[tokio::test]
async fn dropping_a_broadcaster_loses_nothing_that_was_safe() {
    let directory = TempDir::new().unwrap();
    let endpoint = Endpoint::start(Mood::Die).await;
    let options = with_spool(one(&endpoint.url(), json!({ "backoff": "1ms" })), directory.path());
    for number in 0..6 {
        let origin = Origin::new(options.clone());
        origin.push(number).await;
        origin.broadcaster.flush().await;
        drop(origin);
        // What delivers ends when it is scheduled the next time, and closes the journal then.
        let lock = std::fs::File::open(directory.path().join("it/lock")).unwrap();
        wait(|| lock.try_lock().is_ok()).await;
    }
    endpoint.set(Mood::Answer(200));
    let origin = Origin::new(options);
    assert_eq!(numbers(&endpoint.wait_for(6).await, 6), [0, 1, 2, 3, 4, 5]);
    drop(origin);
}
