//! What `schema.rs` says about tables, and what a database says, in the same words.

use std::collections::BTreeMap;
use std::fmt::Write as _;

/// Table name to its shape.
pub(crate) type Tables = BTreeMap<String, Table>;

/// One table as diesel sees it.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// Names of the columns of the primary key, in the order of the key.
    pub(crate) key: Vec<String>,
    /// Name and diesel type, in the order of the table.
    pub(crate) columns: Vec<(String, String)>,
}

/// Reads the `table!` blocks of a file made by `diesel print-schema`.
pub(crate) fn parse(text: &str) -> Tables {
    let mut tables = Tables::new();
    let mut current: Option<(String, Table)> = None;
    // The name in the database, when it is a reserved word in Rust.
    let mut sql_name = None;
    let lines = text.lines().map(str::trim);
    for line in lines.filter(|line| !line.starts_with("//")) {
        if let Some(name) = line.strip_prefix("#[sql_name = \"") {
            sql_name = Some(name.trim_end_matches("\"]").to_owned());
        } else if let Some((_, table)) = &mut current {
            if let Some((name, kind)) = line.split_once(" -> ") {
                let name = sql_name.take().unwrap_or_else(|| name.to_owned());
                table
                    .columns
                    .push((name, kind.trim_end_matches(',').to_owned()));
            } else if line == "}" {
                tables.extend(current.take());
            }
        } else if let Some((name, key)) = table_head(line) {
            let name = sql_name.take().unwrap_or(name);
            current = Some((
                name,
                Table {
                    key,
                    columns: Vec::new(),
                },
            ));
        }
    }
    tables
}

/// `belay.job_done (id, finished_at) {`
fn table_head(line: &str) -> Option<(String, Vec<String>)> {
    let (name, key) = line.strip_suffix(") {")?.split_once(" (")?;
    let name = name.rsplit('.').next()?;
    let plain = name
        .chars()
        .all(|character| character.is_ascii_alphanumeric() || character == '_');
    plain.then(|| {
        (
            name.to_owned(),
            key.split(", ").map(str::to_owned).collect(),
        )
    })
}

/// One row a column: table, column, type, `t` if it may be null, place in the primary key or empty. Partitions are no tables
/// of their own, and diesel keeps its own book of migrations.
pub(crate) const CATALOGUE: &str = "
    SELECT c.relname, a.attname, t.typname, NOT a.attnotnull, array_position(i.indkey::int2[], a.attnum)
    FROM pg_class c
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type t ON t.oid = a.atttypid
    LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary
    WHERE c.relnamespace = 'belay'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND c.relname <> '__diesel_schema_migrations'
    ORDER BY c.relname, a.attnum";

/// Builds the same shape from the rows of [`CATALOGUE`].
pub(crate) fn from_catalogue(rows: &[Vec<Option<String>>]) -> Result<Tables, String> {
    let mut tables = Tables::new();
    let mut keys: BTreeMap<String, BTreeMap<usize, String>> = BTreeMap::new();
    for row in rows {
        let [Some(table), Some(column), Some(kind), Some(nullable), place] = row.as_slice() else {
            return Err(format!("the catalogue answers {row:?}"));
        };
        if let Some(place) = place {
            let place = place
                .parse()
                .map_err(|_| format!("place {place:?} in a key"))?;
            keys.entry(table.clone())
                .or_default()
                .insert(place, column.clone());
        }
        let kind = diesel_type(kind);
        let kind = if nullable == "t" {
            format!("Nullable<{kind}>")
        } else {
            kind
        };
        tables
            .entry(table.clone())
            .or_default()
            .columns
            .push((column.clone(), kind));
    }
    for (table, key) in keys {
        tables.entry(table).or_default().key = key.into_values().collect();
    }
    Ok(tables)
}

/// The name diesel gives to a type of PostgreSQL: `int8` is `Int8`, `job_state` is `JobState`, `_text` is an array.
fn diesel_type(name: &str) -> String {
    if let Some(element) = name.strip_prefix('_') {
        return format!("Array<Nullable<{}>>", diesel_type(element));
    }
    match name {
        "char" => "CChar".to_owned(),
        "bpchar" => "Bpchar".to_owned(),
        "macaddr" => "MacAddr".to_owned(),
        _ => name
            .split('_')
            .map(|part| {
                let mut letters = part.chars();
                letters
                    .next()
                    .map(|first| first.to_ascii_uppercase().to_string() + letters.as_str())
                    .unwrap_or_default()
            })
            .collect(),
    }
}

