//! The measurements as a table.

use std::io::{self, Write};

use indicatif::BinaryBytes;

use super::measure::Measurement;

pub(super) fn write(output: &mut impl Write, measurements: &[Measurement]) -> io::Result<()> {
    writeln!(
        output,
        "{:<12} {:<16} {:>4} {:>9} {:>12} {:>14} {:>12} {:>12}",
        "driver", "operation", "jobs", "calls", "calls/s", "content/s", "median", "p99"
    )?;
    for measurement in measurements {
        let content = measurement.bytes_per_second.map_or_else(|| "-".to_owned(), content);
        writeln!(
            output,
            "{:<12} {:<16} {:>4} {:>9} {:>12.0} {:>14} {:>12} {:>12}",
            measurement.driver,
            measurement.operation,
            measurement.jobs,
            measurement.calls,
            measurement.calls_per_second,
            content,
            latency(measurement.median_microseconds),
            latency(measurement.p99_microseconds),
        )?;
    }
    Ok(())
}

fn content(bytes_per_second: f64) -> String {
    BinaryBytes(bytes_per_second as u64).to_string()
}

/// Three digits that mean something, in the unit that suits them.
fn latency(microseconds: f64) -> String {
    match microseconds {
        short if short < 1000.0 => format!("{short:.1} µs"),
        middling if middling < 1_000_000.0 => format!("{:.2} ms", middling / 1000.0),
        long => format!("{:.2} s", long / 1_000_000.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_have_the_unit_that_suits_them() {
        assert_eq!(
            [0.4, 999.0, 1500.0, 2_500_000.0].map(latency),
            ["0.4 µs", "999.0 µs", "1.50 ms", "2.50 s"].map(str::to_owned)
        );
    }
}
