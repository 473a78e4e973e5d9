//! What was measured, as a table and as JSON.

use std::fmt;

use serde::Serialize;

use crate::statistics::{median, ratio_interval};

/// All rows of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    pub(crate) processors: usize,
    pub(crate) rows: Vec<MeasuredRow>,
}

/// One row: ours first.
#[derive(Debug, Serialize)]
pub(crate) struct MeasuredRow {
    pub(crate) name: String,
    pub(crate) rounds: usize,
    pub(crate) operations_per_round: usize,
    pub(crate) contestants: Vec<Measured>,
    /// The most memory above idle that ours may take.
    pub(crate) most_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) name: &'static str,
    /// The time of each round.
    pub(crate) seconds: Vec<f64>,
    /// The median, for one operation.
    pub(crate) nanoseconds_per_operation: f64,
    /// The most memory above idle, where it was measured.
    pub(crate) peak_bytes: Option<u64>,
    /// Ours against this one; none for ours itself.
    pub(crate) comparison: Option<Comparison>,
}

/// The time of ours, divided by that of another.
#[derive(Debug, Serialize)]
pub(crate) struct Comparison {
    pub(crate) ratio: f64,
    /// The interval of 95%.
    pub(crate) low: f64,
    pub(crate) high: f64,
    pub(crate) limit: f64,
    pub(crate) verdict: Verdict,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Verdict {
    /// The whole interval is below 1.
    Ahead,
    /// Not ahead, and not behind.
    Within,
    /// The whole interval is above the limit.
    Behind,
}

impl Comparison {
    pub(crate) fn new(ours: &[f64], theirs: &[f64], limit: f64) -> Self {
        let interval = ratio_interval(ours, theirs);
        let (low, high) = interval.into_inner();
        let verdict = match () {
            () if high < 1.0 => Verdict::Ahead,
            () if low > limit => Verdict::Behind,
            () => Verdict::Within,
        };
        Self { ratio: median(ours) / median(theirs), low, high, limit, verdict }
    }
}

impl Report {
    /// The rows in which ours is behind, or takes too much memory.
    pub(crate) fn behind(&self) -> impl Iterator<Item = &MeasuredRow> {
        let lost = |measured: &Measured| measured.comparison.as_ref().is_some_and(|c| c.verdict == Verdict::Behind);
        self.rows.iter().filter(move |row| row.takes_too_much_memory() || row.contestants.iter().any(lost))
    }
}

impl MeasuredRow {
    fn takes_too_much_memory(&self) -> bool {
        let taken = self.contestants.first().and_then(|ours| ours.peak_bytes);
        taken.zip(self.most_bytes).is_some_and(|(taken, most)| taken > most)
    }
}

impl fmt::Display for MeasuredRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} ({} rounds)", self.name, self.rounds)?;
        for measured in &self.contestants {
            write!(f, "  {:<16}{:>12}", measured.name, Time(measured.nanoseconds_per_operation).to_string())?;
            match &measured.comparison {
                Some(Comparison { ratio, low, high, limit, verdict }) => {
                    let verdict = match verdict {
                        Verdict::Ahead => "ahead".to_owned(),
                        Verdict::Within => format!("not behind (limit {limit})"),
                        Verdict::Behind => format!("BEHIND (limit {limit})"),
                    };
                    write!(f, "   ours takes {ratio:.3} of it [{low:.3} .. {high:.3}]  {verdict}")?;
                }
                None => write!(f, "   each operation, median")?,
            }
            if let Some(bytes) = measured.peak_bytes {
                write!(f, "   peak {:.1} MiB", bytes as f64 / (1024.0 * 1024.0))?;
            }
            writeln!(f)?;
        }
        if self.takes_too_much_memory() {
            writeln!(f, "  ours takes MORE MEMORY than the row allows")?;
        }
        Ok(())
    }
}

struct Time(f64);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            nanoseconds if nanoseconds < 1e3 => write!(f, "{nanoseconds:.0} ns"),
            nanoseconds if nanoseconds < 1e6 => write!(f, "{:.2} us", nanoseconds / 1e3),
            nanoseconds if nanoseconds < 1e9 => write!(f, "{:.2} ms", nanoseconds / 1e6),
            nanoseconds => write!(f, "{:.3} s", nanoseconds / 1e9),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_is_who_is_behind_for_certain() {
        let around = |middle: f64| (0..15).map(|n| middle + f64::from(n - 7) / 100.0).collect::<Vec<_>>();
        let verdict = |ours, theirs| Comparison::new(&around(ours), &around(theirs), 1.05).verdict;
        assert_eq!(verdict(1.0, 2.0), Verdict::Ahead);
        assert_eq!(verdict(2.0, 1.0), Verdict::Behind);
        assert_eq!(verdict(1.0, 1.0), Verdict::Within);
    }

    #[test]
    fn too_much_memory_is_behind_too() {
        let row = |peak_bytes| {
            let ours = Measured {
                name: "ours",
                seconds: vec![1.0],
                nanoseconds_per_operation: 1e9,
                peak_bytes: Some(peak_bytes),
                comparison: None,
            };
            let name = "stream".to_owned();
            MeasuredRow { name, rounds: 1, operations_per_round: 1, contestants: vec![ours], most_bytes: Some(100) }
        };
        let behind = |peak_bytes| Report { processors: 1, rows: vec![row(peak_bytes)] }.behind().count();
        assert_eq!((behind(100), behind(101)), (0, 1));
    }
}
