//! Endpoints that are unwell.

use std::time::{Duration, Instant};

use registry::notifications::{Broadcaster, NotificationError, NotificationOptions};
use serde_json::json;
use tempfile::TempDir;

use crate::endpoint::{Endpoint, Mood, wait};
use crate::source::{Origin, number, numbers, one, source, with_spool};

#[tokio::test]
async fn events_come_in_order_whatever_the_endpoint_does() {
    let directory = TempDir::new().unwrap();
    for options in [None, Some(directory.path())] {
        let endpoint = Endpoint::start(Mood::Answer(200)).await;
        // An answer that comes after the timeout makes the next delivery a second one of the same event.
        let plain = one(&endpoint.url(), json!({ "backoff": "10ms", "timeout": "1s" }));
        let origin = Origin::new(options.map_or(plain.clone(), |directory| with_spool(plain, directory)));
        let moods = [
            Mood::Answer(200),
            Mood::Answer(500),
            Mood::Die,
            Mood::Answer(404),
            Mood::Hang,
            Mood::Answer(302),
            Mood::Die,
            Mood::Answer(204),
        ];
        for (round, mood) in moods.into_iter().enumerate() {
            endpoint.set(mood);
            let before = endpoint.received().len();
            for number in 0..5 {
                origin.push(round * 5 + number).await;
            }
            // Each mood meets somebody.
            wait(|| endpoint.received().len() > before).await;
        }
        let taken = endpoint.wait_for(40).await;
        assert_eq!(numbers(&taken, 40), (0..40).collect::<Vec<_>>());
        // What the endpoint has answered is counted a little later.
        wait(|| origin.numbers().pending == 0).await;
        let told = origin.numbers();
        assert_eq!((told.events, told.successes, told.dropped), (40, 40, 0));
        assert!(told.failures > 0 && told.errors > 0, "{told:?}");
        assert!(told.statuses["500 Internal Server Error"] > 0 && told.statuses["302 Found"] > 0, "{told:?}");
    }
}

#[tokio::test]
async fn an_endpoint_that_fails_is_tried_at_once_and_then_seldom() {
    let endpoint = Endpoint::start(Mood::Answer(503)).await;
    let origin = Origin::new(one(&endpoint.url(), json!({ "threshold": 4, "backoff": "1s" })));
    origin.push(0).await;
    origin.push(1).await;
    wait(|| endpoint.received().len() >= 7).await;
    let received = endpoint.received();
    let gaps: Vec<_> = received.windows(2).map(|pair| pair[1].at - pair[0].at).collect();
    assert!(gaps[..3].iter().all(|gap| *gap < Duration::from_millis(900)), "{gaps:?}");
    assert!(gaps[3..].iter().all(|gap| *gap >= Duration::from_millis(990)), "{gaps:?}");
    // It is one event again and again, and the next only after it.
    assert!(received.iter().all(|received| number(&received.event(), 2) == 0));
    assert!(received.windows(2).all(|pair| pair[0].body == pair[1].body));
    endpoint.set(Mood::Answer(200));
    assert_eq!(numbers(&endpoint.wait_for(2).await, 2), [0, 1]);
}

#[tokio::test]
async fn redirects_are_deliveries_and_are_not_followed() {
    let endpoint = Endpoint::start(Mood::Answer(302)).await;
    let origin = Origin::new(one(&endpoint.url(), json!({})));
    origin.push(0).await;
    endpoint.wait_for(1).await;
    wait(|| origin.numbers().successes == 1).await;
    let numbers = origin.numbers();
    assert_eq!((numbers.pending, numbers.errors, numbers.statuses["302 Found"]), (0, 0, 1));
}

#[tokio::test]
async fn an_endpoint_that_does_not_answer_is_cut_off() {
    let endpoint = Endpoint::start(Mood::Hang).await;
    let origin = Origin::new(one(&endpoint.url(), json!({ "timeout": "1s" })));
    let begun = Instant::now();
    origin.push(0).await;
    assert!(begun.elapsed() < Duration::from_millis(900), "the request waited");
    wait(|| origin.numbers().errors >= 2).await;
    endpoint.set(Mood::Answer(200));
    endpoint.wait_for(1).await;
}

#[tokio::test]
async fn one_endpoint_does_not_wait_for_another() {
    let (well, hanging) = (Endpoint::start(Mood::Answer(200)).await, Endpoint::start(Mood::Hang).await);
    let options = json!({ "endpoints": [
        { "name": "hanging", "url": hanging.url(), "timeout": "1h" },
        { "name": "well", "url": well.url() },
    ]});
    let origin = Origin::new(options);
    for number in 0..20 {
        origin.push(number).await;
    }
    assert_eq!(numbers(&well.wait_for(20).await, 20), (0..20).collect::<Vec<_>>());
    assert_eq!(hanging.received().len(), 1);
}

