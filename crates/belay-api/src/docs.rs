//! The OpenAPI document and the page that shows it.

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::Method;
use actix_web::http::header::{
    CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, X_CONTENT_TYPE_OPTIONS,
};
use utoipa_swagger_ui::Config;

use crate::builder::Page;
use crate::http::{Answer, Fault, Request, Resource, Verb};
use crate::openapi;

/// What the page may load: its own files only.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// The resources, each with the name under which it can be switched off.
pub(crate) fn resources() -> Vec<(Page, Resource)> {
    let get = |handler| vec![Verb::open(Method::GET, handler)];
    vec![
        (
            Page::OpenApi,
            Resource::new(openapi::PATH, get(|request| Box::pin(get_openapi(request)))),
        ),
        (
            Page::Docs,
            Resource {
                slash: false,
                ..Resource::new("/docs", get(|request| Box::pin(enter(request))))
            },
        ),
        (
            Page::Docs,
            Resource {
                slash: false,
                ..Resource::new("/docs/{file:.*}", get(|request| Box::pin(file(request))))
            },
        ),
    ]
}

/// This document
#[utoipa::path(
    get, path = "/openapi.json", tag = "operations",
    responses((status = 200, description = "OpenAPI 3.1", content_type = "application/json", body = Object)),
)]
pub(crate) async fn get_openapi(request: Request) -> Answer {
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "application/json"))
        .body(request.api.openapi.clone()))
}

/// The page's links are relative to its folder, so its address must end in a slash.
async fn enter(request: Request) -> Answer {
    Ok(HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, format!("{}/docs/", request.api.prefix)))
        .finish())
}

async fn file(request: Request) -> Answer {
    // Relative, so that it also works behind a proxy that adds a prefix of its own.
    let config = Arc::new(Config::new(["../openapi.json"]));
    let file = utoipa_swagger_ui::serve(request.part("file"), config)
        .map_err(|e| Fault::internal(format!("a file of the page could not be made: {e}")))?
        .ok_or_else(|| Fault::not_found("there is nothing at this path"))?;
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, file.content_type))
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .body(file.bytes.into_owned()))
}
