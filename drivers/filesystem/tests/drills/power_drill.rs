//! Power drill: the driver works on a simulated disk, and the power is cut after every system call, in every way in which the
//! disk may have written back what was pending. Each disk that is left is opened by a new driver:
//!
//! - every path is old or new, never in parts or mixed, and what was acknowledged is there (DUR-2);
//! - kept sessions have their bytes, and can be continued;
//! - the store can be used, and a sweep leaves nothing behind.
//!
//! Which states a cut can leave is said in [`simulation`](crate::simulation).

mod examine;
mod record;

use driver_filesystem::FilesystemDurability;
use fastrand::Rng;

use crate::inspection::observe;
use crate::settings;
use crate::simulation::{Habit, Image, SimulatedDisk};
use crate::step::{Step, perform, script};
use crate::world::{Expectation, PATHS, World};
use examine::Examiner;
use record::Recorder;

/// Random choices for each cut at which more effects are pending than all subsets are tried of.
const SAMPLES: usize = 10_000;
/// The same where a drill is to find what is wrong everywhere, or runs often.
const FEW_SAMPLES: usize = 100;

/// Steps whose effects have long been written back, and steps during and after which the power is cut.
const SCRIPTS: &[(&str, &str)] = &[
    // The first change of a store makes everything down to its root.
    ("", "put /a/b/c 1 100; put /a/b/d 2 90"),
    ("", "put /a 1 40; put /a 2 50; put /a 3 30"),
    ("", "write /a/b 1 100 commit"),
    ("", "write /a/b 1 100 close; resume /a/b 1 180 commit"),
    // Over what is there.
    ("put /a/b 1 100", "put /a/b 2 120; put /a/c 3 80"),
    ("put /a/b 1 100", "put /x/y/z 2 120; put /x/y/w 3 80"),
    ("put /a/b 1 100", "put-absent /a/b 2 60; put-absent /a/c 3 70; put-absent /e/f/g 4 80"),
    // Writers.
    ("put /a/b 1 100", "write /a/b 2 200 commit; write /a/c 3 50 commit"),
    ("put /a 9 20", "write /a/b2 2 200 commit-to /c/d/e; write /u 3 50 commit-to /a"),
    ("put /a 9 20", "write /a 2 100 close; resume /a 2 160 close; resume /a 2 170 commit"),
    ("put /a 9 20; write /u/v 2 100 close", "resume /u/v 2 160 commit-to /blobs/x/data"),
    ("put /a 9 20; write /u/v 2 100 close", "resume /u/v 2 160 commit-to /a"),
    ("put /a 9 20; write /u/v 2 100 close", "resume /u/v 2 160 cancel; put /u/v 3 30"),
    ("put /a 9 20; write /u/v 2 100 close", "resume /u/v 2 160 cancel; write /u/v 3 30 commit; delete-tree /u"),
    ("put /a 9 20; write /u/v 2 100 close", "resume /u/v 2 160 cancel; write /u/v 3 30 close"),
    ("put /a 9 20; write /u/v 2 100 close", "write /u/v 3 130 close"),
    ("put /a 9 20; write /u/v 2 100 close", "write /u/v 3 130 commit"),
    ("put /a 9 20; write /u/v 2 100 close; write /u/w 3 40 close", "abandon /u/v; resume /u/w 3 90 close"),
    ("put /a 9 20", "write /a 2 100 cancel; write /b 3 40 close"),
    // Moves.
    ("put /a/b 1 100; put /a/c 2 50", "move /a/b /a/d; move /a/c /a/d"),
    ("put /a/b 1 100; put /c/d 2 50", "move /a/b /c/e; move /c/d /a/b"),
    ("put /a/b 1 100; put /c/d 2 50", "move /a/b /c/d; put /a/b 3 40"),
    ("put /a/b 1 100", "move /a/b /x/y/z; move /x/y/z /a/b"),
    ("", "put /a/b 1 100; move /a/b /c/d"),
    // Deletes, and what comes back to the place.
    ("put /a/b 1 100; put /a/c 2 50", "delete /a/b; delete /a/c"),
    ("put /a/b 1 100", "delete /a/b; put /a/b 2 50"),
    ("put /a/b/c 1 100", "delete /a/b/c; put /a/b/d 2 50; put /a/b/c 3 40"),
    ("put /a/b/c 1 100; put /a/d 2 50", "delete-tree /a; put /a/d 3 60"),
    ("put /a/b/c 1 100; put /a/b/d 2 50; write /a/u 3 70 close", "delete-tree /a; write /a/u 4 60 close"),
    ("put /a/b/c 1 100; put /z 2 50", "delete-tree /a/b; put /a/b/c/d 3 30; delete-tree /a; sweep; put /a/b/c 4 40"),
    ("put /a/b 1 100", "put /a/c 2 50; delete /a/b; delete /a/c; put /a 3 60; delete /a; put /a/b 4 70"),
];

/// Steps that succeed one after the other on an empty store.
fn random_steps(rng: &mut Rng, count: usize) -> Vec<Step> {
    let mut world = World::default();
    let step = |write| {
        let step = world.random_step(rng, write, &PATHS);
        world = world.after(&step);
        step
    };
    (1..=count as u64).map(step).collect()
}

