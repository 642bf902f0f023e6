//! Loads into declared tables.

use crate::support::{Bench, end};
use belay_core::JobState;
use belay_core::ops;
use belay_core::query;
use belay_worker::database_kinds;
use belay_worker::executors::ingest::{IngestObject, IngestObjects};

const CONTACTS: &str = "select * from public.contacts order by id";

#[test]
fn rows_are_inserted_and_updated_by_key_and_types_are_those_of_the_table() {
    let bench = Bench::with_tables();
    let job = bench.load(
        "contacts",
        "upsert",
        &["id,name,born,score,short\n1,Ada,1815-12-10,9.5,abc\n2,\"Bo, \"\"B\"\"\",,,\n"],
    );
    assert_eq!(job.attempt, 1);
    assert_eq!(
        bench.rows(CONTACTS),
        "(1,Ada,1815-12-10,9.5,abc)\n(2,\"Bo, \"\"B\"\"\",,,)"
    );
    let progress = bench
        .db
        .read(|c| query::progress(c, job.id))
        .unwrap()
        .unwrap();
    assert_eq!((progress.done, progress.total), (2, Some(2)));
    assert_eq!(progress.message.as_deref(), Some("1 files loaded"));

    // Columns that a file does not have are left alone; an empty field is null.
    bench.load("contacts", "upsert", &["score,id\n7,1\n,2\n3,3\n"]);
    assert_eq!(
        bench.rows(CONTACTS),
        "(1,Ada,1815-12-10,7.0,abc)\n(2,\"Bo, \"\"B\"\"\",,,)\n(3,nobody,,3.0,)"
    );
    // Only the key: new rows come, old ones stay.
    bench.load("contacts", "upsert", &["id\n3\n4\n"]);
    assert_eq!(bench.number("select count(*) as n from public.contacts"), 4);
}

#[test]
fn rows_are_deleted_by_key() {
    let bench = Bench::with_tables();
    bench.sql(
        "insert into public.contacts (id) select generate_series(1, 6);
         insert into public.\"Big \"\"Places\"\"\" values ('Rome', 'it', 1), ('Rome', 'us', 2), ('Oslo', 'no', 3);
         insert into public.wide values (1, 2, 3)",
    );
    bench.load("contacts", "delete", &["1\n03\n99\n1\n", "4,ignored\r\n"]);
    assert_eq!(
        bench.rows("select id from public.contacts order by id"),
        "(2)\n(5)\n(6)"
    );
    bench.load("places", "delete", &["us,Rome\n"]);
    assert_eq!(
        bench.rows("select * from public.\"Big \"\"Places\"\"\" order by size"),
        "(Rome,it,1)\n(Oslo,no,3)"
    );
    let error = bench.fail("places", "delete", &["it,Rome\nno\n"]);
    assert_eq!(
        error,
        "file 1, line 2: the record has 1 fields, it must have 2"
    );
    let error = bench.fail("wide", "delete", &["1,2\n"]);
    assert!(
        error.contains("the key of this object has 3 columns"),
        "{error}"
    );
    let error = bench.fail("contacts", "delete", &["2\n", "5\n\"\"\n"]);
    assert_eq!(error, "file 2, line 2: the key column \"id\" is empty");
    assert_eq!(bench.number("select count(*) as n from public.contacts"), 3);
}

#[test]
fn a_key_of_two_columns_and_names_that_need_quotes() {
    let bench = Bench::with_tables();
    bench.load(
        "places",
        "upsert",
        &[
            "Town,size,country\nRome,1,it\nRome,2,us\n",
            "country,Town,size\nus,Rome,3\n",
        ],
    );
    assert_eq!(
        bench.rows("select * from public.\"Big \"\"Places\"\"\" order by size"),
        "(Rome,1,it)\n(Rome,3,us)"
            .replace(",1,it", ",it,1")
            .replace(",3,us", ",us,3")
    );
}

#[test]
fn the_last_record_with_a_key_counts() {
    let bench = Bench::with_tables();
    // Texts that differ may be the same key; and the same key comes again beyond the end of a batch.
    let mut text = String::from("id,name\n1,a\n2,b\n01,c\n");
    for n in 0..30_000 {
        text.push_str(&format!("{},n\n", 100 + n % 20_000));
    }
    text.push_str("2,d\n+2,e\n100,last\n");
    bench.load("contacts", "upsert", &[&text, "id,name\n1,f\n"]);
    assert_eq!(
        bench.rows("select id, name from public.contacts where name <> 'n' order by id"),
        "(1,f)\n(2,e)\n(100,last)"
    );
    assert_eq!(
        bench.number("select count(*) as n from public.contacts"),
        20_002
    );
}

