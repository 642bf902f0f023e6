//! What can be loaded, and where it goes: the objects that the configuration declares.

use std::collections::{BTreeMap, BTreeSet};

/// Longest name of a schema, table or column, in bytes.
const LONGEST_NAME: usize = 63;
/// Most columns of an object.
pub(super) const MOST_COLUMNS: usize = 1000;
/// Schemas that nobody loads into.
const FORBIDDEN: [&str; 3] = ["belay", "pg_catalog", "information_schema"];

/// Why an object cannot be declared so.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ObjectError {
    /// The member that is wrong: `table`, `key` or `columns`.
    pub member: &'static str,
    /// What is wrong, with the value.
    pub message: String,
}

/// A table that uploaded data is loaded into.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IngestObject {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) key: Vec<String>,
    pub(super) columns: Vec<String>,
    pub(super) owner: Option<String>,
}

impl IngestObject {
    /// Declares an object. `table` is `schema.table`; `key` are the columns that tell rows apart, on which the table has a unique
    /// index; `columns` are all that may be loaded, the key among them. Names are taken as they are, capitals included.
    ///
    /// # Errors
    /// [`ObjectError`] says which member is wrong.
    pub fn new(table: &str, key: Vec<String>, columns: Vec<String>) -> Result<Self, ObjectError> {
        let wrong = |member, message: String| Err(ObjectError { member, message });
        let parts: Vec<&str> = table.split('.').collect();
        let (schema, name) = match parts.as_slice() {
            [schema, name] if is_name(schema) && is_name(name) => (*schema, *name),
            _ => {
                return wrong(
                    "table",
                    format!(
                        "{table:?} is not a table with its schema; write for example \"public.contacts\""
                    ),
                );
            }
        };
        if FORBIDDEN.contains(&schema) || schema.starts_with("pg_") {
            return wrong(
                "table",
                format!(
                    "{table:?} is not a table to load into: the schema {schema} belongs to somebody else"
                ),
            );
        }
        for (member, names) in [("key", &key), ("columns", &columns)] {
            if names.is_empty() {
                return wrong(
                    member,
                    format!("{member} is an empty list; name the columns"),
                );
            }
            if let Some(name) = names.iter().find(|name| !is_name(name)) {
                return wrong(
                    member,
                    format!(
                        "{name:?} is not a name of a column: it must have 1 to {LONGEST_NAME} bytes"
                    ),
                );
            }
            let mut seen = BTreeSet::new();
            if let Some(name) = names.iter().find(|name| !seen.insert(*name)) {
                return wrong(member, format!("the column {name:?} stands twice"));
            }
        }
        if let Some(name) = key.iter().find(|name| !columns.contains(name)) {
            return wrong("key", format!("the column {name:?} is not in columns"));
        }
        if columns.len() > MOST_COLUMNS {
            return wrong(
                "columns",
                format!(
                    "there are {} columns, at most {MOST_COLUMNS} are allowed",
                    columns.len()
                ),
            );
        }
        Ok(Self {
            schema: schema.to_owned(),
            table: name.to_owned(),
            key,
            columns,
            owner: None,
        })
    }

    /// Trusts the owner of the table, if it is this role: what triggers, defaults and constraints do when rows are loaded, they do with
    /// the rights of the daemon. Without this only the daemon's own role and superusers are trusted.
    #[must_use]
    pub fn owned_by(mut self, role: Option<String>) -> Self {
        self.owner = role;
        self
    }
}

/// The declared objects, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IngestObjects(BTreeMap<String, IngestObject>);

impl IngestObjects {
    pub(super) fn get(&self, name: &str) -> Option<&IngestObject> {
        self.0.get(name)
    }
}

impl FromIterator<(String, IngestObject)> for IngestObjects {
    fn from_iter<T: IntoIterator<Item = (String, IngestObject)>>(objects: T) -> Self {
        Self(objects.into_iter().collect())
    }
}

fn is_name(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len()) && !name.contains('\0')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(table: &str, key: &[&str], columns: &[&str]) -> Result<IngestObject, ObjectError> {
        let list = |names: &[&str]| names.iter().map(ToString::to_string).collect();
        IngestObject::new(table, list(key), list(columns))
    }

    #[test]
    fn sound_objects_are_accepted() {
        object("public.contacts", &["id"], &["id", "name"]).unwrap();
        object("My Schema.the \"table\"", &["b", "a"], &["a", "b", "C d"]).unwrap();
    }

    #[test]
    fn the_member_that_is_wrong_is_named() {
        let long = "x".repeat(64);
        for (table, key, columns, member) in [
            ("contacts", vec!["id"], vec!["id"], "table"),
            ("a.b.c", vec!["id"], vec!["id"], "table"),
            (".b", vec!["id"], vec!["id"], "table"),
            ("belay.job", vec!["id"], vec!["id"], "table"),
            ("pg_catalog.pg_class", vec!["oid"], vec!["oid"], "table"),
            ("pg_temp.x", vec!["oid"], vec!["oid"], "table"),
            ("a.b", vec![], vec!["id"], "key"),
            ("a.b", vec!["id"], vec![], "columns"),
            ("a.b", vec!["id"], vec!["name"], "key"),
            ("a.b", vec!["id", "id"], vec!["id"], "key"),
            ("a.b", vec!["id"], vec!["id", "id"], "columns"),
            ("a.b", vec!["id"], vec!["id", ""], "columns"),
            ("a.b", vec!["id"], vec!["id", &long], "columns"),
            ("a.b", vec!["a\0b"], vec!["a\0b"], "key"),
        ] {
            let error = object(table, &key, &columns).unwrap_err();
            assert_eq!(error.member, member, "{table} {key:?} {columns:?}: {error}");
        }
    }
}
