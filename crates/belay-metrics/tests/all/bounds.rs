//! Labels from outside cannot make series without end, and series do not disappear.

use std::sync::Arc;
use std::time::Duration;

use crate::support::{reading, row, sample, value};
use belay_core::JobState;
use belay_metrics::{JobOutcome, MAX_LANES, MAX_NAMES, Metrics, Sample};

fn series(text: &str, family: &str) -> usize {
    text.lines()
        .filter(|line| line.starts_with(&format!("{family}{{")))
        .count()
}

#[test]
fn names_beyond_the_limit_are_counted_as_other() {
    let metrics = Metrics::new().unwrap();
    for i in 0..MAX_NAMES + 50 {
        metrics.claimed(&format!("queue-{i}"), "k", 0.0);
    }
    let text = metrics.render(None).unwrap();
    assert_eq!(series(&text, "belay_jobs_claimed_total"), MAX_NAMES + 1);
    assert_eq!(
        value(&text, r#"belay_jobs_claimed_total{kind="k",queue="other"}"#),
        Some(50.0)
    );
}

#[test]
fn pairs_beyond_the_limit_are_counted_as_other() {
    let metrics = Metrics::new().unwrap();
    for q in 0..MAX_NAMES {
        for k in 0..20 {
            metrics.claimed(&format!("q{q}"), &format!("k{k}"), 0.0);
        }
    }
    let text = metrics.render(None).unwrap();
    assert_eq!(series(&text, "belay_jobs_claimed_total"), MAX_LANES + 1);
    assert_eq!(
        value(
            &text,
            r#"belay_jobs_claimed_total{kind="other",queue="other"}"#
        ),
        Some((MAX_NAMES * 20 - MAX_LANES) as f64)
    );
}

#[test]
fn what_a_client_invents_in_a_request_is_bounded() {
    let metrics = Metrics::new().unwrap();
    for i in 0..1000 {
        metrics.http(&format!("/{i}"), &format!("METHOD{i}"), 200, 0.001);
    }
    metrics.http("/0", "GET", 9, 0.001);
    let text = metrics.render(None).unwrap();
    assert_eq!(series(&text, "belay_http_requests_total"), 202);
    assert_eq!(
        value(
            &text,
            r#"belay_http_requests_total{method="other",route="other",status="200"}"#
        ),
        Some(800.0)
    );
    assert_eq!(
        value(
            &text,
            r#"belay_http_requests_total{method="GET",route="/0",status="0"}"#
        ),
        Some(1.0)
    );
}

#[test]
fn a_batch_counts_like_its_parts() {
    let (one, many) = (Metrics::new().unwrap(), Metrics::new().unwrap());
    let seconds: Vec<f64> = (0..100).map(|i| f64::from(i) * 0.013).collect();
    for s in &seconds {
        one.claimed("q", "k", *s);
        one.finished("q", "k", JobOutcome::Retried, *s);
    }
    many.claimed_many("q", "k", &seconds);
    many.finished_many("q", "k", JobOutcome::Retried, &seconds);
    let (one, many) = (one.render(None).unwrap(), many.render(None).unwrap());
    // A sum of many small numbers depends on the order of adding in its last digits.
    let without_sums = |text: &str| {
        text.lines()
            .filter(|line| !line.contains("_sum"))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    assert_eq!(without_sums(&one), without_sums(&many));
    let sum = |text: &str| value(text, r#"belay_job_run_seconds_sum{kind="k"}"#).unwrap();
    assert!((sum(&one) - sum(&many)).abs() < 1e-9);
}

#[test]
fn a_clock_that_was_set_back_makes_no_sum_fall() {
    let metrics = Metrics::new().unwrap();
    metrics.claimed("q", "k", -5.0);
    metrics.claimed_many("q", "k", &[-1.0; 20]);
    let text = metrics.render(None).unwrap();
    assert_eq!(
        value(&text, r#"belay_job_wait_seconds_sum{queue="q"}"#),
        Some(0.0)
    );
}

#[test]
fn a_queue_that_drained_shows_zero() {
    let metrics = Metrics::new().unwrap();
    let mut full = reading();
    full.jobs = vec![row("mail", JobState::Queued, 12)];
    let queued = r#"belay_jobs{queue="mail",state="queued"}"#;
    let text = metrics.render(Some(&sample(full))).unwrap();
    assert_eq!(value(&text, queued), Some(12.0));
    assert_eq!(
        value(&text, r#"belay_jobs{queue="mail",state="cancelling"}"#),
        Some(0.0)
    );
    let text = metrics.render(Some(&sample(reading()))).unwrap();
    assert_eq!(value(&text, queued), Some(0.0));
}

#[test]
fn queues_that_share_a_label_are_added_up() {
    let metrics = Metrics::new().unwrap();
    let mut many = reading();
    many.jobs = (0..MAX_NAMES + 5)
        .map(|i| row(&format!("q{i:03}"), JobState::Scheduled, 2))
        .collect();
    let text = metrics.render(Some(&sample(many))).unwrap();
    assert_eq!(
        value(&text, r#"belay_jobs{queue="other",state="scheduled"}"#),
        Some(10.0)
    );
}

#[test]
fn before_the_first_look_only_its_failure_is_shown() {
    let metrics = Metrics::new().unwrap();
    let nothing = Sample::new(None, false, Duration::from_secs(3), (0, 0));
    let text = metrics.render(Some(&nothing)).unwrap();
    assert_eq!(value(&text, "belay_database_up"), Some(0.0));
    assert_eq!(value(&text, "belay_partitions_ahead"), None);
}

#[test]
fn the_last_figures_stay_while_the_database_is_away() {
    let metrics = Metrics::new().unwrap();
    let away = Sample::new(
        Some(Arc::new(reading())),
        false,
        Duration::from_secs(3),
        (0, 0),
    );
    let text = metrics.render(Some(&away)).unwrap();
    assert_eq!(value(&text, "belay_database_up"), Some(0.0));
    assert_eq!(value(&text, "belay_partitions_ahead"), Some(7.0));
}

#[test]
fn two_in_one_process_do_not_meet() {
    let (one, two) = (Metrics::new().unwrap(), Metrics::new().unwrap());
    one.stale_report();
    let text = two.render(None).unwrap();
    assert_eq!(value(&text, "belay_stale_reports_total"), Some(0.0));
}
