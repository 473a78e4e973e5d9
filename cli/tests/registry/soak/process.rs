//! What a server takes of its machine: memory and descriptors, again and again.

use std::collections::HashSet;
use std::fs;
use std::time::Duration;

use tokio::sync::watch;

/// What it takes at a moment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sample {
    pub(super) resident_kib: u64,
    /// Without the connections to the storage, which are kept for the next request.
    pub(super) descriptors: usize,
}

/// A process, and the port of the storage that it speaks to.
#[derive(Clone)]
pub(super) struct Process {
    pub(super) id: u32,
    pub(super) storage_port: Option<u16>,
}

impl Process {
    pub(super) fn sample(&self) -> Sample {
        Sample { resident_kib: self.resident_kib(), descriptors: self.open().len() }
    }

    fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.id)).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// What its descriptors are of.
    pub(super) fn open(&self) -> Vec<String> {
        let kept = self.connections_to_storage();
        let descriptors = fs::read_dir(format!("/proc/{}/fd", self.id)).unwrap().flatten();
        // One that is closed meanwhile counts no more.
        let open = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        open.map(|target| target.display().to_string()).filter(|target| !kept.contains(target)).collect()
    }

    fn connections_to_storage(&self) -> HashSet<String> {
        let Some(port) = self.storage_port else { return HashSet::new() };
        let table = fs::read_to_string(format!("/proc/{}/net/tcp", self.id)).unwrap();
        let remote = format!(":{port:04X}");
        let fields = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        fields.filter(|fields| fields[2].ends_with(&remote)).map(|fields| format!("socket:[{}]", fields[9])).collect()
    }

    /// Looks again and again, until `stop` is dropped.
    pub(super) async fn watch(self, mut stop: watch::Receiver<()>) -> Vec<Sample> {
        let mut samples = Vec::new();
        let mut moments = tokio::time::interval(Duration::from_millis(200));
        loop {
            tokio::select! {
                _ = moments.tick() => samples.push(self.sample()),
                _ = stop.changed() => return samples,
            }
        }
    }
}

/// The middle value of a quarter of what was seen: the first is 0.
pub(super) fn median_of_quarter<T: Ord + Copy>(samples: &[Sample], quarter: usize, value: impl Fn(&Sample) -> T) -> T {
    let length = samples.len() / 4;
    let mut values: Vec<_> = samples[quarter * length..(quarter + 1) * length].iter().map(value).collect();
    values.sort_unstable();
    values[values.len() / 2]
}
