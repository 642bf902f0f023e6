//! What attempts show: output and progress.

use belay_core::ops::ProgressRow;
use belay_core::ops::remote::Output;
use utoipa::ToSchema;

use crate::http::{Fault, Members};

/// Bytes of each output stream that are kept: the last ones.
const KEPT: usize = 64 * 1024;

/// What an attempt wrote. Of each stream the last 64 KiB are kept, and what is sent replaces what was sent before.
#[derive(Debug, ToSchema)]
#[schema(as = WorkerOutput)]
pub(crate) struct OutputRequest {
    /// Standard output.
    #[expect(dead_code, reason = "only for the document")]
    stdout: Option<String>,
    /// Standard error.
    #[expect(dead_code, reason = "only for the document")]
    stderr: Option<String>,
    /// Exit code, once known.
    #[expect(dead_code, reason = "only for the document")]
    exit_code: Option<i32>,
    /// Signal that ended it, once known.
    #[expect(dead_code, reason = "only for the document")]
    signal: Option<i32>,
}

/// How far a job is.
#[derive(Debug, ToSchema)]
#[schema(as = WorkerProgress)]
pub(crate) struct ProgressRequest {
    /// Steps done.
    #[schema(minimum = 0)]
    #[expect(dead_code, reason = "only for the document")]
    done: i64,
    /// Steps in all, if known.
    #[schema(minimum = 0)]
    #[expect(dead_code, reason = "only for the document")]
    total: Option<i64>,
    /// A word to the reader; 200 characters are kept.
    #[expect(dead_code, reason = "only for the document")]
    message: Option<String>,
}

/// Takes the member `output`, if it is there.
pub(super) fn output(members: &mut Members<'_>, place: &str) -> Result<Option<Output>, Fault> {
    let Some(raw) = members.raw("output").filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    let mut members = Members::of(raw.get(), &format!("{place}output"))?;
    let stdout = members.text("stdout")?.unwrap_or_default();
    let stderr = members.text("stderr")?.unwrap_or_default();
    let output = Output {
        stdout_bytes: length(&stdout),
        stderr_bytes: length(&stderr),
        stdout: tail(stdout),
        stderr: tail(stderr),
        exit_code: members.integer("exit_code")?,
        signal: members.integer("signal")?,
    };
    members.end()?;
    Ok(Some(output))
}

/// Takes the member `progress`, if it is there. Job, fence and attempt of the row are for others to fill in.
pub(super) fn progress(
    members: &mut Members<'_>,
    place: &str,
) -> Result<Option<ProgressRow>, Fault> {
    let Some(raw) = members.raw("progress").filter(|raw| raw.get() != "null") else {
        return Ok(None);
    };
    let mut members = Members::of(raw.get(), &format!("{place}progress"))?;
    let row = ProgressRow {
        job: 0,
        fence: 0,
        attempt: 0,
        done: members.needed_within("done", 0, i64::MAX)?,
        total: members.within("total", 0, i64::MAX)?,
        message: members.text("message")?,
    };
    members.end()?;
    Ok(Some(row))
}

fn length(text: &str) -> i64 {
    i64::try_from(text.len()).unwrap_or(i64::MAX)
}

/// The last part of a text, cut between two characters.
fn tail(mut text: String) -> String {
    if text.len() > KEPT {
        let mut begin = text.len() - KEPT;
        while !text.is_char_boundary(begin) {
            begin += 1;
        }
        text.drain(..begin);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_part_is_kept_and_no_character_is_cut() {
        assert_eq!(tail("short".into()), "short");
        let kept = tail("ä".repeat(KEPT));
        assert_eq!(kept.len(), KEPT);
        let kept = tail(format!("{}x", "ä".repeat(KEPT)));
        assert_eq!(kept.len(), KEPT - 1);
        assert!(kept.ends_with('x'));
    }
}
