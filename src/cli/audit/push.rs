//! `push`: records to a receiver, and its receipt home.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rand_core::Rng;
use serde_json::json;

use super::checkpoint;
use super::desk::AuditDesk;
use super::import::grouped;
use super::trouble::{Transport, Trouble};
use crate::audit::bearer::Bearer;
use crate::audit::push::http::{Credentials, Receiver, Target};
use crate::audit::push::pace::Pace;
use crate::audit::push::queue::Queue;
use crate::audit::push::state::{Known, State};
use crate::audit::push::{self, Ended, Settings, Summary, Told};
use crate::audit::report::words::visible;
use crate::cli::Outcome;

mod receipt;

use receipt::Fetched;

/// What to send, to whom, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Bundles and journals: one record a line
    #[arg(required = true, value_name = "BUNDLE")]
    bundles: Vec<PathBuf>,
    /// The receiver (RFC 8935): https://…; http:// on this machine only
    #[arg(long, value_name = "URL")]
    to: String,
    /// What was accepted, so that a push that was cut off goes on where it was; made if it is not there
    #[arg(long, value_name = "FILE")]
    state: Option<PathBuf>,
    /// Certificates (PEM) that the receiver's may come from [default: the public ones of Mozilla]
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// This station's certificate (PEM), for a receiver that asks for one
    #[arg(long, value_name = "FILE", requires = "client_key")]
    client_cert: Option<PathBuf>,
    /// Its private key (PEM)
    #[arg(long, value_name = "FILE", requires = "client_cert")]
    client_key: Option<PathBuf>,
    /// A file with the bearer token that the receiver wants
    #[arg(long, value_name = "FILE")]
    bearer_file: Option<PathBuf>,
    /// Send also what comes after a refused record in the same chain
    #[arg(long)]
    go_on: bool,
    /// Send again what was refused before
    #[arg(long)]
    refused_too: bool,
    /// Give up when nothing gets through for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(0..=604_800))]
    patience: u64,
    /// How long one answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=3_600))]
    timeout: u64,
    /// Then fetch a receipt that covers every record accepted, from a receiver that is breakglass-audit; never over a file that is there
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// The ledger's public key, to verify the receipt by
    #[arg(long, value_name = "FILE", requires = "receipt")]
    public: Option<PathBuf>,
}

pub(super) fn push(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let to = Target::parse(&options.to)?;
    let public = options.public.as_deref().map(checkpoint::public_key).transpose()?;
    if let Some(path) = &options.receipt {
        checkpoint::not_there(path)?;
    }
    let credentials = credentials(&options)?;
    let mut receiver = Receiver::new(to.clone(), credentials, Duration::from_secs(options.timeout))?;
    let queue = Queue::of(&options.bundles)?;
    let mut state = match &options.state {
        Some(path) => State::open(path, &to.to_string())?,
        None => State::forgetful(),
    };
    let summary = send(desk, &options, &queue, &mut state, &mut receiver)?;
    let heads = queue.heads(|record| state.of(record) == Some(&Known::Accepted));
    drop(state);
    let receipt = match (&options.receipt, &summary.ended) {
        (Some(path), Ended::Whole) => {
            receipt::fetch(desk, &queue, &heads, &receiver, path, public.as_ref()).map(Some)
        }
        _ => Ok(None),
    };
    tell(desk, &to, &queue, &summary, options.state.is_some(), receipt.as_ref())?;
    match summary.ended {
        Ended::GaveUp { why } => Err(Transport::Unsent { why, again: true }.into()),
        Ended::Stopped { why } => Err(Transport::Unsent { why, again: false }.into()),
        Ended::Whole if !summary.refused.is_empty() => {
            // A refusal is told by the exit code, whatever became of the receipt.
            if let Err(trouble) = receipt {
                trouble.complain(desk);
            }
            Ok(Outcome::Wrong)
        }
        Ended::Whole => Ok(match receipt? {
            Some(fetched) if !fetched.is_whole() => Outcome::Due,
            _ if !queue.left_out().is_empty() => Outcome::Due,
            _ => Outcome::Done,
        }),
    }
}