#[tokio::test]
async fn without_an_end_to_failures_the_disk_does_not_grow_without_an_end() {
    let directory = TempDir::new().unwrap();
    let options = one("http://127.0.0.1:1/", json!({ "backoff": "1h", "threshold": 1 }));
    let origin = Origin::new(with_spool(options, directory.path()));
    for number in 0..400 {
        origin.push(number).await;
        if number % 100 == 0 {
            origin.broadcaster.flush().await;
            assert!(size(directory.path()) <= 65536);
        }
    }
    origin.broadcaster.flush().await;
    let told = origin.numbers();
    assert!(told.dropped > 200 && told.pending > 50, "{told:?}");
    assert_eq!(told.pending + told.dropped, 400);
    assert!(size(directory.path()) <= 65536);
}

fn size(directory: &std::path::Path) -> u64 {
    let files = std::fs::read_dir(directory.join("it")).unwrap();
    files.map(|file| file.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum()
}

#[tokio::test]
async fn stopping_delivers_what_can_be_and_keeps_the_rest() {
    let directory = TempDir::new().unwrap();
    let endpoint = Endpoint::start(Mood::Answer(200)).await;
    let options = with_spool(one(&endpoint.url(), json!({ "timeout": "1h" })), directory.path());
    let origin = Origin::new(options.clone());
    for number in 0..50 {
        origin.push(number).await;
    }
    origin.broadcaster.stop(Duration::from_secs(20)).await;
    assert_eq!(endpoint.taken().len(), 50);
    // What comes later is counted and not told.
    origin.push(50).await;
    assert_eq!((origin.numbers().dropped, origin.numbers().pending), (1, 0));
    drop(origin);
    endpoint.set(Mood::Hang);
    let origin = Origin::new(options.clone());
    for number in 50..60 {
        origin.push(number).await;
    }
    let begun = Instant::now();
    origin.broadcaster.stop(Duration::from_millis(300)).await;
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!(origin.numbers().pending, 10);
    drop(origin);
    endpoint.set(Mood::Answer(200));
    let origin = Origin::new(options);
    let taken = endpoint.wait_for(60).await;
    assert_eq!(numbers(&taken[50..], 60), (50..60).collect::<Vec<_>>());
    drop(origin);
}

#[tokio::test]
async fn an_endpoint_that_fails_does_not_hold_up_a_stop_where_its_events_are_kept() {
    let directory = TempDir::new().unwrap();
    let endpoint = Endpoint::start(Mood::Answer(500)).await;
    let origin = Origin::new(with_spool(one(&endpoint.url(), json!({})), directory.path()));
    origin.push(0).await;
    wait(|| origin.numbers().failures >= 3).await;
    let begun = Instant::now();
    origin.broadcaster.stop(Duration::from_secs(60)).await;
    assert!(begun.elapsed() < Duration::from_secs(10));
    assert_eq!(origin.numbers().pending, 1);
}

#[tokio::test]
async fn secrets_are_in_no_output() {
    let endpoint = json!({ "url": "http://user:hunter2@127.0.0.1:1/x?token=hunter2", "headers": { "X": ["hunter2"] } });
    let origin = Origin::new(one("", endpoint));
    let vars = origin.broadcaster.vars();
    let debug = format!("{:?}", origin.broadcaster);
    assert!(!format!("{vars}{debug}").contains("hunter2"), "{vars}{debug}");
    assert_eq!(vars[0]["url"], "http://127.0.0.1:1/x");
    assert_eq!(vars[0]["Headers"], json!({ "X": ["(hidden)"] }));
    assert_eq!((&vars[0]["Timeout"], &vars[0]["Threshold"]), (&json!(500_000_000), &json!(3)));
}

#[tokio::test]
async fn mistakes_and_a_journal_that_is_in_use_are_told_at_the_start() {
    let start = |options| {
        let options: NotificationOptions = serde_json::from_value(options).unwrap();
        Broadcaster::start(&options, source())
    };
    assert!(matches!(start(one("nowhere", json!({}))), Err(NotificationError::Mistaken(_))));
    let directory = TempDir::new().unwrap();
    let options = with_spool(one("http://127.0.0.1:1/", json!({})), directory.path());
    let first = start(options.clone()).unwrap();
    let second = start(options.clone()).unwrap_err();
    assert!(second.to_string().contains("another process"), "{second}");
    first.stop(Duration::ZERO).await;
    drop(first);
    start(options).unwrap();
}
