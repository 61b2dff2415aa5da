//! HTTP to a receiver, over TLS.

use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use ureq::http::header::{
    ACCEPT, AUTHORIZATION, CONTENT_LANGUAGE, CONTENT_TYPE, HeaderName, HeaderValue, LOCATION, RETRY_AFTER,
};
use ureq::http::{Response, Uri};
use ureq::tls::{Certificate, ClientCert, PrivateKey, RootCerts, TlsConfig};
use ureq::{Agent, Body};
use zeroize::Zeroizing;

use super::answer::{Answer, BODY_CAP, shorten};
use super::{Cut, Post};
use crate::audit::bearer::Bearer;
use crate::audit::receive::answer::UNKNOWN_RECORD;
use crate::record::hash::Hash;

/// To reach the receiver at all.
const CONNECT: Duration = Duration::from_secs(15);
/// More than any receipt: a proof has at most 64 hashes, a checkpoint 128 kB.
const RECEIPT_CAP: u64 = 256 * 1024;

/// Where a receiver is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target(Uri);

impl Target {
    /// `https://host[:port]/path`; `http` to this machine only.
    ///
    /// # Errors
    /// [`SetupError::Url`].
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let wrong = |why| SetupError::Url { url: text.into(), why };
        let uri: Uri = text.parse().map_err(|_| wrong("it is none"))?;
        let host = uri.host().filter(|host| !host.is_empty()).ok_or(wrong("it names no host"))?;
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("secrets do not belong there"));
        }
        match uri.scheme_str() {
            Some("https") => Ok(Target(uri)),
            Some("http") if ["localhost", "127.0.0.1", "[::1]"].contains(&host) => Ok(Target(uri)),
            Some("http") => Err(wrong("without TLS only this machine itself is trusted")),
            _ => Err(wrong("it is not https")),
        }
    }

    /// Beside it: the last part of the path exchanged (RFC 3986 section 5.2.3).
    fn beside(&self, name: &str) -> String {
        let authority = self.0.authority().expect("parsed with a host");
        let path = self.0.path();
        let folder = &path[..path.rfind('/').map_or(0, |at| at + 1)];
        format!("{}://{authority}{folder}{name}", self.0.scheme_str().expect("parsed with a scheme"))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the connection needs, as the files hold it.
#[derive(Debug, Default)]
pub struct Credentials {
    /// PEM: the authorities that the receiver's certificate may come from. Without it those of Mozilla.
    pub authorities: Option<Vec<u8>>,
    /// PEM: this station's certificate (and what certifies it), and its key.
    pub client: Option<(Vec<u8>, Zeroizing<Vec<u8>>)>,
    /// For the `Authorization` header.
    pub bearer: Option<Bearer>,
}

/// One receiver.
pub struct Receiver {
    agent: Agent,
    to: Target,
    authorization: Option<HeaderValue>,
}

impl Receiver {
    /// Reads certificates and keys; nothing is connected yet.
    ///
    /// # Errors
    /// [`SetupError`].
    pub fn new(to: Target, credentials: Credentials, timeout: Duration) -> Result<Self, SetupError> {
        let mut tls = TlsConfig::builder();
        if let Some(pem) = &credentials.authorities {
            let authorities: Vec<Certificate<'static>> =
                certificates(pem, "--ca")?.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
            tls = tls.root_certs(RootCerts::new_with_certs(&authorities));
        }
        if let Some((chain, key)) = &credentials.client {
            tls = tls.client_cert(Some(client(chain, key)?));
        }
        let agent = Agent::config_builder()
            .tls_config(tls.build())
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .proxy(None)
            .timeout_resolve(Some(CONNECT))
            .timeout_connect(Some(CONNECT))
            .timeout_global(Some(timeout))
            .build()
            .new_agent();
        let authorization = credentials.bearer.map(|bearer| {
            let mut value =
                HeaderValue::from_bytes(&bearer.expose_header()).expect("a token is visible ASCII");
            value.set_sensitive(true);
            value
        });
        Ok(Receiver { agent, to, authorization })
    }

    /// The receipt for a record, as text. Nothing in it is believed yet.
    ///
    /// # Errors
    /// [`NoReceipt`].
    pub fn receipt(&self, record: &Hash) -> Result<String, NoReceipt> {
        let mut request = self.agent.get(self.to.beside(&format!("receipt/{record}")));
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.call().map_err(cut)?;
        let status = response.status().as_u16();
        let mut text = String::new();
        let read = response.body_mut().as_reader().take(RECEIPT_CAP).read_to_string(&mut text);
        match (status, read) {
            (200, Ok(_)) => Ok(text),
            (200, Err(error)) => {
                Err(NoReceipt::Cut(Cut { text: format!("the receipt broke off: {error}"), again: true }))
            }
            (status, _) => Err(no_receipt(*record, status, &text)),
        }
    }
}

/// What another answer than a receipt means. Only our own receiver says which records it does not hold.
fn no_receipt(record: Hash, status: u16, body: &str) -> NoReceipt {
    let said = shorten(body.trim());
    let text = match said.is_empty() {
        true => format!("status {status}"),
        false => format!("status {status}: {said}"),
    };
    match status {
        404 if said == UNKNOWN_RECORD => NoReceipt::NotHeld { record },
        408 | 429 | 500.. => NoReceipt::Cut(Cut { text, again: true }),
        _ => NoReceipt::GivesNone { text },
    }
}

/// Why there is no receipt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoReceipt {
    /// No answer, or none for now.
    #[error(transparent)]
    Cut(#[from] Cut),
    /// The receiver has not got a record that it once accepted.
    #[error("the receiver does not hold record {record}, though it accepted it")]
    NotHeld {
        /// Which.
        record: Hash,
    },
    /// It gives none.
    #[error("the receiver gives no receipts: {text}")]
    GivesNone {
        /// What it said, on one line.
        text: String,
    },
}

impl Post for Receiver {
    fn post(&mut self, record: &[u8]) -> Result<Answer, Cut> {
        let mut request = self
            .agent
            .post(self.to.0.clone())
            .header(CONTENT_TYPE, "application/secevent+jwt")
            .header(ACCEPT, "application/json");
        if let Some(value) = &self.authorization {
            request = request.header(AUTHORIZATION, value);
        }
        let mut response = request.send(record).map_err(cut)?;
        let mut answer = Answer {
            status: response.status().as_u16(),
            content_type: header(&response, CONTENT_TYPE),
            has_language: response.headers().contains_key(CONTENT_LANGUAGE),
            retry_after: header(&response, RETRY_AFTER),
            location: header(&response, LOCATION),
            body: Vec::new(),
        };
        // Of an acceptance it is enough to know whether there is a body: nobody waits for an endless one.
        let cap = if answer.status == 202 { 1 } else { BODY_CAP };
        let read = response.body_mut().as_reader().take(cap as u64).read_to_end(&mut answer.body);
        match read {
            // The status is an answer; a body that breaks off does not take it back.
            Err(_) if answer.status == 202 => Ok(answer),
            Err(error) => Err(Cut { text: format!("the answer broke off: {error}"), again: true }),
            Ok(_) => Ok(answer),
        }
    }
}

fn header(response: &Response<Body>, name: HeaderName) -> Option<String> {
    response.headers().get(name).map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned())
}

