//! From a table of resources to routes in actix, and from a request to its answer.
//!
//! actix is told about paths only. Methods are looked up here, because a wrong method in actix answers 405 with an empty body
//! and no `Allow`.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, CACHE_CONTROL, HeaderMap, HeaderValue};
use actix_web::{HttpRequest, HttpResponse, web};
use belay_core::ops::Via;
use belay_metrics::OTHER;

use super::catch::caught;
use super::request_id::{self, RequestId};
use super::{Answer, Call, Fault, Kind, Request, no_content};
use crate::auth::{Scope, authenticate};
use crate::state::Inner;

/// What is peculiar to one face of the API.
pub(crate) struct Face {
    /// The name it goes by in records and metrics.
    pub(crate) via: Via,
    /// Puts a fault into the face's own words.
    pub(crate) render: fn(&Fault, &RequestId, &HttpRequest) -> HttpResponse,
    /// Refuses clients that accept nothing this face can answer.
    pub(crate) accept: fn(&HeaderMap) -> Result<(), Fault>,
    /// Finds the key or the login in the headers.
    pub(crate) credential: fn(&HeaderMap) -> Result<String, Fault>,
    /// Whether parameters and members that nobody knows are refused. Where they are ignored, a body that is no object counts as
    /// malformed.
    pub(crate) strict: bool,
}

type Answering = Pin<Box<dyn Future<Output = Answer>>>;

#[derive(Clone, Copy)]
enum Handler {
    /// For everybody.
    Open(fn(Request) -> Answering),
    /// For API keys with that scope.
    Keyed(Scope, fn(Call) -> Answering),
}

/// One method of a resource.
pub(crate) struct Verb {
    pub(crate) method: Method,
    handler: Handler,
}

impl Verb {
    /// Needs an API key with that scope.
    pub(crate) fn keyed(method: Method, scope: Scope, handler: fn(Call) -> Answering) -> Self {
        Self {
            method,
            handler: Handler::Keyed(scope, handler),
        }
    }

    /// For everybody.
    pub(crate) fn open(method: Method, handler: fn(Request) -> Answering) -> Self {
        Self {
            method,
            handler: Handler::Open(handler),
        }
    }
}

/// A path and what can be done with it. `HEAD` works wherever `GET` does.
pub(crate) struct Resource {
    /// As actix spells patterns, below the place where it is mounted.
    pub(crate) path: &'static str,
    pub(crate) verbs: Vec<Verb>,
    /// Whether the path may end in one slash more.
    pub(crate) slash: bool,
    /// Refuses what fits the pattern and is no path here all the same. Comes before everything else.
    pub(crate) judge: fn(&HttpRequest) -> Result<(), Fault>,
}

impl Resource {
    pub(crate) fn new(path: &'static str, verbs: Vec<Verb>) -> Self {
        Self {
            path,
            verbs,
            slash: true,
            judge: |_| Ok(()),
        }
    }

    fn verb(&self, method: &Method) -> Option<&Verb> {
        let method = if method == Method::HEAD {
            &Method::GET
        } else {
            method
        };
        self.verbs.iter().find(|verb| verb.method == *method)
    }

    fn allow(&self) -> String {
        let mut names = Vec::new();
        for verb in &self.verbs {
            names.push(verb.method.as_str());
            if verb.method == Method::GET {
                names.push("HEAD");
            }
        }
        names.join(", ")
    }
}

/// Makes the route of a resource. `base` is what stands before its path inside the scope it goes into, `label` what stands
/// before it in metrics.
pub(crate) fn mount(
    api: &Arc<Inner>,
    face: &'static Face,
    base: &str,
    label: &str,
    resource: Resource,
) -> actix_web::Resource {
    let path = format!("{base}{}", resource.path);
    let mut paths = vec![path.clone()];
    if resource.slash {
        paths.push(format!("{path}/"));
    }
    let label: Arc<str> = format!("{label}{}", resource.path).into();
    let resource = Arc::new(resource);
    let api = Arc::clone(api);
    web::resource(paths).to(move |http: HttpRequest, payload: web::Payload| {
        let (api, resource, label) = (Arc::clone(&api), Arc::clone(&resource), Arc::clone(&label));
        async move {
            respond(api.clone(), face, &label, http.clone(), |id| {
                dispatch(api, face, resource, http, payload, id)
            })
            .await
        }
    })
}

/// The route for every path below a scope that no resource has.
pub(crate) fn unknown_route(api: &Arc<Inner>, face: &'static Face) -> actix_web::Route {
    let api = Arc::clone(api);
    web::to(move |http: HttpRequest| {
        let api = Arc::clone(&api);
        async move {
            respond(api, face, OTHER, http, |_| async {
                Err(Fault::not_found("there is nothing at this path"))
            })
            .await
        }
    })
}

async fn dispatch(
    api: Arc<Inner>,
    face: &'static Face,
    resource: Arc<Resource>,
    http: HttpRequest,
    payload: web::Payload,
    id: RequestId,
) -> Answer {
    (resource.judge)(&http)?;
    let Some(verb) = resource.verb(http.method()) else {
        if http.method() == Method::OPTIONS {
            let mut answer = no_content();
            answer
                .headers_mut()
                .insert(ALLOW, header(resource.allow())?);
            return Ok(answer);
        }
        return Err(Fault::method_not_allowed(
            http.method().as_str(),
            resource.allow(),
        ));
    };
    let request = Request {
        api,
        http,
        payload: Some(payload),
        via: face.via,
        face,
        id,
    };
    match verb.handler {
        Handler::Open(handler) => handler(request).await,
        Handler::Keyed(scope, handler) => {
            let token = (face.credential)(request.headers())?;
            let grant = authenticate(&request.api, &token, face.via).await?;
            request.api.limiter.check(grant.key)?;
            grant.require(scope)?;
            (face.accept)(request.headers())?;
            handler(Call { request, grant }).await
        }
    }
}

/// Everything around a handler: the request id, faults and panics, the log, the measurement.
async fn respond<F: Future<Output = Answer>>(
    api: Arc<Inner>,
    face: &'static Face,
    label: &str,
    http: HttpRequest,
    handler: impl FnOnce(RequestId) -> F,
) -> HttpResponse {
    let began = Instant::now();
    let id = RequestId::of(http.headers());
    let mut answer = match caught(async { handler(id.clone()).await }).await {
        Ok(answer) => answer,
        Err(fault) => {
            if let Some(cause) = &fault.about.cause {
                if fault.kind == Kind::Internal {
                    tracing::error!(request_id = %id, route = label, %cause, "a request met a defect");
                } else {
                    tracing::warn!(request_id = %id, route = label, %cause, "a request was turned away");
                }
            }
            (face.render)(&fault, &id, &http)
        }
    };
    let headers = answer.headers_mut();
    headers.insert(request_id::HEADER, id.header());
    // Nothing here is the same a moment later, and some of it is secret.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    api.metrics.http(
        label,
        http.method().as_str(),
        answer.status().as_u16(),
        began.elapsed().as_secs_f64(),
    );
    answer
}

fn header(value: String) -> Result<HeaderValue, Fault> {
    HeaderValue::try_from(value).map_err(|e| Fault::internal(e.to_string()))
}
