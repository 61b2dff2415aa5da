//! The edge: reads arguments, clock, environment and files, runs one verb, and turns what came of it into words and an
//! exit code.

use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

mod accept_gap;
mod admit;
mod approval;
mod approve;
mod args;
mod attestation;
#[cfg(feature = "audit")]
pub mod audit;
mod bag;
mod brought;
mod calibrate;
mod change;
mod close;
mod coverage;
mod custody;
mod desk;
mod discharge;
mod doctor;
mod drill;
mod findings;
mod guide;
mod hint;
mod incident;
mod init;
mod inventory;
mod key;
mod label;
mod letter;
mod merge;
mod mint;
mod notify;
mod open;
mod paper;
mod pin;
mod policy;
mod practice;
mod provision;
mod records;
mod request;
mod review;
mod revoke;
mod runbook;
mod seal;
mod status;
mod table;
mod terminal;
mod token;
mod trust;
mod why;

use args::{
    Arguments, IncidentVerb, KeyVerb, KitVerb, MintVerb, PolicyVerb, RecordsVerb, TokenVerb, TrustVerb, Verb,
};
use desk::Desk;
use hint::Trouble;

use crate::record::event::KitKind;

/// What a verb came to: done, or something is due or was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Exit 0.
    Done,
    /// Exit 1.
    Due,
    /// Exit 6: something is wrong, and was told as a result.
    Wrong,
}

/// Parse, run, exit code.
pub fn main() -> ExitCode {
    let unhardened = crate::hardening::harden();
    let arguments = arguments();
    #[cfg(feature = "hardware")]
    if matches!(arguments.verb, Some(Verb::Fido2Helper)) {
        return crate::device::fido2::helper::run();
    }
    let named = arguments.global.kit.clone();
    let mut desk = match Desk::new(arguments.global, unhardened) {
        Ok(desk) => desk,
        Err(trouble) => return hint::complain(None, &trouble),
    };
    let outcome = match arguments.verb {
        Some(verb) => run(&mut desk, verb),
        None => guide::guide(&mut desk, named.as_deref()),
    };
    match outcome {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Due) => ExitCode::from(1),
        Ok(Outcome::Wrong) => ExitCode::from(6),
        Err(trouble) => hint::complain(Some(&mut desk), &trouble),
    }
}

/// The command line. It can do without a verb where there is a person to lead, at whose terminal all is shown.
fn arguments() -> Arguments {
    let somebody = guide::somebody();
    let command = Arguments::command().subcommand_required(!somebody).arg_required_else_help(!somebody);
    Arguments::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}

fn run(desk: &mut Desk, verb: Verb) -> Result<Outcome, Trouble> {
    match verb {
        Verb::Init(options) => init::init(desk, &options),
        Verb::Key(KeyVerb::Provision(options)) => provision::provision(desk, options),
        Verb::Key(KeyVerb::Pin(options)) => pin::pin(desk, &options),
        Verb::Key(KeyVerb::Admit(options)) => admit::admit(desk, &options),
        Verb::Key(KeyVerb::Retire(options)) => admit::retire(desk, &options),
        Verb::Key(KeyVerb::List) => key::list(desk),
        Verb::Key(KeyVerb::Inspect(options)) => key::inspect(desk, &options),
        Verb::Key(KeyVerb::Calibrate(options)) => calibrate::calibrate(desk, &options),
        Verb::Key(KeyVerb::CheckOut(options)) => custody::check_out(desk, options),
        Verb::Key(KeyVerb::CheckIn(options)) => custody::check_in(desk, options),
        Verb::Policy(PolicyVerb::Check) => policy::check(desk),
        Verb::Policy(PolicyVerb::Adopt(options)) => policy::adopt(desk, &options),
        Verb::Seal(options) => seal::seal(desk, options),
        Verb::Rotate(options) => seal::rotate(desk, options),
        Verb::Request(options) => request::request(desk, options),
        Verb::Approve(options) => approve::approve(desk, options),
        Verb::Open(options) => open::open(desk, options),
        Verb::Notify(options) => notify::notify(desk, options),
        Verb::Close(options) => close::close(desk, options),
        Verb::Incident(IncidentVerb::List) => incident::list(desk),
        Verb::Incident(IncidentVerb::Show { incident }) => incident::show(desk, &incident),
        Verb::Discharge(options) => discharge::discharge(desk, options),
        Verb::Review(options) => review::review(desk, options),
        Verb::Drill(options) => drill::drill(desk, options),
        Verb::Change(options) => change::change(desk, &options),
        Verb::Mint(MintVerb::Ssh(options)) => mint::ssh(desk, options),
        Verb::Mint(MintVerb::X509(options)) => mint::x509(desk, options),
        Verb::Mint(MintVerb::Token(options)) => mint::token(desk, options),
        Verb::Mint(MintVerb::Assertion(options)) => mint::assertion(desk, options),
        Verb::Mint(MintVerb::Key(options)) => mint::key(desk, &options),
        Verb::Token(TokenVerb::Proof(options)) => token::proof(desk, &options),
        Verb::Trust(TrustVerb::Authority(options)) => trust::authority(desk, &options),
        Verb::Revoke(options) => revoke::revoke(desk, options),
        Verb::Trust(TrustVerb::Export(options)) => trust::export(desk, &options),
        Verb::Coverage => coverage::coverage(desk),
        Verb::Inventory(options) => inventory::inventory(desk, &options),
        Verb::Status => status::status(desk),
        Verb::Records(RecordsVerb::List(options)) => records::list(desk, &options),
        Verb::Records(RecordsVerb::Verify(options)) => records::verify(desk, &options),
        Verb::Records(RecordsVerb::Export(options)) => records::export(desk, &options),
        Verb::Records(RecordsVerb::Anchor(options)) => records::anchor(desk, &options),
        Verb::KitVerb(KitVerb::Merge { other }) => merge::merge(desk, &other),
        Verb::KitVerb(KitVerb::AcceptGap(options)) => accept_gap::accept_gap(desk, &options),
        Verb::Doctor => doctor::doctor(desk),
        Verb::Attestation(options) => attestation::attestation(desk, &options),
        Verb::Label(options) => label::label(desk, &options),
        Verb::Letter(options) => letter::letter(desk, &options),
        Verb::Runbook(options) => runbook::runbook(desk, &options),
        Verb::Practice(verb) => practice::practice(desk, verb),
        #[cfg(feature = "hardware")]
        Verb::Fido2Helper => unreachable!("main serves it before there is a desk"),
    }
}

/// `real` or `practice`.
fn kind_word(kind: KitKind) -> &'static str {
    match kind {
        KitKind::Real => "real",
        KitKind::Practice => "practice",
    }
}

/// Whose attestations a kit of that kind accepts, without a private root.
fn roots_word(kind: KitKind) -> &'static str {
    match kind {
        KitKind::Real => "Yubico's",
        KitKind::Practice => "the practice CA, whose key is public: it proves nothing",
    }
}
