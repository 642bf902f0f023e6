//! Which job of which customer: the path and the header `Customer-Id`.

use belay_core::id::JobRef;

use crate::auth;
use crate::http::{Call, Fault};
use crate::service::Caller;

const CUSTOMER: &str = "Customer-Id";

/// A number from 1 to 2^63-1, written in the one usual way.
fn number(text: &str) -> Option<JobRef> {
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    let number: i64 = text.parse().ok().filter(|_| plain)?;
    Some(JobRef::number(number))
}

/// The customer in the header.
pub(super) fn customer(call: &Call) -> Result<JobRef, Fault> {
    let mut values = call.request.headers().get_all(CUSTOMER);
    let wrong = |what: &str| {
        Fault::malformed(format!(
            "the header {CUSTOMER} {what}; it must be given once, as an integer from 1 to 9223372036854775807"
        ))
        .field(CUSTOMER)
    };
    match (values.next(), values.next()) {
        (None, _) => Err(wrong("is missing")),
        (Some(_), Some(_)) => Err(wrong("stands twice")),
        (Some(value), None) => {
            let text = value.to_str().unwrap_or_default();
            let shown: String = text.chars().take(40).collect();
            number(text).ok_or_else(|| wrong(&format!("is {shown:?}")))
        }
    }
}

/// The job in the path.
pub(super) fn job(call: &Call) -> Result<JobRef, Fault> {
    let text = call.request.part("jobId");
    number(text).ok_or_else(|| {
        let shown: String = text.chars().take(40).collect();
        Fault::malformed(format!(
            "jobId is {shown:?}, it must be an integer from 1 to 9223372036854775807"
        ))
        .field("jobId")
    })
}

/// Who asks, for that customer, if the key has access to it.
pub(super) async fn access(call: &Call, customer: JobRef) -> Result<Caller, Fault> {
    let tenant = auth::by_id(&call.request.api, customer, &call.grant).await;
    let tenant = tenant.map_err(|mut fault| {
        if fault.kind == crate::http::Kind::Forbidden {
            fault.detail = "this token was not granted that customer".to_owned();
        }
        fault
    })?;
    Ok(call.caller_on(tenant))
}

/// Who asks, and about which job.
pub(super) async fn about(call: &Call) -> Result<(Caller, JobRef), Fault> {
    let (job, customer) = (job(call)?, customer(call)?);
    Ok((access(call, customer).await?, job))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_has_one_spelling() {
        for (text, id) in [("1", 1), ("77", 77), ("9223372036854775807", i64::MAX)] {
            assert_eq!(number(text), Some(JobRef::number(id)));
        }
        for text in [
            "",
            "0",
            "01",
            "+1",
            "-1",
            "1.0",
            "1e3",
            " 1",
            "１",
            "0x1",
            "9223372036854775808",
            "6b065cb00000000000000001",
        ] {
            assert_eq!(number(text), None, "{text}");
        }
    }
}