/// What a failure without answer means. The TLS library wraps its own errors into those of the connection.
fn cut(error: ureq::Error) -> Cut {
    let tls = match &error {
        ureq::Error::Rustls(error) => Some(error),
        ureq::Error::Io(error) => error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()),
        _ => None,
    };
    let again = !matches!(
        tls,
        Some(
            rustls::Error::InvalidCertificate(_)
                | rustls::Error::AlertReceived(_)
                | rustls::Error::PeerIncompatible(_)
                | rustls::Error::NoCertificatesPresented
        )
    ) && !matches!(error, ureq::Error::BadUri(_) | ureq::Error::Tls(_));
    let text = match (&error, tls) {
        (_, Some(rustls::Error::AlertReceived(alert))) => {
            format!("the receiver ends the TLS handshake: {alert:?}")
        }
        (_, Some(tls)) => format!("TLS: {tls}"),
        (ureq::Error::Io(error), None) => match error.kind() {
            // In TLS 1.3 a receiver judges the station's certificate after the station may send already: what it says then
            // can be lost with the connection.
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset => {
                format!("{error} (a receiver ends so where it does not take this station's certificate, too)")
            }
            _ => error.to_string(),
        },
        (error, None) => error.to_string(),
    };
    Cut { text, again }
}

/// The certificates of a PEM file.
fn certificates(pem: &[u8], option: &'static str) -> Result<Vec<CertificateDer<'static>>, SetupError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(SetupError::Pem { option, text: "no certificate in it".into() }),
        Err(error) => Err(SetupError::Pem { option, text: error.to_string() }),
    }
}

