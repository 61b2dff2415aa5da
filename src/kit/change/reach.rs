//! What of a credential is within somebody's reach, and how far its rotation is.

use super::history::History;
use super::{State, Step, What};
use crate::attestation::Serial;
use crate::kit::credentials::{Credential, Generation};
use crate::kit::debts::Done;
use crate::kit::name::CredentialName;
use crate::record::hash::KeyId;

/// How far the rotation is that replaces a generation.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Rotation {
    /// A newer one is in force.
    Done(Option<Done>),
    /// One is sealed and not confirmed.
    Confirm,
    /// None was begun.
    Begin,
}

/// How far the rotation is that replaces every generation up to that number.
pub(super) fn rotation(history: &History<'_>, credential: &Credential, newest: u64) -> Rotation {
    if let Some(next) = credential.generations.iter().find(|one| one.number > newest && !one.pending) {
        return Rotation::Done(history.sealed(next).and_then(|(_, in_force)| history.done(in_force)));
    }
    match credential.pending() {
        Some(_) => Rotation::Confirm,
        None => Rotation::Begin,
    }
}

/// The step that such a rotation is.
pub(super) fn step(
    name: &CredentialName,
    rotation: Rotation,
    why: String,
    to: Vec<Serial>,
    with: Option<Serial>,
    waits: Option<String>,
) -> Step {
    let (what, state) = match rotation {
        Rotation::Done(done) => (What::Rotate(name.clone(), to), State::Done(done)),
        // Whatever it waits for, what is pending has to be set on the platform.
        Rotation::Confirm => (What::Confirm(name.clone()), State::Then),
        Rotation::Begin => (What::Rotate(name.clone(), to), waits.map_or(State::Then, State::Waits)),
    };
    let why = match &what {
        What::Confirm(_) => format!("{why}; a generation is sealed: set it on the platform, then confirm it"),
        _ => why,
    };
    Step { what, why, state, with }
}

/// Whether a generation is sealed to that key. One whose list of recipients is not in the kit may be.
pub(super) fn is_to(generation: &Generation, key: &KeyId) -> bool {
    let recipients = &generation.facts.recipients;
    recipients.contains(key) || (generation.facts.list.is_some() && recipients.is_empty())
}
