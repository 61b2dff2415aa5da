//! The one flow that mints a short-lived credential.
//!
//! 1. [`plan`]: judge by the adopted policy, and by the clock. Nothing is asked yet.
//! 2. The person confirms the plan with an exact word.
//! 3. [`carry_out`]: 9E proof, head against journal, PIN; the credential to be is settled; `mint.intent`, which names its number
//!    and the digest of what will be signed, is signed, appended and fsynced; then the minting slot signs (a touch). Of several
//!    client assertions one intent names all, and each is signed by itself.
//! 4. `mint.issued` is signed and fsynced. If it cannot be, the credential is handed out anyway: the intent stands. So are the
//!    assertions that were signed, if the key was pulled before it signed all.
//! 5. Handing out is the caller's.

use p256::ecdsa::VerifyingKey;

use crate::attestation::{Serial, Slot};
use crate::device::DeviceError;
use crate::kit::authorities::Certified;
use crate::kit::policy::{Kind, MintRule};
use crate::kit::{Kit, KitError};
use crate::mint::{BACKDATED, KeyIdentity, MintError, NotALabel, Numbers, Window};
use crate::record::event::{Event, MintIntent, MintIssued, Override};
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer, SigningError, Station};

pub mod authority;
mod form;
mod judge;

pub use form::{Credential, Subject};

/// What the person wants minted, and why.
#[derive(Debug, Clone)]
pub struct Wish {
    /// Which table of the policy.
    pub rule: String,
    /// Emergency, by its name in the policy.
    pub emergency: String,
    /// Incident or ticket.
    pub incident: String,
    /// In the person's words.
    pub reason: String,
    /// Who asks, by the name in the policy.
    pub operator: String,
    /// For so many minutes; as long as the policy lets it if not said.
    pub minutes: Option<u32>,
    /// The key that mints.
    pub key: Serial,
    /// The key that gets it.
    pub subject: Subject,
    /// How it will be handed out: `agent`, `files`.
    pub output: String,
    /// Go on although the journal is damaged, for this reason.
    pub accept_damage: Option<String>,
    /// Go on although the clock is behind the records, for this reason.
    pub accept_clock: Option<String>,
    /// What a clock says where it will be used, in Unix seconds, if the person has looked.
    pub clock_there: Option<i64>,
    /// What is allowed at the key.
    pub caution: Caution,
}

/// Why nothing was minted. What was signed before stands in the journal.
#[derive(Debug, thiserror::Error)]
pub enum MintingError {
    /// The kit.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The policy does not allow it.
    #[error("the policy does not allow it: {0}")]
    Policy(String),
    /// The policy has no such table.
    #[error("the policy in force lets nothing be minted as {name:?}{}", also(known))]
    NoRule {
        /// What was asked for.
        name: String,
        /// What there is of that kind.
        known: Vec<String>,
    },
    /// The table is of another kind.
    #[error("{name} is for {}, not for what was asked", kind.plural())]
    OtherKind {
        /// Which table.
        name: String,
        /// Its kind.
        kind: Kind,
    },
    /// A name that cannot stand in a certificate or token.
    #[error(transparent)]
    Label(#[from] NotALabel),
    /// The key is not one of the kit, or not any more.
    #[error("key {0} is not admitted to this kit")]
    NotAdmitted(Serial),
    /// The key was provisioned without that slot.
    #[error("key {serial} was not made to mint {}: its slot {} has no key", kind.plural(), kind.slot())]
    NotMade {
        /// Which key.
        serial: Serial,
        /// What it cannot mint.
        kind: Kind,
        /// Keys of the kit that can.
        others: Vec<Serial>,
    },
    /// Nothing of that kind is trusted any more that the key signs.
    #[error("the {} of key {serial} are trusted no more: record {} says so", kind.plural(), record.short())]
    Withdrawn {
        /// Which key.
        serial: Serial,
        /// What it mints for nothing.
        kind: Kind,
        /// Hash of that record.
        record: Hash,
    },
    /// Servers do not know the key yet: no certificate of it for itself is on record.
    #[error("key {serial} has no certificate by which servers trust it to certify clients")]
    NoAuthority {
        /// Which key.
        serial: Serial,
        /// Keys of the kit that have one.
        others: Vec<Serial>,
    },
    /// The certificate of the key for itself ends before what is asked for.
    #[error("key {serial} is trusted to certify clients until {} only", time(*until))]
    AuthorityEnds {
        /// Which key.
        serial: Serial,
        /// Unix seconds.
        until: u64,
    },
    /// It has one, and that lasts.
    #[error("key {serial} has its certificate as an authority already, until {}", time(*until))]
    HasAuthority {
        /// Which key.
        serial: Serial,
        /// Unix seconds.
        until: u64,
    },
    /// Something in the kit is damaged or was changed.
    #[error("{0}")]
    Damage(String),
    /// A record of this copy's own says that others are missing.
    #[error("{0}")]
    Lacks(String),
    /// The clock is behind what the records claim, by more than a credential reaches back.
    #[error(
        "the clock of this machine is {behind} s behind the newest record, and what is minted reaches {BACKDATED} s back"
    )]
    Clock {
        /// Seconds.
        behind: i64,
    },
    /// The clock differs from the one where it will be used, by more than a credential reaches back.
    #[error(
        "the clock of this machine is {} s {} the one where it will be used, and what is minted reaches {BACKDATED} s back",
        ahead.unsigned_abs(), if *ahead < 0 { "behind" } else { "ahead of" }
    )]
    ClockThere {
        /// Seconds; negative if it is behind.
        ahead: i64,
    },
    /// It cannot be put together, or the key's signature is none.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// The key.
    #[error(transparent)]
    Key(#[from] SigningError),
}