#[test]
fn a_cut_leaves_old_or_new_and_all_that_was_acknowledged() {
    let seed = settings::seed();
    for habit in [Habit::Faithful, Habit::WithoutNoreplace] {
        let recorder = Recorder::new(FilesystemDurability::Full, habit);
        let mut examiner = Examiner::new(SAMPLES, seed);
        for (settled, steps) in SCRIPTS {
            let recording = recorder.steps(&script(settled), &script(steps));
            examiner.examine(&recording).unwrap_or_else(|problem| panic!("[{settled}] {steps}: {problem}"));
        }
        examiner.print(&format!("scripts, {habit:?}"));
    }
}

#[test]
fn a_cut_during_random_steps_leaves_old_or_new_and_all_that_was_acknowledged() {
    let mut rng = Rng::with_seed(settings::seed());
    let recorder = Recorder::new(FilesystemDurability::Full, Habit::Faithful);
    let mut examiner = Examiner::new(SAMPLES, rng.u64(..));
    for _ in 0..if settings::is_full() { 300 } else { 15 } {
        let settled = rng.usize(..12);
        let steps = random_steps(&mut rng, settled + 4);
        let recording = recorder.steps(&steps[..settled], &steps[settled..]);
        examiner.examine(&recording).unwrap_or_else(|problem| panic!("{steps:?}: {problem}"));
    }
    examiner.print("random steps");
}

/// Whose directories are synced, and by whom, does not depend on who made them.
#[test]
fn a_cut_during_concurrent_steps_leaves_old_or_new_and_all_that_was_acknowledged() {
    let mut rng = Rng::with_seed(settings::seed());
    let recorder = Recorder::new(FilesystemDurability::Full, Habit::Faithful);
    let mut examiner = Examiner::new(FEW_SAMPLES, rng.u64(..));
    for _ in 0..if settings::is_full() { 60 } else { 3 } {
        let recording = recorder.side_by_side(&mut rng);
        examiner.examine(&recording).unwrap_or_else(|problem| panic!("{problem}"));
    }
    examiner.print("concurrent steps");
}

/// What a killed process began, and never brought to the disk, must not take along what another acknowledges later.
#[test]
fn a_kill_and_then_a_cut_leave_all_that_was_acknowledged() {
    let recorder = Recorder::new(FilesystemDurability::Full, Habit::Faithful);
    let mut examiner = Examiner::new(SAMPLES, settings::seed());
    let scripts = [
        ("", "put /a/b/c 1 100", "put /a/b/d 2 90"),
        ("", "write /a/b 1 100 close", "write /a/b/c 2 50 close"),
        ("put /a/b/c 1 50", "delete-tree /a", "put /a/b/d 2 60"),
        ("put /a/b/c 1 50", "delete /a/b/c", "put /a/b/d 2 60"),
        ("put /a/b/c 1 50", "move /a/b/c /x/y/z", "put /x/y/w 2 60"),
        ("put /a/b/c 1 50; write /u 3 70 close", "resume /u 3 90 commit-to /x/y/z", "put /x/y/w 2 60"),
    ];
    for (settled, killed, then) in scripts {
        let (settled, killed, then) = (script(settled), &script(killed)[0], &script(then)[0]);
        for call in 0.. {
            let Some(recording) = recorder.a_kill(&settled, killed, call, then) else { break };
            examiner
                .examine(&recording)
                .unwrap_or_else(|problem| panic!("{killed}, killed before call {call}, then {then}: {problem}"));
        }
    }
    examiner.print("a kill, then a cut");
}

/// A drill that finds nothing wrong with these would find nothing wrong with anything.
#[test]
fn the_drill_sees_what_a_driver_fails_to_sync() {
    let seed = settings::seed();
    let careless = [
        ("without any sync", FilesystemDurability::Process, Habit::Faithful),
        ("without syncs of files", FilesystemDurability::Full, Habit::OmitsFileSync),
        ("without syncs of directories", FilesystemDurability::Full, Habit::OmitsDirectorySync),
        ("with syncs of files after the rename", FilesystemDurability::Full, Habit::SyncsFilesTooLate),
    ];
    for (name, durability, habit) in careless {
        let recorder = Recorder::new(durability, habit);
        let mut examiner = Examiner::new(FEW_SAMPLES, seed);
        let (mut blind, mut found) = (Vec::new(), 0);
        for (settled, steps) in SCRIPTS {
            match examiner.examine(&recorder.steps(&script(settled), &script(steps))) {
                Ok(()) => blind.push(format!("[{settled}] {steps}")),
                Err(_) => found += 1,
            }
        }
        examiner.print(&format!("{name}, wrong in {found} of {} scripts", SCRIPTS.len()));
        assert!(blind.len() < SCRIPTS.len() / 4, "{name}: nothing was found wrong with {blind:#?}");
    }
}

/// The store works on the simulated disk as on a real one, when nothing goes wrong.
#[test]
fn the_simulated_disk_keeps_what_it_is_given() {
    let mut rng = Rng::with_seed(settings::seed());
    let runtime = settings::runtime();
    let disk = SimulatedDisk::start(Image::new(), Habit::Faithful);
    let driver = record::driver(disk, FilesystemDurability::Full);
    let mut world = World::default();
    for step in random_steps(&mut rng, 200) {
        runtime.block_on(perform(&driver, &step)).unwrap_or_else(|error| panic!("{step}: {error}"));
        world = world.after(&step);
        let observed = runtime.block_on(observe(&driver)).unwrap();
        assert_eq!(Expectation::settled(&world).differences(&observed), Vec::<String>::new(), "after {step}");
    }
}
