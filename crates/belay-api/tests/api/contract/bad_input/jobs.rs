//! `/v1/jobs`

use serde_json::{Value, json};

use super::{Bad, Here, Is, each};
use crate::contract::faces::Ask;
use crate::contract::shapes::Wrong;

fn ask(here: &Here, method: &'static str, path: impl Into<String>) -> Ask {
    here.ask(method, path).with("Customer-Id", "1")
}

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = ids(here);
    all.extend(queries(here));
    all.extend(orders(here));
    all.extend(changes(here));
    all.extend(routes(here));
    all
}

fn ids(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let wrong = [
        "0".into(),
        "00".into(),
        format!("0{number}"),
        format!("+{number}"),
        format!("-{number}"),
        format!("{number}.0"),
        format!("{number}e0"),
        "0x1".into(),
        "abc".into(),
        "%20".into(),
        format!("{number}%20"),
        format!("%20{number}"),
        format!("{number}%00"),
        "9223372036854775808".into(),
        "99999999999999999999".into(),
        "%EF%BC%91".into(),
        "%D9%A1".into(),
        "null".into(),
        "NaN".into(),
        format!("{number},{number}"),
        "..".into(),
        "%2e%2e%2f1".into(),
        "%ff".into(),
        here.queued.uid.clone(),
        here.queued.key.clone(),
        "1".repeat(4000),
        format!("{number};v=1"),
        format!("{number}'--"),
    ];
    let of = |id: &String| {
        ["POST", "PUT"]
            .map(|method| ask(here, method, format!("/v1/jobs/{id}/cancel")))
            .into_iter()
            .chain([
                ask(here, "GET", format!("/v1/jobs/{id}")),
                ask(here, "GET", format!("/v1/jobs/{id}/statusHistory")),
                ask(here, "PUT", format!("/v1/jobs/{id}/start")),
            ])
    };
    let mut all = each("jobs", Is(Wrong::Malformed), wrong.iter().flat_map(of));
    let unknown = ask(here, "POST", format!("/v1/jobs/{}/cancel", i64::MAX));
    all.extend(each("jobs", Is(Wrong::NotFound), [unknown]));
    let cancel = here.ask("POST", format!("/v1/jobs/{number}/cancel"));
    let customers = [
        "",
        "0",
        "01",
        "+1",
        "-1",
        "1.0",
        "1e0",
        "0x1",
        "1,1",
        "1 1",
        "\u{b9}",
        "one",
        "9223372036854775808",
        "null",
        &here.group,
    ];
    let wrong = customers.map(|customer| cancel.clone().with("Customer-Id", customer));
    all.extend(each("jobs", Is(Wrong::Malformed), wrong));
    let twice = cancel
        .clone()
        .with("Customer-Id", "1")
        .with("customer-id", "1");
    all.extend(each(
        "jobs",
        Is(Wrong::Malformed),
        [
            cancel.clone(),
            twice,
            here.ask("GET", "/v1/jobs"),
            here.ask("POST", "/v1/jobs"),
        ],
    ));
    let nobodys = ["4711", "9223372036854775807"]
        .map(|customer| cancel.clone().with("Customer-Id", customer));
    all.extend(each("jobs", Is(Wrong::Forbidden), nobodys));
    all
}

fn queries(here: &Here) -> Vec<Bad> {
    let list = [
        "pageNumber=0",
        "pageNumber=2147484",
        "pageNumber=-1",
        "pageNumber=x",
        "pageNumber=1.5",
        "pageNumber=99999999999999999999",
        "pageSize=0",
        "pageSize=1001",
        "pageSize=-1",
        "pageSize=1e2",
        "pageSize=%00",
        "pageSize=1&pageSize=1",
        "status=queued",
        "status=Sent",
        "status=sent,new",
        "status=%FF",
        "status=sent&status=sent",
        "status=%00",
    ];
    let history = [
        "pageNumber=0",
        "pageSize=1001",
        "sortBy=id",
        "sortBy=CreatedAt",
        "sortBy=createdAt&sortBy=createdAt",
        "direction=up",
        "direction=ASCENDING",
        "direction=ascending,descending",
        "direction=%00",
    ];
    let list = list.map(|query| ask(here, "GET", format!("/v1/jobs?{query}")));
    let number = here.queued.number;
    let history = history.map(|query| {
        ask(
            here,
            "GET",
            format!("/v1/jobs/{number}/statusHistory?{query}"),
        )
    });
    each(
        "jobs",
        Is(Wrong::Malformed),
        list.into_iter().chain(history),
    )
}

