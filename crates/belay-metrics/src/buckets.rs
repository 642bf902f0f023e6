//! Bucket bounds in seconds. Few and round: each is a series of its own.

/// Life of a job: from half a millisecond in a quick line to half a day of work.
pub(crate) const LIFE: [f64; 20] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
    60.0, 300.0, 1800.0, 7200.0, 43_200.0,
];

/// How long a stop takes: from at once to a grace period of hours.
pub(crate) const STOP: [f64; 16] = [
    0.0005, 0.0025, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0,
    3600.0,
];

/// Answers of the database and of the HTTP server.
pub(crate) const ANSWER: [f64; 13] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0,
];

#[cfg(test)]
mod tests {
    #[test]
    fn bounds_rise() {
        for list in [&super::LIFE[..], &super::STOP, &super::ANSWER] {
            assert!(list.windows(2).all(|pair| pair[0] < pair[1]), "{list:?}");
        }
    }
}
