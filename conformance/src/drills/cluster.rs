//! The drill of the cluster: several processes at once on one store. Their calls are noted with the times of one clock, that of
//! the machine, and decided on as one history.

use std::collections::BTreeMap;
use std::ops::Range;

use driver_api::{
    CommitOptions, Condition, Context, DeleteOptions, Error, ErrorKind, GetOptions, ListOptions, PutOptions, Storage,
    StoragePath, WriteMode, WriteOptions,
};

use super::process::{Order, Process, Reply, Site};
use crate::audit::audit;
use crate::case::{Case, path};
use crate::check::{Failure, Stop, Verdict, describe};
use crate::expect::{ensure, same, same_bytes};
use crate::history::{Clock, decided, play_alone};
use crate::payload::{Content, payload_range};
use crate::target::Instance;

/// How many processes there are.
const PROCESSES: usize = 3;
/// How many histories there are at least. A process that answers with what it remembers shows in one of three (60 runs).
const HISTORIES: u32 = 40;
/// How many files all of them want to make in one race.
const FILES: usize = 8;
const SIZE: u64 = 300;
/// How many bytes each process adds to a session.
const CARRIED: u64 = 100_000;

/// The processes of a check, and the store that they have in common.
struct Cluster<'a> {
    site: Site<'a>,
    processes: Vec<Process>,
    storage: Storage,
}

impl<'a> Cluster<'a> {
    async fn start(case: &'a Case) -> Verdict<Self> {
        let site = Site::new(case)?;
        let storage = site.open().await?;
        let processes = (0..PROCESSES).map(|_| site.start()).collect::<Verdict<_>>()?;
        Ok(Self { site, processes, storage })
    }

    /// Gives every process its order before it waits for the first answer.
    async fn all(&mut self, order: impl Fn(usize) -> Order) -> Verdict<Vec<Reply>> {
        for (number, process) in self.processes.iter_mut().enumerate() {
            process.order(&order(number)).await?;
        }
        let mut replies = Vec::new();
        for process in &mut self.processes {
            replies.push(process.reply().await?);
        }
        Ok(replies)
    }

