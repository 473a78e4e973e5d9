//! What holds between processes that use one store: the scenarios, and the child processes that take part.
//!
//! A child is the test binary once more, which runs nothing but [`child_process`]. What the two have to tell each other goes
//! line by line over the child's input and output.

use std::collections::BTreeSet;
use std::process::Stdio;

use bytes::Bytes;
use driver_api::{
    CommitOptions, Condition, Error, ErrorKind, GetOptions, ListOptions, PutOptions, Result, Storage, WriteOptions,
    Writer,
};
use futures_util::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{ChildStdin, ChildStdout, Command};

use super::{content, context, path};

const TASK: &str = "DRIVER_TEST_CHILD_TASK";
const SETTINGS: &str = "DRIVER_TEST_CHILD_SETTINGS";
/// Tells the child's own lines from those of the test harness.
const MARK: &str = "> ";

/// How many processes race.
const RACERS: usize = 4;
/// How many files each of them wants to make.
const RACES: usize = 12;

/// A process beside this one; killed when this is dropped.
struct Child {
    process: tokio::process::Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl Child {
    /// Starts one that does `task` on the store that `settings` lead to.
    fn start(task: &str, settings: &str) -> Self {
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "child_process", "--nocapture"])
            .env(TASK, task)
            .env(SETTINGS, settings)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let input = process.stdin.take().unwrap();
        let output = BufReader::new(process.stdout.take().unwrap()).lines();
        Self { process, input, output }
    }

    async fn say(&mut self, line: &str) {
        self.input.write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line that the child says.
    async fn hear(&mut self) -> String {
        loop {
            let line = self.output.next_line().await.unwrap().expect("the child has ended");
            if let Some(said) = line.strip_prefix(MARK) {
                return said.to_owned();
            }
        }
    }

    async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }
}

/// What a child says to its parent.
fn say(line: &str) {
    // The harness leaves its own line unfinished.
    println!("\n{MARK}{line}");
}

/// What its parent says to a child; none at the end. Nothing else is under way in a child while it listens.
fn hear() -> Option<String> {
    let mut line = String::new();
    let read = std::io::stdin().read_line(&mut line).unwrap();
    (read > 0).then(|| line.trim_end().to_owned())
}

/// What a child process does; nothing where this is none.
pub(crate) async fn child_process(connect: impl Fn(&str) -> Storage) {
    let (Ok(task), Ok(settings)) = (std::env::var(TASK), std::env::var(SETTINGS)) else { return };
    let storage = connect(&settings);
    let words: Vec<_> = task.split(' ').collect();
    let number = |at: usize| words[at].parse::<usize>().unwrap();
    match words[0] {
        "write" => write_until_killed(&storage, number(1), number(2), number(3)).await,
        "talk" => talk(&storage).await,
        "race" => race(&storage, words[1]).await,
        other => panic!("there is no task {other}"),
    }
}

/// Appends to the session at `/a` in pieces, until it has `until` bytes.
async fn append(storage: &Storage, whole: &Bytes, until: usize) -> Writer {
    /// A fraction of any file that is written here.
    const PIECES: usize = 20;
    let piece = whole.len().div_ceil(PIECES);
    let mut writer = storage.writer(&context(), &path("/a"), WriteOptions::append()).await.unwrap();
    let begin = writer.size() as usize;
    for at in (begin..until).step_by(piece) {
        writer.write(&context(), whole.slice(at..(at + piece).min(until))).await.unwrap();
    }
    writer
}

/// Keeps `kept` bytes where that is not 0, continues to `accepted`, and waits for its end.
async fn write_until_killed(storage: &Storage, kept: usize, accepted: usize, whole: usize) {
    let whole = content(whole);
    if kept > 0 {
        append(storage, &whole, kept).await.close(&context()).await.unwrap();
    }
    let _writer = append(storage, &whole, accepted).await;
    say("accepted");
    std::future::pending::<()>().await;
}

/// How much a process has kept when it is killed, how much it has accepted, and how much it will be in the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Written {
    pub(crate) kept: usize,
    pub(crate) accepted: usize,
    pub(crate) whole: usize,
}

/// A process is killed while a part is under way: `held` waits until a request of the child that brings a part is held.
pub(crate) async fn kill_amid_a_part(settings: &str, written: Written, held: impl AsyncFnOnce()) {
    let Written { kept, accepted, whole } = written;
    let mut child = Child::start(&format!("write {kept} {accepted} {whole}"), settings);
    assert_eq!(child.hear().await, "accepted");
    held().await;
    child.kill().await;
}

