//! `POST /api/{version}/auth`

use std::time::Duration;

use actix_web::http::Method;
use utoipa::ToSchema;

use super::answer::{accepts, answer};
use super::job::caller;
use super::versions::address;
use super::wire::{ErrorType, Failure, Session, Status, Vault, WireError};
use crate::http::{Answer, Call, Request, Verb};
use crate::service;

/// A session that is not used for so long ends.
const IDLE: Duration = Duration::from_secs(20 * 60);
/// Every session ends after so long.
const LIFE: Duration = Duration::from_secs(48 * 60 * 60);

pub(super) fn verb() -> Verb {
    Verb::open(Method::POST, |request| Box::pin(open_session(request)))
}

/// A login.
#[derive(Debug, ToSchema)]
#[schema(as = VaultLogin)]
#[expect(
    dead_code,
    reason = "for the document; the form is read field by field"
)]
pub(super) struct Login {
    /// Name of an API key.
    username: String,
    /// The API key.
    password: String,
}

/// Open a session
///
/// It ends after 20 minutes without use, and after 48 hours in any case. It may do what its API key may. An API key can also be sent as the
/// session id itself.
#[utoipa::path(
    post, path = "/api/{version}/auth", tag = "vault",
    request_body(content = Login, content_type = "application/x-www-form-urlencoded"),
    responses((status = 200, description = "A session; or `responseStatus` FAILURE with `errorType` AUTHENTICATION_FAILED", body = Session)),
)]
pub(super) async fn open_session(mut request: Request) -> Answer {
    accepts(request.headers())?;
    let form = request.form().await?;
    let Some(password) = form.text("password").map(ToOwned::to_owned) else {
        return refuse(
            &request,
            ErrorType::NoPasswordProvided,
            "No password was provided for the login call; the password is an API key",
        );
    };
    let name = form.text("username").unwrap_or_default().to_owned();
    let grant = request
        .database(move |db| service::session::check(db, Some(&name), &password))
        .await?;
    let Some(grant) = grant else {
        return refuse(
            &request,
            ErrorType::UsernameOrPasswordIncorrect,
            "Authentication failed: the user name must be the name of an API key that works, and the password that key",
        );
    };
    request.api.limiter.check(grant.key)?;
    let call = Call {
        request,
        grant: grant.into(),
    };
    let caller = caller(&call).await?;
    let (grant, via) = (caller.grant.clone(), caller.via);
    let (session_id, tenants) = call
        .request
        .database(move |db| {
            let tenants = service::house::tenants(db, &grant)?;
            let token = service::session::open(db, &grant, via, None, Some(IDLE), LIFE)?;
            Ok((token, tenants))
        })
        .await?;
    let url = address(&call.request);
    let vault_ids = tenants
        .into_iter()
        .map(|tenant| Vault {
            id: tenant.id,
            name: tenant.name,
            url: url.clone(),
        })
        .collect();
    answer(
        &call.request,
        &Session {
            response_status: Status::Success,
            session_id,
            user_id: call.grant.key,
            vault_ids,
            vault_id: caller.tenant,
        },
    )
}

fn refuse(request: &Request, kind: ErrorType, message: &str) -> Answer {
    answer(
        request,
        &Failure {
            response_status: Status::Failure,
            errors: vec![WireError {
                kind,
                message: message.to_owned(),
            }],
            error_type: Some("AUTHENTICATION_FAILED"),
        },
    )
}
