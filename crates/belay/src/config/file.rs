//! The file: reading it, and finding the line of a member so that an error can name it.

use std::ops::Range;
use std::path::Path;

use serde::de::IntoDeserializer;
use serde::{Deserialize, de::DeserializeOwned};
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Place};

/// A file that was read, kept to look up lines in it.
#[derive(Debug)]
pub(crate) struct File<'a> {
    path: &'a Path,
    text: String,
}

impl<'a> File<'a> {
    pub(crate) fn read(path: &'a Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| ConfigError {
            place: Place::File(path.to_owned(), None),
            member: String::new(),
            message: format!("cannot be read: {error}"),
        })?;
        Ok(Self { path, text })
    }

    pub(crate) fn parse<T: DeserializeOwned>(&self) -> Result<T, ConfigError> {
        toml::from_str(&self.text).map_err(|error| ConfigError {
            place: Place::File(
                self.path.to_owned(),
                error.span().map(|span| self.line_at(span.start)),
            ),
            member: error
                .span()
                .map_or_else(String::new, |span| self.member_at(&span)),
            // The excerpt that the error's own text shows could hold a secret.
            message: error.message().trim_end().replace('\n', "; "),
        })
    }

    /// Says where the member stands that an error is about; a member that is not in the file came from elsewhere.
    pub(crate) fn locate(&self, mut error: ConfigError) -> ConfigError {
        if error.place == Place::Nowhere {
            let line = self
                .table()
                .and_then(|table| find(&table, &error.member))
                .map(|offset| self.line_at(offset));
            error.place = Place::File(self.path.to_owned(), line);
        }
        error
    }

    fn table(&self) -> Option<DeTable<'_>> {
        Some(DeTable::parse(&self.text).ok()?.into_inner())
    }

    fn line_at(&self, offset: usize) -> usize {
        let before = self.text.get(..offset).unwrap_or(&self.text);
        before.matches('\n').count() + 1
    }

    fn member_at(&self, span: &Range<usize>) -> String {
        let mut path = String::new();
        if let Some(table) = self.table() {
            descend(&table, span, &mut path);
        }
        path
    }
}

/// Offset of the key of a member, the deepest part of it that the table has.
fn find(table: &DeTable<'_>, member: &str) -> Option<usize> {
    // A name of a kind may hold dots, so the longest key that fits is tried, not the first part.
    let (key, value) = table
        .iter()
        .filter(|(key, _)| {
            member
                .strip_prefix(&**key.get_ref())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
        })
        .max_by_key(|(key, _)| key.get_ref().len())?;
    let rest = member
        .get(key.get_ref().len()..)
        .unwrap_or_default()
        .trim_start_matches('.');
    let inner = match value.get_ref() {
        DeValue::Table(inner) if !rest.is_empty() => find(inner, rest),
        _ => None,
    };
    Some(inner.unwrap_or(key.span().start))
}

/// The names on the way to the value or key that holds `span`.
fn descend(table: &DeTable<'_>, span: &Range<usize>, path: &mut String) {
    let holds = |range: Range<usize>| range.start <= span.start && span.end <= range.end;
    for (key, value) in table.iter() {
        let inner = value.get_ref().as_table();
        let here = holds(key.span()) || holds(value.span());
        // The span of a table with a header is that of the header alone, so tables are always looked into.
        let before = path.len();
        if !path.is_empty() {
            path.push('.');
        }
        path.push_str(key.get_ref());
        let named = path.len();
        if let Some(inner) = inner {
            descend(inner, span, path);
        }
        if here || path.len() > named {
            return;
        }
        path.truncate(before);
    }
}

/// Reads a single value as a file would have it, for flags and variables that set the same thing.
pub(crate) fn value<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, String> {
    T::deserialize(text.into_deserializer())
        .map_err(|error: serde::de::value::Error| error.to_string())
}
