//! A receiver of records (RFC 8935) that writes into the ledger, and gives receipts.
//!
//! 1. [`door`]: TLS, client certificates, how many connections and for how long.
//! 2. [`routes`]: which request means what; who may ask ([`rate`], bearer, certificates).
//! 3. [`answer`]: what a request is, and which of the six codes it gets.
//! 4. [`clerk`]: the one thread that has the ledger. It stores, durably, and only then is 202 answered.
//! 5. [`shelf`]: proofs for receipts.
//!
//! Whoever may send can fill the disk; nobody can change or take away what is there. `doc/upload.md` tells the protocol.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum_server::Handle;
use axum_server::tls_rustls::{RustlsAcceptor, RustlsConfig};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};

use super::bearer::Bearer;
use super::checkpoint::note::LedgerKey;
use super::ledger::LedgerError;
use crate::record::hash::Hash;

pub mod answer;
pub mod clerk;
pub mod door;
pub mod rate;
pub mod routes;
pub mod shelf;

/// Requests that are being answered have so long to end.
const FAREWELL: Duration = Duration::from_secs(10);
/// How often it is asked whether to stop.
const ASK: Duration = Duration::from_millis(100);

/// Told what the keeper of the receiver should know, one line each. Called from any thread.
pub type News = Arc<dyn Fn(String) + Send + Sync>;

/// What the receiver is told to do.
pub struct Settings {
    /// TLS. `None`: none, for a listener on this machine itself.
    pub tls: Option<Arc<ServerConfig>>,
    /// Token that every request has to carry.
    pub bearer: Option<Bearer>,
    /// Certificates of the stations that may send, by SHA-256 of their DER; none: every one that verifies.
    pub stations: Vec<Hash>,
    /// Organisations (`iss`) whose records are taken; none: all.
    pub issuers: Vec<String>,
    /// Signs checkpoints and receipts.
    pub key: Option<LedgerKey>,
    /// Requests a second, of each client.
    pub rate: u32,
    /// Connections at a time.
    pub connections: usize,
}

/// What came in until it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Records that were new.
    pub stored: u64,
    /// Records that were known.
    pub known: u64,
    /// Bytes that are no record.
    pub set_aside: u64,
    /// Requests answered with one of the six codes.
    pub refused: u64,
    /// Times that the ledger failed.
    pub failed: u64,
}

/// Receives until `stop` is set. Then no more connections are taken, and what is being answered is answered.
///
/// # Errors
/// [`ReceiveError`].
pub fn receive(
    listener: TcpListener,
    settings: Settings,
    mut open: clerk::Open,
    now: Box<dyn Fn() -> i64 + Send>,
    news: News,
    stop: &Arc<AtomicBool>,
) -> Result<Tally, ReceiveError> {
    let ledger = open()?;
    let clerk = clerk::Clerk { open, key: settings.key, now, news };
    let (line, thread) = clerk::start(clerk, ledger)?;
    let visitors = door::Visitors::new(settings.connections);
    let house = Arc::new(routes::House {
        line,
        visitors: Arc::clone(&visitors),
        rate: Mutex::new(rate::Rate::new(settings.rate)),
        began: Instant::now(),
        bearer: settings.bearer,
        stations: settings.stations,
        issuers: settings.issuers,
    });
    let tls = settings.tls.map(|config| RustlsAcceptor::new(RustlsConfig::from_config(config)));
    let door = door::Door { tls, visitors };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .thread_name("http")
        .build()?;
    let served = runtime.block_on(serve(listener, door, house, Arc::clone(stop)));
    // Connections that would not end hold the way to the ledger open; with the runtime they are gone.
    runtime.shutdown_timeout(Duration::from_secs(1));
    let tally = thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
    served?;
    Ok(tally)
}

async fn serve(
    listener: TcpListener,
    door: door::Door,
    house: Arc<routes::House>,
    stop: Arc<AtomicBool>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let handle: Handle<SocketAddr> = Handle::new();
    let farewell = handle.clone();
    tokio::spawn(async move {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(ASK).await;
        }
        farewell.graceful_shutdown(Some(FAREWELL));
    });
    let service = routes::router(house).into_make_service_with_connect_info::<SocketAddr>();
    axum_server::from_tcp(listener)?.acceptor(door).handle(handle).http1_only().serve(service).await
}

/// TLS 1.2 and 1.3 with this certificate (PEM, with what certifies it) and its key (PEM). With `client_authorities` (PEM) only
/// clients are let in whose certificate comes from one of them.
///
/// # Errors
/// [`TlsError`].
pub fn tls(
    certificate: &[u8],
    key: &[u8],
    client_authorities: Option<&[u8]>,
) -> Result<Arc<ServerConfig>, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let chain = certificates(certificate, "--cert")?;
    let key = PrivateKeyDer::from_pem_slice(key)
        .map_err(|error| TlsError::Pem { option: "--cert-key", text: error.to_string() })?;
    let builder =
        ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions()?;
    let builder = match client_authorities {
        None => builder.with_no_client_auth(),
        Some(pem) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(pem, "--client-ca")? {
                roots.add(authority)?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider)
                .build()
                .map_err(|error| TlsError::Pem { option: "--client-ca", text: error.to_string() })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let mut config = builder.with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

fn certificates(pem: &[u8], option: &'static str) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match found {
        Ok(found) if !found.is_empty() => Ok(found),
        Ok(_) => Err(TlsError::Pem { option, text: "no certificate in it".into() }),
        Err(error) => Err(TlsError::Pem { option, text: error.to_string() }),
    }
}

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is not what it should be.
    #[error("{option}: {text}")]
    Pem {
        /// Which option names it.
        option: &'static str,
        /// What is wrong.
        text: String,
    },
    /// They do not fit, or cannot be used.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
}

/// Why nothing is received.
#[derive(Debug, thiserror::Error)]
pub enum ReceiveError {
    /// The ledger, before anything was received.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The operating system.
    #[error("the receiver: {0}")]
    Io(#[from] io::Error),
}
