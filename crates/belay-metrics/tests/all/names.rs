//! Every series with its type, its labels and its help: names are an interface that dashboards and alerts are built on.

use std::collections::BTreeSet;

use crate::support::{reading, row, sample};
use belay_core::ops::{Outcome, Rung, Via};
use belay_metrics::{JobOutcome, Metrics, RescueOutcome};

#[test]
fn every_series() {
    let metrics = Metrics::new().unwrap();
    metrics.claimed("q", "k", 0.1);
    metrics.finished("q", "k", JobOutcome::Completed, 0.2);
    metrics.cancel_told(0.1);
    metrics.cancel_took(Rung::Term, 0.1);
    metrics.stale_report();
    metrics.rescued(RescueOutcome::Queued, 1);
    metrics.beat(true, 0.1);
    metrics.lease_lost();
    metrics.swept(1);
    metrics.promoted(1);
    metrics.running(1, 2);
    metrics.cancel_answered(Via::Native, Outcome::Cancelled);
    metrics.enqueued(Via::Native, 1);
    metrics.http("/belay/v1/jobs/{id}", "GET", 200, 0.1);
    let mut reading = reading();
    reading.jobs = vec![row("q", belay_core::JobState::Queued, 3)];
    let text = metrics.render(Some(&sample(reading))).unwrap();
    insta::assert_snapshot!(describe(&text));
}

/// One line per family: name, type, labels (with the values of those that are lists of ours) and help.
fn describe(text: &str) -> String {
    let mut out = Vec::new();
    let mut help = "";
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            help = rest.split_once(' ').unwrap().1;
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            out.push(format!(
                "{name} {kind} {{{}}}\n    {help}",
                labels(text, name)
            ));
        }
    }
    out.sort();
    out.join("\n")
}

fn labels(text: &str, family: &str) -> String {
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix(family)?.split_once('{'))
        .filter(|(suffix, _)| ["", "_bucket", "_sum", "_count"].contains(suffix))
        .flat_map(|(_, rest)| rest.rsplit_once('}').unwrap().0.split(','))
        .map(|label| label.split_once('=').unwrap().0)
        .filter(|name| *name != "le")
        .collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}
