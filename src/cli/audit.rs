//! The edge of the auditor's program: parse, run, exit code.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod check;
mod checkpoint;
mod desk;
mod export;
mod import;
mod push;
mod receive;
mod reconcile;
mod report;
mod trouble;
mod trust;

use desk::AuditDesk;
use trouble::Trouble;

use super::Outcome;

/// Import the signed records of many kits, learn what happened and what should not have, and prove it to others.
///
/// Exit codes: 0 done, 1 something is due or could not be checked, 2 usage, 5 disk or ledger, 6 something is wrong,
/// 7 busy, 8 network (try again).
#[derive(Debug, Parser)]
#[command(name = "breakglass-audit", version, max_term_width = 120)]
struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

/// What every verb knows.
#[derive(Debug, clap::Args)]
pub(crate) struct Global {
    /// Where the records are kept: a file, or postgres://… for a ledger that several share
    #[arg(
        long,
        env = "BREAKGLASS_LEDGER",
        default_value = "ledger.db",
        hide_env_values = true,
        global = true
    )]
    pub(crate) ledger: String,
    /// One JSON object on stdout
    #[arg(long, global = true)]
    pub(crate) json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// What the records show: what is wrong, what is due, what could not be checked
    Check(check::Options),
    /// Sign what the ledger holds, hold older promises against it, make and verify receipts
    Checkpoint(checkpoint::Options),
    /// Tell what the records show: as text, or as one HTML file that verifies itself
    Report(report::Options),
    /// Take in bundles, journals and whole folders of them
    Import(import::Options),
    /// Every kit that the records name, and whether somebody vouched for it
    Kits,
    /// Send records to a receiver (RFC 8935), and fetch its receipt
    Push(push::Options),
    /// Read what platforms log of logins, and hold it against the openings on record
    Reconcile(reconcile::Options),
    /// Write records and findings for a SIEM, one line each, the signed record inside
    Export(export::Options),
    /// Take in records that others send (RFC 8935), and give receipts
    Receive(receive::Options),
    /// Say that a kit is the right one: by the words on its bags, or by keys you were given
    Trust(trust::Options),
}

/// Parse, run, exit code.
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let mut desk = AuditDesk::new(arguments.global);
    match run(&mut desk, arguments.verb) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Due) => ExitCode::from(1),
        Ok(Outcome::Wrong) => ExitCode::from(6),
        Err(trouble) => trouble.complain(&mut desk),
    }
}

fn run(desk: &mut AuditDesk, verb: Verb) -> Result<Outcome, Trouble> {
    match verb {
        Verb::Check(options) => check::check(desk, options),
        Verb::Checkpoint(options) => checkpoint::checkpoint(desk, options),
        Verb::Report(options) => report::report(desk, options),
        Verb::Import(options) => import::import(desk, options),
        Verb::Kits => trust::kits(desk),
        Verb::Push(options) => push::push(desk, options),
        Verb::Reconcile(options) => reconcile::reconcile(desk, options),
        Verb::Export(options) => export::export(desk, options),
        Verb::Receive(options) => receive::receive(desk, options),
        Verb::Trust(options) => trust::trust(desk, options),
    }
}
