//! `/api/{version}`

use super::{Bad, Entry, Here, Is, Required, each};
use crate::contract::faces::Ask;
use crate::contract::shapes::Wrong;

const JOBS: &str = "/api/v26.1/services/jobs";

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = entries(here);
    all.extend(bodies(here));
    all.extend(tables(here));
    all.extend(paths(here));
    all.extend(queries(here));
    all.extend(routes(here));
    all
}

fn cancel(here: &Here) -> Ask {
    here.ask("POST", format!("{JOBS}/actions/cancel"))
}

fn entries(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let invalid = [
        "0",
        "-1",
        "1.0",
        "1e0",
        "1.5",
        "true",
        "false",
        "[]",
        "{}",
        "[1]",
        "9223372036854775808",
        "99999999999999999999999",
        "\"abc\"",
        "\" 1\"",
        "\"1 \"",
        "\"+1\"",
        "\"-1\"",
        "\"1.0\"",
        "\"0x1\"",
        "\"\\u0000\"",
        "\"1\\u0000\"",
        "\"\\ud800\"",
        "\"\u{ff11}\"",
        "\"<a&b>\"",
        "\"';--\"",
        "\"null\"",
        "1e99999",
        "-0",
        &format!("\"{}\"", here.queued.uid),
        "4711",
    ];
    let invalid = invalid.map(|id| cancel(here).body(format!("[{{\"job_id\":{id}}}]")));
    let mut all = each("vault", Entry("INVALID_DATA"), invalid);
    let missing = [
        "{}".to_owned(),
        "null".into(),
        number.to_string(),
        format!("\"{number}\""),
        format!("[{number}]"),
        "{\"job_id\":null}".into(),
        "{\"job_id\":\"\"}".into(),
        format!("{{\"JOB_ID\":{number}}}"),
        format!("{{\"id\":{number}}}"),
        "true".into(),
    ];
    let missing = missing.map(|entry| cancel(here).body(format!("[{entry}]")));
    all.extend(each("vault", Entry("PARAMETER_REQUIRED"), missing));
    all.extend(each(
        "vault",
        Entry("INVALID_DATA"),
        [
            cancel(here).body(format!("[{{\"job_id\":{}}}]", here.done.number)),
            // Which of the two was meant?
            cancel(here).body(format!("[{{\"job_id\":{number},\"job_id\":null}}]")),
            cancel(here).body(format!("[{{\"job_id\":1,\"job_id\":{number}}}]")),
        ],
    ));
    all
}

fn bodies(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let entry = format!("{{\"job_id\":{number}}}");
    let many = format!("[{}]", vec![entry.as_str(); 501].join(","));
    let deep = format!("[{entry},{}{}]", "[".repeat(64), "]".repeat(64));
    let malformed = [
        entry.clone(),
        format!("[{entry}"),
        format!("[{entry},]"),
        format!("[{entry}] []"),
        "{\"job_ids\":[1]}".into(),
        number.to_string(),
        format!("\"[{entry}]\""),
        "null".into(),
        "nope".into(),
        format!("[{entry}]x"),
        format!("[{entry},NaN]"),
        many,
        deep,
        format!("[{entry},{}", "[".repeat(300_000)),
        format!("job_id\n{number}\n"),
        format!("job_id={number}"),
    ];
    let malformed = malformed.map(|body| cancel(here).body(body));
    let mut all = each("vault", Is(Wrong::Malformed), malformed);
    let bytes = [
        [b"[{\"job_id\":\"\xff\"},", entry.as_bytes(), b"]"].concat(),
        format!("[{entry}]")
            .encode_utf16()
            .flat_map(u16::to_be_bytes)
            .collect(),
    ];
    all.extend(each(
        "vault",
        Is(Wrong::Malformed),
        bytes.map(|body| cancel(here).body(body)),
    ));
    let none = ["", " ", "\r\n\t", "[]", " [ ] ", "\u{feff}"].map(|body| cancel(here).body(body));
    all.extend(each("vault", Required, none));
    let whole = format!("[{entry}]");
    let types = [
        "text/plain",
        "application/xml",
        "text/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "",
    ];
    let types = types.map(|media| {
        cancel(here)
            .with("Content-Type", media)
            .body(whole.as_str())
    });
    all.extend(each("vault", Is(Wrong::MediaType), types));
    let zipped = cancel(here)
        .with("Content-Encoding", "gzip")
        .body(whole.as_str());
    all.extend(each("vault", Is(Wrong::MediaType), [zipped]));
    let large = cancel(here).body(format!("{whole}{}", " ".repeat(1 << 20)));
    all.extend(each("vault", Is(Wrong::TooLarge), [large]));
    let accepts = [
        "text/html",
        "text/csv",
        "text/xml",
        "application/json;q=0, application/xml;q=0",
    ];
    let accepts = accepts.map(|accept| cancel(here).with("Accept", accept).body(whole.as_str()));
    all.extend(each("vault", Is(Wrong::NotAcceptable), accepts));
    let tenants = ["", "nobody", "0", "4711", "default,other", "x\u{e9}"];
    let tenants = tenants.map(|tenant| {
        cancel(here)
            .with("Belay-Tenant", tenant)
            .body(whole.as_str())
    });
    all.extend(each("vault", Is(Wrong::Malformed), tenants));
    let twice = cancel(here)
        .with("Belay-Tenant", "1")
        .with("Belay-Tenant", "1")
        .body(whole);
    all.extend(each("vault", Is(Wrong::Malformed), [twice]));
    all
}