#[test]
fn the_first_bad_record_is_named_with_file_and_line_and_nothing_is_loaded() {
    let bench = Bench::with_tables();
    let good = "id,name\n1,Ada\n";
    for (text, error) in [
        (
            "id,born\n1,2026-01-01\n2,\"\"\n3,never\n4,also\n",
            "file 2, line 4: invalid input syntax for type date: \"never\"",
        ),
        (
            "id,born\n2,2026-02-30\n",
            "file 2, line 2: date/time field value out of range: \"2026-02-30\"",
        ),
        (
            "id\n99999999999\n",
            "file 2, line 2: value \"99999999999\" is out of range for type integer",
        ),
        (
            "id,short\n5,abc\n6,abcd\n",
            "file 2, line 3: value too long for type character varying(3)",
        ),
        (
            "id,name\n1,\"two\nlines\"\n\nx,y\n",
            "file 2, line 5: invalid input syntax for type integer: \"x\"",
        ),
        (
            "id,name\n1,a\n,b\n",
            "file 2, line 3: the key column \"id\" is empty",
        ),
        (
            "id,name\n1,a,b\n",
            "file 2, line 2: the record has 3 fields, it must have 2",
        ),
        (
            "id,name\n1\n",
            "file 2, line 2: the record has 1 fields, it must have 2",
        ),
        (
            "name\na\n",
            "file 2, line 1: the key column \"id\" is missing",
        ),
        (
            "id,Name\n1,a\n",
            "file 2, line 1: the column \"Name\" is not one of this object; its columns are id, name, born, score, short",
        ),
        (
            "id,name,id\n1,a,1\n",
            "file 2, line 1: the column \"id\" stands twice",
        ),
        ("id,\n1,a\n", "file 2, line 1: column 2 has no name"),
        (
            "\n",
            "file 2, line 1: there is no record that names the columns",
        ),
        (
            "id,name\n1,\"a\n2,b\n",
            "file 2, line 2: a quoted field is not closed before the end of the file",
        ),
    ] {
        assert_eq!(
            bench.fail("contacts", "upsert", &[good, text]),
            error,
            "{text:?}"
        );
        assert_eq!(bench.rows(CONTACTS), "", "{text:?}");
    }
}

#[test]
fn a_bad_record_is_found_among_many() {
    let bench = Bench::with_tables();
    let mut text = String::from("id,score\n");
    for n in 1..=60_000 {
        let score = if n == 43_210 || n == 43_211 { "x" } else { "1" };
        text.push_str(&format!("{n},{score}\n"));
    }
    assert_eq!(
        bench.fail("contacts", "upsert", &[&text]),
        "file 1, line 43211: invalid input syntax for type numeric: \"x\""
    );
    assert_eq!(bench.rows(CONTACTS), "");
}

#[test]
fn what_is_checked_at_the_end_of_a_transaction_fails_the_job_as_well() {
    let bench = Bench::with_tables();
    bench.load("late", "upsert", &["id,parent\n1,2\n2,\n"]);
    let error = bench.fail("late", "upsert", &["id,parent\n3,4\n"]);
    assert!(
        error.starts_with(
            "the rows do not fit together: insert or update on table \"late\" violates foreign key"
        ),
        "{error}"
    );
    assert_eq!(bench.number("select count(*) as n from public.late"), 2);
}

#[test]
fn tables_that_are_not_as_declared_are_named() {
    let bench = Bench::with_tables();
    for (object, words) in [
        (
            "nowhere",
            "the table public.nowhere, into which this object is loaded, does not exist",
        ),
        ("no_index", "has no unique index on its key (id)"),
        ("no_column", "has no column \"absent\""),
    ] {
        let error = bench.fail(object, "upsert", &["id\n1\n"]);
        assert!(error.contains(words), "{error}");
    }
    // To delete, nothing needs to be unique.
    bench.sql("insert into public.no_index values (1), (1), (2)");
    bench.load("no_index", "delete", &["1\n"]);
    assert_eq!(bench.rows("select * from public.no_index"), "(2)");
}

#[test]
fn data_of_a_load_that_failed_goes_to_its_retry() {
    let bench = Bench::with_tables();
    let worker = bench.ingest_worker();
    let id = bench.closed("late", "upsert", &["id,parent\n3,4\n"]);
    bench.until(id, JobState::Failed);
    assert_eq!(bench.stored(), 2, "kept for a retry");
    bench.sql("insert into public.late values (4)");
    let actor = crate::support::actor();
    let retry = |id| bench.db.tx(|c| ops::retry(c, None, id, &actor, None));
    let again = retry(id).unwrap();
    bench.until(again, JobState::Completed);
    end(&worker);
    assert_eq!(
        bench.rows("select id from public.late order by id"),
        "(3)\n(4)"
    );
    assert_eq!(bench.stored(), 0);
    for gone in [id, again] {
        let error = retry(gone).unwrap_err().to_string();
        assert!(error.contains("its data was deleted"), "{error}");
    }
}

#[test]
fn tables_of_others_are_loaded_into_only_when_their_owner_is_declared() {
    let bench = Bench::with_tables();
    let owner = format!("app_{}", std::process::id());
    bench.sql(&format!(
        "create role {owner}; create table public.theirs (id integer primary key); alter table public.theirs owner to {owner};
         create view public.seen as select * from public.contacts"
    ));
    let object = |table: &str, owner: Option<&str>| {
        IngestObject::new(table, vec!["id".into()], vec!["id".into()])
            .unwrap()
            .owned_by(owner.map(ToOwned::to_owned))
    };
    let objects: IngestObjects = [
        ("not_declared", object("public.theirs", None)),
        ("of_another", object("public.theirs", Some("somebody"))),
        ("declared", object("public.theirs", Some(&owner))),
        ("view", object("public.seen", None)),
    ]
    .into_iter()
    .map(|(name, object)| (name.to_owned(), object))
    .collect();
    let mut config = crate::support::config();
    config.kinds.extend(database_kinds(&bench.db, objects));
    let worker = bench.start(config);
    for (name, why) in [
        (
            "not_declared",
            Some(format!("belongs to the role \"{owner}\"")),
        ),
        ("of_another", Some(format!("declare owner = \"{owner}\""))),
        ("view", Some("is not an ordinary table".to_owned())),
        ("declared", None),
    ] {
        let id = bench.closed(name, "upsert", &["id\n1\n"]);
        match why {
            Some(why) => {
                let job = bench.until(id, JobState::Failed);
                let error = job.last_error.unwrap();
                assert!(error.contains(&why), "{error}");
            }
            None => {
                bench.until(id, JobState::Completed);
            }
        }
    }
    end(&worker);
    assert_eq!(bench.number("select count(*) as n from public.theirs"), 1);
    bench.sql(&format!("drop table public.theirs; drop role {owner}"));
}
