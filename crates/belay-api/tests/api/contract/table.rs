//! The table: what each interface calls each state, and what it answers to a cancel.

use belay_core::JobState;
use belay_core::model::Job;
use serde_json::json;

use super::faces::Face;
use super::shapes::Wrong;
use crate::support::{Reply, World, assert_matches};

use JobState::{
    Cancelled, Cancelling, Completed, Failed, Open, Queued, Running, Scheduled, Suspended,
};
use Says::{No, Yes};

/// What is answered to a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Yes,
    No,
}

/// A job that can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Case {
    /// In that state; a cancelled one was never started.
    In(JobState),
    /// Cancelled while it ran.
    CancelledAfterStart,
    /// In its line for the second time.
    QueuedAgain,
}

impl Case {
    pub(super) const fn state(self) -> JobState {
        match self {
            Self::In(state) => state,
            Self::CancelledAfterStart => Cancelled,
            Self::QueuedAgain => Queued,
        }
    }

    /// Makes such a job of the tenant `default`.
    pub(super) fn make(self, world: &World) -> i64 {
        match self {
            Self::In(Cancelled) => {
                let id = world.make(Queued).id;
                world.cancelled_by_maker(id);
                id
            }
            Self::In(state) => world.make(state).id,
            Self::CancelledAfterStart => world.make(Cancelled).id,
            Self::QueuedAgain => world.queued_again(),
        }
    }
}

/// A row: the word and the answer of `prospecting`, `jobs`, `vault`, `bulk-actions` and `ingest`.
pub(super) type Row = (Case, [(&'static str, Says); 5]);

/// All rows. `vault` as it is without the setting that lets it cancel what runs.
#[rustfmt::skip]
pub(super) const TABLE: [Row; 11] = [
    (Case::In(Open), [("queued", Yes), ("new", Yes), ("QUEUEING", Yes), ("scheduled", Yes), ("Open", Yes)]),
    (Case::In(Scheduled), [("queued", Yes), ("scheduled", Yes), ("SCHEDULED", Yes), ("scheduled", Yes), ("UploadComplete", Yes)]),
    (Case::In(Queued), [("queued", Yes), ("sent", Yes), ("QUEUED", Yes), ("scheduled", Yes), ("UploadComplete", Yes)]),
    (Case::In(Running), [("running", Yes), ("started", No), ("RUNNING", No), ("running", Yes), ("InProgress", Yes)]),
    (Case::In(Suspended), [("running", Yes), ("suspended", No), ("RUNNING", No), ("running", Yes), ("InProgress", Yes)]),
    (Case::In(Cancelling), [("cancelled", No), ("cancelled", No), ("CANCELLING", Yes), ("cancelled", No), ("Aborted", Yes)]),
    (Case::In(Cancelled), [("cancelled", No), ("cancelled", Yes), ("CANCELLED", No), ("cancelled", No), ("Aborted", Yes)]),
    (Case::CancelledAfterStart, [("cancelled", No), ("cancelled", No), ("CANCELLED", No), ("cancelled", No), ("Aborted", Yes)]),
    (Case::In(Completed), [("completed", No), ("completedOk", No), ("SUCCESS", No), ("completed", No), ("JobComplete", No)]),
    (Case::In(Failed), [("failed", No), ("completedWithIssues", No), ("ERRORS_ENCOUNTERED", No), ("failed", No), ("Failed", No)]),
    (Case::QueuedAgain, [("queued", Yes), ("sent", No), ("QUEUED", Yes), ("scheduled", Yes), ("UploadComplete", Yes)]),
];

impl Face {
    /// What it calls a state.
    pub(super) fn word_for(&self, state: JobState) -> &'static str {
        let row = TABLE.iter().find(|(case, _)| case.state() == state);
        row.unwrap().1[self.column].0
    }

    /// What it answers to a cancel.
    pub(super) fn says(&self, case: Case) -> Says {
        let row = TABLE.iter().find(|(other, _)| *other == case);
        row.unwrap().1[self.column].1
    }

    /// Asserts that a cancel of that job was accepted, in the words of the interface and with nothing more.
    #[track_caller]
    pub(super) fn accepted(&self, reply: &Reply, job: &Job) {
        assert!(reply.header("x-request-id").is_some());
        let id = (self.job)(job);
        let success = |media_type: &str, body: serde_json::Value| {
            assert_eq!(reply.status, 200, "{}: {}", self.name, reply.text());
            assert_eq!(reply.header("content-type"), Some(media_type));
            assert_matches(&reply.json(), &body);
        };
        match self.name {
            "prospecting" => success(
                "application/json",
                json!({
                    "success": true, "data": {"jobId": id, "status": "cancelled"}, "error": null,
                    "traceId": reply.header("x-request-id")
                }),
            ),
            "jobs" => {
                assert_eq!(reply.status, 204, "{}", reply.text());
                assert_eq!(
                    (reply.body.as_slice(), reply.header("content-type")),
                    (&b""[..], None)
                );
            }
            "vault" => success(
                "application/json;charset=UTF-8",
                json!({"responseStatus": "SUCCESS", "data": [{"responseStatus": "SUCCESS", "data": {"id": job.id}}]}),
            ),
            "bulk-actions" => success(
                "application/json",
                json!({"success": true, "job_id": id, "status": "cancelled"}),
            ),
            "ingest" => success(
                "application/json;charset=UTF-8",
                json!({
                    "id": id, "operation": "upsert", "object": job.kind, "createdById": job.created_by, "createdDate": "[time]",
                    "systemModstamp": "[time]", "state": "Aborted", "contentType": "CSV", "apiVersion": "v1", "sourceName": "",
                    "contentUrl": format!("api/v1/ingest/jobs/{id}/batches"), "retries": reply.json()["retries"],
                    "totalProcessingTime": "[number]"
                }),
            ),
            other => panic!("{other}"),
        }
    }

    /// Asserts that a cancel was refused because of the state of the job.
    #[track_caller]
    pub(super) fn refused(&self, reply: &Reply, job: &Job) {
        if self.name == "vault" {
            let message = format!("Job [{}] is not found in QUEUED or QUEUEING state", job.id);
            return entry_failure(reply, "INVALID_DATA", &message);
        }
        let ask = self.cancel("1", &(self.job)(job));
        self.is_fault(reply, Wrong::State, &ask);
        let text = reply.text();
        assert!(text.contains(self.word_for(job.state)), "{text}");
    }

    /// Asserts what the table says.
    #[track_caller]
    pub(super) fn answered(&self, reply: &Reply, says: Says, job: &Job) {
        match says {
            Yes => self.accepted(reply, job),
            No => self.refused(reply, job),
        }
    }

    /// Whether it said yes.
    pub(super) fn said(&self, reply: &Reply) -> Says {
        let yes = match self.name {
            "vault" => reply.json()["data"][0]["responseStatus"] == "SUCCESS",
            _ => reply.status < 300,
        };
        if yes { Yes } else { No }
    }
}

/// Asserts that the only entry of a request to `vault` was refused.
#[track_caller]
pub(super) fn entry_failure(reply: &Reply, kind: &str, message: &str) {
    assert_eq!(reply.status, 200, "{}", reply.text());
    let errors = json!({"type": kind, "message": message});
    assert_matches(
        &reply.json(),
        &json!({"responseStatus": "SUCCESS", "data": [{"responseStatus": "FAILURE", "errors": errors}]}),
    );
}
