//! What may be written in more than one way, for the document.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

/// A job by its number, or by its UUID or 24 hexadecimal digits.
pub(crate) struct JobName;

impl PartialSchema for JobName {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::Integer)
                    .minimum(Some(1))
                    .description(Some("Its number")),
            )
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .description(Some("Its UUID, its 24 hexadecimal digits, or its number")),
            )
            .into()
    }
}

impl ToSchema for JobName {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("JobName")
    }
}

/// Some tenants, or all.
pub(crate) struct TenantNames;

impl PartialSchema for TenantNames {
    fn schema() -> RefOr<Schema> {
        let one = ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("Name, number or 24-digit key"));
        OneOfBuilder::new()
            .item(ArrayBuilder::new().items(one).min_items(Some(1)))
            .item(
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some(["all"])),
            )
            .into()
    }
}

impl ToSchema for TenantNames {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("TenantNames")
    }
}
