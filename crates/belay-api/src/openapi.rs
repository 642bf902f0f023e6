//! The OpenAPI document.

use utoipa::OpenApi;
use utoipa::openapi::Server;

use crate::dialects;
use crate::native::v1::Native;
use crate::probes::Probes;
use crate::worker_protocol::WorkerProtocol;

/// Where it is served.
pub(crate) const PATH: &str = "/openapi.json";

#[derive(OpenApi)]
#[openapi(info(
    title = "Belay",
    description = "The native API of Belay, a job daemon where every job can be stopped. Every answer carries `X-Request-Id`; every \
                       answer that is not a success is a problem (RFC 9457) of type `application/problem+json`. `HEAD` works wherever `GET` does.",
    license(name = "MIT OR Apache-2.0"),
))]
struct Document;

/// Everything that is served, below `prefix`.
pub(crate) fn document(prefix: &str) -> utoipa::openapi::OpenApi {
    let mut document = Document::openapi();
    document.merge(Native::openapi());
    document.merge(WorkerProtocol::openapi());
    document.merge(Probes::openapi());
    for dialect in dialects::documents() {
        document.merge(dialect);
    }
    if !prefix.is_empty() {
        document.servers = Some(vec![Server::new(prefix)]);
    }
    document
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::native::v1;
    use crate::{docs, probes, worker_protocol};

    #[test]
    fn every_served_route_is_documented_and_nothing_else_is() {
        let native = v1::resources()
            .into_iter()
            .chain(
                worker_protocol::resources()
                    .into_iter()
                    .map(|(_, resource)| resource),
            )
            .map(|resource| (format!("{}{}", v1::BASE, resource.path), resource));
        let beside = probes::resources()
            .into_iter()
            .chain(docs::resources())
            .map(|(_, resource)| (resource.path.to_owned(), resource))
            // A page for people, and its files.
            .filter(|(path, _)| !path.starts_with("/docs"));
        let dialects = dialects::areas().into_iter().flat_map(|area| {
            area.resources
                .into_iter()
                .map(move |resource| (format!("{}{}", area.base, resource.path), resource))
        });
        let served: BTreeSet<String> = native
            .chain(beside)
            .chain(dialects)
            .flat_map(|(path, resource)| {
                resource
                    .verbs
                    .iter()
                    .map(|verb| format!("{} {path}", verb.method))
                    .collect::<Vec<_>>()
            })
            .collect();
        let text = serde_json::to_value(document("")).unwrap();
        let documented: BTreeSet<String> = text["paths"]
            .as_object()
            .unwrap()
            .iter()
            .flat_map(|(path, item)| {
                item.as_object()
                    .unwrap()
                    .keys()
                    .map(|method| format!("{} {path}", method.to_uppercase()))
                    .collect::<Vec<_>>()
            })
            .collect();
        assert_eq!(served, documented);
    }
}
