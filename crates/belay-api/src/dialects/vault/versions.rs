//! `GET /api`, and which versions there are.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::http::Method;
use serde::Serialize;
use utoipa::ToSchema;

use super::answer::{accepts, answer};
use super::wire::Status;
use crate::http::{Answer, Fault, Request, Verb};

/// The versions that are served. They speak alike.
pub(super) const SERVED: [&str; 2] = ["v25.3", "v26.1"];

pub(super) fn verb() -> Verb {
    Verb::open(Method::GET, |request| Box::pin(list_versions(request)))
}

/// Refuses paths of other versions before the session is looked at: a client that is told that its session does not work
/// would throw it away.
pub(super) fn judge(http: &HttpRequest) -> Result<(), Fault> {
    let version = http.match_info().get("version").unwrap_or_default();
    if SERVED.contains(&version) {
        return Ok(());
    }
    let shown: String = version.chars().take(40).collect();
    Err(Fault::not_found(format!(
        "the version {shown:?} is not served; served are {}",
        SERVED.join(" and ")
    )))
}

/// The address of the whole interface, as the client reached it.
pub(super) fn address(request: &Request) -> String {
    let connection = request.http.connection_info();
    format!(
        "{}://{}{}/api",
        connection.scheme(),
        connection.host(),
        request.api.prefix
    )
}

/// The path of something of the version that was asked for.
pub(super) fn path_of(request: &Request, rest: &str) -> String {
    format!(
        "{}/api/{}{rest}",
        request.api.prefix,
        request.part("version")
    )
}

/// The versions that are served.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultVersions)]
pub(super) struct Versions {
    response_status: Status,
    /// Addresses by version.
    values: BTreeMap<&'static str, String>,
}

/// List the versions
#[utoipa::path(
    get, path = "/api", tag = "vault",
    responses((status = 200, description = "The versions and their addresses", body = Versions)),
)]
pub(super) async fn list_versions(request: Request) -> Answer {
    accepts(request.headers())?;
    let address = address(&request);
    let values = SERVED
        .into_iter()
        .map(|version| (version, format!("{address}/{version}")))
        .collect();
    answer(
        &request,
        &Versions {
            response_status: Status::Success,
            values,
        },
    )
}