fn orders(here: &Here) -> Vec<Bad> {
    let create = ask(here, "POST", "/v1/jobs");
    let mut all = each("jobs", Is(Wrong::Malformed), [create.clone()]);
    let good = json!({"typeId": 1, "contactId": 1});
    let with = |name: &str, value: Value| {
        let mut body = good.clone();
        body[name] = value;
        body
    };
    let mut wrong = vec![
        json!({}),
        json!({"typeId": 1}),
        json!({"contactId": 1}),
        json!({"TypeId": 1, "contactId": 1}),
    ];
    let numbers = [
        json!(0),
        json!(-1),
        json!(1.5),
        json!("1"),
        json!(true),
        json!(null),
        json!([]),
        json!(9_223_372_036_854_775_808_u64),
    ];
    for value in numbers {
        wrong.push(with("typeId", value.clone()));
        wrong.push(with("contactId", value));
    }
    for (name, values) in [
        (
            "plannedDuration",
            vec![
                json!(-1),
                json!(2_147_483_648_u64),
                json!("5"),
                json!(0.5),
                json!([]),
            ],
        ),
        ("reference", vec![json!(7), json!([]), json!({})]),
        ("description", vec![json!(false)]),
        ("orderNumber", vec![json!(1)]),
        (
            "personId",
            vec![
                json!("x"),
                json!(7),
                json!("3b241101e2bb42558caf4136c566a962"),
                json!("{3b241101-e2bb-4255-8caf-4136c566a962}"),
                json!("3b241101-e2bb-4255-8caf-4136c566a96"),
                json!(""),
            ],
        ),
        (
            "customFields",
            vec![
                json!({}),
                json!("x"),
                json!([1]),
                json!([{"value": 1}]),
                json!([[]]),
            ],
        ),
        (
            "plannedStartAt",
            vec![
                json!("tomorrow"),
                json!(7),
                json!("2026-12-24T18:00:00"),
                json!("2026-02-30T00:00:00Z"),
                json!("+10000-01-01T00:00:00Z"),
                json!(""),
            ],
        ),
        (
            "kind",
            vec![
                json!("nope"),
                json!(7),
                json!(""),
                json!("no op"),
                json!("x".repeat(300)),
            ],
        ),
        (
            "payload",
            vec![json!([]), json!("{}"), json!(7), json!(true)],
        ),
    ] {
        wrong.extend(values.into_iter().map(|value| with(name, value)));
    }
    let wrong = wrong
        .into_iter()
        .map(|body| create.clone().body(body.to_string()));
    all.extend(each("jobs", Is(Wrong::Value), wrong));
    all
}

fn changes(here: &Here) -> Vec<Bad> {
    let job = format!("/v1/jobs/{}", here.queued.number);
    let put =
        |verb: &str, body: Value| ask(here, "PUT", format!("{job}/{verb}")).body(body.to_string());
    let long = "x".repeat(1001);
    let mut wrong: Vec<Ask> = [
        json!(7),
        json!([]),
        json!({}),
        json!(""),
        json!("  \t"),
        json!(long),
    ]
    .map(|reason| put("cancel", json!({"reason": reason})))
    .into();
    wrong.extend(
        [
            json!({}),
            json!({"plannedStartAt": "x"}),
            json!({"plannedStartAt": 7}),
            json!({"plannedStartAt": "2026-12-24"}),
        ]
        .map(|body| put("schedule", body)),
    );
    wrong.extend(
        [
            json!({}),
            json!({"success": null}),
            json!({"success": "true"}),
            json!({"success": 1}),
            json!({"success": true, "comment": 7}),
            json!({"success": true, "comment": long}),
        ]
        .map(|body| put("result", body)),
    );
    let mut all = each("jobs", Is(Wrong::Value), wrong);
    let done = format!("/v1/jobs/{}", here.done.number);
    let refused = [
        ask(here, "PUT", format!("{done}/cancel")),
        ask(here, "PUT", format!("{done}/start")),
        ask(here, "PUT", format!("{done}/schedule")).body(r#"{"plannedStartAt":null}"#),
        ask(here, "PUT", format!("{done}/result")).body(r#"{"success":true}"#),
        put("result", json!({"success": true})),
    ];
    all.extend(each("jobs", Is(Wrong::State), refused));
    all
}

fn routes(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let nowhere = [
        format!("/v1/jobs/{number}/cancel/x"),
        format!("/v1/jobs/{number}/Cancel"),
        format!("/v1/jobs/{number}/delete"),
        "/v1/jobs//cancel".into(),
        format!("/v1/jobs/{number}/cancel%00"),
        format!("/v1/jobs/x/../{number}/cancel"),
        format!("/v1/jobs/{number}//cancel"),
    ];
    let mut all = each(
        "jobs",
        Is(Wrong::NotFound),
        nowhere.map(|path| ask(here, "POST", path)),
    );
    let methods = [
        ("DELETE", format!("/v1/jobs/{number}")),
        ("PATCH", format!("/v1/jobs/{number}/cancel")),
        ("DELETE", "/v1/jobs".into()),
        ("POST", format!("/v1/jobs/{number}/start")),
        ("POST", format!("/v1/jobs/{number}/statusHistory")),
    ];
    all.extend(each(
        "jobs",
        Is(Wrong::Method),
        methods.map(|(method, path)| ask(here, method, path)),
    ));
    all
}
