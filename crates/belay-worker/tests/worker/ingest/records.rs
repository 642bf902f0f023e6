//! Loads of objects that nobody declared.

use crate::support::Bench;

const RECORDS: &str =
    "select tenant, object, record_id, data from belay.record order by object, record_id";

#[test]
fn records_are_kept_by_the_column_id_or_the_first_one() {
    let bench = Bench::with_tables();
    let job = bench.load(
        "things",
        "upsert",
        &["name,id\nAda,7\n\"B\"\"o\",8\n", "id,size\n8,\n9,1\n"],
    );
    bench.load("others", "upsert", &["code,name\nx,y\nx,z\n"]);
    assert_eq!(
        bench.rows(RECORDS),
        [
            r#"(1,others,x,"{""code"": ""x"", ""name"": ""z""}")"#,
            r#"(1,things,7,"{""id"": ""7"", ""name"": ""Ada""}")"#,
            r#"(1,things,8,"{""id"": ""8"", ""name"": ""B\\""o"", ""size"": null}")"#,
            r#"(1,things,9,"{""id"": ""9"", ""size"": ""1""}")"#,
        ]
        .join("\n")
    );
    let by = format!(
        "select count(*) as n from belay.record where loaded_by = {}",
        job.id
    );
    assert_eq!(bench.number(&by), 3);

    bench.load("things", "delete", &["7\nnone\n", "8,ignored\n"]);
    assert_eq!(
        bench.rows("select object, record_id from belay.record order by 1"),
        "(others,x)\n(things,9)"
    );
}

#[test]
fn a_bad_record_leaves_nothing() {
    let bench = Bench::with_tables();
    let long = "x".repeat(20_000);
    for (file, words) in [
        (
            "id\n1\n\"\"\n".to_owned(),
            "file 1, line 3: the key column \"id\" is empty",
        ),
        (
            "id,a\n1\n".to_owned(),
            "file 1, line 2: the record has 1 fields, it must have 2",
        ),
        // Too long for an index, also when it is compressed.
        (
            format!(
                "id\n1\n{}\n",
                (0..4000)
                    .map(|n| format!("{:x}", n * 7919 % 65_521))
                    .collect::<String>()
            ),
            "file 1, line 3: index row",
        ),
    ] {
        let error = bench.fail("things", "upsert", &[&file]);
        assert!(error.starts_with(words), "{error}");
    }
    let error = bench.fail("things", "delete", &["1\n2,a,b\n"]);
    assert_eq!(
        error,
        "file 1, line 2: the record has 3 fields, it must have 1 to 2"
    );
    assert_eq!(bench.rows(RECORDS), "");
    bench.load("things", "upsert", &[&format!("id,text\n1,{long}\n")]);
    assert_eq!(
        bench.number("select length(data ->> 'text')::bigint as n from belay.record"),
        20_000
    );
}

#[test]
fn names_of_columns_that_would_make_every_row_large_are_refused() {
    let bench = Bench::with_tables();
    let long = format!("{},id\n1,2\n", "x".repeat(16 * 1024));
    let error = bench.fail("anything", "upsert", &[&long]);
    assert_eq!(
        error,
        "file 1, line 1: the names of the columns have 16386 bytes, at most 16384 are allowed"
    );
    let names: Vec<String> = (0..1001).map(|n| format!("c{n}")).collect();
    let many = format!("{}\n", names.join(","));
    let error = bench.fail("anything", "upsert", &[&many]);
    assert_eq!(
        error,
        "file 1, line 1: there are 1001 columns, at most 1000 are allowed"
    );
}
