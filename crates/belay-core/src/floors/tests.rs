use super::*;

fn line(priority: i16, queue: &str) -> Line {
    Line {
        priority,
        queue: queue.into(),
        kind: "noop".into(),
    }
}

fn job(line: &Line, ticket: i64) -> Claimed {
    Claimed {
        id: ticket,
        fence: 1,
        ticket,
        line: line.clone(),
        attempt: 1,
        max_attempts: 1,
        tenant: 1,
        created_at: chrono::DateTime::UNIX_EPOCH,
        waited: 0.0,
        timeout_s: None,
        left_s: None,
        payload: "{}".into(),
    }
}

fn with(lines: &[Line]) -> Floors {
    let mut floors = Floors::default();
    for line in lines {
        floors.learn(line, Weight::Light);
    }
    floors
}

fn order(floors: &Floors) -> Vec<String> {
    floors
        .offer(Weight::Light)
        .lines
        .into_iter()
        .map(|offer| format!("{}{}", offer.line.priority, offer.line.queue))
        .collect()
}

fn floor(floors: &Floors, line: &Line) -> i64 {
    floors
        .offer(Weight::Light)
        .lines
        .into_iter()
        .find(|offer| offer.line == *line)
        .map(|offer| offer.floor)
        .unwrap()
}

#[test]
fn lines_come_by_priority_and_take_turns_within_one() {
    let (a, b, first) = (line(5, "a"), line(5, "b"), line(0, "z"));
    let mut floors = with(&[a.clone(), b.clone(), first.clone()]);
    assert_eq!(order(&floors), ["0z", "5a", "5b"]);
    floors.claimed(&[job(&a, 10)]);
    assert_eq!(order(&floors), ["0z", "5b", "5a"]);
    floors.claimed(&[job(&b, 11), job(&first, 12)]);
    assert_eq!(order(&floors), ["0z", "5a", "5b"]);
}

#[test]
fn light_and_heavy_lines_are_kept_apart() {
    let mut floors = with(&[line(5, "a")]);
    floors.learn(&line(5, "heavy"), Weight::Heavy);
    floors.learn(&line(5, "heavy"), Weight::Heavy);
    assert_eq!(order(&floors), ["5a"]);
    assert_eq!(
        (floors.count(Weight::Light), floors.count(Weight::Heavy)),
        (1, 1)
    );
}

#[test]
fn a_floor_follows_the_claims_at_a_distance_and_never_goes_back() {
    let a = line(5, "a");
    let mut floors = with(std::slice::from_ref(&a));
    floors.claimed(&[job(&a, 400)]);
    assert_eq!(floor(&floors, &a), 0);
    floors.claimed(&[job(&a, 2000), job(&a, 1999)]);
    assert_eq!(floor(&floors, &a), 1500);
    floors.claimed(&[job(&a, 1600)]);
    assert_eq!(floor(&floors, &a), 1500);
}

#[test]
fn an_empty_line_moves_up_to_the_ticket_known_before_the_claim() {
    let (a, b) = (line(5, "a"), line(5, "b"));
    let mut floors = with(&[a.clone(), b.clone()]);
    floors.claimed(&[job(&a, 5000)]);
    let offered = floors.offer(Weight::Light).lines;
    let jobs = [job(&a, 10_000)];
    floors.claimed(&jobs);
    let empty = floors.exhausted(offered, &jobs, Some(10_000));
    assert_eq!(
        empty.iter().map(|e| &e.line).collect::<Vec<_>>(),
        [&b],
        "a has just given a job"
    );
    floors.raise(&empty, 10_000);
    assert_eq!(floor(&floors, &b), 10_001 - LAG);
    // A few tickets later it is not worth another question.
    let offered = floors.offer(Weight::Light).lines;
    assert!(
        floors
            .exhausted(offered, &[], Some(10_000 + LAG - 1))
            .iter()
            .all(|e| e.line == a)
    );
}

#[test]
fn without_the_last_ticket_no_floor_moves() {
    let a = line(5, "a");
    let mut floors = with(std::slice::from_ref(&a));
    let offered = floors.offer(Weight::Light).lines;
    assert!(floors.exhausted(offered, &[], None).is_empty());
    assert_eq!(floor(&floors, &a), 0);
}

#[test]
fn of_many_lines_only_those_with_work_are_looked_at() {
    let lines: Vec<Line> = (0..=FEW).map(|n| line(5, &format!("q{n:03}"))).collect();
    let mut floors = with(&lines);
    assert_eq!(
        floors.offer(Weight::Light).lines.len(),
        FEW + 1,
        "the first claim looks everywhere"
    );
    let offered = floors.offer(Weight::Light).lines;
    let jobs = [job(&lines[7], 1)];
    floors.claimed(&jobs);
    floors.exhausted(offered, &jobs, None);
    assert_eq!(order(&floors), ["5q007"]);
    assert_eq!(floors.dormant().len(), FEW);
    floors.activate(&lines[3..4]);
    assert_eq!(order(&floors), ["5q003", "5q007"]);
}

#[test]
fn few_lines_are_always_looked_at() {
    let lines: Vec<Line> = (0..FEW).map(|n| line(5, &format!("q{n:03}"))).collect();
    let mut floors = with(&lines);
    let offered = floors.offer(Weight::Light).lines;
    floors.exhausted(offered, &[], None);
    assert_eq!(floors.offer(Weight::Light).lines.len(), FEW);
    assert!(floors.dormant().is_empty());
}

#[test]
fn sweeps_cover_what_is_left_of_the_floors_and_put_it_right_of_them() {
    let (a, b) = (line(5, "a"), line(5, "b"));
    let mut floors = with(&[a.clone(), b.clone()]);
    floors.claimed(&[job(&a, 3000), job(&b, 900)]);
    // A line where nothing was claimed for long.
    let offers = floors.offer(Weight::Light).lines;
    let b_only: Vec<LineFloor> = offers.into_iter().filter(|o| o.line == b).collect();
    floors.raise(&b_only, 1_000_000);
    let ranges = floors.ranges(500);
    assert_eq!(ranges.len(), 2);
    for range in &ranges {
        assert_eq!(range.low, 500);
        assert!(range.front >= range.floor, "{range:?}");
    }
    assert_eq!(ranges[0].floor, 2500);
    assert_eq!(ranges[0].front, 8000);
    assert!(floors.ranges(2_000_000).is_empty());
}

#[test]
fn very_many_lines_are_looked_at_one_part_after_another() {
    let lines: Vec<Line> = (0..300).map(|n| line(5, &format!("q{n:03}"))).collect();
    let mut floors = with(&lines);
    let mut seen = Vec::new();
    for (expected, more) in [(128, true), (128, true), (44, false)] {
        let offer = floors.offer(Weight::Light);
        assert_eq!((offer.lines.len(), offer.more), (expected, more));
        seen.extend(offer.lines.iter().map(|l| l.line.clone()));
        floors.exhausted(offer.lines, &[], None);
    }
    assert_eq!(seen, lines);
    assert!(floors.offer(Weight::Light).lines.is_empty());
}
