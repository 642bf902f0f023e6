//! Where the rows of a job go: a declared table, or the store of records.

use std::collections::HashMap;

use diesel::prelude::*;
use diesel::sql_types::{Array, Bool, Text};

use super::csv::Record;
use super::fault::Fault;
use super::objects::{IngestObject, MOST_COLUMNS};
use super::plan::Plan;
use super::shape::{Shape, Write};

/// Most bytes that the names of the columns may have together in a file for the store of records.
const MOST_NAMES: usize = 16 * 1024;

/// Rows of the staging table between the first and the last one asked for.
const STAGED: &str = "from pg_temp.belay_load s where s.n between $1 and $2";

/// Where rows go.
#[derive(Debug)]
pub(super) enum Target<'a> {
    /// The table of a declared object.
    Table {
        object: &'a IngestObject,
        /// The type of each column, as a cast spells it.
        types: HashMap<String, String>,
    },
    /// The store of records.
    Store {
        tenant: i32,
        object: String,
        job: i64,
    },
}

impl<'a> Target<'a> {
    /// The table of a declared object.
    ///
    /// # Errors
    /// [`Fault::Bad`] when the table is not as declared.
    pub(super) fn table(
        conn: &mut PgConnection,
        object: &'a IngestObject,
        upsert: bool,
    ) -> Result<Self, Fault> {
        #[derive(QueryableByName)]
        struct Column {
            #[diesel(sql_type = Text)]
            name: String,
            #[diesel(sql_type = Text)]
            kind: String,
        }
        #[derive(QueryableByName)]
        struct Unique {
            #[diesel(sql_type = Bool)]
            unique: bool,
        }
        let name = format!("{}.{}", object.schema, object.table);
        trusted(conn, object, &name)?;
        // Without the length: a cast to varchar(3) cuts silently, where the column refuses.
        let columns: Vec<Column> = diesel::sql_query(
            "select a.attname::text as name, format_type(a.atttypid, -1) as kind from pg_attribute a
             where a.attrelid = to_regclass(format('%I.%I', $1, $2)) and a.attnum > 0 and not a.attisdropped",
        )
        .bind::<Text, _>(&object.schema)
        .bind::<Text, _>(&object.table)
        .load(conn)?;
        if columns.is_empty() {
            return Err(Fault::Bad(format!(
                "the table {name}, into which this object is loaded, does not exist"
            )));
        }
        let types: HashMap<String, String> =
            columns.into_iter().map(|c| (c.name, c.kind)).collect();
        if let Some(missing) = object.columns.iter().find(|c| !types.contains_key(*c)) {
            return Err(Fault::Bad(format!(
                "the table {name}, into which this object is loaded, has no column {missing:?}"
            )));
        }
        let mut key = object.key.clone();
        key.sort_unstable();
        let unique: Unique = diesel::sql_query(
            "select exists (select from pg_index i where i.indrelid = to_regclass(format('%I.%I', $1, $2)) and i.indisunique and i.indimmediate
               and i.indisvalid and i.indpred is null and i.indexprs is null
               and (select array_agg(a.attname::text order by a.attname::text collate \"C\")
                    from unnest(i.indkey::smallint[]) with ordinality k (number, place)
                    join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.number where k.place <= i.indnkeyatts) = $3) as unique",
        )
        .bind::<Text, _>(&object.schema)
        .bind::<Text, _>(&object.table)
        .bind::<Array<Text>, _>(&key)
        .get_result(conn)?;
        if upsert && !unique.unique {
            return Err(Fault::Bad(format!(
                "the table {name}, into which this object is loaded, has no unique index on its key ({}), so nobody could say what to update",
                key.join(", ")
            )));
        }
        Ok(Self::Table { object, types })
    }

