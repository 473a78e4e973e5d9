//! What an operation costs as a store grows, and whether it grows faster than it may.

use std::fmt;

use serde::{Serialize, Serializer};

/// How the cost of an operation may grow with the number of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    /// Not at all.
    Constant,
    /// As the number of entries does.
    Linear,
}

impl Order {
    /// The slope on logarithmic axes that stands for it.
    fn slope(self) -> f64 {
        match self {
            Self::Constant => 0.0,
            Self::Linear => 1.0,
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Constant => "constant",
            Self::Linear => "linear",
        })
    }
}

/// By how much a slope may exceed its order: a factor of the machine's caches, a logarithm, and noise are within.
const MOST_ABOVE: f64 = 0.5;
/// How much dearer than by its order an operation may be with the most entries.
const MOST_DEARER: f64 = 3.0;

/// The cost of an operation with so many entries.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Point {
    /// The number of entries.
    pub entries: u32,
    /// The median of what one call took, in seconds.
    pub seconds: f64,
}

/// What an operation costs as a store grows.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Growth {
    /// What was measured.
    pub operation: &'static str,
    /// How it may grow.
    pub allowed: Order,
    /// The costs, with the fewest entries first.
    pub points: Vec<Point>,
}

impl Growth {
    /// Nothing measured yet.
    pub(crate) fn new(operation: &'static str, allowed: Order) -> Self {
        Self { operation, allowed, points: Vec::new() }
    }

    /// The slope of the line that fits the points best on logarithmic axes: 0 where the cost is constant, 1 where it is
    /// linear.
    pub fn slope(&self) -> f64 {
        let logarithms: Vec<_> =
            self.points.iter().map(|point| (f64::from(point.entries).ln(), point.seconds.ln())).collect();
        let count = logarithms.len() as f64;
        let (x, y) = logarithms.iter().fold((0.0, 0.0), |(x, y), point| (x + point.0 / count, y + point.1 / count));
        let (above, below) = logarithms.iter().fold((0.0, 0.0), |(above, below), point| {
            (above + (point.0 - x) * (point.1 - y), below + (point.0 - x) * (point.0 - x))
        });
        if below > 0.0 { above / below } else { 0.0 }
    }

    /// How many times dearer the operation became from the first point to the last than its order allows.
    pub fn excess(&self) -> f64 {
        match (self.points.first(), self.points.last()) {
            (Some(first), Some(last)) => {
                let due = (f64::from(last.entries) / f64::from(first.entries)).powf(self.allowed.slope());
                last.seconds / first.seconds / due
            }
            _ => 1.0,
        }
    }

    /// The cost at each point, for people.
    pub(crate) fn costs(&self) -> Vec<String> {
        self.points.iter().map(|Point { entries, seconds }| format!("{} at {entries}", duration(*seconds))).collect()
    }

    /// Whether it grows faster than it may, by more than noise: both the line through all points and the last one say so.
    pub fn is_too_fast(&self) -> bool {
        self.slope() > self.allowed.slope() + MOST_ABOVE && self.excess() > MOST_DEARER
    }
}

impl fmt::Display for Growth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operation, allowed, .. } = self;
        let costs = self.costs().join(", ");
        write!(f, "{operation:<24}{:<10}{:6.2}  {costs}", allowed.to_string(), self.slope())
    }
}

/// A time with three digits and a fitting unit.
fn duration(seconds: f64) -> String {
    let (value, unit) = match seconds {
        s if s < 1e-3 => (s * 1e6, "µs"),
        s if s < 1.0 => (s * 1e3, "ms"),
        s => (s, "s"),
    };
    let decimals = if value < 10.0 { 2 } else { usize::from(value < 100.0) };
    format!("{value:.decimals$} {unit}")
}

impl Serialize for Growth {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Fields<'a> {
            operation: &'a str,
            allowed: Order,
            slope: f64,
            excess: f64,
            points: &'a [Point],
        }
        let Self { operation, allowed, points } = self;
        Fields { operation, allowed: *allowed, slope: self.slope(), excess: self.excess(), points }
            .serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn growth(allowed: Order, seconds: [f64; 4]) -> Growth {
        let points = [156, 625, 2500, 10_000].into_iter().zip(seconds);
        let points = points.map(|(entries, seconds)| Point { entries, seconds }).collect();
        Growth { points, ..Growth::new("get", allowed) }
    }

    #[test]
    fn a_slope_is_the_power_with_which_cost_grows() {
        let constant = growth(Order::Constant, [1e-4; 4]);
        assert!(constant.slope().abs() < 1e-9 && !constant.is_too_fast());
        let linear = [156.0, 625.0, 2500.0, 10_000.0];
        assert!((growth(Order::Linear, linear).slope() - 1.0).abs() < 0.01);
        assert!(growth(Order::Constant, linear).is_too_fast() && !growth(Order::Linear, linear).is_too_fast());
        assert!(growth(Order::Linear, linear.map(|entries| entries * entries)).is_too_fast());
    }

    #[test]
    fn noise_and_logarithms_are_no_growth() {
        for seconds in [[1.0, 1.2, 0.9, 2.5], [1.0, 4.0, 1.0, 1.0], [7.3, 9.3, 11.3, 13.3]] {
            assert!(!growth(Order::Constant, seconds).is_too_fast(), "{seconds:?}");
        }
    }

    #[test]
    fn times_are_told_with_a_fitting_unit() {
        assert_eq!([1.234e-6, 0.0456, 12.0].map(duration), ["1.23 µs", "45.6 ms", "12.0 s"]);
    }
}
