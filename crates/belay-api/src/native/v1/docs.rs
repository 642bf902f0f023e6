//! The document of the native API: what each verb says of itself, and what holds for all of them.

use utoipa::openapi::path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};
use utoipa::{Modify, OpenApi};

use super::{jobs, keys, kinds, queues, tenants, workers};
use crate::native::Problem;

/// Name of the way to authenticate, in the document.
const KEY: &str = "api_key";

#[derive(OpenApi)]
#[openapi(
    paths(
        jobs::enqueue::enqueue_job,
        jobs::enqueue_batch::enqueue_jobs,
        jobs::list::list_jobs,
        jobs::get::get_job,
        jobs::timeline::get_timeline,
        jobs::output::get_output,
        jobs::cancel::cancel_job,
        jobs::cancel_many::cancel_jobs,
        jobs::retry::retry_job,
        jobs::suspend::suspend_job,
        jobs::resume::resume_job,
        jobs::start::start_job,
        jobs::delete_data::delete_job_data,
        queues::list::list_queues,
        kinds::list::list_kinds,
        workers::list::list_workers,
        workers::drain::drain_worker,
        tenants::list::list_tenants,
        tenants::create::create_tenant,
        keys::list::list_keys,
        keys::create::create_key,
        keys::revoke::revoke_key,
    ),
    components(schemas(Problem)),
    tags(
        (name = "jobs", description = "Jobs of one tenant. A job is named by its number, its UUID or its 24 hexadecimal digits."),
        (name = "house", description = "What all tenants share."),
        (name = "admin", description = "Tenants and API keys."),
    ),
    modifiers(&ForAll),
)]
pub(crate) struct Native;

/// What holds for all verbs, written once.
pub(crate) struct ForAll;

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let components = api.components.get_or_insert_default();
        components
            .add_security_scheme(KEY, SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
        for (path, item) in &mut api.paths.paths {
            let verbs = [
                (HttpMethod::Get, &mut item.get),
                (HttpMethod::Post, &mut item.post),
                (HttpMethod::Delete, &mut item.delete),
            ];
            for (_, operation) in verbs {
                if let Some(operation) = operation {
                    complete(path, operation);
                }
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let jobs = operation
        .tags
        .as_ref()
        .is_some_and(|tags| tags.iter().any(|tag| tag == "jobs"));
    let parameters = operation.parameters.get_or_insert_default();
    if path.contains("{id}") {
        parameters.push(text(
            "id",
            ParameterIn::Path,
            "The job: its number, its UUID or its 24 hexadecimal digits",
            "77",
        ));
    }
    if jobs {
        let words = "The tenant, by name, number or 24-digit key, for API keys that may touch several; `default` when left out";
        parameters.push(text("Belay-Tenant", ParameterIn::Header, words, "default"));
        parameters.push(text("tenant", ParameterIn::Query, words, "default"));
    }
    operation.security = Some(vec![SecurityRequirement::new(KEY, [""; 0])]);

    let mut problems = vec![
        (
            "400",
            "The path, the query or a header cannot be read, or the body is no JSON",
        ),
        ("401", "No API key was given, or one that does not work"),
        (
            "403",
            "The API key lacks the scope, or may not touch that tenant",
        ),
        ("406", "The client accepts no JSON"),
        (
            "500",
            "A defect; the daemon's log has more under the request id",
        ),
        (
            "503",
            "The daemon is busy or its database away; `Retry-After` says when to try again",
        ),
    ];
    if path.contains("{id}") {
        problems.push(("404", "There is no such job in the tenant"));
    }
    if path.contains("{worker}") {
        problems.push((
            "404",
            "There is no such worker, or it belongs to another API key",
        ));
    }
    if let Some(body) = &mut operation.request_body {
        // What is done to one job needs no more than its id.
        if let (true, RefOr::T(body)) = (path.contains("{id}"), body) {
            body.required = Some(Required::False);
        }
        problems.push(("413", "The body is larger than allowed"));
        problems.push(("415", "The body is not JSON"));
        problems.push((
            "422",
            "A member is missing, unknown, or has a value that is not allowed; `field` names it",
        ));
    }
    for (status, words) in problems {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| RefOr::T(problem(words)));
    }
}

fn text(name: &str, place: ParameterIn, words: &str, example: &str) -> RefOr<Parameter> {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(place)
        .required(required)
        .description(Some(words))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some(example.into()))
        .build();
    RefOr::T(parameter)
}

fn problem(words: &str) -> Response {
    ResponseBuilder::new()
        .description(words)
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("Problem")))
                .build(),
        )
        .build()
}
