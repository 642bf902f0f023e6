//! Bodies in CSV: a header that has `job_id`, then a job for each record.

use csv::{ReaderBuilder, StringRecord};

use super::entries::{Entry, check_count};
use super::render::required;
use crate::http::Fault;

const COLUMN: &str = "job_id";

/// The entries of a text.
pub(super) fn entries(text: &str) -> Result<Vec<Entry>, Fault> {
    // The reader would take everything after a quote that is never closed for one value, and a value that was cut off in the
    // middle for another job.
    if text.bytes().filter(|b| *b == b'"').count() % 2 != 0 {
        return Err(Fault::malformed(
            "the body is no CSV: a quote is opened and never closed",
        ));
    }
    let mut records = ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(text.as_bytes())
        .into_records()
        // The reader leaves out lines without anything.
        .filter(|record| !record.as_ref().is_ok_and(is_blank));
    let unreadable = |e: csv::Error| Fault::malformed(format!("the body is no CSV: {e}"));
    let header = records.next().transpose().map_err(unreadable)?;
    let column = header
        .iter()
        .flatten()
        .position(|name| name.trim().eq_ignore_ascii_case(COLUMN))
        .ok_or_else(|| required("the first record must be a header that has the column job_id"))?;
    let mut entries = Vec::new();
    for record in records {
        let record = record.map_err(unreadable)?;
        entries.push(Entry::of_text(
            record.get(column).unwrap_or_default().trim(),
        ));
    }
    check_count(entries.len())?;
    Ok(entries)
}

/// A line of spaces.
fn is_blank(record: &StringRecord) -> bool {
    record.len() == 1
        && record
            .get(0)
            .is_some_and(|value| !value.is_empty() && value.trim().is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use Entry::{Invalid, Job, Missing};

    #[test]
    fn every_variant_of_the_same_table_is_read_alike() {
        for text in [
            "job_id\n1\n2\n",
            "job_id\r\n1\r\n2\r\n",
            "job_id\n1\n2",
            "JOB_ID\n1\n2\n",
            "  Job_Id \n1\n2\n",
            "\"job_id\"\n\"1\"\n\"2\"\n",
            "\n\njob_id\n\n1\n  \n\r\n2\n\n",
            "name,job_id,x\n\"a, b\",1,\n\"say \"\"hi\"\"\n7\",2,3\n",
            "name, job_id\nx, 1\ny, 2 \n",
            "job_id,job_id\n1,8\n2,9\n",
        ] {
            assert_eq!(entries(text).unwrap(), [Job(1), Job(2)], "{text:?}");
        }
    }

    #[test]
    fn a_record_that_names_nothing_is_an_entry_all_the_same() {
        assert_eq!(
            entries("x,job_id\na,1\nb\nc,\nd,-4\ne,\"<&>\"\nf,2,3\n").unwrap(),
            [
                Job(1),
                Missing,
                Missing,
                Invalid("-4".into()),
                Invalid("<&>".into()),
                Job(2)
            ]
        );
        assert_eq!(entries("job_id\n\"\"\n1\n").unwrap(), [Missing, Job(1)]);
    }

    #[test]
    fn without_the_column_there_is_nothing_to_do() {
        for text in ["1\n2\n", "id\n1\n", "job id\n1\n", "  \n"] {
            let fault = entries(text).unwrap_err();
            assert!(fault.about.more.contains_key("missing"), "{text:?}");
        }
        assert_eq!(entries("job_id\n").unwrap(), []);
    }

    #[test]
    fn a_quote_that_is_never_closed_is_no_table() {
        for text in ["job_id\n\"12", "job_id\n\"1\n2\n3\n"] {
            let fault = entries(text).unwrap_err();
            assert!(!fault.about.more.contains_key("missing"), "{text:?}");
        }
    }

    #[test]
    fn what_is_counted_are_the_records() {
        let rows = |n: usize| format!("job_id\n{}", "5\n\n".repeat(n));
        assert_eq!(entries(&rows(500)).unwrap().len(), 500);
        assert!(entries(&rows(501)).unwrap_err().detail.contains("501"));
    }
}