fn also(names: &[String]) -> String {
    match names {
        [] => String::new(),
        names => format!("; it has: {}", names.join(", ")),
    }
}

fn time(seconds: u64) -> String {
    let at = i64::try_from(seconds).ok().and_then(|at| jiff::Timestamp::from_second(at).ok());
    at.map_or_else(|| seconds.to_string(), |at| at.strftime("%Y-%m-%d %H:%M:%SZ").to_string())
}

/// What will be minted. Made by [`plan`] alone, so that nothing is minted that was not judged.
#[derive(Debug)]
pub struct Plan {
    /// What the person wants.
    pub wish: Wish,
    /// The table that allows it.
    pub rule: MintRule,
    /// For how many seconds.
    pub seconds: u64,
    /// What was accepted to go on.
    pub overrides: Vec<Override>,
    /// The public key of the slot that mints.
    pub authority: VerifyingKey,
    /// What servers know it by, where client certificates are minted.
    pub certified: Option<Certified>,
    identity: Identity,
}

/// The names that the credential will carry.
#[derive(Debug)]
struct Identity {
    incident: crate::mint::Label,
    operator: crate::mint::Label,
    /// Those of access tokens, which no client may be called.
    issuers: Vec<crate::mint::jwt::Uri>,
}

/// The table of that name, if it is one of that kind.
///
/// # Errors
/// [`MintingError::NoRule`], [`MintingError::OtherKind`].
pub fn rule<'k>(kit: &'k Kit, name: &str, kind: Kind) -> Result<&'k MintRule, MintingError> {
    judge::rule(kit, name, kind)
}

/// Judges, and tries that the journal can be written; every refusal that can be seen beforehand comes from here, before any
/// PIN. `now` in Unix seconds, as the machine claims it.
///
/// # Errors
/// Any of [`MintingError`] but those of the key.
pub fn plan(kit: &Kit, wish: Wish, now: i64) -> Result<Plan, MintingError> {
    judge::plan(kit, wish, now)
}

impl Plan {
    /// The slot that mints it.
    pub fn slot(&self) -> Slot {
        self.rule.says.kind().slot()
    }

    /// How many touches it takes, the least and the most: nobody has shown that one which a slot caches serves another.
    pub fn touches(&self) -> (usize, usize) {
        let minted = self.wish.subject.count();
        (minted + 1, minted + 2)
    }

    /// Seconds that it reaches back. An assertion does not: servers count from when it was made how old it may be.
    pub fn backdated(&self) -> u64 {
        match self.rule.says.kind() {
            Kind::Assertion => 0,
            _ => BACKDATED,
        }
    }

    /// The exact words that confirm it.
    pub fn word(&self) -> String {
        format!("mint {}", self.rule.name)
    }
}

