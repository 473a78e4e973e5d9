//! Records of what the driver did to a simulated disk, with what may be found after each moment of them.

use driver_filesystem::{FilesystemDriver, FilesystemDurability, FilesystemOptions};
use fastrand::Rng;
use futures_util::future::join_all;
use parking_lot::Mutex;
use tokio::runtime::Runtime;

use crate::settings;
use crate::simulation::{Event, Fate, Habit, Image, SimulatedDisk};
use crate::step::{Step, perform};
use crate::world::{Expectation, World};

/// Two directories that the driver has to make.
pub(super) const ROOT: &str = "/srv/store";
/// Tasks that work side by side, and how many steps each does.
const TASKS: usize = 3;
const STEPS_PER_TASK: u64 = 5;

/// A driver over a simulated disk.
pub(super) fn driver(disk: SimulatedDisk, durability: FilesystemDurability) -> FilesystemDriver<SimulatedDisk> {
    let mut options = FilesystemOptions::new(ROOT);
    options.durability = durability;
    FilesystemDriver::with_system_calls(options, disk).unwrap()
}

/// What was recorded, and what may be found after each mark of the record.
pub(super) struct Recording {
    /// What the disk was before.
    pub(super) durable: Image,
    pub(super) log: Vec<Event>,
    pub(super) expectations: Vec<Expectation>,
}

/// Makes records on one kind of machine.
pub(super) struct Recorder {
    durability: FilesystemDurability,
    habit: Habit,
    runtime: Runtime,
}

/// A machine whose record is being made.
struct Tape {
    disk: SimulatedDisk,
    durable: Image,
    expectations: Vec<Expectation>,
}

impl Tape {
    /// Notes what may be found from now on.
    fn expect(&mut self, expectation: Expectation) {
        self.disk.mark(self.expectations.len());
        self.expectations.push(expectation);
    }

    fn stop(self) -> Recording {
        Recording { durable: self.durable, log: self.disk.take_log(), expectations: self.expectations }
    }
}

impl Recorder {
    pub(super) fn new(durability: FilesystemDurability, habit: Habit) -> Self {
        Self { durability, habit, runtime: settings::runtime() }
    }

    fn driver(&self, disk: &SimulatedDisk, fate: Fate) -> FilesystemDriver<SimulatedDisk> {
        driver(disk.process(fate), self.durability)
    }

    fn must(&self, driver: &FilesystemDriver<SimulatedDisk>, step: &Step) {
        self.runtime.block_on(perform(driver, step)).unwrap_or_else(|error| panic!("{step}: {error}"));
    }

    /// Does steps and lets all their effects be written back.
    fn settle(&self, steps: &[Step]) -> (FilesystemDriver<SimulatedDisk>, World, Tape) {
        let disk = SimulatedDisk::start(Image::new(), self.habit);
        let driver = self.driver(&disk, Fate::Lives);
        let mut world = World::default();
        for step in steps {
            self.must(&driver, step);
            world = world.after(step);
        }
        let durable = disk.settle();
        (driver, world, Tape { disk, durable, expectations: Vec::new() })
    }

    /// Does steps, those of `settled` long before the others, and records the others.
    pub(super) fn steps(&self, settled: &[Step], steps: &[Step]) -> Recording {
        let (driver, mut world, mut tape) = self.settle(settled);
        for step in steps {
            tape.expect(Expectation::during(&world, step));
            self.must(&driver, step);
            world = world.after(step);
            tape.expect(Expectation::settled(&world));
        }
        tape.stop()
    }

    /// Kills a process before one of the calls of a step, and records what another does in a next step; none where the step
    /// has no such call.
    pub(super) fn a_kill(&self, settled: &[Step], killed: &Step, call: usize, then: &Step) -> Option<Recording> {
        let (driver, world, mut tape) = self.settle(settled);
        drop(driver);
        let doomed = self.driver(&tape.disk, Fate::DiesBefore(call));
        if self.runtime.block_on(perform(&doomed, killed)).is_ok() {
            return None;
        }
        drop(doomed);
        self.must(&self.driver(&tape.disk, Fate::Lives), then);
        tape.expect(Expectation::during(&world, killed).then(then));
        Some(tape.stop())
    }

    /// Several tasks work at once, each on names of its own, in directories that they share.
    pub(super) fn side_by_side(&self, rng: &mut Rng) -> Recording {
        let (driver, _, tape) = self.settle(&[]);
        let table = Mutex::new((tape, vec![Expectation::settled(&World::default()); TASKS]));
        let expect = |task: usize, expectation| {
            let (tape, tasks) = &mut *table.lock();
            tasks[task] = expectation;
            tape.expect(Expectation::of_all(tasks));
        };
        let tasks = (0..TASKS).map(|task| {
            let (mut rng, driver, expect) = (rng.fork(), &driver, &expect);
            async move {
                let paths = ["/d", "/d/e", "/f"].map(|directory| format!("{directory}/task{task}"));
                let mut world = World::default();
                for write in 1..=STEPS_PER_TASK {
                    let step = own_step(&world, &mut rng, write * TASKS as u64 + task as u64, &paths);
                    expect(task, Expectation::during(&world, &step));
                    perform(driver, &step).await.unwrap_or_else(|error| panic!("{step}: {error}"));
                    world = world.after(&step);
                    expect(task, Expectation::settled(&world));
                }
            }
        });
        self.runtime.block_on(join_all(tasks));
        table.into_inner().0.stop()
    }
}

/// A step that leaves alone what others have in the same directory.
fn own_step(world: &World, rng: &mut Rng, write: u64, paths: &[String]) -> Step {
    loop {
        match world.random_step(rng, write, paths) {
            Step::DeleteTree { .. } => {}
            step => return step,
        }
    }
}