/// What differs, in lines; empty when nothing does.
pub(crate) fn differences(file: &Tables, database: &Tables) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    for (name, there) in database {
        match file.get(name) {
            None => {
                let _ = writeln!(text, "table {name} is missing in the file");
            }
            Some(here) => compare(&mut text, name, here, there),
        }
    }
    for name in file.keys().filter(|name| !database.contains_key(*name)) {
        let _ = writeln!(text, "table {name} is not in the database");
    }
    text
}

fn compare(text: &mut String, name: &str, here: &Table, there: &Table) {
    if here.key != there.key {
        let _ = writeln!(
            text,
            "table {name}: key ({}) in the file, ({}) in the database",
            here.key.join(", "),
            there.key.join(", ")
        );
    }
    let before = text.len();
    for (column, kind) in &there.columns {
        match here.columns.iter().find(|(other, _)| other == column) {
            None => {
                let _ = writeln!(text, "table {name}: column {column} is missing in the file");
            }
            Some((_, other)) if other != kind => {
                let _ = writeln!(
                    text,
                    "table {name}: column {column} is {other} in the file, {kind} in the database"
                );
            }
            Some(_) => {}
        }
    }
    for (column, _) in &here.columns {
        if !there.columns.iter().any(|(other, _)| other == column) {
            let _ = writeln!(text, "table {name}: column {column} is not in the database");
        }
    }
    if before == text.len() && here.columns != there.columns {
        let _ = writeln!(text, "table {name}: the columns come in another order");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
pub mod belay {
    diesel::table! {
        use diesel::sql_types::*;

        /// Words about (it) {
        belay.job (id, at) {
            id -> Int8,
            /// More words -> and an arrow
            at -> Timestamptz,
            state -> JobState,
            names -> Nullable<Array<Nullable<Text>>>,
            #[sql_name = \"type\"]
            type_ -> Int2,
        }
    }

    diesel::joinable!(line -> queue (queue));
}
";

    fn row(text: &str) -> Vec<Option<String>> {
        text.split(' ')
            .map(|value| (value != "-").then(|| value.to_owned()))
            .collect()
    }

    fn database() -> Vec<Vec<Option<String>>> {
        [
            "job id int8 f 1",
            "job at timestamptz f 2",
            "job state job_state f -",
            "job names _text t -",
            "job type int2 f -",
        ]
        .map(row)
        .to_vec()
    }

    fn drift(change: impl FnOnce(&mut Vec<Vec<Option<String>>>)) -> String {
        let mut rows = database();
        change(&mut rows);
        differences(&parse(FILE), &from_catalogue(&rows).unwrap())
    }

    #[test]
    fn a_fresh_file_has_no_differences() {
        assert_eq!(drift(|_| ()), "");
        assert_eq!(parse(FILE).len(), 1);
    }

    #[test]
    fn every_kind_of_drift_is_named() {
        for (drifted, expected) in [
            (
                drift(|rows| rows[0] = row("job id int4 f 1")),
                "column id is Int8 in the file, Int4",
            ),
            (
                drift(|rows| rows[1] = row("job at timestamptz t 2")),
                "Nullable<Timestamptz> in the database",
            ),
            (
                drift(|rows| rows[1] = row("job at timestamptz f -")),
                "key (id, at) in the file, (id)",
            ),
            (
                drift(|rows| rows.push(row("job more text f -"))),
                "column more is missing in the file",
            ),
            (
                drift(|rows| rows.push(row("other id int8 f 1"))),
                "table other is missing in the file",
            ),
            (drift(|rows| rows.swap(2, 3)), "another order"),
            (
                drift(|rows| drop(rows.pop())),
                "column type is not in the database",
            ),
            (drift(Vec::clear), "table job is not in the database"),
        ] {
            assert!(drifted.contains(expected), "{drifted:?}, not {expected:?}");
            assert_eq!(drifted.lines().count(), 1, "{drifted:?}");
        }
    }
}