fn credentials(options: &Options) -> Result<Credentials, Trouble> {
    let file = |path: &Path| fs::read(path).map_err(|error| Trouble::File { path: path.into(), error });
    let bearer = match &options.bearer_file {
        Some(path) => Some(
            Bearer::from_file(&zeroize::Zeroizing::new(file(path)?))
                .map_err(|cause| Transport::Bearer { path: path.clone(), cause })?,
        ),
        None => None,
    };
    let client = match (&options.client_cert, &options.client_key) {
        (Some(certificate), Some(key)) => Some((file(certificate)?, zeroize::Zeroizing::new(file(key)?))),
        _ => None,
    };
    Ok(Credentials { authorities: options.ca.as_deref().map(file).transpose()?, client, bearer })
}

fn send(
    desk: &mut AuditDesk,
    options: &Options,
    queue: &Queue,
    state: &mut State,
    receiver: &mut Receiver,
) -> Result<Summary, Trouble> {
    let settings = Settings {
        go_on: options.go_on,
        refused_too: options.refused_too,
        patience: Duration::from_secs(options.patience),
    };
    let bar = desk.terminal.progress_bar(Some(queue.len()));
    let mut random = || rand_core::UnwrapErr(getrandom::SysRng).next_u64();
    let mut told = |news: Told<'_>| match news {
        Told::Progress { settled, of } => bar.at(settled, format!("{} of {}", grouped(settled), grouped(of))),
        Told::Waiting { why, wait } => {
            desk.terminal.say(&format!("{}; again in {:.1} s", visible(why), wait.as_secs_f64()));
        }
        Told::Refused(refused) => {
            let seq = refused.seq.map_or(String::new(), |seq| format!(" {seq}"));
            desk.terminal.say(&format!(
                "refused: record{seq} of {}: {}: {}",
                visible(&refused.chain),
                visible(&refused.err),
                visible(&refused.description)
            ));
        }
    };
    let mut clock = Clock(Instant::now());
    Ok(push::push(queue, state, receiver, settings, &mut clock, &mut random, &mut told)?)
}

/// Time, as the machine has it.
struct Clock(Instant);

impl Pace for Clock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }
    fn wall_clock(&self) -> i64 {
        crate::cli::desk::now()
    }
    fn sleep(&mut self, wait: Duration) {
        std::thread::sleep(wait);
    }
}

fn tell(
    desk: &mut AuditDesk,
    to: &Target,
    queue: &Queue,
    summary: &Summary,
    remembered: bool,
    receipt: Result<&Option<Fetched>, &Trouble>,
) -> Result<(), Trouble> {
    let Summary { accepted, before, refused, held_back, left, notes, ended } = summary;
    if desk.json {
        let refused: Vec<_> = refused
            .iter()
            .map(|one| {
                json!({ "chain": one.chain, "seq": one.seq, "record": one.hash, "err": one.err,
                    "description": one.description })
            })
            .collect();
        let why = match ended {
            Ended::Whole => None,
            Ended::GaveUp { why } | Ended::Stopped { why } => Some(why),
        };
        let left_out: Vec<_> =
            queue.left_out().iter().map(|(place, why)| json!({ "place": place, "why": why })).collect();
        return desk.object(&json!({
            "to": to.to_string(), "records": queue.len(), "repeated": queue.repeated(), "left_out": left_out,
            "accepted": accepted, "before": before, "refused": refused, "held_back": held_back, "left": left,
            "notes": notes, "why": why,
            "receipt": receipt::word(receipt),
            "not_covered": receipt.ok().and_then(|fetched| fetched.as_ref()?.not_covered()),
        }));
    }
    let mut text = format!(
        "{} sent and accepted · {} accepted before · {} refused · {} held back behind them · {} not sent\n",
        grouped(*accepted),
        grouped(*before),
        grouped(refused.len() as u64),
        grouped(*held_back),
        grouped(*left),
    );
    for (place, why) in queue.left_out() {
        text += &format!("{} is not sent: {why}\n", visible(place));
    }
    for (note, times) in notes {
        text +=
            &format!("the receiver departs from RFC 8935: {} ({} times)\n", visible(note), grouped(*times));
    }
    if let Ok(Some(fetched)) = receipt {
        text += &fetched.sentence();
    }
    desk.text(&text)?;
    if *left > 0 && !remembered {
        desk.terminal.say("without --state the next push sends all of it again, which does no harm");
    }
    Ok(())
}
