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
        if let Some(Point { entries, seconds }) = growth.points.last() {
            // Side by side, for many lines end at the same height.
            let x = axes.x(f64::from(*entries)) + 6.0 + 9.0 * number as f64;
            let (y, label) = (axes.y(*seconds) + 4.0, number + 1);
            let _ = writeln!(text, "<text class=\"line-{number}\" x=\"{x:.1}\" y=\"{y:.1}\">{label}</text>");
        }
    }
    text.push_str("</svg>");
    text
}

/// A line at every power of ten, with its number.
fn grid(axes: &Axes) -> String {
    let powers = |(from, to): (f64, f64)| (from as i32..=to as i32).map(|power| 10_f64.powi(power));
    let (left, right, top, bottom) = (MARGIN, WIDTH - MARGIN, MARGIN / 2.0, HEIGHT - MARGIN / 2.0);
    let vertical = powers(axes.entries).map(|entries| {
        let x = axes.x(entries);
        format!(
            "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{top}\" y2=\"{bottom}\"/>\
             <text text-anchor=\"middle\" x=\"{x:.1}\" y=\"{:.1}\">{entries}</text>",
            bottom + 14.0,
        )
    });
    let horizontal = powers(axes.seconds).map(|seconds| {
        let y = axes.y(seconds);
        format!(
            "<line x1=\"{left}\" x2=\"{right}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
             <text text-anchor=\"end\" x=\"{:.1}\" y=\"{:.1}\">{seconds:e} s</text>",
            left - 4.0,
            y + 4.0,
        )
    });
    format!("<g class=\"grid\">{}</g>", vertical.chain(horizontal).collect::<String>())
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
