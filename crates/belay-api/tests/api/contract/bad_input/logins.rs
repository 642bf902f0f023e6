//! Logins: forms that give no token.

use super::{Bad, Grant, Here, Is, Login, Token, each};
use crate::contract::faces::Ask;
use crate::contract::shapes::Wrong;

const FORM: &str = "application/x-www-form-urlencoded";

fn form(path: &str, body: impl Into<Vec<u8>>) -> Ask {
    Ask::new("POST", path).with("Content-Type", FORM).body(body)
}

pub(super) fn bad(here: &Here) -> Vec<Bad> {
    let mut all = tokens(here);
    all.extend(sessions(here));
    all.extend(grants(here));
    all
}

fn tokens(here: &Here) -> Vec<Bad> {
    let path = "/auth/tokens";
    let key = &here.key;
    let good = format!("grant_type=client_credentials&client_id=root&client_secret={key}");
    let of = |bodies: Vec<String>| bodies.into_iter().map(move |body| form(path, body));
    let invalid = vec![
        String::new(),
        "client_credentials".into(),
        format!("client_id=root&client_secret={key}"),
        "grant_type=".into(),
        format!("{good}&grant_type=client_credentials"),
        format!("{good}&client_id=root"),
        format!("{good}&x=%00"),
        format!("{{\"grant_type\":\"client_credentials\",\"client_secret\":\"{key}\"}}"),
    ];
    let mut all = each("jobs", Token(400, "invalid_request"), of(invalid));
    all.extend(each(
        "jobs",
        Token(400, "invalid_request"),
        [form(path, [good.as_bytes(), b"&x=\xff"].concat())],
    ));
    let grants = [
        "password",
        "CLIENT_CREDENTIALS",
        "refresh_token",
        "client_credentials%20",
    ];
    let grants = grants
        .map(|grant| good.replace("client_credentials", grant))
        .into();
    all.extend(each(
        "jobs",
        Token(400, "unsupported_grant_type"),
        of(grants),
    ));
    let scopes = [
        "nope",
        "jobs:read+nope",
        "JOBS:READ",
        "jobs:read,jobs:write",
        "+",
        "*",
    ];
    let scopes = scopes.map(|scope| format!("{good}&scope={scope}")).into();
    all.extend(each("jobs", Token(400, "invalid_scope"), of(scopes)));
    let clients = vec![
        "grant_type=client_credentials".into(),
        "grant_type=client_credentials&client_id=root".into(),
        format!("grant_type=client_credentials&client_secret={key}"),
        good.replace("root", "nobody"),
        good.replace("root", "ROOT"),
        format!("{good}0"),
        good.replace("belay_", "belay_session_"),
        "grant_type=client_credentials&client_id=root&client_secret=x".into(),
    ];
    all.extend(each("jobs", Token(401, "invalid_client"), of(clients)));
    let headers = [
        "Basic",
        "Basic !",
        "Basic cm9vdA==",
        "Bearer x",
        "Basic cm9vdDp4",
        "",
    ];
    let headers = headers
        .map(|value| form(path, "grant_type=client_credentials").with("Authorization", value));
    all.extend(each("jobs", Token(401, "invalid_client"), headers));
    let both = form(path, good.as_str()).with("Authorization", "Basic cm9vdDp4");
    all.extend(each("jobs", Token(400, "invalid_request"), [both]));
    let types = [
        "application/json",
        "text/plain",
        "multipart/form-data; boundary=x",
    ];
    let types = types.map(|media| {
        Ask::new("POST", path)
            .with("Content-Type", media)
            .body(good.as_str())
    });
    all.extend(each("jobs", Is(Wrong::MediaType), types));
    let accepts = ["text/html", "image/png", "*/*;q=0"];
    let accepts = accepts.map(|accept| form(path, good.as_str()).with("Accept", accept));
    all.extend(each("jobs", Is(Wrong::NotAcceptable), accepts));
    all.extend(each(
        "jobs",
        Is(Wrong::TooLarge),
        [form(path, format!("{good}&x={}", "x".repeat(1 << 20)))],
    ));
    all.extend(each(
        "jobs",
        Is(Wrong::Method),
        [Ask::new("GET", path), Ask::new("DELETE", path)],
    ));
    all.extend(each(
        "jobs",
        Is(Wrong::NotFound),
        [form("/auth/tokens/x", good)],
    ));
    all
}

