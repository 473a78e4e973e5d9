//! The power is cut at every place of a record, in every way, and what is left is opened.

use std::collections::HashSet;
use std::path::Path;

use driver_filesystem::FilesystemDurability;
use fastrand::Rng;
use tokio::runtime::Runtime;

use super::record::{ROOT, Recording, driver};
use crate::inspection::{compare, exercise, finish_sessions};
use crate::settings;
use crate::simulation::{Effect, Event, Habit, Image, SimulatedDisk, WriteBack, choices, is_every_subset};
use crate::world::Expectation;

/// Examines records, and counts what it has examined.
pub(super) struct Examiner {
    /// Random choices for each cut at which more effects are pending than all subsets are tried of.
    samples: usize,
    rng: Rng,
    runtime: Runtime,
    /// Places in the records at which the power was cut.
    cuts: u64,
    /// Those of them with too many pending effects for every subset.
    sampled: u64,
    /// Ways in which the disk may have written back what was pending.
    rebuilt: u64,
    /// Disks that differ, or are met under another expectation, and were opened.
    opened: u64,
}

impl Examiner {
    pub(super) fn new(samples: usize, seed: u64) -> Self {
        let rng = Rng::with_seed(seed);
        Self { samples, rng, runtime: settings::runtime(), cuts: 0, sampled: 0, rebuilt: 0, opened: 0 }
    }

    pub(super) fn examine(&mut self, recording: &Recording) -> Result<(), String> {
        let mut disk = WriteBack::new(recording.durable.clone());
        let mut expectation = None;
        let mut met = HashSet::new();
        for (place, event) in recording.log.iter().enumerate() {
            disk.follow(event);
            if let Event::Mark(mark) = event {
                expectation = Some(&recording.expectations[*mark]);
                met.clear();
            }
            let Some(expectation) = expectation else { continue };
            self.cuts += 1;
            for written in self.new_choices(event, disk.pending().len()) {
                self.rebuilt += 1;
                let left = disk.cut(&written);
                if met.insert(left.digest()) {
                    self.opened += 1;
                    self.open(&left, expectation).map_err(|problem| {
                        format!("{problem}\n{}", told(recording, place, disk.pending(), &written))
                    })?;
                }
            }
        }
        Ok(())
    }

    /// The ways in which the disk may have written back what is pending, but for those that the cut before this event has
    /// shown. A sync takes ways away and adds none, a change adds those that have it, and a mark means another expectation.
    fn new_choices(&mut self, event: &Event, pending: usize) -> impl Iterator<Item = Vec<bool>> + use<> {
        let (chosen, last) = match event {
            Event::Synced(_) | Event::Made(_) => (None, None),
            Event::Changed(_) => (Some(pending - 1), Some(true)),
            Event::Mark(_) => (Some(pending), None),
        };
        self.sampled += u64::from(chosen.is_some_and(|chosen| !is_every_subset(chosen)));
        let choices = chosen.map(|chosen| choices(chosen, self.samples, &mut self.rng));
        choices.into_iter().flatten().map(move |mut written| {
            written.extend(last);
            written
        })
    }

    fn open(&self, left: &Image, expectation: &Expectation) -> Result<(), String> {
        let disk = SimulatedDisk::start(left.mounted(), Habit::Faithful);
        let driver = driver(disk.clone(), FilesystemDurability::Full);
        self.runtime.block_on(async {
            let observed = compare(&driver, expectation).await?;
            exercise(&driver, || disk.names_below(Path::new(ROOT)), &observed).await?;
            finish_sessions(&driver, &observed, expectation).await
        })
    }

    pub(super) fn print(&self, name: &str) {
        let Self { cuts, sampled, rebuilt, opened, .. } = self;
        println!(
            "{name}: {cuts} cuts ({sampled} of them sampled), {rebuilt} states rebuilt, {opened} different ones opened"
        );
    }
}

/// How a failure came about.
fn told(recording: &Recording, place: usize, pending: &[Effect], written: &[bool]) -> String {
    let mut text = String::from("the calls before the cut:\n");
    for event in &recording.log[..=place] {
        match event {
            Event::Mark(mark) => text.push_str(&format!("  -- {}\n", recording.expectations[*mark])),
            event => text.push_str(&format!("  {event:?}\n")),
        }
    }
    text.push_str("pending at the cut:\n");
    for (effect, written) in pending.iter().zip(written) {
        text.push_str(&format!("  {} {effect:?}\n", if *written { "written" } else { "lost   " }));
    }
    text
}