fn tables(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let csv = || cancel(here).with("Content-Type", "text/csv");
    let none = [
        String::new(),
        "\n\n".into(),
        "job_id".into(),
        "job_id\r\n".into(),
        "job_id\n\n  \n".into(),
        number.to_string(),
        format!("id\n{number}\n"),
        format!("job id\n{number}\n"),
        format!("job_id;x\n{number};1\n"),
        format!("'job_id'\n{number}\n"),
        format!("[{{\"job_id\":{number}}}]"),
    ];
    let mut all = each("vault", Required, none.map(|body| csv().body(body)));
    let broken = [
        format!("job_id\n\"{number}"),
        format!("job_id\n{number}\n\"1\n2\n"),
        format!("\"job_id\n{number}\n"),
        format!("job_id\n{}", format!("{number}\n").repeat(501)),
    ];
    all.extend(each(
        "vault",
        Is(Wrong::Malformed),
        broken.map(|body| csv().body(body)),
    ));
    all.extend(each(
        "vault",
        Is(Wrong::Malformed),
        [csv().body(b"job_id\n\xff\n".as_slice())],
    ));
    let invalid = [
        "0",
        "-1",
        "1.0",
        "abc",
        "\"1,2\"",
        "\"1\n2\"",
        "1;2",
        "\u{ff11}",
        "+1",
        "0x1",
        "\"a\"\"b\"",
        "1\0",
        "9223372036854775808",
        "1 2",
        "4711",
    ];
    let invalid = invalid.map(|id| csv().body(format!("job_id\n{id}\n")));
    all.extend(each("vault", Entry("INVALID_DATA"), invalid));
    let missing = [
        format!("x,job_id\n{number}\n"),
        format!("x,job_id\n{number},\n"),
        "job_id\n\"\"\n".into(),
        format!("job_id,x\n,{number}\n"),
    ];
    all.extend(each(
        "vault",
        Entry("PARAMETER_REQUIRED"),
        missing.map(|body| csv().body(body)),
    ));
    all
}

fn paths(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let ids = [
        "0".into(),
        "-1".into(),
        "+1".into(),
        format!("{number}.0"),
        "abc".into(),
        "%20".into(),
        format!("{number}%20"),
        format!("{number}%00"),
        "4711".into(),
        "9223372036854775808".into(),
        "%EF%BC%91".into(),
        "%3Ca%26b%3E".into(),
        "..".into(),
        "%ff".into(),
        here.queued.uid.clone(),
        "9".repeat(3000),
        "Monitors".into(),
    ];
    let of = |id: &String| {
        [
            here.ask("GET", format!("{JOBS}/{id}")),
            here.ask("GET", format!("{JOBS}/{id}/tasks")),
            here.ask("POST", format!("{JOBS}/start_now/{id}")),
        ]
    };
    let mut all = each("vault", Is(Wrong::Malformed), ids.iter().flat_map(of));
    let states = [&here.done, &here.open]
        .map(|job| here.ask("POST", format!("{JOBS}/start_now/{}", job.number)));
    all.extend(each("vault", Is(Wrong::State), states));
    all
}

