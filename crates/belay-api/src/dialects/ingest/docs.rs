//! The document of this dialect.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Required, ResponseBuilder, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::fault::{GrantError, IngestError};
use super::{JSON, change, create, delete, get, list, token, upload};

#[derive(OpenApi)]
#[openapi(
    paths(
        create::create_ingest_job,
        list::list_ingest_jobs,
        get::get_ingest_job,
        change::change_ingest_job,
        delete::delete_ingest_job,
        upload::upload_ingest_file,
        token::give_ingest_token,
    ),
    components(schemas(IngestError, GrantError)),
    tags((name = "ingest", description = "Loading uploaded CSV: make a job, upload files, close it; or abort it, which deletes them.")),
    modifiers(&ForAll),
)]
pub(crate) struct IngestDocument;

/// What holds for all verbs, written once.
struct ForAll;

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut api.paths.paths {
            let verbs = [
                &mut item.get,
                &mut item.post,
                &mut item.put,
                &mut item.patch,
                &mut item.delete,
            ];
            for operation in verbs.into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let mut faults = vec![
        (
            "400",
            "The path, the query, a header or the body cannot be read, or holds a value that is not allowed",
        ),
        ("500", "A defect, or the database is away"),
        (
            "503",
            "The daemon is busy; `Retry-After` says when to try again",
        ),
    ];
    if path.starts_with(super::BASE) {
        operation.security = Some(vec![SecurityRequirement::new("api_key", [""; 0])]);
        faults.extend([
            ("401", "No token was given, or one that does not work"),
            (
                "403",
                "The token lacks the scope `ingest`, or may not touch that tenant",
            ),
            ("406", "The client accepts no JSON"),
        ]);
        let words = "The tenant, by name, number or 24-digit key, for tokens that may touch several; `default` when left out";
        let parameters = operation.parameters.get_or_insert_default();
        parameters.push(text("Belay-Tenant", ParameterIn::Header, words));
        parameters.push(text("tenant", ParameterIn::Query, words));
        if path.contains("{id}") {
            parameters.push(text("id", ParameterIn::Path, "The UUID of the job"));
            faults.push(("404", "There is no such job in the tenant"));
        }
    }
    if operation.request_body.is_some() {
        faults.push(("413", "The body is larger than allowed"));
        faults.push(("415", "The body is of another type"));
    }
    for (status, words) in faults {
        operation
            .responses
            .responses
            .entry(status.to_owned())
            .or_insert_with(|| {
                let content = ContentBuilder::new()
                    .schema(Some(Ref::from_schema_name("IngestError")))
                    .build();
                RefOr::T(
                    ResponseBuilder::new()
                        .description(words)
                        .content(JSON, content)
                        .build(),
                )
            });
    }
}

fn text(name: &str, place: ParameterIn, words: &str) -> RefOr<Parameter> {
    let required = if place == ParameterIn::Path {
        Required::True
    } else {
        Required::False
    };
    RefOr::T(
        ParameterBuilder::new()
            .name(name)
            .parameter_in(place)
            .required(required)
            .description(Some(words))
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .build(),
    )
}