/// Continues what a killed process has kept and commits it, `by` being of another process.
pub(crate) async fn continue_and_commit(by: &Storage, written: Written) {
    let whole = content(written.whole);
    let sessions: Vec<_> = by.unfinished(&context(), &path("/")).await.unwrap().try_concat().await.unwrap();
    assert_eq!(sessions.iter().map(|session| session.path.as_str()).collect::<Vec<_>>(), ["/a"]);
    let size = sessions[0].size as usize;
    assert!((written.kept..=written.accepted).contains(&size), "{size} bytes are kept");
    // Once more across a close: what was put by the one and by the other is in one file.
    for until in [size, size + 1, written.whole] {
        let writer = append(by, &whole, until).await;
        assert_eq!(writer.close(&context()).await.unwrap(), until as u64);
    }
    let writer = by.writer(&context(), &path("/a"), WriteOptions::append()).await.unwrap();
    writer.commit(&context(), CommitOptions::default()).await.unwrap();
    let (_, found) = by.get(&context(), &path("/a"), GetOptions::default()).await.unwrap();
    assert!(found == whole, "{} bytes were published", found.len());
}

async fn names(storage: &Storage) -> String {
    let entries = storage.list(&context(), &path("/talk"), ListOptions::default()).await.unwrap();
    let entries = entries.collect().await.unwrap();
    entries.iter().map(|entry| entry.path().as_str()).collect::<Vec<_>>().join(" ")
}

/// Answers each line with what it sees, and then makes a file of its own.
async fn talk(storage: &Storage) {
    while let Some(name) = hear() {
        say(&names(storage).await);
        storage.put(&context(), &path(&name), "of the child", PutOptions::default()).await.unwrap();
        say("done");
    }
}

/// What one process has stored, the other one lists, stats and reads at once.
pub(crate) async fn each_sees_what_the_other_has_stored(settings: &str, storage: &Storage) {
    let mut child = Child::start("talk", settings);
    let mut expected = BTreeSet::new();
    for round in 0..5 {
        let [mine, theirs] = ["parent", "child"].map(|who| format!("/talk/{round}-{who}"));
        storage.put(&context(), &path(&mine), "of the parent", PutOptions::default()).await.unwrap();
        expected.insert(mine);
        child.say(&theirs).await;
        assert_eq!(child.hear().await, expected.iter().cloned().collect::<Vec<_>>().join(" "));
        assert_eq!(child.hear().await, "done");
        assert_eq!(storage.get(&context(), &path(&theirs), GetOptions::default()).await.unwrap().1, "of the child");
        expected.insert(theirs);
        assert_eq!(names(storage).await, expected.iter().cloned().collect::<Vec<_>>().join(" "));
    }
    child.kill().await;
}

/// Makes a file that must not be there yet: by a put, or by a writer.
async fn make(storage: &Storage, number: usize, who: &str) -> Result<()> {
    let file = path(&format!("/race/{number}"));
    if number.is_multiple_of(2) {
        let options = PutOptions::default().with_condition(Condition::IfAbsent);
        return storage.put(&context(), &file, who.to_owned(), options).await.map(drop);
    }
    let mut writer = storage.writer(&context(), &file, WriteOptions::default()).await?;
    writer.write(&context(), who.to_owned().into()).await?;
    let options = CommitOptions::default().with_condition(Condition::IfAbsent);
    match writer.commit(&context(), options).await {
        Ok(_) => Ok(()),
        Err(failure) => {
            if let Some(writer) = failure.writer {
                writer.cancel(&context()).await.map_err(Error::from)?;
            }
            Err(failure.error)
        }
    }
}

async fn race(storage: &Storage, who: &str) {
    // The connections are there before it begins.
    storage.stat(&context(), &path("/race")).await.unwrap_err();
    say("ready");
    hear();
    let mut won = Vec::new();
    for number in 0..RACES {
        match make(storage, number, who).await {
            Ok(()) => won.push(number.to_string()),
            Err(error) => assert_eq!(error.kind(), ErrorKind::AlreadyExists, "{error}"),
        }
    }
    say(&won.join(" "));
}

/// Of several processes that want to make one file, one succeeds.
pub(crate) async fn one_process_wins_each_file(settings: &str, storage: &Storage) {
    let mut children: Vec<_> = (0..RACERS).map(|who| Child::start(&format!("race {who}"), settings)).collect();
    for child in &mut children {
        assert_eq!(child.hear().await, "ready");
    }
    for child in &mut children {
        child.say("go").await;
    }
    let mut winners = vec![Vec::new(); RACES];
    for (who, child) in children.iter_mut().enumerate() {
        for number in child.hear().await.split_whitespace() {
            winners[number.parse::<usize>().unwrap()].push(who.to_string());
        }
    }
    for (number, winners) in winners.into_iter().enumerate() {
        let file = path(&format!("/race/{number}"));
        let (_, found) = storage.get(&context(), &file, GetOptions::default()).await.unwrap();
        assert_eq!(winners, [String::from_utf8_lossy(&found)], "{file}");
    }
}
