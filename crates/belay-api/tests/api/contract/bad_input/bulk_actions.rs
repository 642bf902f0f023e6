//! `/api/actions/bulk/jobs`

use serde_json::{Value, json};

use super::{Bad, Here, Is, each};
use crate::contract::shapes::Wrong;

const JOBS: &str = "/api/actions/bulk/jobs";

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = ids(here);
    all.extend(queries(here));
    all.extend(orders(here));
    all.extend(routes(here));
    all
}

fn ids(here: &Here) -> Vec<Bad> {
    let uid = &here.queued.uid;
    let wrong = [
        here.queued.number.to_string(),
        here.queued.key.clone(),
        uid.replace('-', ""),
        format!("%7B{uid}%7D"),
        format!("urn:uuid:{uid}"),
        uid[1..].to_owned(),
        format!("{uid}0"),
        format!("g{}", &uid[1..]),
        uid.replace('-', "_"),
        format!("{uid}%00"),
        format!("%00{}", &uid[1..]),
        format!("{uid}%20"),
        "null".into(),
        "..".into(),
        "%2e%2e%2f".into(),
        "%ff".into(),
        "*".into(),
        "0".into(),
        "-1".into(),
        "x".repeat(4000),
        "%EF%BC%91".repeat(36),
        format!("{uid},{uid}"),
        format!("{uid}'--"),
    ];
    let of = |id: &String| {
        [
            here.ask("GET", format!("{JOBS}/{id}")),
            here.ask("POST", format!("{JOBS}/{id}/cancel")),
        ]
    };
    let mut all = each(
        "bulk-actions",
        Is(Wrong::Malformed),
        wrong.iter().flat_map(of),
    );
    let nobody = [
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "ffffffff-ffff-ffff-ffff-ffffffffffff".into(),
        "3b241101-e2bb-4255-8caf-4136c566a962".into(),
        format!("0{}", &uid[1..]).replacen("01", "00", 1),
        "01a210da-1086-8000-8000-000000000000".into(),
        "01a210da-1086-8000-bfff-ffffffffffff".into(),
    ];
    all.extend(each(
        "bulk-actions",
        Is(Wrong::NotFound),
        nobody.iter().flat_map(of),
    ));
    let done = here.ask("POST", format!("{JOBS}/{}/cancel", here.done.uid));
    let upper = here.ask(
        "POST",
        format!("{JOBS}/{}/cancel", here.done.uid.to_uppercase()),
    );
    all.extend(each("bulk-actions", Is(Wrong::State), [done, upper]));
    all
}

fn queries(here: &Here) -> Vec<Bad> {
    let wrong = [
        "status=queued",
        "status=Scheduled",
        "status=scheduled,running",
        "status=%FF",
        "status=%00",
        "status=failed&status=failed",
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=%20",
        "limit=99999999999999999999",
        "limit=1&limit=1",
        "offset=-1",
        "offset=x",
        "offset=1e3",
        "offset=9223372036854775807",
        "offset=9223372036854775808",
        "offset=%00",
    ];
    each(
        "bulk-actions",
        Is(Wrong::Malformed),
        wrong.map(|query| here.ask("GET", format!("{JOBS}?{query}"))),
    )
}

fn orders(here: &Here) -> Vec<Bad> {
    let create = here.ask("POST", JOBS);
    let mut all = each("bulk-actions", Is(Wrong::Malformed), [create.clone()]);
    let good = json!({"action_type": "noop", "tenant": 1});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let mut wrong = vec![
        json!({}),
        json!({"tenant": 1}),
        json!({"Action_type": "noop", "tenant": 1}),
    ];
    for (name, values) in [
        (
            "action_type",
            vec![
                json!(7),
                json!(""),
                json!("nope"),
                json!("no op"),
                json!(["noop"]),
                json!(null),
                json!("x".repeat(300)),
            ],
        ),
        (
            "criteria",
            vec![json!([]), json!("{}"), json!(7), json!(true)],
        ),
        (
            "action_duration",
            vec![
                json!(-1),
                json!(1.5),
                json!("1"),
                json!([]),
                json!(9_223_372_036_854_775_808_u64),
                json!(true),
            ],
        ),
        (
            "max_limit",
            vec![json!(-1), json!(0.5), json!("1"), json!(1e30), json!({})],
        ),
        (
            "action_reason",
            vec![json!(7), json!([]), json!("x".repeat(1001))],
        ),
        (
            "scheduled_at",
            vec![
                json!("tomorrow"),
                json!(7),
                json!("2026-12-24T18:00:00"),
                json!("2026-02-30T00:00:00Z"),
                json!("+10000-01-01T00:00:00Z"),
                json!("+262142-12-31T23:59:59Z"),
                json!("-0001-01-01T00:00:00Z"),
                json!(""),
            ],
        ),
        (
            "tenant",
            vec![json!("1"), json!(1.5), json!(null), json!([1])],
        ),
    ] {
        wrong.extend(values.into_iter().map(|value| with(name, value)));
    }
    let filters = [
        json!({}),
        json!({"que": "x"}),
        json!({"state": "nope"}),
        json!({"state": []}),
        json!({"state": 7}),
        json!({"queue": 7}),
        json!({"created_before": "x"}),
        json!({"created_after": 7}),
        json!({"kind": []}),
    ];
    for filter in filters {
        for kind in ["cancel_jobs", "retry_jobs"] {
            wrong.push(json!({"action_type": kind, "tenant": 1, "criteria": filter}));
        }
    }
    let wrong = wrong
        .into_iter()
        .map(|body| create.clone().body(body.to_string()));
    all.extend(each("bulk-actions", Is(Wrong::Value), wrong));
    let tenants = [4711_i64, i64::MAX, 0, -1].map(|tenant| {
        create
            .clone()
            .body(with("tenant", json!(tenant)).to_string())
    });
    all.extend(each("bulk-actions", Is(Wrong::Forbidden), tenants));
    all
}

fn routes(here: &Here) -> Vec<Bad> {
    let uid = &here.queued.uid;
    let nowhere = [
        "/api/actions/bulk".to_owned(),
        "/api/actions/bulk/Jobs".into(),
        format!("{JOBS}/{uid}/cancel/x"),
        format!("{JOBS}/{uid}/CANCEL"),
        format!("{JOBS}//cancel"),
        format!("{JOBS}/{uid}//cancel"),
        format!("{JOBS}/{uid}/cancel%2f"),
        format!("{JOBS}/x/../{uid}/cancel"),
    ];
    let mut all = each(
        "bulk-actions",
        Is(Wrong::NotFound),
        nowhere.map(|path| here.ask("POST", path)),
    );
    let methods = [
        ("DELETE", format!("{JOBS}/{uid}")),
        ("POST", format!("{JOBS}/{uid}")),
        ("PUT", format!("{JOBS}/{uid}/cancel")),
        ("PATCH", JOBS.to_owned()),
    ];
    all.extend(each(
        "bulk-actions",
        Is(Wrong::Method),
        methods.map(|(method, path)| here.ask(method, path)),
    ));
    let accepts = ["text/html", "application/xml", "*/*;q=0"]
        .map(|accept| here.ask("GET", JOBS).with("Accept", accept));
    all.extend(each("bulk-actions", Is(Wrong::NotAcceptable), accepts));
    all
}
