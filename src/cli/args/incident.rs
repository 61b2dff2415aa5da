//! Options of the verbs that tell what an incident came to.

use clap::{Args, Subcommand};

use super::{LastTry, reason};
use crate::attestation::Serial;
use crate::record::event::{Judgement, Verdict};

#[derive(Args, Debug)]
pub(in crate::cli) struct Close {
    /// The incident or ticket that it was opened for
    pub incident: String,
    /// What it was: real, drill, misuse or false-alarm; asked for on a terminal
    #[arg(long, value_parser = verdict)]
    pub verdict: Option<Verdict>,
    /// How it ended, in a few words; asked for on a terminal
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub outcome: Option<String>,
    /// Something that was switched off for the emergency and has to be put back (may be given again)
    #[arg(long, value_name = "TEXT")]
    pub switched_off: Vec<String>,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

fn verdict(text: &str) -> Result<Verdict, &'static str> {
    text.to_owned().try_into()
}

#[derive(Subcommand, Debug)]
pub(in crate::cli) enum IncidentVerb {
    /// Every incident, with what is left of it
    List,
    /// Who opened what, when, with which keys; how it ended; each debt with the command for it
    Show {
        /// The incident or ticket that it was opened for
        incident: String,
    },
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Discharge {
    /// The incident
    pub incident: String,
    /// What was done, as incident show names it: "return SERIAL", "account PLATFORM/ACCOUNT", "sessions NAME", "trust SERIAL", "restore TEXT", "notify NAME"
    pub debt: String,
    /// Your name as in the policy
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// How it was done, in a few words
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub how: String,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

#[derive(Args, Debug)]
pub(in crate::cli) struct Review {
    /// The incident
    pub incident: String,
    /// Your name as in the policy; not that of one who opened in it
    #[arg(long, value_name = "NAME")]
    pub by: String,
    /// Whether it was handled as it should have been: agree or disagree
    #[arg(long, value_parser = judgement)]
    pub judgement: Judgement,
    /// Why, in a few words
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub text: String,
    /// What the policy should learn from it
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub lesson: Option<String>,
    /// Sign with this admitted key
    #[arg(long, value_name = "SERIAL")]
    pub with: Option<Serial>,
    #[command(flatten)]
    pub caution: LastTry,
}

fn judgement(text: &str) -> Result<Judgement, &'static str> {
    text.to_owned().try_into()
}
