//! The client that all attempts of a kind share, and the certificates it trusts.

use std::path::Path;
use std::sync::Arc;

use reqwest::redirect;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use super::allow::Allow;
use super::lookup::Guard;
use super::settings::HttpSettings;

/// Makes the client. `https` says whether it will speak TLS.
///
/// # Errors
/// What is missing on this machine.
pub(super) fn new(
    settings: &HttpSettings,
    allow: &Allow,
    https: bool,
) -> Result<reqwest::Client, String> {
    let roots = match &settings.ca_file {
        Some(file) => of_file(file)?,
        None if https => of_machine()?,
        None => RootCertStore::empty(),
    };
    // Its own provider: nothing has to be installed for the whole process, which may be somebody else's.
    let tls =
        ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| format!("TLS cannot be set up: {error}"))?
            .with_root_certificates(roots)
            .with_no_client_auth();
    reqwest::Client::builder()
        .user_agent(concat!("belay/", env!("CARGO_PKG_VERSION")))
        .tls_backend_preconfigured(tls)
        .http1_only()
        // A proxy would look up and connect behind our back.
        .no_proxy()
        .redirect(redirect::Policy::none())
        .referer(false)
        .retry(reqwest::retry::never())
        // A connection serves one request: dropping it stops nothing else, and every request has had its address checked.
        .pool_max_idle_per_host(0)
        .connect_timeout(settings.connect_timeout)
        .dns_resolver(Arc::new(Guard {
            lookup: Arc::clone(&settings.lookup),
            allow: allow.clone(),
        }))
        .build()
        .map_err(|error| format!("the HTTP client cannot be set up: {error}"))
}

fn of_file(file: &Path) -> Result<RootCertStore, String> {
    let refuse = |what: &dyn std::fmt::Display| format!("`ca_file` {}: {what}", file.display());
    let mut roots = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(file).map_err(|error| refuse(&error))?;
    for certificate in certificates {
        let certificate = certificate.map_err(|error| refuse(&error))?;
        roots.add(certificate).map_err(|error| refuse(&error))?;
    }
    if roots.is_empty() {
        return Err(refuse(&"it contains no certificate"));
    }
    Ok(roots)
}

fn of_machine() -> Result<RootCertStore, String> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Old machines have some that nobody can read.
    let (added, _) = roots.add_parsable_certificates(found.certs);
    if added == 0 {
        let why = found.errors.first().map(|error| format!(" ({error})"));
        return Err(format!(
            "this machine trusts no certificate authority, so no https URL can be reached{}; install the package ca-certificates, or set \
             `ca_file`",
            why.unwrap_or_default()
        ));
    }
    Ok(roots)
}
