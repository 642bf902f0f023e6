//! `/api/v1/ingest/jobs`

use serde_json::{Value, json};

use super::{Bad, Here, Is, each};
use crate::contract::shapes::Wrong;

const JOBS: &str = "/api/v1/ingest/jobs";

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = ids(here);
    all.extend(queries(here));
    all.extend(bodies(here));
    all.extend(files(here));
    all.extend(routes(here));
    all
}

fn ids(here: &Here) -> Vec<Bad> {
    let uid = &here.open.uid;
    let wrong = [
        here.open.number.to_string(),
        here.open.key.clone(),
        uid.replace('-', ""),
        format!("%7B{uid}%7D"),
        uid[1..].to_owned(),
        format!("{uid}0"),
        format!("g{}", &uid[1..]),
        format!("{uid}%00"),
        format!("{uid}%20"),
        "null".into(),
        "..".into(),
        "%2e%2e%2f".into(),
        "%ff".into(),
        "x".repeat(4000),
        "00000000-0000-0000-0000-000000000000".into(),
        "3b241101-e2bb-4255-8caf-4136c566a962".into(),
        "01a210da-1086-8000-8000-0000000fffff".into(),
        "01a210da-1086-8000-8000-000000000000".into(),
        format!("{uid}'--"),
    ];
    let of = |id: &String| {
        [
            here.ask("GET", format!("{JOBS}/{id}")),
            here.ask("PATCH", format!("{JOBS}/{id}"))
                .body(r#"{"state":"Aborted"}"#),
            here.ask("DELETE", format!("{JOBS}/{id}")),
            here.ask("PUT", format!("{JOBS}/{id}/batches"))
                .with("Content-Type", "text/csv")
                .body("a\n1\n"),
        ]
    };
    each("ingest", Is(Wrong::NotFound), wrong.iter().flat_map(of))
}

fn queries(here: &Here) -> Vec<Bad> {
    let wrong = [
        "limit=0",
        "limit=101",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=%00",
        "limit=1&limit=1",
        "offset=-1",
        "offset=x",
        "offset=2147483648",
        "offset=9223372036854775808",
        "orderBy=x",
        "orderBy=SystemModstamp",
        "orderby=id,state",
        "orderBy=id;--",
        "orderBy=id&orderby=state",
        "orderBy=%00",
        "states=open",
        "states=Open,x",
        "states=Running",
        "state=Open&states=Failed",
        "states=%FF",
        "states=Open%00",
        "states=Open&states=Open",
    ];
    let mut all = each(
        "ingest",
        Is(Wrong::Malformed),
        wrong.map(|query| here.ask("GET", format!("{JOBS}?{query}"))),
    );
    // Whoever may touch all tenants learns that there is none of that name.
    let nobody = ["nobody", "4711", "x%20y"]
        .map(|tenant| here.ask("GET", format!("{JOBS}?tenant={tenant}")));
    all.extend(each("ingest", Is(Wrong::NotFound), nobody));
    let two = here
        .ask("GET", format!("{JOBS}?tenant=1"))
        .with("Belay-Tenant", "2");
    all.extend(each("ingest", Is(Wrong::Malformed), [two]));
    all
}

fn bodies(here: &Here) -> Vec<Bad> {
    let job = |method, uid: &str| here.ask(method, format!("{JOBS}/{uid}"));
    let states = [
        json!(null),
        json!(""),
        json!("aborted"),
        json!("ABORTED"),
        json!("Aborted "),
        json!(" UploadComplete"),
        json!("Open"),
        json!("InProgress"),
        json!("JobComplete"),
        json!("Failed"),
        json!("cancelled"),
        json!(["Aborted"]),
        json!({"value": "Aborted"}),
        json!(7),
        json!(true),
        json!("A".repeat(5000)),
    ];
    let change = job("PATCH", &here.open.uid);
    let states = states.map(|state| change.clone().body(json!({"state": state}).to_string()));
    let mut all = each("ingest", Is(Wrong::Malformed), states);
    let no_state = [
        "",
        "{}",
        "{\"State\":\"Aborted\"}",
        "{\"status\":\"Aborted\"}",
        " ",
    ]
    .map(|body| change.clone().body(body));
    all.extend(each("ingest", Is(Wrong::Malformed), no_state));
    let create = here.ask("POST", JOBS);
    let good = json!({"object": "o", "sourceName": "s", "operation": "upsert"});
    let mut wrong = vec![json!({})];
    for (name, values) in [
        (
            "object",
            vec![
                json!(null),
                json!(""),
                json!(" \t"),
                json!(7),
                json!([]),
                json!("o".repeat(256)),
                json!("\u{e9}".repeat(256)),
            ],
        ),
        (
            "sourceName",
            vec![json!(null), json!(7), json!({}), json!(["s"])],
        ),
        (
            "operation",
            vec![
                json!(null),
                json!(""),
                json!("insert"),
                json!("Upsert"),
                json!("upsert "),
                json!(7),
                json!(["upsert"]),
            ],
        ),
    ] {
        wrong.extend(values.into_iter().map(|value: Value| {
            let mut body = good.clone();
            body[name] = value;
            body
        }));
    }
    let wrong = wrong
        .into_iter()
        .map(|body| create.clone().body(body.to_string()));
    all.extend(each("ingest", Is(Wrong::Malformed), wrong));
    all.extend(each("ingest", Is(Wrong::Malformed), [create]));
    let refused = [
        job("PATCH", &here.done.uid).body(r#"{"state":"Aborted"}"#),
        job("DELETE", &here.open.uid),
        job("DELETE", &here.open.uid.to_uppercase()),
    ];
    all.extend(each("ingest", Is(Wrong::State), refused));
    all
}

fn files(here: &Here) -> Vec<Bad> {
    let put = |uid: &str| here.ask("PUT", format!("{JOBS}/{uid}/batches"));
    let open = put(&here.open.uid);
    let types = [
        None,
        Some("application/json"),
        Some("text/plain"),
        Some("text/csvx"),
        Some("application/csv"),
        Some("text"),
        Some(""),
        Some("multipart/form-data; boundary=x"),
    ];
    let types = types.map(|media| {
        let ask = open.clone().body("a\n1\n");
        match media {
            Some(media) => ask.with("Content-Type", media),
            None => ask,
        }
    });
    let mut all = each("ingest", Is(Wrong::MediaType), types);
    let csv = open.with("Content-Type", "text/csv");
    all.extend(each("ingest", Is(Wrong::Malformed), [csv.clone()]));
    all.extend(each(
        "ingest",
        Is(Wrong::MediaType),
        [csv.with("Content-Encoding", "gzip").body("a\n1\n")],
    ));
    let closed = [&here.queued, &here.done].map(|job| {
        put(&job.uid)
            .with("Content-Type", "text/csv")
            .body("a\n1\n")
    });
    all.extend(each("ingest", Is(Wrong::State), closed));
    all
}

fn routes(here: &Here) -> Vec<Bad> {
    let uid = &here.open.uid;
    let nowhere = [
        "/api/v1/ingest".to_owned(),
        "/api/v1/ingest/Jobs".into(),
        format!("{JOBS}/{uid}/batches/1"),
        format!("{JOBS}/{uid}/Batches"),
        format!("{JOBS}//batches"),
        format!("{JOBS}//{uid}"),
        format!("{JOBS}/{uid}/cancel"),
        format!("{JOBS}/{uid}/batches%2f"),
        format!("{JOBS}/{uid}/../{uid}/batches"),
    ];
    let mut all = each(
        "ingest",
        Is(Wrong::NotFound),
        nowhere.map(|path| here.ask("PUT", path)),
    );
    let methods = [
        ("POST", format!("{JOBS}/{uid}")),
        ("PUT", format!("{JOBS}/{uid}")),
        ("POST", format!("{JOBS}/{uid}/batches")),
        ("GET", format!("{JOBS}/{uid}/batches")),
        ("DELETE", JOBS.to_owned()),
        ("PATCH", JOBS.to_owned()),
    ];
    all.extend(each(
        "ingest",
        Is(Wrong::Method),
        methods.map(|(method, path)| here.ask(method, path)),
    ));
    let accepts = ["text/html", "text/csv", "*/*;q=0"]
        .map(|accept| here.ask("GET", JOBS).with("Accept", accept));
    all.extend(each("ingest", Is(Wrong::NotAcceptable), accepts));
    all
}
