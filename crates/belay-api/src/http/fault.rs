//! Why a request was not answered as wished, in a form that every face can put into its own words.

use std::any::Any;

use actix_web::HttpResponseBuilder;
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use belay_core::{Error, JobState};
use serde_json::{Map, Value};

/// What is wrong. Each face decides what that looks like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The path, the query, a header or the syntax of the body.
    Malformed,
    /// No credential, or none that works.
    Unauthenticated,
    /// The credential does not reach that far.
    Forbidden,
    /// No such thing, or not in that tenant.
    NotFound,
    /// The resource does not know that method.
    MethodNotAllowed,
    /// The client accepts nothing that could be answered.
    NotAcceptable,
    /// The state of the thing does not allow it.
    Refused,
    /// A key or a name is taken.
    Conflict,
    /// The body is too large.
    TooLarge,
    /// The body is of a type that is not read.
    UnsupportedMediaType,
    /// Well-formed, but with a value that is not allowed.
    Invalid,
    /// A defect.
    Internal,
    /// Too many requests of one key.
    RateLimited,
    /// Too much at once.
    Busy,
    /// The database is away.
    Unreachable,
}

impl Kind {
    /// The status code that says it best.
    pub(crate) const fn status(self) -> StatusCode {
        match self {
            Self::Malformed => StatusCode::BAD_REQUEST,
            Self::Unauthenticated => StatusCode::UNAUTHORIZED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::Refused | Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::Unreachable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

/// Why a request was not answered as wished.
#[derive(Debug, Clone)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// For the person who reads it. Never names internals.
    pub(crate) detail: String,
    /// Boxed, so that what can fail stays cheap to return.
    pub(crate) about: Box<About>,
}

/// What is known beside the words.
#[derive(Debug, Clone, Default)]
pub(crate) struct About {
    /// The member, parameter or header that is wrong.
    pub(crate) field: Option<String>,
    /// The state that refused.
    pub(crate) state: Option<JobState>,
    /// Value of the header `Allow`.
    pub(crate) allow: Option<String>,
    /// Whole seconds after which trying again is worth while.
    pub(crate) retry_after: Option<u64>,
    /// Whether a credential was given at all.
    pub(crate) had_credential: bool,
    /// Further members of the answer.
    pub(crate) more: Map<String, Value>,
    /// For the log only.
    pub(crate) cause: Option<String>,
}

impl Fault {
    fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            about: Box::default(),
        }
    }

    fn caused_by(mut self, cause: String) -> Self {
        self.about.cause = Some(cause);
        self
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(Kind::Malformed, detail)
    }

    pub(crate) fn unauthenticated(detail: impl Into<String>, had_credential: bool) -> Self {
        let mut fault = Self::new(Kind::Unauthenticated, detail);
        fault.about.had_credential = had_credential;
        fault
    }

    pub(crate) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(Kind::Forbidden, detail)
    }

    pub(crate) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, detail)
    }

    pub(crate) fn method_not_allowed(method: &str, allow: String) -> Self {
        let method: String = method.chars().take(20).collect();
        let detail = format!("{method} is not possible here; possible are {allow}");
        let mut fault = Self::new(Kind::MethodNotAllowed, detail);
        fault.about.allow = Some(allow);
        fault
    }

    pub(crate) fn not_acceptable(detail: impl Into<String>) -> Self {
        Self::new(Kind::NotAcceptable, detail)
    }

    pub(crate) fn refused(detail: impl Into<String>, state: Option<JobState>) -> Self {
        let mut fault = Self::new(Kind::Refused, detail);
        fault.about.state = state;
        fault
    }

    pub(crate) fn too_large(limit: usize) -> Self {
        Self::new(
            Kind::TooLarge,
            format!("the body is larger than the {limit} bytes allowed here"),
        )
    }

    pub(crate) fn unsupported_media_type(detail: impl Into<String>) -> Self {
        Self::new(Kind::UnsupportedMediaType, detail)
    }

    pub(crate) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(Kind::Conflict, detail)
    }

    pub(crate) fn rate_limited(seconds: u64) -> Self {
        let mut fault = Self::new(
            Kind::RateLimited,
            format!("this API key has sent too many requests; wait {seconds} s"),
        );
        fault.about.retry_after = Some(seconds);
        fault
    }

    fn after(mut self, seconds: u64) -> Self {
        self.about.retry_after = Some(seconds);
        self
    }

    pub(crate) fn invalid(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, detail).field(field)
    }

    /// A defect. The cause goes to the log, the client gets the request id to ask about.
    pub(crate) fn internal(cause: impl Into<String>) -> Self {
        Self::new(
            Kind::Internal,
            "something went wrong that should not have; the daemon's log has more under this request id",
        )
        .caused_by(cause.into())
    }

    pub(crate) fn panicked(panic: &(dyn Any + Send)) -> Self {
        let words = panic
            .downcast_ref::<&str>()
            .copied()
            .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
            .unwrap_or("no words");
        Self::internal(format!("a handler panicked: {words}"))
    }

    pub(crate) fn field(mut self, field: impl Into<String>) -> Self {
        self.about.field = Some(field.into());
        self
    }

    /// Writes the headers that go with it, whatever the body looks like: `Allow`, `Retry-After`, `WWW-Authenticate`.
    pub(crate) fn put_headers(&self, answer: &mut HttpResponseBuilder) {
        let about = &self.about;
        if let Some(allow) = about
            .allow
            .as_deref()
            .and_then(|v| HeaderValue::from_str(v).ok())
        {
            answer.insert_header((ALLOW, allow));
        }
        if let Some(seconds) = about.retry_after {
            answer.insert_header((RETRY_AFTER, seconds.to_string()));
        }
        if self.kind == Kind::Unauthenticated {
            let challenge = if about.had_credential {
                "Bearer error=\"invalid_token\""
            } else {
                "Bearer"
            };
            answer.insert_header((WWW_AUTHENTICATE, challenge));
        }
    }

    /// Adds a member to the answer.
    pub(crate) fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.about.more.insert(name.to_owned(), value.into());
        self
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        let message = error.to_string();
        match error {
            Error::Missing { .. } => Self::not_found(message),
            Error::Refused { state, .. } => Self::refused(message, state),
            Error::Invalid { field, .. } => Self::invalid(field, message),
            Error::Conflict { .. } => Self::new(Kind::Conflict, message),
            Error::Busy(_) => Self::new(
                Kind::Busy,
                "the daemon is busy and nothing was changed; try again in a moment",
            )
            .after(1)
            .caused_by(message),
            Error::Unreachable(_) => Self::new(
                Kind::Unreachable,
                "the database cannot be reached now; try again in a moment",
            )
            .after(5)
            .caused_by(message),
            Error::Database(_) => Self::internal(message),
        }
    }
}
