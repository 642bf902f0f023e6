//! The document of the dialect: what its verbs say of themselves, and what holds for all of them.

use utoipa::openapi::path::{Operation, Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{AnyOfBuilder, ObjectBuilder, Schema, Type};
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa::openapi::{
    ContentBuilder, Ref, RefOr, Required, Response, ResponseBuilder, SecurityRequirement,
};
use utoipa::{Modify, OpenApi};

use super::versions::SERVED;
use super::wire::Failure;
use super::{auth, cancel, get, histories, monitors, session, start_now, tasks, versions};

/// Name of the way to authenticate, in the document.
const SESSION: &str = "vault_session";

/// Operations that ask for no session.
const OPEN: [&str; 2] = ["list_versions", "open_session"];

/// What the document of the API says of the dialect.
pub(crate) fn document() -> utoipa::openapi::OpenApi {
    Vault::openapi()
}

#[derive(OpenApi)]
#[openapi(
    paths(
        versions::list_versions,
        auth::open_session,
        session::keep_alive,
        session::end_session,
        cancel::cancel_vault_jobs,
        monitors::list_monitors,
        histories::list_histories,
        start_now::start_now,
        get::get_status,
        tasks::list_tasks,
    ),
    components(schemas(Failure)),
    tags((name = "vault", description = "Compatibility interface. Look at `responseStatus`: what it decides itself is answered with the status code 200.")),
    modifiers(&ForAll),
)]
struct Vault;

/// What holds for all verbs, written once.
struct ForAll;

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::ApiKey(ApiKey::Header(ApiKeyValue::with_description(
            "Authorization",
            "The session id, or an API key, alone or after `Bearer `",
        )));
        let components = api.components.get_or_insert_default();
        components.add_security_scheme(SESSION, scheme);
        for (path, item) in &mut api.paths.paths {
            let verbs = [&mut item.get, &mut item.post, &mut item.delete];
            for operation in verbs.into_iter().flatten() {
                complete(path, operation);
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let parameters = operation.parameters.get_or_insert_default();
    if path.contains("{job_id}") {
        parameters.push(in_path("job_id", "The number of the job", "77", None));
    }
    if path.contains("{version}") {
        let words = "The version of the interface; all of them speak alike";
        parameters.push(in_path(
            "version",
            words,
            SERVED[SERVED.len() - 1],
            Some(&SERVED),
        ));
    }
    let open = operation
        .operation_id
        .as_deref()
        .is_some_and(|id| OPEN.contains(&id));
    if !open {
        operation.security = Some(vec![SecurityRequirement::new(SESSION, [""; 0])]);
    }
    if let Some(RefOr::T(done)) = operation.responses.responses.get_mut("200") {
        // What the interface decides itself has this status code as well.
        for content in done.content.values_mut() {
            if let RefOr::T(content) = content
                && let Some(schema) = content.schema.take()
            {
                let either = AnyOfBuilder::new()
                    .item(schema)
                    .item(Ref::from_schema_name("VaultFailure"));
                content.schema = Some(either.into());
            }
        }
    }
    let mut failures = vec![
        (
            "404",
            "`MALFORMED_URL`: there is nothing at this path, or the version is not served",
        ),
        ("405", "`METHOD_NOT_SUPPORTED`; `Allow` says what is"),
        (
            "406",
            "`OPERATION_NOT_ALLOWED`: the client accepts neither JSON nor XML",
        ),
        (
            "500",
            "`UNEXPECTED_ERROR`: a defect, or the database is away",
        ),
        (
            "503",
            "`UNEXPECTED_ERROR`: the daemon is busy and nothing was changed; `Retry-After` says when to try again",
        ),
    ];
    if operation.request_body.is_some() {
        failures.push(("413", "`INVALID_DATA`: the body is larger than allowed"));
        failures.push(("415", "`INVALID_DATA`: a body of this type is not read"));
    }
    for (status, words) in failures {
        operation
            .responses
            .responses
            .insert(status.to_owned(), RefOr::T(failure(words)));
    }
}

fn in_path(
    name: &str,
    words: &str,
    example: &str,
    values: Option<&[&'static str]>,
) -> RefOr<Parameter> {
    let mut schema = ObjectBuilder::new().schema_type(Type::String);
    if let Some(values) = values {
        schema = schema.enum_values(Some(values.iter().copied()));
    }
    let parameter = ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some(words))
        .schema(Some(Schema::Object(schema.build())))
        .example(Some(example.into()))
        .build();
    RefOr::T(parameter)
}

fn failure(words: &str) -> Response {
    let content = || {
        ContentBuilder::new()
            .schema(Some(Ref::from_schema_name("VaultFailure")))
            .build()
    };
    ResponseBuilder::new()
        .description(words)
        .content("application/json", content())
        .content("application/xml", content())
        .build()
}
