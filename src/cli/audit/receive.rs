//! `receive`: an RFC 8935 receiver that writes into the ledger, until it is told to stop.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

use serde_json::json;
use zeroize::Zeroizing;

use super::checkpoint::private_key;
use super::desk::AuditDesk;
use super::import::grouped;
use super::trouble::{Transport, Trouble};
use crate::audit::bearer::Bearer;
use crate::audit::ledger;
use crate::audit::receive::{self, News, Settings, Tally};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::record::hash::Hash;

/// Where to listen, and whom to let in.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("tls").required(true).args(["cert", "plain_http"]))]
#[command(group = clap::ArgGroup::new("who").required(true).multiple(true).args(["client_ca", "bearer_file", "anyone"]))]
pub(super) struct Options {
    /// Address and port
    #[arg(long, value_name = "ADDR:PORT")]
    listen: SocketAddr,
    /// Certificate of the receiver (PEM), with what certifies it
    #[arg(long, value_name = "FILE", requires = "cert_key")]
    cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    cert_key: Option<PathBuf>,
    /// No TLS; on this machine itself only, as behind a proxy that ends TLS
    #[arg(long, conflicts_with = "client_ca")]
    plain_http: bool,
    /// Let in only who shows a certificate from these authorities (PEM)
    #[arg(long, value_name = "FILE")]
    client_ca: Option<PathBuf>,
    /// Of those, only the stations with these certificates: SHA-256 as openssl x509 -fingerprint -sha256 prints it
    #[arg(long = "station", value_name = "SHA256", requires = "client_ca", value_parser = fingerprint)]
    stations: Vec<Hash>,
    /// Let in only who carries the token in this file
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// Let in everybody who reaches the port: all of them can fill the disk
    #[arg(long, conflicts_with_all = ["client_ca", "bearer_file"])]
    anyone: bool,
    /// The ledger's key: sign checkpoints and receipts
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Take only records of this organisation (iss); may be given again
    #[arg(long = "issuer", value_name = "URL")]
    issuers: Vec<String>,
    /// Requests a second of each client
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..))]
    rate: u32,
    /// Connections at a time; a quarter of them from one address
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = clap::builder::RangedU64ValueParser::<usize>::new().range(1..=65_536))]
    connections: usize,
}

pub(super) fn receive(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    if options.plain_http && !options.listen.ip().is_loopback() {
        return Err(Transport::PlainHttp { listen: options.listen }.into());
    }
    let settings = settings(desk, &options)?;
    let mut ledger = desk.open_or_make()?;
    ledger.put_aside(&[])?; // a transaction that writes, of nothing: whether it may be written
    let failed = |error| Transport::Listen { listen: options.listen, error };
    let listener = TcpListener::bind(options.listen).map_err(failed)?;
    let scheme = if options.plain_http { "http" } else { "https" };
    let url = format!("{scheme}://{}/", listener.local_addr().map_err(failed)?);
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGTERM, signal_hook::consts::SIGINT, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).map_err(failed)?;
    }
    let name = desk.ledger.clone();
    let mut ledger = Some(ledger);
    let open: receive::clerk::Open =
        Box::new(move || ledger.take().map_or_else(|| ledger::open_existing(&name), Ok));
    // Threads hand over what there is to say; this one says it.
    let (say, said) = channel::<String>();
    let say = Mutex::new(say);
    let news: News = Arc::new(move |text| {
        let say = say.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let _ = say.send(text);
    });
    let now = Box::new(crate::cli::desk::now);
    let receiver = std::thread::spawn(move || receive::receive(listener, settings, open, now, news, &stop));
    if !desk.json {
        desk.text(&format!("receiving at {url}\n"))?;
    }
    desk.terminal.say("to end: SIGTERM, or Ctrl-C");
    while let Ok(text) = said.recv() {
        desk.terminal.complain(&visible(&text));
    }
    let tally = receiver.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    tell(desk, &url, &tally)?;
    Ok(Outcome::Done)
}

fn settings(desk: &mut AuditDesk, options: &Options) -> Result<Settings, Trouble> {
    let file = |path: &Path| fs::read(path).map_err(|error| Trouble::File { path: path.into(), error });
    let tls = match (&options.cert, &options.cert_key) {
        (Some(certificate), Some(key)) => {
            let authorities = options.client_ca.as_deref().map(file).transpose()?;
            Some(receive::tls(&file(certificate)?, &Zeroizing::new(file(key)?), authorities.as_deref())?)
        }
        _ => None,
    };
    let bearer = match &options.bearer_file {
        Some(path) => Some(
            Bearer::from_file(&Zeroizing::new(file(path)?))
                .map_err(|cause| Transport::Bearer { path: path.clone(), cause })?,
        ),
        None => None,
    };
    Ok(Settings {
        tls,
        bearer,
        stations: options.stations.clone(),
        issuers: options.issuers.clone(),
        key: options.key.as_deref().map(|path| private_key(desk, path)).transpose()?,
        rate: options.rate,
        connections: options.connections,
    })
}

/// 32 bytes in hexadecimal, perhaps with colons, perhaps behind `sha256 Fingerprint=`.
fn fingerprint(text: &str) -> Result<Hash, String> {
    let digits = text.rsplit('=').next().unwrap_or(text).replace(':', "");
    let bytes = hex::decode(digits.trim()).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.map(Hash).ok_or_else(|| "not a SHA-256 in hexadecimal".into())
}

fn tell(desk: &mut AuditDesk, url: &str, tally: &Tally) -> Result<(), Trouble> {
    let Tally { stored, known, set_aside, refused, failed } = *tally;
    if desk.json {
        return desk.object(&json!({
            "url": url, "stored": stored, "known": known, "set_aside": set_aside, "refused": refused, "failed": failed,
        }));
    }
    desk.text(&format!(
        "{} stored · {} known already · {} lines set aside · {} refused · the ledger failed {} times\n",
        grouped(stored),
        grouped(known),
        grouped(set_aside),
        grouped(refused),
        grouped(failed),
    ))
}
