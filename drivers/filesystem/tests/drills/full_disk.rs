//! Full disk: no room (ERR-6). The error is NoSpace, old content stays, what failed gives its room back, and the store works
//! again once something was deleted.
//!
//! Two forms. On the simulated disk each system call of each operation is refused room in turn, alone and with all that
//! follow; this runs everywhere. On a real tmpfs of a few MiB, mounted in a namespace of its own, the kernel refuses; where
//! no such mount is allowed this says so aloud, and fails if `DRILL=full` asked for it.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use conformance::payload::{Content, payload_range};
use driver_api::{
    CommitOptions, Context, Error, ErrorKind, FileWriter, GetOptions, ListOptions, PutOptions, Result, Retry,
    StorageDriver, StoragePath, WriteOptions,
};
use driver_filesystem::{FilesystemDriver, FilesystemOptions, SystemCalls};
use futures_util::TryStreamExt;
use rustix::fs::{StatVfs, statvfs};

use crate::inspection::{compare, exercise, finish_sessions};
use crate::settings::{self, runtime};
use crate::simulation::{Fate, Habit, Image, SimulatedDisk};
use crate::step::{Step, perform, script};
use crate::world::{Expectation, World};

const ROOT: &str = "/srv/store";

/// What is there, and the operation that finds no room.
const OPERATIONS: &[(&str, &str)] = &[
    ("", "put /a/b/c 1 100"),
    ("put /a/b 1 100", "put /a/b 2 120"),
    ("put /a/b 1 100", "put /x/y/z 2 120"),
    ("put /a/b 1 100", "put-absent /a/c 2 120"),
    ("put /a/b 1 100", "write /a/b 2 120 commit"),
    ("put /a/b 1 100", "write /u/v 2 120 commit-to /x/y"),
    ("put /a/b 1 100", "write /u/v 2 120 close"),
    ("put /a/b 1 100; write /u/v 2 50 close", "resume /u/v 2 120 close"),
    ("put /a/b 1 100; write /u/v 2 50 close", "resume /u/v 2 120 commit"),
    ("put /a/b 1 100; write /u/v 2 50 close", "resume /u/v 2 120 commit-to /a/b"),
    ("put /a/b 1 100; write /u/v 2 50 close", "write /u/v 3 120 commit"),
    ("put /a/b 1 100; write /u/v 2 50 close", "resume /u/v 2 120 cancel"),
    ("put /a/b 1 100; put /a/c 2 50", "move /a/b /a/c"),
    ("put /a/b 1 100", "move /a/b /x/y/z"),
    ("put /a/b 1 100", "delete /a/b"),
    ("put /a/b 1 100; put /a/c/d 2 50; write /a/u 3 70 close", "delete-tree /a"),
    ("put /a/b 1 100; write /u/v 2 50 close", "abandon /u/v"),
    ("put /a/b 1 100", "sweep"),
];

fn driver<S: SystemCalls>(root: &Path, system_calls: S) -> FilesystemDriver<S> {
    FilesystemDriver::with_system_calls(FilesystemOptions::new(root), system_calls).unwrap()
}

#[test]
fn each_call_in_turn_finds_no_room() {
    let mut refused = 0;
    let mut problems = Vec::new();
    for (settled, step) in OPERATIONS {
        let (settled_steps, step) = (script(settled), &script(step)[0]);
        for fate in [Fate::FailsAt, Fate::RunsFullAt] {
            for call in 0.. {
                match refuse(&settled_steps, step, fate(call)) {
                    Ok(true) => {}
                    Ok(false) if call == 0 => panic!("{step} makes no call"),
                    Ok(false) => break,
                    Err(problem) => problems.push(format!("[{settled}] {step}, {:?}: {problem}", fate(call))),
                }
                refused += 1;
            }
        }
    }
    println!("{refused} times {} operations found no room", OPERATIONS.len());
    assert!(problems.is_empty(), "{problems:#?}");
}

/// Does a step under a fate, and looks at what is left; false where the fate came too late to matter.
fn refuse(settled: &[Step], step: &Step, fate: Fate) -> std::result::Result<bool, String> {
    let disk = SimulatedDisk::start(Image::new(), Habit::Faithful);
    let earlier = driver(ROOT.as_ref(), disk.process(Fate::Lives));
    let mut world = World::default();
    for step in settled {
        runtime().block_on(perform(&earlier, step)).unwrap();
        world = world.after(step);
    }
    drop(earlier);
    let used = disk.bytes_used();

    let process = disk.process(fate);
    let under_test = driver(ROOT.as_ref(), process.clone());
    // The end of the runtime waits for what a dropped writer still has to clean up.
    let answer = runtime().block_on(perform(&under_test, step));
    if !process.has_met_its_fate() {
        answer.map_err(|error| error.to_string())?;
        return Ok(false);
    }
    let expectation = match &answer {
        Ok(()) => Expectation::settled(&world.after(step)),
        Err(error) if error.kind() != ErrorKind::NoSpace => return Err(format!("the error is {error}")),
        Err(error) if nothing_happened(step, error) => Expectation::settled(&world),
        Err(_) => Expectation::during(&world, step),
    };
    let observed = runtime().block_on(compare(&under_test, &expectation))?;
    let given_back = disk.bytes_used() <= used.max(observed.bytes());
    // Where the very call fails that should give the room back, that is left to the next driver.
    if matches!(fate, Fate::RunsFullAt(_)) && !given_back {
        return Err(format!("{} bytes are taken, {used} were, and {} show", disk.bytes_used(), observed.bytes()));
    }
    drop(under_test);

    let next = driver(ROOT.as_ref(), disk.process(Fate::Lives));
    runtime().block_on(async {
        let observed = compare(&next, &expectation).await?;
        exercise(&next, || disk.names_below(ROOT.as_ref()), &observed).await?;
        finish_sessions(&next, &observed, &expectation).await
    })?;
    Ok(true)
}

