//! The simulated key: what it keeps, what it forgets without power, and who may do what.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::attest::AttestationKey;
use super::authority::{Authority, AuthorityError};
use super::fido2::{Counting, Fido2};
use super::management::{Management, Pending};
use super::objects::Objects;
use super::pin::{Reference, Which};
use super::profile::Profile;
use super::slots::{KeyReference, SlotKey};
use super::status::Status;
use super::surroundings::Surroundings;
use crate::attestation::{PinPolicy, Serial, TouchPolicy};
use crate::device::fido2::wire::RawInfo;

/// How long a touch serves the slots with touch policy "cached", in milliseconds.
pub const TOUCH_CACHE_MS: u64 = 15_000;

/// A YubiKey's PIV application as a state machine, and its FIDO2 side beside it. What is serialised survives power-off;
/// the rest does not.
///
/// Its PIV operations answer like the card, with a [`Status`] if they are refused. [`SimulatedKey::begin_command`] must be
/// called before each.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SimulatedKey {
    /// Serial number.
    pub serial: Serial,
    /// Firmware line.
    pub profile: Profile,
    /// Whether simple PINs and PUKs are refused (firmware 5.7, an option of the order).
    pub complexity: bool,
    pub(super) pin: Reference,
    pub(super) puk: Reference,
    pub(super) management: Management,
    pub(super) attestation: AttestationKey,
    pub(super) keys: BTreeMap<KeyReference, SlotKey>,
    pub(super) objects: Objects,
    /// Absent in keys without FIDO2, and in files from before there was any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) fido2: Option<Fido2>,
    #[serde(skip)]
    pub(super) session: Session,
}

/// What is lost when the key loses power.
#[derive(Default)]
pub(super) struct Session {
    /// Commands since power-on.
    pub(super) commands: u64,
    pub(super) pin_verified: bool,
    /// The command that verified the PIN, for the PIN policy "always".
    pub(super) pin_verified_at: Option<u64>,
    pub(super) management_authenticated: bool,
    pub(super) pending: Option<Pending>,
    /// When the last touch stops to serve slots with touch policy "cached".
    touch_cached_until: Option<u64>,
}

impl SimulatedKey {
    /// A key as it leaves the factory: no keys but F9, which `authority` certifies; factory PIN, PUK, management key; no
    /// FIDO2 until [`SimulatedKey::with_fido2`].
    pub fn new(
        serial: Serial,
        profile: Profile,
        authority: &Authority,
        around: &Surroundings,
    ) -> Result<Self, AuthorityError> {
        Ok(SimulatedKey {
            serial,
            profile,
            complexity: false,
            pin: Reference::factory(Which::Pin, around.bytes()),
            puk: Reference::factory(Which::Puk, around.bytes()),
            management: Management::factory(profile.factory_management()),
            attestation: AttestationKey::new(profile, authority, around)?,
            keys: BTreeMap::new(),
            objects: Objects::default(),
            fido2: None,
            session: Session::default(),
        })
    }

    /// The same key with a FIDO2 side as it leaves the factory, or with none.
    pub fn with_fido2(self, counting: Option<Counting>) -> Self {
        SimulatedKey { fido2: counting.map(Fido2::factory), ..self }
    }

    /// The FIDO2 side, if the key has one.
    pub fn fido2(&self) -> Option<&Fido2> {
        self.fido2.as_ref()
    }

    /// The FIDO2 side, to use or to tamper with.
    pub fn fido2_mut(&mut self) -> Option<&mut Fido2> {
        self.fido2.as_mut()
    }

    /// What getInfo of its FIDO2 side says.
    pub(super) fn fido2_info(&self) -> Option<RawInfo> {
        self.fido2.as_ref().map(|fido2| fido2.info(self.profile))
    }

    /// Taken out of the computer. A reader that takes the power from the card ([`SimulatedKey::power_cycle`]) leaves the
    /// FIDO2 side running; this does not.
    pub fn unplugged(&mut self) {
        self.power_cycle();
        if let Some(fido2) = &mut self.fido2 {
            fido2.power_off();
        }
    }

    /// Counts one command. A PIN verified by the command before serves a slot with PIN policy "always" in this one
    /// and in no later one.
    pub fn begin_command(&mut self) {
        self.session.commands += 1;
    }

    /// Power off and on: PIN, management authentication and touch are forgotten.
    pub fn power_cycle(&mut self) {
        self.session = Session::default();
    }

    /// Another application was selected: PIN and management authentication are forgotten.
    pub fn deselected(&mut self) {
        self.session.pin_verified = false;
        self.session.management_authenticated = false;
        self.session.pending = None;
    }

    /// PIN or PUK, as GET METADATA tells of it.
    pub fn reference(&self, which: Which) -> &Reference {
        match which {
            Which::Pin => &self.pin,
            Which::Puk => &self.puk,
        }
    }

    /// The management key, as GET METADATA tells of it.
    pub fn management(&self) -> &Management {
        &self.management
    }

    /// RESET: only when PIN and PUK are blocked. Keys and objects go, the attestation key stays.
    pub fn reset(&mut self) -> Result<(), Status> {
        if !self.both_blocked() {
            return Err(Status::CONDITIONS);
        }
        self.make_blank();
        Ok(())
    }

    /// Back to the factory state without asking anything: what a person with another tool would have left. The FIDO2
    /// side stays as it is, as it does when only PIV is reset.
    pub fn make_blank(&mut self) {
        self.pin = Reference::factory(Which::Pin, self.pin.salt());
        self.puk = Reference::factory(Which::Puk, self.puk.salt());
        self.management = Management::factory(self.profile.factory_management());
        self.keys.clear();
        self.objects = Objects::default();
        self.power_cycle();
    }

    /// Whether the PIN policy of a slot is met by this command.
    pub(super) fn require_pin(&self, policy: PinPolicy) -> Result<(), Status> {
        let just_before = self.session.pin_verified_at.is_some_and(|at| at + 1 == self.session.commands);
        let met = match policy {
            PinPolicy::Never => true,
            PinPolicy::Always => self.session.pin_verified && just_before,
            _ => self.session.pin_verified,
        };
        if met { Ok(()) } else { Err(Status::SECURITY) }
    }

    /// Waits for a touch if the policy wants one and none is cached.
    pub(super) fn require_touch(&mut self, policy: TouchPolicy, around: &Surroundings) -> Result<(), Status> {
        let cached = self.session.touch_cached_until.is_some_and(|until| around.milliseconds() < until);
        if policy == TouchPolicy::Never || (policy == TouchPolicy::Cached && cached) {
            return Ok(());
        }
        if !around.wait_for_touch() {
            return Err(Status::SECURITY);
        }
        if policy == TouchPolicy::Cached {
            self.session.touch_cached_until = Some(around.milliseconds() + TOUCH_CACHE_MS);
        }
        Ok(())
    }
}
