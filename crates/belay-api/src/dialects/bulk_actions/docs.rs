//! The document of this interface: what each verb says of itself, and what holds for all of them.

use utoipa::openapi::path::{Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, SchemaFormat, Type};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};
use utoipa::{Modify, OpenApi};

use super::{cancel, create, get, list, problem};

#[derive(OpenApi)]
#[openapi(
    paths(
        list::list_bulk_actions,
        create::create_bulk_action,
        get::get_bulk_action,
        cancel::cancel_bulk_action,
    ),
    components(schemas(problem::BulkError)),
    tags((name = "bulk-actions", description = "Jobs as bulk actions. Ids are UUIDs and global.")),
    modifiers(&ForAll),
)]
pub(in crate::dialects) struct BulkActionsDocument;

/// What holds for all verbs, written once.
struct ForAll;

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        for (path, item) in &mut api.paths.paths {
            for operation in [&mut item.get, &mut item.post].into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("api_key", [""; 0])]);
    let mut errors = vec![
        (
            "400",
            "The request cannot be read or has a value that is not allowed, or the job's status does not allow it",
        ),
        ("401", "No token was given, or one that does not work"),
        (
            "403",
            "The token lacks the scope, or may not touch that tenant",
        ),
        ("406", "The client accepts no JSON"),
        ("429", "The token has sent too many requests"),
        ("500", "Something went wrong"),
        ("503", "Busy; `Retry-After` says when to try again"),
    ];
    if path.contains("{id}") {
        operation.parameters.get_or_insert_default().push(RefOr::T(
            ParameterBuilder::new()
                .name("id")
                .parameter_in(ParameterIn::Path)
                .required(Required::True)
                .description(Some("The job: a UUID, in either case"))
                .schema(Some(
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .format(Some(SchemaFormat::Custom("uuid".to_owned()))),
                ))
                .build(),
        ));
        errors.push(("404", "There is no such job that the token may touch"));
    }
    if let Some(body) = &mut operation.request_body {
        if path.ends_with("/cancel")
            && let RefOr::T(body) = body
        {
            body.required = Some(Required::False);
        }
        errors.push(("413", "The body is larger than 1 MiB"));
        errors.push(("415", "The body is not JSON"));
    }
    for (status, words) in errors {
        operation
            .responses
            .responses
            .insert(status.to_owned(), RefOr::T(error(words)));
    }
}

fn error(words: &str) -> Response {
    ResponseBuilder::new()
        .description(words)
        .content(
            "application/problem+json",
            ContentBuilder::new()
                .schema(Some(Ref::from_schema_name("BulkError")))
                .build(),
        )
        .build()
}
