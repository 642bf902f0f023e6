use super::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn mark(oldest_xid: i64, next_xid: i64, last_ticket: i64) -> SweepMark {
    SweepMark {
        oldest_xid,
        next_xid,
        last_ticket,
    }
}

/// Makes every pass that is due at `now`, each finding nothing.
fn run(plan: &mut Plan, now: Instant, mark: SweepMark) -> Vec<Pass> {
    plan.mark(now, mark);
    let mut passes = Vec::new();
    while let Some(pass) = plan.next(now) {
        plan.done(pass, now, Duration::ZERO, 0, mark);
        passes.push(pass);
    }
    passes
}

#[test]
fn near_passes_look_two_seconds_back() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    assert_eq!(
        run(&mut plan, begin, mark(10, 10, 100)),
        [Pass::Deep { low: 1 }, Pass::Near { low: 0 }]
    );
    assert!(
        run(
            &mut plan,
            begin + Duration::from_millis(249),
            mark(11, 11, 200)
        )
        .is_empty()
    );
    assert_eq!(
        run(&mut plan, begin + s(1), mark(11, 11, 200)),
        [Pass::Near { low: 0 }]
    );
    assert_eq!(
        run(&mut plan, begin + s(3), mark(12, 12, 300)),
        [Pass::Near { low: 200 }]
    );
}

#[test]
fn without_new_tickets_there_is_nothing_to_do() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    for second in 0..40 {
        run(
            &mut plan,
            begin + s(second),
            mark(10 + second as i64, 10 + second as i64, 100),
        );
    }
    // Everything is swept, and what was given out long ago has ended.
    let quiet: Vec<Pass> = (40..59)
        .flat_map(|second| run(&mut plan, begin + s(second), mark(90, 90, 100)))
        .collect();
    assert!(quiet.is_empty(), "{quiet:?}");
    // Two full passes after the last ticket, and no more.
    let full = (60..400)
        .flat_map(|second| run(&mut plan, begin + s(second), mark(90, 90, 100)))
        .collect::<Vec<_>>();
    assert_eq!(full, [Pass::Full; 2]);
}

#[test]
fn the_bound_moves_only_when_every_transaction_has_ended() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    // A transaction with number 5 stays open.
    for second in 0..60 {
        run(
            &mut plan,
            begin + s(second),
            mark(5, 10 + second as i64, 100 + second as i64),
        );
        assert_eq!(plan.bound, 0);
    }
    for second in 60..80 {
        run(
            &mut plan,
            begin + s(second),
            mark(65, 10 + second as i64, 100 + second as i64),
        );
    }
    // Numbers below 65 have ended, which were all given out before second 55: those of the tickets of second 53. But who
    // ran during the first clean pass after that, below 70, has not.
    assert_eq!(plan.bound, 0);
    run(&mut plan, begin + s(80), mark(70, 90, 180));
    assert_eq!(plan.bound, 153 - 1);
}

#[test]
fn who_began_during_the_first_clean_pass_must_have_ended_before_the_second() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    // Every second a ticket and a number; while a deep pass is made, number 1000 is given out.
    for second in 0..60 {
        let before = mark(10 + second, 10 + second, 100 + second);
        let now = begin + s(second as u64);
        plan.mark(now, before);
        while let Some(pass) = plan.next(now) {
            plan.done(pass, now, Duration::ZERO, 0, mark(10 + second, 1001, 100));
        }
    }
    assert_eq!(plan.bound, 0);
    let candidate = plan.candidate.unwrap();
    assert_eq!(candidate.turnover, 1001);
}

#[test]
fn a_pass_that_finds_something_keeps_the_bound() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    for second in 0..120 {
        let now = begin + s(second);
        let mark = mark(second as i64, second as i64, 100 + second as i64);
        plan.mark(now, mark);
        while let Some(pass) = plan.next(now) {
            let found = usize::from(matches!(pass, Pass::Deep { .. }));
            plan.done(pass, now, Duration::ZERO, found, mark);
        }
    }
    assert_eq!(plan.bound, 0);
}

#[test]
fn passes_take_a_fiftieth_of_the_time() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    plan.mark(begin, mark(1, 1, 100));
    let pass = plan.next(begin).unwrap();
    assert_eq!(pass, Pass::Deep { low: 1 });
    plan.done(pass, begin, s(1), 0, mark(1, 1, 100));
    let pass = plan.next(begin).unwrap();
    plan.done(pass, begin, Duration::from_millis(20), 0, mark(1, 1, 100));
    assert_eq!(plan.next(begin), None);
    assert_eq!(plan.wait(begin), s(1), "the near pass");
    assert_eq!(plan.next_deep, begin + s(50));
}

#[test]
fn marks_are_bounded_and_the_old_ones_thin_out() {
    let begin = Instant::now();
    let mut plan = Plan::new(begin);
    for n in 0..10_000_u32 {
        plan.mark(
            begin + Duration::from_millis(250) * n,
            mark(1, i64::from(n), i64::from(n)),
        );
        assert!(plan.marks.len() <= MAX_MARKS + 1);
    }
    // The recent ones are all there.
    assert_eq!(
        plan.near_low(begin + Duration::from_millis(250) * 9999),
        9991
    );
}
