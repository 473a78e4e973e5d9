//! What a driver costs as its store grows, as a plot on logarithmic axes with a table below it, which names the
//! lines by their numbers.

use std::fmt::Write as _;

use super::TargetReport;
use super::markup::Escaped;
use crate::growth::{Growth, Point};

const WIDTH: f64 = 640.0;
const HEIGHT: f64 = 320.0;
/// Room for what stands at the axes.
const MARGIN: f64 = 60.0;
/// The height of a label.
const LABEL: f64 = 11.0;

/// A section for each check that measured, none where none did.
pub(super) fn sections(target: &TargetReport) -> String {
    let measured = target.results.iter().filter(|result| !result.growth.is_empty());
    measured
        .map(|result| {
            format!(
                "<section><h2>{}: what {} measured</h2>\n<div class=\"scroll\">{}</div>\n{}</section>\n",
                Escaped(&target.name),
                Escaped(result.check),
                plot(&result.growth),
                table(&result.growth),
            )
        })
        .collect()
}

/// Where a plot has its axes, in powers of ten.
struct Axes {
    entries: (f64, f64),
    seconds: (f64, f64),
}

impl Axes {
    fn of(growths: &[Growth]) -> Self {
        let points = || growths.iter().flat_map(|growth| &growth.points);
        Self {
            entries: decades(points().map(|point| f64::from(point.entries))),
            seconds: decades(points().map(|point| point.seconds)),
        }
    }

    fn x(&self, entries: f64) -> f64 {
        let (from, to) = self.entries;
        MARGIN + (entries.log10() - from) / (to - from) * (WIDTH - 2.0 * MARGIN)
    }

    fn y(&self, seconds: f64) -> f64 {
        let (from, to) = self.seconds;
        HEIGHT - MARGIN / 2.0 - (seconds.log10() - from) / (to - from) * (HEIGHT - MARGIN)
    }
}

/// The whole powers of ten around the values.
fn decades(values: impl Iterator<Item = f64>) -> (f64, f64) {
    let (least, most) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), value| {
        (least.min(value.log10()), most.max(value.log10()))
    });
    (least.floor(), most.ceil().max(least.floor() + 1.0))
}

fn plot(growths: &[Growth]) -> String {
    let axes = Axes::of(growths);
    let mut text = format!(
        "<svg class=\"plot\" viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"time of a call by number of entries\">\n"
    );
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{}", grid(&axes));
    for (number, growth) in growths.iter().enumerate() {
        let points: Vec<_> = growth
            .points
            .iter()
            .map(|Point { entries, seconds }| format!("{:.1},{:.1}", axes.x(f64::from(*entries)), axes.y(*seconds)))
            .collect();
        let _ = writeln!(
            text,
            "<polyline class=\"line line-{number}\" points=\"{}\"><title>{}</title></polyline>",
            points.join(" "),
            Escaped(growth.operation),
        );
    }
    for (number, x, y) in labels(growths, &axes) {
        let _ = writeln!(text, "<text class=\"line-{number}\" x=\"{x:.1}\" y=\"{y:.1}\">{}</text>", number + 1);
    }
    text.push_str("</svg>");
    text
}

/// Where the number of each line stands: at its end, and below the one above it where both end at the same height.
fn labels(growths: &[Growth], axes: &Axes) -> Vec<(usize, f64, f64)> {
    let ends = growths.iter().enumerate().filter_map(|(number, growth)| {
        let Point { entries, seconds } = growth.points.last()?;
        Some((number, axes.x(f64::from(*entries)) + 6.0, axes.y(*seconds) + 4.0))
    });
    let mut labels: Vec<_> = ends.collect();
    labels.sort_by(|(_, _, one), (_, _, other)| one.total_cmp(other));
    let mut lowest = f64::NEG_INFINITY;
    for (_, _, y) in &mut labels {
        *y = y.max(lowest + LABEL);
        lowest = *y;
    }
    labels
}

/// A power of ten of seconds, in the unit that has it without zeros.
fn time(power: i32) -> String {
    let (unit, of) = match power {
        0.. => ("s", 0),
        -3.. => ("ms", -3),
        -6.. => ("µs", -6),
        _ => ("ns", -9),
    };
    format!("{} {unit}", 10_f64.powi(power - of))
}

/// A line at every power of ten, with its number.
fn grid(axes: &Axes) -> String {
    let powers = |(from, to): (f64, f64)| from as i32..=to as i32;
    let (left, right, top, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN / 2.0, HEIGHT - MARGIN / 2.0);
    let vertical = powers(axes.entries).map(|power| {
        let entries = 10_f64.powi(power);
        let x = axes.x(entries);
        format!(
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{entries}</text>",
            bottom + 14.0,
        )
    });
    let horizontal = powers(axes.seconds).map(|power| {
        let (y, time) = (axes.y(10_f64.powi(power)), time(power));
        format!(
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{time}</text>",
            left - 4.0,
            y + 4.0,
        )
    });
    let title =
        format!("<text text-anchor=\"start\" x=\"{:.1}\" y=\"{:.1}\">entries</text>", right + 8.0, bottom + 4.0,);
    format!("<g class=\"grid\">{}{title}</g>", vertical.chain(horizontal).collect::<String>())
}

fn table(growths: &[Growth]) -> String {
    let rows: String = growths
        .iter()
        .enumerate()
        .map(|(number, growth)| {
            let class = if growth.is_too_fast() { "fail" } else { "pass" };
            let (costs, label) = (growth.costs().join("<br>"), number + 1);
            format!(
                "<tr><td class=\"line-{number}\">{label} {}</td><td>{}</td><td class=\"{class}\">{:.2}</td><td>{costs}</td></tr>\n",
                Escaped(growth.operation),
                growth.allowed,
                growth.slope(),
            )
        })
        .collect();
    format!(
        "<div class=\"scroll\"><table><thead><tr><th scope=\"col\">Call</th><th scope=\"col\">Should be</th>\
         <th scope=\"col\">Slope</th><th scope=\"col\">Median time</th></tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_unit_that_has_no_zeros() {
        let times = [-7, -6, -4, -3, -1, 0, 1].map(time);
        assert_eq!(times, ["100 ns", "1 µs", "100 µs", "1 ms", "100 ms", "1 s", "10 s"]);
    }
}