fn sessions(here: &Here) -> Vec<Bad> {
    let path = "/api/v26.1/auth";
    let key = &here.key;
    let good = format!("username=root&password={key}");
    let none = [
        "",
        "username=root",
        "username=root&password=",
        "password",
        "Password=x",
    ];
    let mut all = each(
        "vault",
        Login("NO_PASSWORD_PROVIDED"),
        none.map(|body| form(path, body)),
    );
    let wrong = [
        "username=root&password=x".to_owned(),
        format!("username=nobody&password={key}"),
        format!("username=&password={key}"),
        format!("password={key}"),
        format!("{good}0"),
        format!("username=ROOT&password={key}"),
        format!("username=root%20&password={key}"),
        format!("username=root&password={}", "x".repeat(5000)),
        "username=%F0%9F%92%A9&password=%F0%9F%92%A9".into(),
        "username='or'1'='1&password='or'1'='1".into(),
    ];
    all.extend(each(
        "vault",
        Login("USERNAME_OR_PASSWORD_INCORRECT"),
        wrong.map(|body| form(path, body)),
    ));
    let malformed = [
        format!("{good}&password={key}"),
        format!("{good}&x=%00"),
        "username=%00&password=x".into(),
    ];
    all.extend(each(
        "vault",
        Is(Wrong::Malformed),
        malformed.map(|body| form(path, body)),
    ));
    all.extend(each(
        "vault",
        Is(Wrong::Malformed),
        [form(path, [good.as_bytes(), b"\xff"].concat())],
    ));
    let types = ["application/json", "text/plain"].map(|media| {
        Ask::new("POST", path)
            .with("Content-Type", media)
            .body(good.as_str())
    });
    all.extend(each("vault", Is(Wrong::MediaType), types));
    let accepts = ["text/html", "image/png", "*/*;q=0"];
    let accepts = accepts.map(|accept| form(path, good.as_str()).with("Accept", accept));
    all.extend(each("vault", Is(Wrong::NotAcceptable), accepts));
    all.extend(each(
        "vault",
        Is(Wrong::TooLarge),
        [form(path, format!("{good}&x={}", "x".repeat(1 << 20)))],
    ));
    all.extend(each(
        "vault",
        Is(Wrong::NotFound),
        [
            form("/api/v1/auth", good.as_str()),
            form("/api/v26.1/auth/x", good),
        ],
    ));
    let ended = [
        Ask::new("DELETE", "/api/v26.1/session"),
        Ask::new("POST", "/api/v26.1/keep-alive").with("Authorization", "belay_session_x"),
    ];
    all.extend(each("vault", Is(Wrong::Unauthenticated), ended));
    all
}

fn grants(here: &Here) -> Vec<Bad> {
    let path = "/services/a360/token";
    let key = &here.key;
    let grant = "grant_type=urn:salesforce:grant-type:external:cdp";
    let kind = "subject_token_type=urn:ietf:params:oauth:token-type:access_token";
    let good = format!("{grant}&{kind}&subject_token={key}");
    let wrong = [
        String::new(),
        format!("{kind}&subject_token={key}"),
        format!("{grant}&subject_token={key}"),
        format!("{grant}&{kind}"),
        format!("{grant}&{kind}&subject_token="),
        format!("{grant}&{kind}&subject_token=x"),
        format!("{good}0"),
        format!("{grant}&{kind}&subject_token=belay_session_x"),
        good.replace("cdp", "CDP"),
        good.replace("access_token&", "id_token&"),
        format!("{good}&subject_token={key}"),
        format!("{good}&x=%00"),
        format!("{{\"subject_token\":\"{key}\"}}"),
        format!("{grant}&{kind}&subject_token={}", "x".repeat(5000)),
    ];
    let mut all = each("ingest", Grant, wrong.map(|body| form(path, body)));
    all.extend(each(
        "ingest",
        Grant,
        [form(path, [good.as_bytes(), b"&x=\xff"].concat())],
    ));
    let types = ["application/json", "text/plain"].map(|media| {
        Ask::new("POST", path)
            .with("Content-Type", media)
            .body(good.as_str())
    });
    all.extend(each("ingest", Is(Wrong::MediaType), types));
    let accepts = ["text/html", "application/problem+json", "*/*;q=0"];
    let accepts = accepts.map(|accept| form(path, good.as_str()).with("Accept", accept));
    all.extend(each("ingest", Is(Wrong::NotAcceptable), accepts));
    all.extend(each(
        "ingest",
        Is(Wrong::TooLarge),
        [form(path, format!("{good}&x={}", "x".repeat(1 << 20)))],
    ));
    all.extend(each(
        "ingest",
        Is(Wrong::Method),
        [Ask::new("GET", path), Ask::new("PUT", path)],
    ));
    all
}
