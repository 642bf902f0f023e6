//! `/v1/accounts`

use serde_json::{Value, json};

use super::{Bad, Here, Is, each};
use crate::contract::shapes::Wrong;

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = ids(here);
    all.extend(queries(here));
    all.extend(bodies(here));
    all.extend(routes(here));
    all
}

fn ids(here: &Here) -> Vec<Bad> {
    let (group, key) = (&here.group, &here.queued.key);
    let wrong = [
        "1".to_owned(),
        here.queued.number.to_string(),
        here.queued.uid.clone(),
        format!("A{}", &key[1..]),
        key[1..].to_owned(),
        format!("{key}0"),
        format!("g{}", &key[1..]),
        format!("{key}%20"),
        format!("%20{}", &key[1..]),
        format!("{key}%00"),
        format!("{}%00", &key[1..]),
        "..".into(),
        "..%2f..%2fetc%2fpasswd".into(),
        "%2e%2e".into(),
        "%".into(),
        "%zz".into(),
        "%ff".into(),
        "%EF%BC%91".repeat(24),
        "null".into(),
        "*".into(),
        "0x6b065cb00000000000001".into(),
        "a".repeat(5000),
        format!("{key};x=1"),
        format!("{key},{key}"),
    ];
    let both = |make: &dyn Fn(&str) -> String| {
        let of = |id: &String| {
            let path = make(id);
            [
                here.ask("GET", path.clone()),
                here.ask("POST", format!("{path}/cancel")),
            ]
        };
        let asks: Vec<_> = wrong.iter().flat_map(of).collect();
        each("prospecting", Is(Wrong::Malformed), asks)
    };
    let mut all = both(&|id| format!("/v1/accounts/{group}/prospecting/{id}"));
    all.extend(both(&|id| format!("/v1/accounts/{id}/prospecting/{key}")));
    let lists = wrong
        .iter()
        .map(|id| here.ask("GET", format!("/v1/accounts/{id}/prospecting")));
    all.extend(each("prospecting", Is(Wrong::Malformed), lists));
    // Of the right form, but of nobody.
    let late = format!("{}{}", "00000001", &key[8..]);
    let nobody = ["0".repeat(24), "f".repeat(24), late];
    let jobs = nobody.iter().map(|id| {
        here.ask(
            "POST",
            format!("/v1/accounts/{group}/prospecting/{id}/cancel"),
        )
    });
    all.extend(each("prospecting", Is(Wrong::NotFound), jobs));
    let groups = nobody.iter().map(|id| {
        here.ask(
            "POST",
            format!("/v1/accounts/{id}/prospecting/{key}/cancel"),
        )
    });
    all.extend(each("prospecting", Is(Wrong::Forbidden), groups));
    all
}

fn queries(here: &Here) -> Vec<Bad> {
    let wrong = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=1e1",
        "limit=99999999999999999999",
        "limit=%00",
        "limit=%201",
        "limit=1&limit=2",
        "status=open",
        "status=Queued",
        "status=cancelling",
        "status=queued,running",
        "status=%FF%FE",
        "status=queued%00",
        "status=queued&status=running",
        "cursor=x",
        "cursor=1",
        "cursor=p0000000000000000",
        "cursor=pffffffffffffffff",
        "cursor=p000000000000004D",
        "cursor=%00",
        "cursor=p0000000000000001&cursor=p0000000000000001",
        "cursor=';drop%20table%20job;--",
    ];
    let asks = wrong.map(|query| {
        here.ask(
            "GET",
            format!("/v1/accounts/{}/prospecting?{query}", here.group),
        )
    });
    each("prospecting", Is(Wrong::Malformed), asks)
}

fn bodies(here: &Here) -> Vec<Bad> {
    let jobs = format!("/v1/accounts/{}/prospecting", here.group);
    let cancel = here.ask("POST", format!("{jobs}/{}/cancel", here.queued.key));
    let reasons = [
        json!(7),
        json!([]),
        json!({}),
        json!(true),
        json!("x".repeat(1001)),
        json!("\u{e9}".repeat(1001)),
    ];
    let reasons = reasons.map(|reason| cancel.clone().body(json!({"reason": reason}).to_string()));
    let mut all = each("prospecting", Is(Wrong::Malformed), reasons);
    let create = here.ask("POST", jobs);
    let at = |time: Value| json!({"type": "noop", "runAt": time});
    let wrong = [
        json!({}),
        json!({"Type": "noop"}),
        json!({"type": null}),
        json!({"type": ""}),
        json!({"type": " \t"}),
        json!({"type": 7}),
        json!({"type": ["noop"]}),
        json!({"type": {}}),
        at(json!("tomorrow")),
        at(json!(1_790_000_000)),
        at(json!("2026-12-24T18:00:00")),
        at(json!("2026-12-24")),
        at(json!("2026-02-30T00:00:00Z")),
        at(json!("2026-12-24T25:00:00Z")),
        at(json!("0000-01-01T00:00:00Z")),
        at(json!("+10000-01-01T00:00:00Z")),
        at(json!("")),
        at(json!({})),
        at(json!(["2026-12-24T18:00:00Z"])),
    ];
    let wrong = wrong.map(|body| create.clone().body(body.to_string()));
    all.extend(each("prospecting", Is(Wrong::Malformed), wrong));
    all.extend(each("prospecting", Is(Wrong::Malformed), [create.clone()]));
    let long = "k".repeat(256);
    let keys = ["", " ", "a b", "\u{e9}", "a\tb", long.as_str()];
    let create = create.body(r#"{"type":"noop"}"#);
    let keys = keys.map(|key| create.clone().with("Idempotency-Key", key));
    all.extend(each("prospecting", Is(Wrong::Malformed), keys));
    let twice = create
        .with("Idempotency-Key", "a")
        .with("Idempotency-Key", "b");
    all.extend(each("prospecting", Is(Wrong::Malformed), [twice]));
    let done = here.ask(
        "POST",
        format!(
            "/v1/accounts/{}/prospecting/{}/cancel",
            here.group, here.done.key
        ),
    );
    all.extend(each("prospecting", Is(Wrong::State), [done]));
    all
}

fn routes(here: &Here) -> Vec<Bad> {
    let (group, key) = (&here.group, &here.queued.key);
    let nowhere = [
        format!("/v1/accounts/{group}"),
        "/v1/accounts//prospecting".into(),
        format!("/v1/accounts/{group}/Prospecting"),
        format!("/v1/accounts/{group}/prospecting/{key}/cancel/now"),
        format!("/v1/accounts/{group}/prospecting/{key}/CANCEL"),
        format!("/v1/accounts/{group}/prospecting/{key}/../{key}/cancel"),
        format!("/v1/accounts/{group}/prospecting/{key}/cancel%2f"),
        format!("/v1/accounts/{group}/prospecting/{key}%2fcancel/x"),
        format!("/v1/accounts/{group}/prospecting//cancel"),
    ];
    let nowhere = nowhere.map(|path| here.ask("POST", path));
    let mut all = each("prospecting", Is(Wrong::NotFound), nowhere);
    let methods = [
        ("DELETE", format!("/v1/accounts/{group}/prospecting/{key}")),
        ("POST", format!("/v1/accounts/{group}/prospecting/{key}")),
        ("PUT", format!("/v1/accounts/{group}/prospecting")),
        ("POST", "/v1/accounts".into()),
        (
            "PATCH",
            format!("/v1/accounts/{group}/prospecting/{key}/cancel"),
        ),
    ];
    let methods = methods.map(|(method, path)| here.ask(method, path));
    all.extend(each("prospecting", Is(Wrong::Method), methods));
    all
}
