//! Medians, and how far a ratio of them can be trusted.

use std::ops::RangeInclusive;

/// How many samples are drawn for an interval.
const RESAMPLES: usize = 4000;

/// The median; not a number where there is nothing.
pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    match (sorted.get(middle), middle.checked_sub(1).and_then(|below| sorted.get(below))) {
        (Some(upper), Some(lower)) if sorted.len().is_multiple_of(2) => f64::midpoint(*lower, *upper),
        (Some(upper), _) => *upper,
        (None, _) => f64::NAN,
    }
}

/// The interval that holds the ratio of the medians in 95 of 100 cases, by bootstrap. The two took turns, so rounds are drawn
/// in pairs: what slowed the machine down for a while slowed both.
pub(crate) fn ratio_interval(ours: &[f64], theirs: &[f64]) -> RangeInclusive<f64> {
    let rounds = ours.len().min(theirs.len());
    let mut random = fastrand::Rng::with_seed(95);
    let mut ratios: Vec<f64> = (0..RESAMPLES)
        .map(|_| {
            let drawn: Vec<usize> = (0..rounds).map(|_| random.usize(..rounds)).collect();
            let of = |values: &[f64]| median(&drawn.iter().map(|at| values[*at]).collect::<Vec<_>>());
            of(ours) / of(theirs)
        })
        .collect();
    ratios.sort_by(f64::total_cmp);
    ratios[RESAMPLES * 25 / 1000]..=ratios[RESAMPLES * 975 / 1000 - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median(&[]).is_nan());
    }

    #[test]
    fn an_interval_holds_a_ratio_that_never_varies() {
        let (ours, theirs): (Vec<_>, Vec<_>) = (1..20).map(|n| (f64::from(n), f64::from(n) * 2.0)).unzip();
        let interval = ratio_interval(&ours, &theirs);
        assert_eq!(interval, 0.5..=0.5);
    }

    #[test]
    fn an_outlier_does_not_decide() {
        let mut ours = vec![1.0; 15];
        ours[4] = 100.0;
        let interval = ratio_interval(&ours, &[1.0; 15]);
        assert_eq!(interval, 1.0..=1.0);
    }
}