    /// What no two loads go to at the same time.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Table { object, .. } => table(object),
            Self::Store { tenant, object, .. } => format!("record {tenant} {object}"),
        }
    }

    /// How the records of a file to upsert are staged and loaded, by its first record.
    ///
    /// # Errors
    /// What is wrong with that record.
    pub(super) fn upsert(&self, header: Record<'_>) -> Result<Shape, Fault> {
        let names: Vec<&str> = header.fields().collect();
        if names.len() > MOST_COLUMNS {
            return Err(wrong(
                header,
                format!(
                    "there are {} columns, at most {MOST_COLUMNS} are allowed",
                    names.len()
                ),
            ));
        }
        for (place, name) in names.iter().enumerate() {
            if name.is_empty() {
                return Err(wrong(header, format!("column {} has no name", place + 1)));
            }
            if names.iter().take(place).any(|other| other == name) {
                return Err(wrong(header, format!("the column {name:?} stands twice")));
            }
        }
        match self {
            Self::Table { object, types } => {
                if let Some(name) = names.iter().find(|n| !is_in(&object.columns, n)) {
                    return Err(wrong(
                        header,
                        format!(
                            "the column {name:?} is not one of this object; its columns are {}",
                            object.columns.join(", ")
                        ),
                    ));
                }
                if let Some(name) = object.key.iter().find(|n| !names.contains(&n.as_str())) {
                    return Err(wrong(header, format!("the key column {name:?} is missing")));
                }
                let key = (0..names.len())
                    .filter(|place| names.get(*place).is_some_and(|n| is_in(&object.key, n)))
                    .collect();
                Ok(Shape {
                    least: names.len(),
                    most: names.len(),
                    staged: names.len(),
                    plan: upsert_table(object, types, &names),
                    write: Write::Fields {
                        names: names.iter().map(ToString::to_string).collect(),
                        key,
                    },
                })
            }
            Self::Store {
                tenant,
                object,
                job,
            } => {
                // They are repeated in each document.
                let bytes: usize = names.iter().map(|name| name.len()).sum();
                if bytes > MOST_NAMES {
                    return Err(wrong(
                        header,
                        format!(
                            "the names of the columns have {bytes} bytes, at most {MOST_NAMES} are allowed"
                        ),
                    ));
                }
                Ok(Shape {
                    least: names.len(),
                    most: names.len(),
                    staged: 2,
                    plan: upsert_records(*tenant, object, *job),
                    write: Write::Document {
                        id: names.iter().position(|n| *n == "id").unwrap_or(0),
                        names: names.iter().map(ToString::to_string).collect(),
                    },
                })
            }
        }
    }

    /// How the records of files to delete are staged and loaded.
    ///
    /// # Errors
    /// [`Fault::Bad`] when the key has more columns than such files can have.
    pub(super) fn delete(&self) -> Result<Shape, Fault> {
        let (names, plan) = match self {
            Self::Table { object, types } => (object.key.clone(), delete_table(object, types)),
            Self::Store { tenant, object, .. } => {
                (vec!["id".to_owned()], delete_records(*tenant, object))
            }
        };
        if names.len() > 2 {
            return Err(Fault::Bad(format!(
                "the key of this object has {} columns, and files of rows to delete have at most two",
                names.len()
            )));
        }
        Ok(Shape {
            least: names.len(),
            most: 2,
            staged: names.len(),
            plan,
            write: Write::Fields {
                key: (0..names.len()).collect(),
                names,
            },
        })
    }
}

/// What triggers, defaults and constraints of a table do when rows are loaded, they do with the rights of the daemon. So it must
/// belong to the daemon's own role, to somebody who may do everything anyway, or to a role that was declared for it.
fn trusted(conn: &mut PgConnection, object: &IngestObject, name: &str) -> Result<(), Fault> {
    #[derive(QueryableByName)]
    struct Owner {
        #[diesel(sql_type = Text)]
        owner: String,
        #[diesel(sql_type = Bool)]
        is_table: bool,
        #[diesel(sql_type = Bool)]
        own: bool,
    }
    let owners: Vec<Owner> = diesel::sql_query(
        "select o.rolname::text as owner, c.relkind in ('r', 'p') as is_table, o.rolsuper or o.rolname = current_user as own
         from pg_class c join pg_roles o on o.oid = c.relowner
         where c.oid = to_regclass(format('%I.%I', $1, $2))
           or c.oid in (select p.relid from pg_partition_tree(to_regclass(format('%I.%I', $1, $2))) p)",
    )
    .bind::<Text, _>(&object.schema)
    .bind::<Text, _>(&object.table)
    .load(conn)?;
    for Owner {
        owner,
        is_table,
        own,
    } in owners
    {
        if !is_table {
            return Err(Fault::Bad(format!(
                "{name}, into which this object is loaded, is not an ordinary table"
            )));
        }
        if !own && object.owner.as_ref() != Some(&owner) {
            return Err(Fault::Bad(format!(
                "the table {name}, into which this object is loaded, belongs to the role {owner:?}, whose triggers on it would run with the \
                 rights of the daemon; if that role may be trusted so far, declare owner = {owner:?} beside the table"
            )));
        }
    }
    Ok(())
}

fn wrong(header: Record<'_>, message: String) -> Fault {
    Fault::in_line(header.line, message)
}

