//! Minimum, median, paired ratio: robust against what else the machine does.

/// The smallest; 0 of nothing.
pub fn minimum(values: &[f64]) -> f64 {
    values.iter().copied().reduce(f64::min).unwrap_or(0.0)
}

/// The middle one, or the mean of the two in the middle; 0 of nothing.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let half = sorted.len() / 2;
    match (sorted.len() % 2, sorted.get(half)) {
        (_, None) => 0.0,
        (1, Some(middle)) => *middle,
        (_, Some(upper)) => f64::midpoint(sorted.get(half - 1).copied().unwrap_or(*upper), *upper),
    }
}

/// aᵢ / bᵢ of the same round.
pub fn ratios(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a / b).collect()
}

/// aᵢ − bᵢ of the same round.
pub fn differences(a: &[f64], b: &[f64]) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| a - b).collect()
}

/// The quarter and three quarters points, by nearest rank: half of all rounds lie between them.
pub fn quartiles(values: &[f64]) -> (f64, f64) {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |numerator: usize| {
        let rank = (sorted.len() * numerator).div_ceil(4).max(1) - 1;
        sorted.get(rank).copied().unwrap_or(0.0)
    };
    (at(1), at(3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn the_median_is_the_middle_whatever_the_order_and_the_outliers() {
        assert!(close(median(&[3.0, 1.0, 1e9]), 3.0));
        assert!(close(median(&[4.0, 1.0, 2.0, 1e9]), 3.0));
        assert!(close(median(&[7.0]), 7.0));
        assert!(close(median(&[]), 0.0));
        assert!(close(minimum(&[3.0, 1.0, 2.0]), 1.0) && close(minimum(&[]), 0.0));
    }

    #[test]
    fn pairs_are_of_the_same_round() {
        // A machine that slows down fourfold halfway changes no paired ratio, and spoils the ratio of sums.
        let (a, b) = ([2.0, 2.0, 8.0, 8.0], [1.0, 1.0, 4.0, 4.0]);
        assert!(ratios(&a, &b).iter().all(|ratio| close(*ratio, 2.0)));
        assert!(close(median(&differences(&a, &b)), 2.5));
        assert_eq!(ratios(&a, &b[..2]).len(), 2);
    }

    #[test]
    fn half_of_all_rounds_lie_between_the_quartiles() {
        let (low, high) = quartiles(&[8.0, 1.0, 7.0, 2.0, 6.0, 3.0, 5.0, 4.0]);
        assert!(close(low, 2.0) && close(high, 6.0), "{low} {high}");
        let (low, high) = quartiles(&[5.0]);
        assert!(close(low, 5.0) && close(high, 5.0));
        let (low, high) = quartiles(&[]);
        assert!(close(low, 0.0) && close(high, 0.0));
    }
}
