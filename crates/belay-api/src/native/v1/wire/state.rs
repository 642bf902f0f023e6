//! Words from closed lists, for the document. Taken from where the words are defined, so that they cannot drift apart.

use std::borrow::Cow;

use belay_core::JobState;
use belay_core::ops::Outcome;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::openapi::{RefOr, schema::SchemaType};
use utoipa::{PartialSchema, ToSchema};

use crate::auth::Scope;

fn words<'a>(description: &str, words: impl IntoIterator<Item = &'a str>) -> RefOr<Schema> {
    ObjectBuilder::new()
        .schema_type(SchemaType::new(Type::String))
        .description(Some(description))
        .enum_values(Some(words))
        .into()
}

macro_rules! word_list {
    ($(#[doc = $doc:literal])* $name:ident, $words:expr) => {
        $(#[doc = $doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                words(concat!($($doc),*).trim(), $words)
            }
        }

        impl ToSchema for $name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    };
}

word_list!(
    /// Where a job stands.
    StateName,
    JobState::ALL.map(JobState::as_str)
);
word_list!(
    /// What a cancel did: ended the job (`cancelled`), told its worker to stop (`cancelling`), or nothing, because it was cancelled before (`already`), cannot be (`refused`) or is not there (`missing`).
    OutcomeName,
    [
        Outcome::Cancelled,
        Outcome::Cancelling,
        Outcome::Already,
        Outcome::Refused,
        Outcome::Missing
    ]
    .map(Outcome::as_str)
);
word_list!(
    /// What an API key may do.
    ScopeName,
    Scope::ALL.map(Scope::as_str)
);
