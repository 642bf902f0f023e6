//! What the documents of the dialects have in common.

use utoipa::openapi::path::{HttpMethod, Operation, ParameterBuilder, ParameterIn};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{
    ContentBuilder, OpenApi, Ref, RefOr, Required, ResponseBuilder, SecurityRequirement,
};

/// A part of a path, or a header.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) name: &'static str,
    pub(super) words: &'static str,
    pub(super) example: &'static str,
}

/// Changes every operation.
pub(super) fn for_each(api: &mut OpenApi, change: impl Fn(&str, &mut Operation)) {
    for (path, item) in &mut api.paths.paths {
        let verbs = [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Put, &mut item.put),
            (HttpMethod::Patch, &mut item.patch),
            (HttpMethod::Delete, &mut item.delete),
        ];
        for (_, operation) in verbs {
            if let Some(operation) = operation {
                change(path, operation);
            }
        }
    }
}

/// Explains those of the parts that are in the path.
pub(super) fn parts(path: &str, operation: &mut Operation, parts: &[Part]) {
    for part in parts {
        if path.contains(&format!("{{{}}}", part.name)) {
            parameter(operation, ParameterIn::Path, part);
        }
    }
}

/// Explains a parameter that must be there.
pub(super) fn parameter(operation: &mut Operation, place: ParameterIn, part: &Part) {
    let parameter = ParameterBuilder::new()
        .name(part.name)
        .parameter_in(place)
        .required(Required::True)
        .description(Some(part.words))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .example(Some(part.example.into()))
        .build();
    let parameters = operation.parameters.get_or_insert_default();
    parameters.push(RefOr::T(parameter));
}

/// Says that a key is needed, or a login.
pub(super) fn keyed(operation: &mut Operation) {
    operation.security = Some(vec![SecurityRequirement::new("api_key", [""; 0])]);
}

/// Says whether a body may be left out.
pub(super) fn body_is_optional(operation: &mut Operation, optional: bool) {
    if let Some(RefOr::T(body)) = &mut operation.request_body {
        body.required = Some(if optional {
            Required::False
        } else {
            Required::True
        });
    }
}

/// Adds an answer, unless the operation says itself what that status is.
pub(super) fn answer(
    operation: &mut Operation,
    status: &str,
    words: &str,
    media_type: &str,
    schema: &str,
) {
    let answers = &mut operation.responses.responses;
    answers.entry(status.to_owned()).or_insert_with(|| {
        let content = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(schema)))
            .build();
        let answer = ResponseBuilder::new()
            .description(words)
            .content(media_type, content);
        RefOr::T(answer.build())
    });
}
