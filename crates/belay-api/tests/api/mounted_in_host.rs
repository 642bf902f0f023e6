//! Mounted in somebody else's application, it leaves that alone.

use actix_web::HttpResponse;
use actix_web::error::InternalError;
use actix_web::web::{self, ServiceConfig};
use belay_api::{AdminApi, BuildError, Page};
use belay_core::Db;
use belay_core::db::DbConfig;
use belay_core::ops::{self, Actor, NewKey, Via};
use belay_testkit::TestDb;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{Reply, Server, request};

#[derive(Deserialize)]
struct Order {
    amount: u32,
}

/// An application with error replies, a 404, data and metrics of its own.
fn host(config: &mut ServiceConfig) {
    let json = web::JsonConfig::default()
        .limit(100)
        .error_handler(|error, _| {
            let answer = HttpResponse::ImATeapot().body(format!("host: {error}"));
            InternalError::from_response(error, answer).into()
        });
    config
        .app_data(json)
        .app_data(web::Data::new("the host's data"))
        .route(
            "/orders",
            web::post().to(|order: web::Json<Order>| async move { order.amount.to_string() }),
        )
        .route(
            "/data",
            web::get().to(|data: web::Data<&'static str>| async move { data.to_string() }),
        )
        .route(
            "/metrics",
            web::get().to(|| async { "host_requests_total 7\n" }),
        )
        .route("/belay", web::get().to(|| async { "host" }))
        .default_service(web::to(|| async {
            HttpResponse::NotFound().body("host: nothing here")
        }));
}

/// Status, headers and body.
type HostAnswer = (u16, Vec<(String, String)>, String);

/// How the host answers, API mounted or not.
fn host_answers(server: &Server) -> Vec<HostAnswer> {
    let large = format!("{{\"amount\":{}}}", " ".repeat(200));
    let json = [("Content-Type", "application/json")];
    [
        ("POST", "/orders", &b"{\"amount\":3}"[..]),
        ("POST", "/orders", b"{\"amount\":"),
        ("POST", "/orders", b"{\"amount\":-1}"),
        ("POST", "/orders", large.as_bytes()),
        ("GET", "/orders", b""),
        ("GET", "/data", b""),
        ("GET", "/metrics", b""),
        ("POST", "/metrics", b""),
        ("GET", "/", b""),
        ("GET", "/nothing", b""),
        ("GET", "/belay", b""),
        ("GET", "/belay/v2/jobs", b""),
        ("GET", "/belay/v1x", b""),
        ("GET", "/one", b""),
        ("GET", "/one/nothing", b""),
    ]
    .into_iter()
    .map(|(method, path, body)| {
        let reply = request(server.address, method, path, &json, body);
        let mut headers = reply.headers.clone();
        headers.retain(|(name, _)| name != "date");
        (reply.status, headers, reply.text())
    })
    .collect()
}

fn ask(server: &Server, key: &str, method: &str, path: &str, body: &Value) -> Reply {
    let bearer = format!("Bearer {key}");
    let body = if body.is_null() {
        String::new()
    } else {
        body.to_string()
    };
    request(
        server.address,
        method,
        path,
        &[("Authorization", &bearer)],
        body.as_bytes(),
    )
}

#[test]
fn the_host_answers_as_if_nothing_were_mounted() {
    let alone = Server::start(host);
    let expected = host_answers(&alone);
    assert_eq!(
        expected
            .iter()
            .map(|(status, ..)| *status)
            .collect::<Vec<_>>(),
        [
            200, 418, 418, 418, 404, 200, 200, 404, 404, 404, 200, 404, 404, 404, 404
        ]
    );

    let test_db = TestDb::new();
    let db = Db::new(DbConfig::new(test_db.url())).unwrap();
    let builder = || AdminApi::builder(db.clone());
    let plain = builder().without(Page::Metrics).build().unwrap();
    let (one, two) = (
        builder().prefix("/one").build().unwrap(),
        builder().prefix("/two").build().unwrap(),
    );
    for host_first in [true, false] {
        let (plain, one, two) = (plain.clone(), one.clone(), two.clone());
        let server = Server::start(move |config| {
            if host_first {
                host(config);
            }
            plain.configure(config);
            one.configure(config);
            two.configure(config);
            if !host_first {
                host(config);
            }
        });
        assert_eq!(host_answers(&server), expected);
        let status = |path: &str| request(server.address, "GET", path, &[], b"").status;
        assert_eq!(
            (
                status("/healthz"),
                status("/one/healthz"),
                status("/two/metrics")
            ),
            (200, 200, 200)
        );
    }
}

#[test]
fn two_instances_in_one_application_share_nothing() {
    let (first, second) = (TestDb::new(), TestDb::new());
    let dbs = [&first, &second].map(|test_db| Db::new(DbConfig::new(test_db.url())).unwrap());
    let make_key = |db: &Db| {
        let key = NewKey {
            name: "root".into(),
            scopes: vec!["admin".into()],
            tenants: None,
            expires_at: None,
        };
        db.tx(|c| ops::create_key(c, &key, &Actor::new("test", Via::Cli)))
            .unwrap()
            .1
    };
    let keys = [make_key(&dbs[0]), make_key(&dbs[1])];
    let apis = [("/a", &dbs[0]), ("/b", &dbs[1])].map(|(prefix, db)| {
        AdminApi::builder(db.clone())
            .prefix(prefix)
            .build()
            .unwrap()
    });
    let server = Server::start({
        let apis = apis.clone();
        move |config| apis.iter().for_each(|api| api.configure(config))
    });

    let made = ask(
        &server,
        &keys[0],
        "POST",
        "/a/belay/v1/jobs",
        &json!({"kind": "noop"}),
    );
    assert_eq!(made.status, 201, "{}", made.text());
    let place = format!("/a/belay/v1/jobs/{}", made.json()["id"]);
    assert_eq!(made.header("location"), Some(place.as_str()));
    assert_eq!(
        ask(&server, &keys[0], "GET", &place, &Value::Null).status,
        200
    );

    let other = place.replacen("/a", "/b", 1);
    assert_eq!(
        ask(&server, &keys[0], "GET", &other, &Value::Null).status,
        401
    );
    assert_eq!(
        ask(&server, &keys[1], "GET", &other, &Value::Null).status,
        404
    );
    assert_eq!(
        ask(&server, &keys[1], "GET", "/belay/v1/jobs", &Value::Null).status,
        404
    );

    let enqueued = |prefix: &str| {
        let text = request(
            server.address,
            "GET",
            &format!("{prefix}/metrics"),
            &[],
            b"",
        )
        .text();
        text.contains(r#"belay_jobs_enqueued_total{interface="native"} 1"#)
    };
    assert_eq!((enqueued("/a"), enqueued("/b")), (true, false));
    for api in apis {
        let document: Value = serde_json::from_str(api.openapi()).unwrap();
        assert!(["/a", "/b"].contains(&document["servers"][0]["url"].as_str().unwrap()));
    }
}

#[test]
fn settings_that_cannot_work_are_refused() {
    let db = Db::new(DbConfig::new("postgres://nowhere")).unwrap();
    let build = |prefix: &str| AdminApi::builder(db.clone()).prefix(prefix).build();
    assert!(matches!(build("admin"), Err(BuildError::Prefix(_))));
    assert!(matches!(build("/admin/"), Err(BuildError::Prefix(_))));
    assert!(build("/admin").is_ok());
    let none = AdminApi::builder(db).calls_at_once(0).build();
    assert!(matches!(none, Err(BuildError::NoCalls)));
}
