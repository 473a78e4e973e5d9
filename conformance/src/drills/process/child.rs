//! The side of the process that is given orders.

use std::io::{self, BufRead, Write};
use std::process::ExitCode;

use driver_api::{Error, Storage};

use super::{ASSIGNMENT, Assignment, MARK, Order, Reply};
use crate::check::{Failure, Stop, Verdict};
use crate::drills::{cluster, crash};
use crate::target::Target;

/// Takes part in a drill where this process was started to do so, and answers with the code to end with; none elsewhere.
///
/// For a program that calls neither [`main`](crate::main) nor [`execute`](crate::execute).
pub async fn take_part(targets: &[Target]) -> Option<ExitCode> {
    let assignment = std::env::var(ASSIGNMENT).ok()?;
    match serve(targets, &assignment).await {
        Ok(()) => Some(ExitCode::SUCCESS),
        Err(error) => {
            eprintln!("the drill's process ended: {error}");
            Some(ExitCode::from(2))
        }
    }
}

async fn serve(targets: &[Target], assignment: &str) -> io::Result<()> {
    // What the program has written so far may be no whole line.
    writeln!(io::stdout())?;
    let assignment: Assignment = serde_json::from_str(assignment)?;
    let target = targets.iter().find(|target| target.name() == assignment.target);
    let target = target.ok_or_else(|| io::Error::other(format!("there is no target {}", assignment.target)))?;
    let storage = match target.open(&assignment.location).await {
        Ok(storage) => storage,
        Err(error) => return say(&failed(error.into())),
    };
    while let Some(order) = hear()? {
        say(&obey(&storage, order).await.unwrap_or_else(failed))?;
    }
    Ok(())
}

async fn obey(storage: &Storage, order: Order) -> Verdict<Reply> {
    match order {
        Order::Work { workload, directories, seed, first_write } => {
            Err(crash::work(storage, workload, directories, seed, first_write).await)
        }
        Order::Play { paths, task, seed } => cluster::play(storage, paths, task, seed).await,
        Order::Race { directory, files, process } => cluster::race(storage, &directory, files, process).await,
        Order::Carry { path, write, range, publish } => cluster::carry(storage, &path, write, range, publish).await,
        Order::Tell { directory } => cluster::tell(storage, &directory).await,
    }
}

fn failed(stop: Stop) -> Reply {
    let Failure { clauses, expected, found, evidence } = match stop {
        Stop::Failed(failure) => *failure,
        Stop::Unsupported(capability) => return failed(Error::unsupported(capability).into()),
        Stop::Skipped(reason) => Failure::new("ERR-1", "a process that does what it is told", reason),
    };
    let clauses = clauses.into_iter().map(str::to_owned).collect();
    Reply::Failed { clauses, expected, found, evidence }
}

/// What the parent orders next; none at the end. Nothing but the driver's own tasks is under way in this process while it
/// listens, and they have other threads.
fn hear() -> io::Result<Option<Order>> {
    let mut line = String::new();
    match io::stdin().lock().read_line(&mut line)? {
        0 => Ok(None),
        _ => Ok(Some(serde_json::from_str(&line)?)),
    }
}

/// Tells the parent. A line goes in one piece, so that a kill leaves all of it or nothing.
pub(in crate::drills) fn say(reply: &Reply) -> io::Result<()> {
    let line = format!("{MARK}{}\n", serde_json::to_string(reply)?);
    let mut output = io::stdout().lock();
    output.write_all(line.as_bytes())?;
    output.flush()
}
