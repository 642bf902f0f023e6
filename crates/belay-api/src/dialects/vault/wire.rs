//! What answers consist of.

use serde::Serialize;
use utoipa::ToSchema;

use crate::time::Time;

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schema(as = VaultStatus)]
pub(super) enum Status {
    /// As wished.
    Success,
    /// Not as wished, for a reason that lies in the request.
    Failure,
    /// Not as wished, by a fault of the daemon.
    Exception,
}

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = VaultErrorType)]
pub(super) enum ErrorType {
    /// No session, or one that has ended.
    InvalidSessionId,
    /// The session does not allow it.
    InsufficientAccess,
    /// A value is not allowed, or the state of a job does not allow it.
    InvalidData,
    /// Something is missing.
    ParameterRequired,
    /// Too many requests.
    ApiLimitExceeded,
    /// There is nothing at this path.
    MalformedUrl,
    /// Not with this method.
    MethodNotSupported,
    /// Not in a form that the client accepts.
    OperationNotAllowed,
    /// A fault of the daemon.
    UnexpectedError,
    /// The name and the key of a login do not belong together.
    UsernameOrPasswordIncorrect,
    /// A login without a key.
    NoPasswordProvided,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VaultError)]
pub(super) struct WireError {
    /// What kind of thing.
    #[serde(rename = "type")]
    pub(super) kind: ErrorType,
    /// The same for people, with the value.
    pub(super) message: String,
}

/// The whole request was not done.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultFailure)]
pub(super) struct Failure {
    pub(super) response_status: Status,
    pub(super) errors: Vec<WireError>,
    /// `AUTHENTICATION_FAILED` after a login that did not work.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) error_type: Option<&'static str>,
}

/// Done, and nothing to say.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultDone)]
pub(super) struct Done {
    response_status: Status,
}

impl Done {
    pub(super) const DONE: Self = Self {
        response_status: Status::Success,
    };
}

/// An open session.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultSession)]
pub(super) struct Session {
    pub(super) response_status: Status,
    /// What further requests send in the header `Authorization`.
    pub(super) session_id: String,
    /// Number of the API key.
    pub(super) user_id: i32,
    /// Tenants within reach.
    pub(super) vault_ids: Vec<Vault>,
    /// Number of the tenant that requests act on.
    pub(super) vault_id: i32,
}

/// A tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultTenant)]
pub(super) struct Vault {
    /// Number.
    pub(super) id: i32,
    pub(super) name: String,
    /// Where it is reached.
    pub(super) url: String,
}

/// One answer for each entry, in their order.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultCancelAnswers)]
pub(super) struct CancelAnswers {
    pub(super) response_status: Status,
    pub(super) data: Vec<CancelAnswer>,
}

/// The answer for one entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = VaultCancelAnswer)]
pub(super) enum CancelAnswer {
    /// The job is cancelled, or will be as soon as its worker has stopped.
    #[serde(rename_all = "camelCase")]
    Accepted {
        response_status: Status,
        data: JobId,
    },
    /// Nothing was changed.
    #[serde(rename_all = "camelCase")]
    Refused {
        response_status: Status,
        errors: WireError,
    },
}

impl CancelAnswer {
    pub(super) const fn accepted(id: i64) -> Self {
        Self::Accepted {
            response_status: Status::Success,
            data: JobId { id },
        }
    }

    pub(super) const fn refused(kind: ErrorType, message: String) -> Self {
        Self::Refused {
            response_status: Status::Failure,
            errors: WireError { kind, message },
        }
    }
}

/// The number of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = VaultJobId)]
pub(super) struct JobId {
    pub(super) id: i64,
}

/// A job by itself.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultJobStatus)]
pub(super) struct JobStatus {
    pub(super) response_status: Status,
    #[schema(value_type = String, example = "OK")]
    pub(super) response_message: &'static str,
    pub(super) data: JobData,
}

/// What is known of a job.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultJobData)]
pub(super) struct JobData {
    pub(super) id: i64,
    /// Where it stands.
    #[schema(value_type = String, example = "QUEUED")]
    pub(super) status: &'static str,
    #[schema(value_type = String, example = "POST")]
    pub(super) method: &'static str,
    pub(super) links: Vec<Link>,
    /// Name of the API key that made it.
    pub(super) created_by: String,
    pub(super) created_date: Time,
    /// First start, if it has started.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_start_date: Option<Time>,
    /// End, if it has ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_end_date: Option<Time>,
}

/// Where to go on.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultLink)]
pub(super) struct Link {
    #[schema(value_type = String, example = "self")]
    pub(super) rel: &'static str,
    pub(super) href: String,
    #[schema(value_type = String, example = "GET")]
    pub(super) method: &'static str,
    #[schema(value_type = String, example = "application/json")]
    pub(super) accept: &'static str,
}

/// A page of jobs, newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = VaultJobs)]
pub(super) struct Jobs {
    pub(super) response_status: Status,
    #[schema(value_type = String, example = "OK")]
    pub(super) response_message: &'static str,
    /// This page.
    pub(super) url: String,
    pub(super) response_details: Details,
    pub(super) jobs: Vec<JobLine>,
}

/// Where a page stands among the others.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultDetails)]
pub(super) struct Details {
    /// Jobs on all pages; counting stops at 100,000.
    pub(super) total: i64,
    pub(super) limit: i64,
    pub(super) offset: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) next_page: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) previous_page: Option<String>,
}

/// A job in a list.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultJobLine)]
pub(super) struct JobLine {
    pub(super) job_id: i64,
    /// Its kind.
    pub(super) title: String,
    #[schema(value_type = String, example = "QUEUED")]
    pub(super) status: &'static str,
    pub(super) created_by: String,
    pub(super) created_date: Time,
    /// Who cancelled it, else who made it.
    pub(super) modified_by: String,
    /// When it was last started, cancelled or ended, else when it was made.
    pub(super) modified_date: Time,
    /// First start; before that, the time it waits for.
    pub(super) run_start_date: Time,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) run_end_date: Option<Time>,
}

/// A job that joined its line.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultStarted)]
pub(super) struct Started {
    #[serde(rename = "responseStatus")]
    pub(super) response_status: Status,
    /// Where to look at it.
    pub(super) url: String,
    pub(super) job_id: i64,
}

/// The parts of a job. There never are any: a job is one piece of work here.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VaultTasks)]
pub(super) struct Tasks {
    #[serde(rename = "responseStatus")]
    pub(super) response_status: Status,
    pub(super) url: String,
    #[serde(rename = "responseDetails")]
    pub(super) response_details: Details,
    pub(super) job_id: i64,
    #[schema(value_type = Vec<Object>)]
    pub(super) tasks: [(); 0],
}