fn queries(here: &Here) -> Vec<Bad> {
    let both = [
        "limit=0",
        "limit=201",
        "limit=-1",
        "limit=x",
        "limit=1.5",
        "limit=99999999999999999999",
        "limit=%00",
        "limit=1&limit=1",
        "offset=-1",
        "offset=x",
        "offset=9223372036854775807",
        "offset=9223372036854775808",
        "offset=1&offset=1",
        "start_date=x",
        "start_date=2026-12-24",
        "start_date=2026-12-24T18:00:00",
        "start_date=2026-12-24T18:00:00.000Z",
        "start_date=2026-02-30T00:00:00Z",
        "start_date=2026-12-24T18:00:00%2B01:00",
        "end_date=2026-12-24T24:00:00Z",
        "end_date=2026-12-24%2018:00:00Z",
        "end_date=1790000000",
        "end_date=%2B12026-12-24T18:00:00Z",
        "end_date=0",
        "status=open",
        "status=SCHEDULED",
        "status=Success",
        "status=queued,running",
        "status=%FF",
        "status=%00",
        "status=queued&status=queued",
    ];
    let lists = ["monitors", "histories"];
    let of = |query: &str| lists.map(|list| here.ask("GET", format!("{JOBS}/{list}?{query}")));
    let mut all = each("vault", Is(Wrong::Malformed), both.into_iter().flat_map(of));
    let other = [
        ("monitors", "success"),
        ("monitors", "cancelled"),
        ("histories", "queued"),
        ("histories", "cancelling"),
    ];
    let other = other.map(|(list, word)| here.ask("GET", format!("{JOBS}/{list}?status={word}")));
    all.extend(each("vault", Is(Wrong::Malformed), other));
    all
}

fn routes(here: &Here) -> Vec<Bad> {
    let number = here.queued.number;
    let versions = [
        "v25.2",
        "v26.2",
        "v1",
        "V26.1",
        "26.1",
        "v26.1.0",
        "v26",
        "v026.1",
        "latest",
        "..",
        "v26.1%00",
        "%20v26.1",
        "v99999999999.1",
        "*",
        "v26.1;x",
    ];
    let of = |version: &str| {
        let path = format!("/api/{version}/services/jobs/actions/cancel");
        let body = format!("[{{\"job_id\":{number}}}]");
        // Also for those without a session, who would think that theirs had ended.
        [
            here.ask("POST", path.clone()).body(body.as_str()),
            Ask::new("POST", path).body(body),
        ]
    };
    let mut all = each(
        "vault",
        Is(Wrong::NotFound),
        versions.into_iter().flat_map(of),
    );
    let nowhere = [
        format!("{JOBS}/actions/Cancel"),
        format!("{JOBS}/actions/cancel/{number}"),
        format!("{JOBS}//actions/cancel"),
        "/api/v26.1".into(),
        "/api/v26.1/services".into(),
        format!("{JOBS}/{number}/cancel"),
        format!("{JOBS}/actions"),
        "/api/v26.1/..".into(),
        format!("{JOBS}/start_now"),
    ];
    let nowhere = nowhere
        .into_iter()
        .filter(|path| !path.ends_with("/actions") && !path.ends_with("/start_now"));
    all.extend(each(
        "vault",
        Is(Wrong::NotFound),
        nowhere.map(|path| here.ask("POST", path)),
    ));
    let methods = [
        ("GET", format!("{JOBS}/actions/cancel/")),
        ("DELETE", format!("{JOBS}/actions/cancel")),
        ("POST", format!("{JOBS}/{number}")),
        ("POST", format!("{JOBS}/monitors")),
        ("GET", format!("{JOBS}/start_now/{number}")),
        ("POST", "/api".into()),
        ("GET", "/api/v26.1/auth".into()),
        ("GET", "/api/v26.1/keep-alive".into()),
        ("POST", "/api/v26.1/session".into()),
    ];
    let methods = methods.map(|(method, path)| here.ask(method, path));
    all.extend(each("vault", Is(Wrong::Method), methods));
    all
}