/// Whether the error says that the old content stands.
fn nothing_happened(step: &Step, error: &Error) -> bool {
    matches!(step, Step::Put { .. } | Step::Move { .. }) && error.retry() != Retry::MaybeApplied
}

/// Where the tmpfs is to be mounted, for the process that mounts it.
const MOUNT_AT: &str = "DRILL_MOUNT_AT";

#[test]
fn a_small_tmpfs_fills_up() {
    let directory = tempfile::tempdir().unwrap();
    let ways: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];
    let Some(way) = ways.into_iter().find(|way| can_mount(way, directory.path())) else {
        let reason =
            "NOT RUN: the drill on a real tmpfs, because this process may not mount one; only the injected form ran";
        assert!(!settings::is_full(), "{reason}");
        println!("{reason}");
        return;
    };
    // A mount namespace goes with its last process, and the mount with it, whatever happens.
    let status = Command::new("unshare")
        .args(way)
        .arg(env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "full_disk::inside"])
        .env(MOUNT_AT, directory.path())
        .status()
        .unwrap();
    assert!(status.success(), "the drill in its namespace: {status}");
}

fn can_mount(way: &[&str], at: &Path) -> bool {
    let mut probe = Command::new("unshare");
    probe.args(way).args(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(at);
    probe.output().is_ok_and(|output| output.status.success())
}

/// A store on a tmpfs of 2 MiB and 64 inodes.
struct SmallDisk {
    root: PathBuf,
    context: Context,
}

/// In the namespace: runs where the drill starts it, and does nothing elsewhere.
mod inside {
    use super::*;

    fn mounted(name: &str) -> Option<SmallDisk> {
        let root = Path::new(&env::var_os(MOUNT_AT)?).join(name);
        std::fs::create_dir(&root).unwrap();
        let mut mount = Command::new("mount");
        let status = mount.args(["-t", "tmpfs", "-o", "size=2m,nr_inodes=64", "tmpfs"]).arg(&root).status().unwrap();
        assert!(status.success(), "mount: {status}");
        Some(SmallDisk { root, context: Context::background() })
    }

    #[test]
    #[ignore = "needs a mount; the drill runs it in a namespace"]
    fn bytes_run_out() {
        if let Some(disk) = mounted("bytes") {
            runtime().block_on(disk.run_out_of_bytes()).unwrap();
        }
    }

    #[test]
    #[ignore = "needs a mount; the drill runs it in a namespace"]
    fn bytes_run_out_for_a_writer() {
        if let Some(disk) = mounted("writer") {
            disk.run_out_of_bytes_in_a_writer().unwrap();
        }
    }

    #[test]
    #[ignore = "needs a mount; the drill runs it in a namespace"]
    fn inodes_run_out() {
        if let Some(disk) = mounted("inodes") {
            runtime().block_on(disk.run_out_of_inodes()).unwrap();
        }
    }
}

const OLD: Content = Content { write: 1, size: 100_000 };
const OTHER: Content = Content { write: 2, size: 600_000 };
const TOO_MUCH: Content = Content { write: 3, size: 4 << 20 };

impl SmallDisk {
    fn driver(&self) -> FilesystemDriver {
        FilesystemDriver::new(FilesystemOptions::new(&self.root)).unwrap()
    }

    fn free(&self) -> StatVfs {
        statvfs(&self.root).unwrap()
    }

    async fn put(&self, driver: &FilesystemDriver, at: &str, content: Content) -> Result<()> {
        let payload = content.bytes().into();
        driver.put(&self.context, &at.parse()?, payload, PutOptions::default()).await.map(drop)
    }

    async fn delete(&self, driver: &FilesystemDriver, at: &str) -> Result<()> {
        driver.delete(&self.context, &at.parse()?, Default::default()).await
    }

    async fn holds(&self, driver: &FilesystemDriver, at: &str, content: Content) -> Result<()> {
        let (_, bytes) = driver.get(&self.context, &at.parse()?, GetOptions::default()).await?;
        assert!(content.is(&bytes), "{at}: {}", conformance::payload::explain(&bytes, 0, &[content]));
        Ok(())
    }

    async fn listed(&self, driver: &FilesystemDriver) -> Result<Vec<String>> {
        let pages = driver.list(&self.context, &StoragePath::root(), ListOptions::default()).await?;
        let pages: Vec<Vec<_>> = pages.try_collect().await?;
        Ok(pages.concat().iter().map(|entry| entry.path().to_string()).collect())
    }

    /// Writes until there is no room; the error, and how many bytes were accepted.
    async fn write_until_full(&self, writer: &mut dyn FileWriter) -> (Error, u64) {
        loop {
            let at = writer.size();
            assert!(at < TOO_MUCH.size, "{at} bytes fit on a disk of 2 MiB");
            let chunk = payload_range(TOO_MUCH.write, at..at + 70_000);
            if let Err(error) = writer.write(&self.context, chunk).await {
                return (error, writer.size());
            }
        }
    }

    async fn run_out_of_bytes(&self) -> Result<()> {
        let driver = self.driver();
        self.put(&driver, "/old", OLD).await?;
        self.put(&driver, "/dir/other", OTHER).await?;
        let before = self.free();
        for at in ["/old", "/new/deep", "/dir/new"] {
            let error = self.put(&driver, at, TOO_MUCH).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
            assert_eq!(self.free().f_bavail, before.f_bavail, "room is given back after {at}");
        }
        self.holds(&driver, "/old", OLD).await?;
        self.holds(&driver, "/dir/other", OTHER).await?;
        assert_eq!(self.listed(&driver).await?, ["/dir", "/old"]);

        let most = Content { write: 4, size: before.f_bavail * before.f_bsize - 100_000 };
        self.put(&driver, "/most", most).await?;
        let error = self.put(&driver, "/dir/other", OTHER).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        self.delete(&driver, "/most").await?;
        self.put(&driver, "/dir/other", Content { write: 5, ..OTHER }).await?;
        assert_eq!(self.free().f_bavail, before.f_bavail);
        self.holds(&driver, "/dir/other", Content { write: 5, ..OTHER }).await
    }

    fn run_out_of_bytes_in_a_writer(&self) -> Result<()> {
        let driver = self.driver();
        runtime().block_on(self.put(&driver, "/old", OLD))?;
        runtime().block_on(self.put(&driver, "/other", OTHER))?;
        let before = self.free().f_bavail;
        // The end of the runtime waits for what a dropped writer cleans up.
        runtime().block_on(self.drop_a_writer(&driver))?;
        assert_eq!(self.free().f_bavail, before, "room is given back after a drop");
        runtime().block_on(self.cancel_a_writer(&driver))?;
        assert_eq!(self.free().f_bavail, before, "room is given back after a cancel");
        runtime().block_on(self.keep_a_writer(&driver))?;
        runtime().block_on(self.holds(&driver, "/old", OLD))
    }

    async fn drop_a_writer(&self, driver: &FilesystemDriver) -> Result<()> {
        let mut writer = driver.writer(&self.context, &"/upload/data".parse()?, WriteOptions::default()).await?;
        let (error, _) = self.write_until_full(writer.as_mut()).await;
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let error = writer.commit(&self.context, CommitOptions::default()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        Ok(())
    }

    async fn cancel_a_writer(&self, driver: &FilesystemDriver) -> Result<()> {
        let mut writer = driver.writer(&self.context, &"/upload/data".parse()?, WriteOptions::default()).await?;
        self.write_until_full(writer.as_mut()).await;
        writer.cancel(&self.context).await
    }

    /// What was accepted can be kept, and goes on when there is room.
    async fn keep_a_writer(&self, driver: &FilesystemDriver) -> Result<()> {
        let path = "/upload/data".parse()?;
        let mut writer = driver.writer(&self.context, &path, WriteOptions::default()).await?;
        let (_, accepted) = self.write_until_full(writer.as_mut()).await;
        assert_eq!(writer.close(&self.context).await?, accepted);
        drop(writer);
        assert_eq!(self.put(driver, "/more", OTHER).await.unwrap_err().kind(), ErrorKind::NoSpace);
        self.delete(driver, "/other").await?;
        let mut writer = driver.writer(&self.context, &path, WriteOptions::append()).await?;
        assert_eq!(writer.size(), accepted);
        let whole = Content { size: accepted + 70_000, ..TOO_MUCH };
        writer.write(&self.context, payload_range(whole.write, accepted..whole.size)).await?;
        writer.commit(&self.context, CommitOptions::default()).await?;
        self.holds(driver, "/upload/data", whole).await
    }

    async fn run_out_of_inodes(&self) -> Result<()> {
        let driver = self.driver();
        self.put(&driver, "/old", OLD).await?;
        let mut files = 0;
        let content = |write| Content { write, size: 100 };
        let error = loop {
            if let Err(error) = self.put(&driver, &format!("/many/{files}"), content(files)).await {
                break error;
            }
            files += 1;
            assert!(files < 64, "{files} files fit into 64 inodes");
        };
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        let error = self.put(&driver, "/old", content(0)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        self.holds(&driver, "/old", OLD).await?;
        self.delete(&driver, "/many/0").await?;
        self.put(&driver, "/many/x", content(100)).await?;
        self.holds(&driver, "/many/x", content(100)).await?;
        assert_eq!(self.listed(&driver).await?, ["/many", "/old"]);
        Ok(())
    }
}
