//! How much a run does, as data.

use std::fmt;
use std::time::Duration;

/// How thorough a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
pub enum Profile {
    /// A few seconds: for every change of a driver.
    Quick,
    /// Under a minute for embedded drivers: for every push.
    #[default]
    Standard,
    /// Goes on with new seeds for as long as one likes.
    Exhaustive,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Exhaustive => "exhaustive",
        })
    }
}

/// What one check may spend.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Budget {
    /// After how long a check has failed.
    pub time_limit: Duration,
    /// After how long a check begins no further round, so that a slow backend does not multiply the whole run. One check
    /// that is run by itself takes its time.
    pub slice: Duration,
    /// Random sequences that are run against the reference model.
    pub sequences: u32,
    /// The most steps of such a sequence.
    pub sequence_steps: usize,
    /// Concurrent histories that are recorded and checked.
    pub histories: u32,
    /// Rounds of races, torn reads, and listings under mutation.
    pub rounds: u32,
    /// The most suspension points at which a call is dropped.
    pub dropped_points: usize,
    /// Entries of the largest listing.
    pub entries: usize,
    /// Bytes of the largest file.
    pub large_file: u64,
    /// Streams that are opened and dropped.
    pub abandoned_streams: usize,
    /// Processes that are killed one after another.
    pub kills: u32,
}

impl Profile {
    /// What a check may spend under this profile.
    pub fn budget(self) -> Budget {
        match self {
            Self::Quick => Budget {
                time_limit: Duration::from_secs(30),
                slice: Duration::from_millis(300),
                sequences: 64,
                sequence_steps: 24,
                histories: 100,
                rounds: 10,
                dropped_points: 32,
                entries: 1100,
                large_file: 4 << 20,
                abandoned_streams: 200,
                kills: 20,
            },
            Self::Standard => Budget {
                time_limit: Duration::from_secs(120),
                slice: Duration::from_secs(2),
                sequences: 512,
                sequence_steps: 40,
                histories: 1000,
                rounds: 50,
                dropped_points: 256,
                entries: 2500,
                large_file: 64 << 20,
                abandoned_streams: 1000,
                kills: 200,
            },
            Self::Exhaustive => Budget {
                time_limit: Duration::from_secs(900),
                slice: Duration::from_secs(60),
                sequences: 2048,
                sequence_steps: 60,
                histories: 4000,
                rounds: 200,
                dropped_points: 4096,
                entries: 12_000,
                large_file: 256 << 20,
                abandoned_streams: 1000,
                kills: 2000,
            },
        }
    }
}