    /// Removes a directory, so that a round finds only what it put there.
    async fn tidy(&self, directory: &StoragePath) -> Verdict {
        match self.storage.delete(&Context::background(), directory, DeleteOptions::tree()).await {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }

    async fn end(self) -> Verdict {
        drop(self.processes);
        let Self { site, storage, .. } = self;
        let audited = audit(&Instance::over(storage)).await;
        drop(site);
        audited
    }
}

fn unexpected(reply: &Reply) -> Stop {
    Failure::new("ERR-1", "a process to answer what it is asked", format_args!("{reply:?}")).into()
}

pub(crate) async fn histories_have_one_order(case: &Case) -> Verdict {
    let mut cluster = Cluster::start(case).await?;
    let (mut undecided, mut played) = (0, 0);
    for round in case.rounds_at_least(HISTORIES, case.budget().histories) {
        let directory = path(&format!("/history-{round}"));
        let paths = ["a", "b"].map(|name| format!("{directory}/{name}"));
        let seed = case.seed().wrapping_add(u64::from(round).wrapping_mul(PROCESSES as u64));
        let order = |task| Order::Play { paths: paths.clone(), task, seed: seed.wrapping_add(task as u64) };
        let mut history = Vec::new();
        for reply in cluster.all(order).await? {
            let Reply::Played(events) = reply else { return Err(unexpected(&reply)) };
            history.extend(events);
        }
        let paths = paths.each_ref().map(|text| path(text));
        undecided += u32::from(!decided(history, &paths, "every task is a process")?);
        played += 1;
        cluster.tidy(&directory).await?;
    }
    cluster.end().await?;
    match undecided {
        0 => Ok(()),
        _ => Err(Stop::Skipped(format!("{undecided} of {played} histories took too long to decide on"))),
    }
}

/// The process's side: one task of a history.
pub(super) async fn play(storage: &Storage, paths: [String; 2], task: usize, seed: u64) -> Verdict<Reply> {
    let [a, b] = &paths;
    let paths = [parsed(a)?, parsed(b)?];
    Ok(Reply::Played(play_alone(storage, paths, task, seed, Clock::Machine).await?))
}

pub(crate) async fn one_process_makes_each_file(case: &Case) -> Verdict {
    let mut cluster = Cluster::start(case).await?;
    for round in case.rounds(case.budget().rounds) {
        let directory = path(&format!("/race-{round}"));
        let order = |process| Order::Race { directory: directory.to_string(), files: FILES, process: process as u64 };
        let mut makers: BTreeMap<String, Vec<u64>> =
            (0..FILES).map(|file| (file_of(&directory, file), Vec::new())).collect();
        for (process, reply) in cluster.all(order).await?.into_iter().enumerate() {
            let Reply::Won(files) = reply else { return Err(unexpected(&reply)) };
            for file in files {
                makers.entry(file_of(&directory, file)).or_default().push(process as u64);
            }
        }
        let mut expected = Vec::new();
        for (file, makers) in makers {
            let [maker] = makers[..] else {
                let found = format!("{} of {PROCESSES}: {makers:?}", makers.len());
                return Err(Failure::new("PUT-4", format_args!("one process to make {file}"), found).into());
            };
            expected.push((file, Some(write_of(maker))));
        }
        for reply in cluster.all(|_| Order::Tell { directory: directory.to_string() }).await? {
            let Reply::Told(found) = reply else { return Err(unexpected(&reply)) };
            same(
                "PUT-10",
                found,
                expected.clone(),
                "the files, with the writes they are of, that another process tells",
            )?;
        }
        cluster.tidy(&directory).await?;
    }
    cluster.end().await
}

fn file_of(directory: &StoragePath, file: usize) -> String {
    format!("{directory}/{file}")
}

fn write_of(process: u64) -> u64 {
    process + 1
}

/// The process's side: puts each file if absent, and tells which it made.
pub(super) async fn race(storage: &Storage, directory: &str, files: usize, process: u64) -> Verdict<Reply> {
    let directory = parsed(directory)?;
    let mut won = Vec::new();
    for file in 0..files {
        let content = Content { write: write_of(process), size: SIZE };
        let options = PutOptions::default().with_condition(Condition::IfAbsent);
        let target = parsed(&file_of(&directory, file))?;
        match storage.put(&Context::background(), &target, content.bytes(), options).await {
            Ok(_) => won.push(file),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
            Err(error) => {
                let expected = format_args!("the put of {target} if absent to succeed, or to be already_exists");
                return Err(Failure::new("PUT-4", expected, describe(&error)).into());
            }
        }
    }
    Ok(Reply::Won(won))
}

/// The process's side: the files of a directory, and which write each is of.
pub(super) async fn tell(storage: &Storage, directory: &str) -> Verdict<Reply> {
    let (context, directory) = (&Context::background(), parsed(directory)?);
    let entries = storage.list(context, &directory, ListOptions::recursive()).await?.collect().await?;
    let mut told = Vec::new();
    for entry in entries {
        let (_, bytes) = storage.get(context, entry.path(), GetOptions::default()).await?;
        told.push((entry.path().to_string(), Content::identify(&bytes).map(|content| content.write)));
    }
    Ok(Reply::Told(told))
}

pub(crate) async fn sessions_go_from_process_to_process(case: &Case) -> Verdict {
    let mut cluster = Cluster::start(case).await?;
    for round in case.rounds(case.budget().rounds) {
        let target = path(&format!("/session-{round}/file"));
        let content = Content { write: 1, size: CARRIED * PROCESSES as u64 };
        for (number, process) in cluster.processes.iter_mut().enumerate() {
            let from = CARRIED * number as u64;
            let (range, publish) = (from..from + CARRIED, number + 1 == PROCESSES);
            let due = range.end;
            process.order(&Order::Carry { path: target.to_string(), write: content.write, range, publish }).await?;
            let reply = process.reply().await?;
            let Reply::Carried(size) = reply else { return Err(unexpected(&reply)) };
            same("WRITE-16", size, due, format_args!("the size of the session that process {number} continued"))?;
        }
        let answer = cluster.storage.get(&Context::background(), &target, GetOptions::default()).await;
        let (_, bytes) =
            answer.map_err(|error| Failure::new("PUT-10", format_args!("a file at {target}"), describe(&error)))?;
        same_bytes("WRITE-16", &bytes, content, format_args!("what {PROCESSES} processes wrote one after the other"))?;
        cluster.tidy(&path(&format!("/session-{round}"))).await?;
    }
    cluster.end().await
}

/// The process's side: continues what is kept, and keeps or publishes it.
pub(super) async fn carry(
    storage: &Storage,
    target: &str,
    write: u64,
    range: Range<u64>,
    publish: bool,
) -> Verdict<Reply> {
    let (context, target) = (&Context::background(), parsed(target)?);
    let options = WriteOptions::default().with_mode(WriteMode::Append { expected_size: Some(range.start) });
    let opened = storage.writer(context, &target, options).await;
    let mut writer = opened.map_err(|error| {
        let expected = format!("the {} bytes that another process kept at {target} to be continued", range.start);
        Failure::new("WRITE-16", expected, describe(&error))
    })?;
    writer.write(context, payload_range(write, range.clone())).await?;
    let size = match publish {
        true => writer.commit(context, CommitOptions::default()).await?.size,
        false => writer.close(context).await?,
    };
    ensure(size == range.end, "WRITE-16", format_args!("{} bytes", range.end), size)?;
    Ok(Reply::Carried(size))
}

fn parsed(text: &str) -> Result<StoragePath, Error> {
    Ok(StoragePath::parse(text)?)
}
