//! The document of this dialect.

use utoipa::openapi::path::Operation;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Content, RefOr};
use utoipa::{Modify, OpenApi};

use super::{accounts, cancel, create, get, list, wire};
use crate::dialects::document::{self, Part};

#[derive(OpenApi)]
#[openapi(
    paths(
        accounts::list_prospecting_accounts,
        create::create_prospecting_job,
        list::list_prospecting_jobs,
        get::get_prospecting_job,
        cancel::cancel_prospecting_job,
    ),
    components(schemas(wire::Trouble)),
    tags((name = "prospecting", description = "Compatibility interface `prospecting`: jobs of account groups. An account group is a tenant, \
        by its 24-digit key. Every answer is `{success, data, error, traceId}`.")),
    modifiers(&ForAll),
)]
pub(in crate::dialects) struct ProspectingDocument;

struct ForAll;

const GROUP: Part = Part {
    name: "accountGroupId",
    words: "24 lower-case hexadecimal digits",
    example: "6b065cb00000000000000001",
};
const JOB: Part = Part {
    name: "jobId",
    words: "24 lower-case hexadecimal digits",
    example: "6b065cb00000000000000009",
};

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        document::for_each(api, |path, operation| {
            document::parts(path, operation, &[GROUP, JOB]);
            document::keyed(operation);
            complete(path, operation);
            wrap(operation);
        });
    }
}

/// Adds the answers that are the same for all.
fn complete(path: &str, operation: &mut Operation) {
    let mut troubles = vec![
        (
            "400",
            "`VALIDATION_ERROR`: an id, a parameter, a header or the body is not usable",
        ),
        (
            "401",
            "`UNAUTHORIZED`: no API key was given, or one that does not work",
        ),
        (
            "403",
            "`FORBIDDEN`: the key lacks the scope, or has no access to the account group",
        ),
        ("406", "`NOT_ACCEPTABLE`: the client accepts no JSON"),
        ("429", "`RATE_LIMITED`: see `Retry-After`"),
        (
            "500",
            "`INTERNAL_ERROR`: a defect; the daemon's log has more under the trace id",
        ),
        ("502", "`UPSTREAM_ERROR`: the database cannot be reached"),
        (
            "503",
            "`SERVICE_UNAVAILABLE`: too much at once, nothing was changed; see `Retry-After`",
        ),
    ];
    if path.contains("{jobId}") {
        troubles.push(("404", "`NOT_FOUND`: no such job in this account group"));
    }
    if path.ends_with("/cancel") {
        troubles.push((
            "422",
            "`VALIDATION_ERROR`: the status does not allow it; `message` names it",
        ));
    }
    if operation.request_body.is_some() {
        troubles.push(("413", "`PAYLOAD_TOO_LARGE`: more than 1 MiB"));
        troubles.push(("415", "`UNSUPPORTED_MEDIA_TYPE`: the body is not JSON"));
        document::body_is_optional(operation, path.ends_with("/cancel"));
    }
    for (status, words) in troubles {
        document::answer(
            operation,
            status,
            words,
            "application/json",
            "ProspectingTrouble",
        );
    }
}

/// Puts every answer into the envelope.
fn wrap(operation: &mut Operation) {
    let list = operation
        .operation_id
        .as_ref()
        .is_some_and(|id| id.starts_with("list_"));
    for (status, response) in &mut operation.responses.responses {
        let RefOr::T(response) = response else {
            continue;
        };
        for content in response.content.values_mut() {
            if let RefOr::T(content) = content {
                wrap_content(content, status.starts_with('2'), list);
            }
        }
    }
}

fn wrap_content(content: &mut Content, success: bool, list: bool) {
    let Some(inner) = content.schema.take() else {
        return;
    };
    let inner = if success && list { page(inner) } else { inner };
    let nothing = || ObjectBuilder::new().schema_type(SchemaType::new(Type::Null));
    let (data, error): (RefOr<Schema>, RefOr<Schema>) = if success {
        (inner, nothing().into())
    } else {
        (nothing().into(), inner)
    };
    let envelope = ObjectBuilder::new()
        .property(
            "success",
            ObjectBuilder::new()
                .schema_type(Type::Boolean)
                .enum_values(Some([success])),
        )
        .property("data", data)
        .property("error", error)
        .property(
            "traceId",
            ObjectBuilder::new()
                .schema_type(Type::String)
                .description(Some("The value of the header `X-Request-Id`")),
        )
        .required("success")
        .required("data")
        .required("error")
        .required("traceId");
    content.schema = Some(envelope.into());
}

fn page(item: RefOr<Schema>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .property(
            "nextCursor",
            ObjectBuilder::new().schema_type(SchemaType::from_iter([Type::String, Type::Null])),
        )
        .property("hasMore", ObjectBuilder::new().schema_type(Type::Boolean))
        .required("items")
        .required("nextCursor")
        .required("hasMore")
        .into()
}
