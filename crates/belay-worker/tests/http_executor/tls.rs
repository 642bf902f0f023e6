//! TLS: who is trusted.

use std::net::SocketAddr;
use std::sync::Arc;

use belay_worker::executors::http::{HttpExecutor, HttpSettings};
use belay_worker::executors::{Executor, Finish};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::support::{Answers, error_of, run};

/// A receiver for `hook.example` that answers 200, and the certificate of its authority.
async fn receiver() -> (SocketAddr, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let params = CertificateParams::new(vec!["hook.example".into()]).unwrap();
    let certificate = params.signed_by(&key, &authority).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
            let _ = stream.write_all(answer).await;
            let _ = stream.shutdown().await;
        }
    });
    (address, authority.pem())
}

fn settings(host: &str, address: SocketAddr) -> HttpSettings {
    let mut settings = HttpSettings::new(format!("https://{host}:{}/", address.port()));
    settings.lookup = Answers::new(&[&["127.0.0.1"]]);
    settings.allow = vec!["127.0.0.1/32".into()];
    settings
}

#[tokio::test]
async fn a_receiver_is_trusted_by_its_authority_and_its_name() {
    let (address, pem) = receiver().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let mut trusting = settings("hook.example", address);
    trusting.ca_file = Some(file.clone());
    let (finish, output) = run(trusting, r#"{"a": 1}"#).await;
    assert_eq!((finish, output.stdout.as_str()), (Finish::Completed, "ok"));

    let mut other_name = settings("other.example", address);
    other_name.ca_file = Some(file);
    let (_, other_authority) = receiver().await;
    let file = folder.path().join("other.pem");
    std::fs::write(&file, other_authority).unwrap();
    let mut other_trust = settings("hook.example", address);
    other_trust.ca_file = Some(file);
    for settings in [other_name, other_trust] {
        let (finish, _) = run(settings, "{}").await;
        let (error, retry) = error_of(&finish);
        assert!(retry && error.contains("certificate"), "{error}");
    }
}

#[test]
fn a_file_without_certificates_is_refused_when_the_worker_starts() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    let prepare = || {
        let mut settings = HttpSettings::new("https://hook.example/");
        settings.ca_file = Some(file.clone());
        HttpExecutor::new(settings).unwrap().prepare().unwrap_err()
    };
    let missing = prepare();
    std::fs::write(&file, "no certificate").unwrap();
    let empty = prepare();
    std::fs::write(
        &file,
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    )
    .unwrap();
    for error in [missing, empty, prepare()] {
        assert!(
            error.contains("`ca_file`") && error.contains("ca.pem"),
            "{error}"
        );
    }
}
