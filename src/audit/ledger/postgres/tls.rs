//! TLS to the server, by the files that the URL names.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use tokio_postgres_rustls::MakeRustlsConnect;

/// Where Debian, and most others, keep the issuers that the system trusts.
const SYSTEM: &str = "/etc/ssl/certs/ca-certificates.crt";

/// What of the server's certificate is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Check {
    /// That it holds the key of some certificate: keeps out who only listens.
    Nothing,
    /// And that an issuer we know has signed it.
    Issuer,
    /// And that it is the server's that we asked for.
    Name,
}

/// What the URL says of TLS.
pub(super) struct Files {
    pub(super) check: Check,
    /// Issuers, PEM; `system` or nothing: those of the system.
    pub(super) root: Option<PathBuf>,
    /// Our certificate and what certifies it, PEM.
    pub(super) certificate: Option<PathBuf>,
    /// Our private key, PEM.
    pub(super) key: Option<PathBuf>,
}

impl Files {
    /// Speaks TLS as the files say; or which of them cannot be used, and why.
    pub(super) fn connector(&self) -> Result<MakeRustlsConnect, String> {
        let provider = Arc::new(ring::default_provider());
        let issuers = match (self.check, self.root.as_deref()) {
            (Check::Nothing, _) => None,
            (_, None) => Some(issuers(Path::new(SYSTEM))?),
            (_, Some(path)) if path.as_os_str() == "system" => Some(issuers(Path::new(SYSTEM))?),
            (_, Some(path)) => Some(issuers(path)?),
        };
        let inner = issuers.map(|issuers| {
            WebPkiServerVerifier::builder_with_provider(Arc::new(issuers), provider.clone()).build()
        });
        let inner = inner.transpose().map_err(|error| format!("the issuers cannot be used: {error}"))?;
        let server = Arc::new(Server { check: self.check, inner, provider: provider.clone() });
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| error.to_string())?
            .dangerous()
            .with_custom_certificate_verifier(server);
        let config = match (&self.certificate, &self.key) {
            (None, None) => builder.with_no_client_auth(),
            (Some(certificate), Some(key)) => {
                let chain = certificates(certificate)?;
                let secret = PrivateKeyDer::from_pem_file(key)
                    .map_err(|error| format!("{}: {error}", key.display()))?;
                let failed = |error| format!("{}: {error}", certificate.display());
                builder.with_client_auth_cert(chain, secret).map_err(failed)?
            }
            _ => return Err("sslcert and sslkey are only of use together".into()),
        };
        Ok(MakeRustlsConnect::new(config))
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let failed = |error| format!("{}: {error}", path.display());
    let found: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).map_err(failed)?.collect();
    match found.map_err(failed)? {
        none if none.is_empty() => Err(format!("{}: it holds no certificate", path.display())),
        some => Ok(some),
    }
}

fn issuers(path: &Path) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let (added, _) = store.add_parsable_certificates(certificates(path)?);
    match added {
        0 => Err(format!("{}: none of its certificates can be used", path.display())),
        _ => Ok(store),
    }
}

/// Checks as much of the server's certificate as was asked for; that it holds the certificate's key, always.
#[derive(Debug)]
struct Server {
    check: Check,
    inner: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Server {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(inner) = &self.inner else { return Ok(ServerCertVerified::assertion()) };
        match inner.verify_server_cert(certificate, intermediates, name, ocsp, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.check == Check::Issuer => Ok(ServerCertVerified::assertion()),
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signed, known)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let known = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signed, known)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
