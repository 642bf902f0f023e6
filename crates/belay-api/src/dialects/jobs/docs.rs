//! The document of this dialect.

use utoipa::openapi::RefOr;
use utoipa::openapi::path::{Operation, ParameterIn};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, Type};
use utoipa::{Modify, OpenApi};

use super::{cancel, create, get, history, list, problem, result, schedule, start, tokens};
use crate::dialects::document::{self, Part};

#[derive(OpenApi)]
#[openapi(
    paths(
        tokens::create_customer_token,
        create::create_customer_job,
        list::list_customer_jobs,
        get::get_customer_job,
        cancel::cancel_customer_job,
        history::get_customer_job_history,
        schedule::schedule_customer_job,
        start::start_customer_job,
        result::report_customer_job,
    ),
    components(schemas(problem::Problem)),
    tags((name = "customer jobs", description = "Compatibility interface `jobs`: jobs of a customer, and work done by programs outside. A customer is \
        a tenant, by its number in the header `Customer-Id`. Errors are problem documents.")),
    modifiers(&ForAll),
)]
pub(in crate::dialects) struct JobsDocument;

struct ForAll;

const CUSTOMER: Part = Part {
    name: "Customer-Id",
    words: "The customer: an integer from 1",
    example: "1",
};
const JOB: Part = Part {
    name: "jobId",
    words: "The job: an integer from 1",
    example: "77",
};
const PROBLEM: &str = "JobsProblem";

impl Modify for ForAll {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        document::for_each(api, complete);
        for (path, item) in &mut api.paths.paths {
            if let (true, Some(post)) = (path.ends_with("/cancel"), &item.post) {
                let mut put = post.clone();
                put.operation_id = put.operation_id.map(|id| format!("{id}_with_put"));
                item.put = Some(put);
            }
        }
    }
}

fn complete(path: &str, operation: &mut Operation) {
    let mut problems = vec![
        ("406", "The client accepts no JSON"),
        ("429", "Too many requests; see `Retry-After`"),
        ("500", "A defect, or the database is away"),
        (
            "503",
            "Too much at once, nothing was changed; see `Retry-After`",
        ),
    ];
    if path.starts_with(super::BASE) {
        document::parts(path, operation, &[JOB]);
        document::parameter(operation, ParameterIn::Header, &CUSTOMER);
        document::keyed(operation);
        problems.extend([
            (
                "400",
                "The path, a parameter, a header or the body cannot be read",
            ),
            ("401", "No token was given, or one that does not work"),
            (
                "403",
                "The token lacks the scope, or was not granted that customer",
            ),
        ]);
    }
    if path.contains("{jobId}") {
        problems.push(("404", "There is no such job of this customer"));
    }
    if operation.request_body.is_some() {
        problems.push(("413", "The body is larger than 1 MiB"));
        problems.push(("415", "The body is of a type that is not read"));
        document::body_is_optional(operation, path.ends_with("/cancel"));
    }
    if operation.request_body.is_some() && path.starts_with(super::BASE) {
        problems.push((
            "422",
            "The status does not allow it, or a value is not allowed; `errors` says which",
        ));
    }
    for (status, words) in problems {
        document::answer(
            operation,
            status,
            words,
            "application/problem+json",
            PROBLEM,
        );
    }
    let is_page = operation
        .operation_id
        .as_ref()
        .is_some_and(|id| id.starts_with("list_") || id.ends_with("_history"));
    if is_page {
        put_on_page(operation);
    }
}

fn put_on_page(operation: &mut Operation) {
    let Some(RefOr::T(response)) = operation.responses.responses.get_mut("200") else {
        return;
    };
    for content in response.content.values_mut() {
        if let RefOr::T(content) = content {
            content.schema = content.schema.take().map(page);
        }
    }
}

fn page(item: RefOr<Schema>) -> RefOr<Schema> {
    let mut page = ObjectBuilder::new()
        .property("items", ArrayBuilder::new().items(item))
        .required("items");
    for name in ["pageNumber", "pageSize", "pageItemCount", "totalItemCount"] {
        page = page
            .property(name, ObjectBuilder::new().schema_type(Type::Integer))
            .required(name);
    }
    page.into()
}
