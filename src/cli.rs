//! The edge: reads arguments, clock, environment and files, runs one verb, and turns what came of it into words and an
//! exit code.

use std::process::ExitCode;

use clap::Parser;

mod accept_gap;
mod admit;
mod args;
mod attestation;
#[cfg(feature = "audit")]
pub mod audit;
mod bag;
mod calibrate;
mod close;
mod coverage;
mod custody;
mod desk;
mod discharge;
mod doctor;
mod drill;
mod findings;
mod hint;
mod incident;
mod init;
mod inventory;
mod key;
mod label;
mod letter;
mod merge;
mod mint;
mod open;
mod paper;
mod pin;
mod policy;
mod practice;
mod provision;
mod records;
mod review;
mod runbook;
mod seal;
mod status;
mod table;
mod terminal;
mod trust;

use args::{Arguments, IncidentVerb, KeyVerb, KitVerb, MintVerb, PolicyVerb, RecordsVerb, TrustVerb, Verb};
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
    let arguments = Arguments::parse();
    #[cfg(feature = "hardware")]
    if matches!(arguments.verb, Verb::Fido2Helper) {
        return crate::device::fido2::helper::run();
    }
    let mut desk = match Desk::new(arguments.global, unhardened) {
        Ok(desk) => desk,
        Err(trouble) => return hint::complain(None, &trouble),
    };
    match run(&mut desk, arguments.verb) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Due) => ExitCode::from(1),
        Ok(Outcome::Wrong) => ExitCode::from(6),
        Err(trouble) => hint::complain(Some(&mut desk), &trouble),
    }
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
        Verb::Open(options) => open::open(desk, options),
        Verb::Close(options) => close::close(desk, options),
        Verb::Incident(IncidentVerb::List) => incident::list(desk),
        Verb::Incident(IncidentVerb::Show { incident }) => incident::show(desk, &incident),
        Verb::Discharge(options) => discharge::discharge(desk, options),
        Verb::Review(options) => review::review(desk, options),
        Verb::Drill(options) => drill::drill(desk, options),
        Verb::Mint(MintVerb::Ssh(options)) => mint::ssh(desk, options),
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