/// Certificate and key, which have to belong together.
fn client(chain: &[u8], pem: &[u8]) -> Result<ClientCert, SetupError> {
    let chain = certificates(chain, "--client-cert")?;
    let key = PrivateKeyDer::from_pem_slice(pem)
        .map_err(|error| SetupError::Pem { option: "--client-key", text: error.to_string() })?;
    // The HTTP library would panic where they do not fit; this asks first.
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(SetupError::Tls)?
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_client_auth_cert(chain.clone(), key)
        .map_err(SetupError::Tls)?;
    let chain: Vec<Certificate<'static>> =
        chain.iter().map(|der| Certificate::from_der(der).to_owned()).collect();
    let key = PrivateKey::from_pem(pem)
        .map_err(|error| SetupError::Pem { option: "--client-key", text: error.to_string() })?;
    Ok(ClientCert::new_with_certs(&chain, key))
}

/// Why nothing can be sent, before anything was.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// No place to send to.
    #[error("{url} is no receiver's URL: {why}")]
    Url {
        /// As given.
        url: String,
        /// What is wrong.
        why: &'static str,
    },
    /// A file is not what it should be.
    #[error("{option}: {text}")]
    Pem {
        /// Which option names it.
        option: &'static str,
        /// What is wrong.
        text: String,
    },
    /// Certificate and key do not fit.
    #[error("--client-cert and --client-key: {0}")]
    Tls(#[source] rustls::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_receiver_is_reached_over_tls_or_on_this_machine() {
        for good in [
            "https://audit.example.org/",
            "https://audit.example.org:8443/events?tenant=1",
            "http://127.0.0.1:80/",
            "http://[::1]/",
        ] {
            assert_eq!(Target::parse(good).unwrap().to_string(), good);
        }
        for bad in [
            "audit.example.org",
            "",
            "http://audit.example.org/",
            "http://127.0.0.1.example.org/",
            "ftp://audit.example.org/",
            "https://ada:secret@audit.example.org/",
            "/events",
        ] {
            assert!(matches!(Target::parse(bad), Err(SetupError::Url { .. })), "{bad}");
        }
    }

    #[test]
    fn receipts_lie_beside_the_receiver() {
        for (to, beside) in [
            ("https://audit.example.org", "https://audit.example.org/receipt/x"),
            ("https://audit.example.org:8443/", "https://audit.example.org:8443/receipt/x"),
            ("https://audit.example.org/events?tenant=1", "https://audit.example.org/receipt/x"),
            ("https://audit.example.org/kit/events", "https://audit.example.org/kit/receipt/x"),
        ] {
            assert_eq!(Target::parse(to).unwrap().beside("receipt/x"), beside);
        }
    }

    #[test]
    fn a_missing_receipt_is_told_from_one_that_may_come_later() {
        let record = Hash::of(b"x");
        let gone = no_receipt(record, 404, "the ledger holds no such record\n");
        assert_eq!(gone, NoReceipt::NotHeld { record });
        let none = no_receipt(record, 404, "this receiver signs\nnothing\n");
        assert_eq!(
            none.to_string(),
            "the receiver gives no receipts: status 404: this receiver signs nothing"
        );
        assert!(matches!(no_receipt(record, 405, ""), NoReceipt::GivesNone { text } if text == "status 405"));
        for status in [429, 503] {
            assert!(matches!(no_receipt(record, status, ""), NoReceipt::Cut(Cut { again: true, .. })));
        }
    }

    #[test]
    fn certificates_that_are_none_are_named() {
        let to = || Target::parse("https://audit.example.org/").unwrap();
        let credentials = Credentials { authorities: Some(b"nothing".into()), ..Credentials::default() };
        let error = Receiver::new(to(), credentials, CONNECT).err().unwrap();
        assert_eq!(error.to_string(), "--ca: no certificate in it");
        let key = || rcgen::KeyPair::generate().unwrap();
        let mine = key();
        let certificate =
            rcgen::CertificateParams::new(vec!["x".into()]).unwrap().self_signed(&mine).unwrap();
        let with = |key: &rcgen::KeyPair| Credentials {
            client: Some((certificate.pem().into_bytes(), key.serialize_pem().into_bytes().into())),
            ..Credentials::default()
        };
        assert!(matches!(Receiver::new(to(), with(&key()), CONNECT), Err(SetupError::Tls(_))));
        assert!(Receiver::new(to(), with(&mine), CONNECT).is_ok());
    }
}