/// What was minted. Its intent is durable.
#[derive(Debug)]
pub struct Minted {
    /// The credential, at least one; fewer than `numbers` if it was cut short.
    pub credentials: Vec<Credential>,
    /// As platforms name it, of each that the intent names.
    pub numbers: Vec<String>,
    /// Why not all were signed.
    pub cut_short: Option<MintingError>,
    /// When it holds.
    pub window: Window,
    /// Incident, operator, key and record, as it carries them.
    pub identity: KeyIdentity,
    /// Hash of the intent.
    pub intent: Hash,
    /// Why the outcome could not be signed, if it could not; the intent stands.
    pub outcome: Result<Hash, SigningError>,
    /// Why the head could not be written, if it could not.
    pub head: Result<(), DeviceError>,
}

/// Carries out a confirmed plan.
///
/// # Errors
/// [`MintingError::Key`], [`MintingError::Mint`], [`MintingError::Kit`]. A missed touch is asked for again, a wrong PIN as well
/// while tries are left.
pub fn carry_out(kit: &mut Kit, plan: &Plan, station: &mut Station) -> Result<Minted, MintingError> {
    let Wish { key: serial, caution, .. } = &plan.wish;
    let mut signer = Signer::ready(station, kit, *serial, caution)?;
    // Whoever looks for the PIN does not lose the minutes.
    signer.ask_pin(station)?;
    let now = u64::try_from((station.clock)()).unwrap_or(0);
    let window = Window::new(now, plan.seconds, plan.backdated())?;
    let record = u32::try_from(signer.next()).unwrap_or(u32::MAX); // a journal never comes near it
    let numbers = Numbers { key: *serial, record };
    let prepared = form::prepare(plan, numbers, window, station.rng)?;
    let txn = Some(plan.wish.incident.as_str());
    let intent = intent(plan, &prepared, &signer);
    let record = signer.sign(station, kit, txn, intent, "to sign the record of this minting")?;
    station.operator.progress(&format!("signed and on disk: record {serial}/{}", record.link.seq));
    let form::Prepared { unsigned, numbers, window, identity } = prepared;
    let (mut credentials, mut cut_short) = (Vec::new(), None);
    for (index, unsigned) in unsigned.into_iter().enumerate() {
        let purpose = match numbers.len() {
            1 => format!("to mint it with {}", plan.slot()),
            count => format!("to mint {} of {count} with {}", index + 1, plan.slot()),
        };
        let signature =
            signer.sign_minted(station, plan.slot(), &plan.authority, &unsigned.digest(), &purpose);
        let made = signature.map_err(MintingError::from).and_then(|it| Ok(unsigned.finish(&it)?));
        match made {
            Ok(credential) => credentials.push(credential),
            Err(error) if credentials.is_empty() => return Err(error),
            Err(error) => {
                cut_short = Some(error);
                break;
            }
        }
    }
    let issued = Event::MintIssued(MintIssued {
        kind: plan.rule.says.kind(),
        intent: record.hash(),
        credentials: credentials.iter().map(Credential::hash).collect(),
        output: plan.wish.output.clone(),
    });
    let outcome = signer.sign(station, kit, txn, issued, "to sign the outcome").map(|record| record.hash());
    Ok(Minted {
        credentials,
        numbers,
        cut_short,
        window,
        identity,
        intent: record.hash(),
        outcome,
        head: std::mem::replace(&mut signer.head, Ok(())),
    })
}

fn intent(plan: &Plan, prepared: &form::Prepared, signer: &Signer) -> Event {
    let seconds = |at: u64| i64::try_from(at).unwrap_or(i64::MAX);
    let wish = &plan.wish;
    Event::MintIntent(MintIntent {
        kind: plan.rule.says.kind(),
        rule: plan.rule.name.to_string(),
        emergency: wish.emergency.clone(),
        reason: wish.reason.clone(),
        operator: wish.operator.clone(),
        accounts: plan.rule.says.accounts(),
        numbers: prepared.numbers.clone(),
        subject: wish.subject.thumbprint(),
        digests: prepared.unsigned.iter().map(|unsigned| Hash(unsigned.digest())).collect(),
        from: seconds(prepared.window.from()),
        until: seconds(prepared.window.until()),
        presence: signer.presence,
        tries: signer.tries.left,
        overrides: plan.overrides.iter().cloned().chain(signer.overrides.clone()).collect(),
    })
}