fn is_in(list: &[String], name: &str) -> bool {
    list.iter().any(|other| other == name)
}

/// A name as an identifier, whatever it holds.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn list<'n>(names: impl IntoIterator<Item = &'n str>, each: impl Fn(&str) -> String) -> String {
    names.into_iter().map(each).collect::<Vec<_>>().join(", ")
}

fn table(object: &IngestObject) -> String {
    format!("{}.{}", quoted(&object.schema), quoted(&object.table))
}

/// The staged columns with their types and names. The database checks the types in these casts.
fn typed<'n>(names: impl IntoIterator<Item = &'n str>, types: &HashMap<String, String>) -> String {
    names
        .into_iter()
        .enumerate()
        .map(|(place, name)| {
            let kind = types.get(name).map_or("text", String::as_str);
            format!("s.c{}::{kind} as {}", place + 1, quoted(name))
        })
        .collect::<Vec<_>>()
        .join(", ")
}

fn upsert_table(object: &IngestObject, types: &HashMap<String, String>, names: &[&str]) -> Plan {
    let columns = list(names.iter().copied(), quoted);
    let key = list(object.key.iter().map(String::as_str), quoted);
    let others: Vec<&str> = names
        .iter()
        .copied()
        .filter(|n| !is_in(&object.key, n))
        .collect();
    let action = if others.is_empty() {
        "nothing".to_owned()
    } else {
        let sets = list(others, |n| format!("{0} = excluded.{0}", quoted(n)));
        format!("update set {sets}")
    };
    let typed = typed(names.iter().copied(), types);
    let insert = format!("insert into {} ({columns})", table(object));
    let conflict = format!("on conflict ({key}) do {action}");
    Plan {
        plain: format!("{insert} select {typed} {STAGED} {conflict}"),
        last_wins: format!(
            "{insert} select distinct on ({key}) {columns} from (select s.n as \" n\", {typed} {STAGED}) x order by {key}, \" n\" desc {conflict}"
        ),
        object: None,
        repeats: false,
    }
}

fn delete_table(object: &IngestObject, types: &HashMap<String, String>) -> Plan {
    let names = || object.key.iter().map(String::as_str);
    let same = names()
        .map(|n| format!("t.{0} = x.{0}", quoted(n)))
        .collect::<Vec<_>>()
        .join(" and ");
    let text = format!(
        "delete from {} t using (select {} {STAGED}) x where {same}",
        table(object),
        typed(names(), types)
    );
    Plan {
        plain: text.clone(),
        last_wins: text,
        object: None,
        repeats: false,
    }
}

fn upsert_records(tenant: i32, object: &str, job: i64) -> Plan {
    let insert = "insert into belay.record as r (tenant, object, record_id, data, loaded_by)";
    let conflict = "on conflict (tenant, object, record_id) do update set data = r.data || excluded.data, loaded_by = excluded.loaded_by, loaded_at = excluded.loaded_at";
    Plan {
        plain: format!(
            "{insert} select {tenant}, $3, s.c1, s.c2::jsonb, {job} {STAGED} {conflict}"
        ),
        last_wins: format!(
            "{insert} select distinct on (s.c1) {tenant}, $3, s.c1, s.c2::jsonb, {job} {STAGED} order by s.c1, s.n desc {conflict}"
        ),
        object: Some(object.to_owned()),
        repeats: false,
    }
}

fn delete_records(tenant: i32, object: &str) -> Plan {
    let text = format!(
        "delete from belay.record r using (select s.c1 {STAGED}) x where r.tenant = {tenant} and r.object = $3 and r.record_id = x.c1"
    );
    Plan {
        plain: text.clone(),
        last_wins: text,
        object: Some(object.to_owned()),
        repeats: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_identifiers_whatever_they_hold() {
        let hostile = "a\"; drop table x; --";
        let object = IngestObject::new(
            &format!("public.{hostile}"),
            vec![hostile.to_owned()],
            vec![hostile.to_owned(), "b".to_owned()],
        )
        .unwrap();
        let types = HashMap::from([(hostile.to_owned(), "text".to_owned())]);
        let safe = "\"a\"\"; drop table x; --\"";
        let plan = upsert_table(&object, &types, &[hostile, "b"]);
        for text in [
            &plan.plain,
            &plan.last_wins,
            &delete_table(&object, &types).plain,
        ] {
            assert!(text.contains(safe), "{text}");
            assert!(!text.replace(safe, "").contains("drop"), "{text}");
        }
    }
}
