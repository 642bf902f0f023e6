//! The dialect `ingest`.

mod bodies;
mod cycle;
mod list;
mod races;
mod rules;
mod table;
mod token;
mod uploads;

use belay_core::JobState;
use belay_core::ops::{self, Claimed, Verdict};
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use serde_json::{Value, json};

use crate::support::{Reply, World, request};

pub(super) const JOBS: &str = "/api/v1/ingest/jobs";
pub(super) const TYPE: &str = "application/json;charset=UTF-8";
pub(super) const CSV: &[u8] = b"id,name\r\n1,Ada\r\n2,Bo\r\n";

impl World {
    /// Makes an ingest job and answers its UUID.
    #[track_caller]
    pub(super) fn ingest(&self) -> String {
        let body = json!({"object": "contacts", "sourceName": "crm", "operation": "upsert"});
        let reply = self.post(JOBS, &body);
        assert_eq!(reply.status, 201, "{}", reply.text());
        reply.json()["id"].as_str().unwrap().to_owned()
    }

    pub(super) fn upload(&self, id: &str, content: &[u8]) -> Reply {
        self.upload_as(id, "text/csv", content)
    }

    pub(super) fn upload_as(&self, id: &str, media: &str, content: &[u8]) -> Reply {
        let bearer = format!("Bearer {}", self.admin);
        let headers = [("Authorization", bearer.as_str()), ("Content-Type", media)];
        let path = format!("{JOBS}/{id}/batches");
        request(self.address(), "PUT", &path, &headers, content)
    }

    pub(super) fn wish(&self, id: &str, state: &str) -> Reply {
        self.send("PATCH", &format!("{JOBS}/{id}"), &json!({"state": state}))
    }

    /// The state of a job, in the words of the dialect.
    #[track_caller]
    pub(super) fn word(&self, id: &str) -> String {
        let reply = self.get(&format!("{JOBS}/{id}"));
        assert_eq!(reply.status, 200, "{}", reply.text());
        reply.json()["state"].as_str().unwrap().to_owned()
    }

    pub(super) fn number(&self, sql: &str) -> i64 {
        #[derive(QueryableByName)]
        struct Row {
            #[diesel(sql_type = BigInt)]
            n: i64,
        }
        diesel::sql_query(sql)
            .get_result::<Row>(&mut self.test_db.conn())
            .unwrap()
            .n
    }

    /// Everything that is stored of uploads: chunks, files that count, uploads under way.
    pub(super) fn stored(&self) -> (i64, i64, i64) {
        let count = |table: &str| self.number(&format!("select count(*) as n from belay.{table}"));
        (count("job_upload"), count("job_file"), count("upload"))
    }

    /// A job with a file in that state, and what its worker holds when it has one.
    #[track_caller]
    pub(super) fn ingest_in(&self, state: JobState) -> (String, Option<Claimed>) {
        let id = self.ingest();
        assert_eq!(self.upload(&id, CSV).status, 202);
        if state == JobState::Open {
            return (id, None);
        }
        if state == JobState::Scheduled {
            let sql =
                "update belay.job set run_at = now() + interval '1 hour' where state = 'open'";
            diesel::sql_query(sql)
                .execute(&mut self.test_db.conn())
                .unwrap();
        }
        assert_eq!(self.wish(&id, "UploadComplete").status, 200);
        if matches!(state, JobState::Scheduled | JobState::Queued) {
            return (id, None);
        }
        if state == JobState::Cancelled {
            assert_eq!(self.wish(&id, "Aborted").status, 200);
            return (id, None);
        }
        let (_, claimed) = self.claim("ingest");
        match state {
            JobState::Suspended => {
                let sql = "update belay.kind set can_suspend = true where name = 'ingest'";
                let conn = &mut self.test_db.conn();
                diesel::sql_query(sql).execute(conn).unwrap();
                let actor = ops::Actor::new("test", ops::Via::Native);
                self.db
                    .tx(|c| ops::suspend(c, None, claimed.id, &actor, None))
                    .unwrap();
            }
            JobState::Cancelling => assert_eq!(self.wish(&id, "Aborted").status, 200),
            JobState::Completed => self.report(&claimed, Verdict::Completed),
            JobState::Failed => self.report(
                &claimed,
                Verdict::Failed {
                    error: "no".into(),
                    delay_s: 0.0,
                    retry: false,
                },
            ),
            _ => {}
        }
        (id, Some(claimed))
    }
}

/// Asserts that this is a fault of the dialect.
#[track_caller]
pub(super) fn fault(reply: &Reply, status: u16, code: &str) -> Value {
    assert_eq!(reply.status, status, "{}", reply.text());
    assert_eq!(reply.header("content-type"), Some(TYPE));
    let body = reply.json();
    let expected = json!({
        "timestamp": "[time]", "status": status, "error": code, "message": "[text]", "path": "[text]",
        "requestId": reply.header("x-request-id").unwrap(),
    });
    crate::support::assert_matches(&body, &expected);
    body
}
