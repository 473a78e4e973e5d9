//! Standard input and output: pipes that end early, interrupts, memory.

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use crate::support::{Ended, Store};

const MIB: usize = 1024 * 1024;

/// Bytes in which no piece is like another.
fn content(length: usize) -> Vec<u8> {
    (0..length.div_ceil(8))
        .flat_map(|word| (word as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes())
        .take(length)
        .collect()
}

/// A `put` from standard input that has taken all of `input` but what a pipe holds.
fn feeding(store: &Store, path: &str, input: &[u8]) -> Child {
    let mut command = store.command(&["put", "-", path]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.as_mut().unwrap().write_all(input).unwrap();
    child
}

#[test]
fn what_goes_in_comes_out() {
    let store = Store::new();
    for length in [0, 1, MIB - 1, MIB, MIB + 1, 3 * MIB + 7] {
        let content = content(length);
        store.run_with(&["put", "-", "/x"], &content).done();
        let out = store.run(&["cat", "/x"]);
        assert!(out.0.stdout == content, "{length} bytes differ");
        assert_eq!(out.code(), 0);
    }
}

#[test]
fn a_closed_pipe_is_no_failure() {
    let store = Store::new();
    store.run_with(&["put", "-", "/x"], &content(4 * MIB)).done();
    let mut child = store.command(&["cat", "/x"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut beginning = [0; 10];
    child.stdout.take().unwrap().read_exact(&mut beginning).unwrap();
    let ended = Ended(child.wait_with_output().unwrap());
    assert_eq!(beginning, content(10)[..]);
    assert_eq!((ended.code(), ended.stderr()), (0, String::new()));
}

#[test]
fn an_interrupt_leaves_nothing_behind() {
    let store = Store::new();
    store.put("/x", "old");
    let mut child = feeding(&store, "/x", &content(4 * MIB));
    // Its input stays open: it has to stop by itself.
    let input = child.stdin.take();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ended = Ended(child.wait_with_output().unwrap());
    drop(input);
    assert_eq!(ended.code(), 130, "{}", ended.stderr());
    assert!(ended.stderr().contains("cancelled"), "{}", ended.stderr());
    assert_eq!(store.run(&["cat", "/x"]).done(), "old");
    assert_eq!(store.files_on_disk(), ["x"]);
}

#[test]
fn nothing_shows_of_a_put_that_is_killed() {
    let store = Store::new();
    let mut child = feeding(&store, "/x", &content(4 * MIB));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(store.run(&["ls", "-r"]).done(), "");
}

#[test]
#[cfg(target_os = "linux")]
fn memory_is_bounded_whatever_the_length() {
    let store = Store::new();
    let mut child = feeding(&store, "/x", &content(128 * MIB));
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kibibytes: usize = peak.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kibibytes < 48 * 1024, "{kibibytes} KiB for a file of 128 MiB");
}
