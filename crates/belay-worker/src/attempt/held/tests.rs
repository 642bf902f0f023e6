use super::*;

fn registration() -> Arc<Registration> {
    let lease = Duration::from_secs(15);
    Arc::new(Registration::new(1, lease, crate::clock::now()))
}

fn job(id: i64, registration: &Arc<Registration>) -> Arc<HeldJob> {
    let source = Source::of_noops();
    Arc::new(HeldJob::new((id, 1), 1, source, Arc::clone(registration)))
}

fn now(job: &HeldJob) -> Control {
    *job.watch().borrow()
}

#[test]
fn wishes_reach_the_attempts_they_name() {
    let (held, registration) = (Held::default(), registration());
    let jobs: Vec<_> = (1..=3).map(|id| job(id, &registration)).collect();
    for job in &jobs {
        assert!(!held.add(job));
    }
    let wishes = Wishes {
        cancel: vec![(1, 1), (3, 2)],
        suspend: vec![(2, 1)],
    };
    assert_eq!(held.tell(&registration, &wishes).len(), 1);
    assert_eq!(now(&jobs[0]), CANCEL);
    assert_eq!(jobs[0].cause(), Some(StopCause::Cancel));
    assert!(jobs[0].cancelled_ago().is_some());
    assert_eq!(now(&jobs[1]), Control::Suspend);
    assert_eq!(now(&jobs[2]), Control::Run, "that was another attempt");
    assert_eq!(held.tell(&registration, &wishes).len(), 0, "no news");
}

#[test]
fn what_is_not_suspended_any_more_goes_on() {
    let (held, registration) = (Held::default(), registration());
    let job = job(1, &registration);
    held.add(&job);
    let suspend = Wishes {
        suspend: vec![(1, 1)],
        ..Wishes::default()
    };
    held.tell(&registration, &suspend);
    assert_eq!(now(&job), Control::Suspend);
    held.tell(&registration, &Wishes::default());
    assert_eq!(now(&job), Control::Run);
}

#[test]
fn a_wish_that_comes_before_its_job_is_kept_until_the_next_answer() {
    let (held, registration) = (Held::default(), registration());
    let cancel = Wishes {
        cancel: vec![(1, 1), (2, 1)],
        ..Wishes::default()
    };
    assert_eq!(held.tell(&registration, &cancel).len(), 0);
    let early = job(1, &registration);
    assert!(held.add(&early));
    assert_eq!(now(&early), CANCEL);
    held.tell(&registration, &Wishes::default());
    let late = job(2, &registration);
    assert!(!held.add(&late));
    assert_eq!(now(&late), Control::Run);
}

#[test]
fn what_begins_under_a_lost_registration_is_killed() {
    let (held, registration) = (Held::default(), registration());
    registration.lose();
    let job = job(1, &registration);
    held.add(&job);
    assert_eq!(now(&job), Control::Kill(StopCause::LeaseLost));
}

#[test]
fn the_first_cause_stays() {
    let job = job(1, &registration());
    assert!(!job.want(Control::Stop(StopCause::Timeout)));
    assert!(job.want(CANCEL), "it learns of the cancel all the same");
    job.want(Control::Kill(StopCause::Shutdown));
    assert_eq!(job.cause(), Some(StopCause::Timeout));
    assert_eq!(now(&job), Control::Kill(StopCause::Timeout));
}

#[test]
fn waiting_ends_when_the_last_one_is_gone() {
    let (held, registration) = (Held::default(), registration());
    assert!(held.wait_empty(Duration::ZERO));
    held.add(&job(1, &registration));
    assert!(!held.wait_empty(Duration::from_millis(1)));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| held.wait_empty(Duration::from_secs(60)));
        held.remove((1, 1));
        assert!(waiting.join().unwrap());
    });
}
