//! How files may look.

use crate::support::{Bench, end};
use belay_core::JobState;
use belay_core::ops::NewJob;

const NAMES: &str = "select id, name from public.contacts order by id";

#[test]
fn marks_ends_of_lines_and_quotes() {
    let bench = Bench::with_tables();
    bench.load(
        "contacts",
        "upsert",
        &[
            "\u{feff}id,name\r\n1,\"a\r\nb\"\r\n\r\n2,\"\"\"q\"\"\"\r\n",
            "\u{feff}name,id\nlast without end,3",
            "id,name\r4,old\r",
        ],
    );
    assert_eq!(
        bench.rows(NAMES),
        "(1,\"a\r\nb\")\n(2,\"\"\"q\"\"\")\n(3,\"last without end\")\n(4,old)"
    );
}

#[test]
fn records_go_on_from_one_chunk_to_the_next() {
    let bench = Bench::with_tables();
    let worker = bench.ingest_worker();
    let text = "id,name\n1,\"grüße, \"\"Ada\"\"\n\"\n2,b\n".as_bytes();
    let job = bench.open("contacts", "upsert");
    let bytes: Vec<&[u8]> = text.chunks(1).collect();
    bench.upload(job, &bytes);
    bench.close(job);
    bench.until(job, JobState::Completed);
    end(&worker);
    assert_eq!(bench.rows(NAMES), "(1,\"grüße, \"\"Ada\"\"\n\")\n(2,b)");
}

#[test]
fn what_is_no_text_is_refused_with_its_line() {
    let bench = Bench::with_tables();
    let worker = bench.ingest_worker();
    for (bytes, words) in [
        (
            &b"id,name\n1,a\n2,\xff\n"[..],
            "file 1, line 3: the record is not UTF-8",
        ),
        (
            &b"id,name\n1,a\0\n"[..],
            "file 1, line 2: the record holds the character NUL",
        ),
    ] {
        let job = bench.open("contacts", "upsert");
        bench.upload(job, &[bytes]);
        bench.close(job);
        let error = bench.until(job, JobState::Failed).last_error.unwrap();
        assert!(error.starts_with(words), "{error}");
    }
    end(&worker);
    assert_eq!(bench.rows(NAMES), "");
}

#[test]
fn no_file_is_nothing_to_do() {
    let bench = Bench::with_tables();
    bench.load("contacts", "upsert", &[]);
    bench.load("contacts", "upsert", &["id,name\n"]);
    bench.load("contacts", "delete", &["\n"]);
}

#[test]
fn a_payload_that_says_nothing_fails_the_job() {
    let bench = Bench::with_tables();
    let worker = bench.ingest_worker();
    for payload in [
        "{}",
        "7",
        "{\"object\": \"contacts\", \"operation\": \"replace\"}",
    ] {
        let id = bench.enqueue(&NewJob {
            payload: payload.into(),
            ..NewJob::new("ingest")
        });
        let error = bench.until(id, JobState::Failed).last_error.unwrap();
        assert!(
            error.starts_with("the payload is not what ingest expects"),
            "{error}"
        );
    }
    end(&worker);
}
