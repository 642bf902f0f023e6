//! How the records of one file become rows of the staging table.

use super::batch::Batch;
use super::csv::Record;
use super::fault::Fault;
use super::plan::Plan;

/// The shape of a file.
#[derive(Debug)]
pub(super) struct Shape {
    /// Fewest fields of a record.
    pub(super) least: usize,
    /// Most fields of a record.
    pub(super) most: usize,
    /// Columns of the staging table.
    pub(super) staged: usize,
    pub(super) write: Write,
    pub(super) plan: Plan,
}

/// What is staged of a record.
#[derive(Debug)]
pub(super) enum Write {
    /// As many fields as there are names; those at the places of the key must not be empty. An empty field is null.
    Fields { names: Vec<String>, key: Vec<usize> },
    /// The field at the place of the id, which must not be empty, and all of them as a JSON object.
    Document { names: Vec<String>, id: usize },
}

impl Shape {
    /// Adds a record to the batch. Answers the bytes of the document that it becomes, if it becomes one.
    ///
    /// # Errors
    /// [`Fault::Bad`] when it has not this shape.
    pub(super) fn stage(&self, record: Record<'_>, batch: &mut Batch) -> Result<u64, Fault> {
        let (least, most) = (self.least, self.most);
        if !(least..=most).contains(&record.len()) {
            let wanted = if least == most {
                format!("{least}")
            } else {
                format!("{least} to {most}")
            };
            return Err(Fault::in_line(
                record.line,
                format!(
                    "the record has {} fields, it must have {wanted}",
                    record.len()
                ),
            ));
        }
        let empty = |name: Option<&String>| {
            let name = name.map_or("", String::as_str);
            Fault::in_line(record.line, format!("the key column {name:?} is empty"))
        };
        match &self.write {
            Write::Fields { names, key } => {
                if let Some(place) = key
                    .iter()
                    .find(|place| record.fields().nth(**place).is_none_or(str::is_empty))
                {
                    return Err(empty(names.get(*place)));
                }
                batch.begin_row(record.line);
                for field in record.fields().take(names.len()) {
                    batch.field(some(field));
                }
                Ok(0)
            }
            Write::Document { names, id } => {
                let Some(value) = record.fields().nth(*id).and_then(some) else {
                    return Err(empty(names.get(*id)));
                };
                let document: serde_json::Map<String, serde_json::Value> = names
                    .iter()
                    .cloned()
                    .zip(record.fields().map(|field| some(field).into()))
                    .collect();
                let document = serde_json::Value::Object(document).to_string();
                batch.begin_row(record.line);
                batch.field(Some(value));
                batch.field(Some(&document));
                Ok(document.len() as u64)
            }
        }
    }
}

/// A field; an empty one is none.
fn some(field: &str) -> Option<&str> {
    (!field.is_empty()).then_some(field)
}
