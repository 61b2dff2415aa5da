//! `seal` and `rotate`.

use std::io::{IsTerminal, Read};

use zeroize::Zeroizing;

use super::Outcome;
use super::args::{Rotate, Seal, Source};
use super::desk::Desk;
use super::hint::Trouble;
use crate::attestation::Serial;
use crate::kit::credentials::Generation;
use crate::kit::name::CredentialName;
use crate::kit::policy::{Factors, checklist};
use crate::kit::roster::Standing;
use crate::kit::sealed::{self, About, MAX_PLAINTEXT};
use crate::kit::sealing::{self, Chosen, Order, SealingError};
use crate::kit::{Enrolled, Kit, KitError, SealedFile};
use crate::record::event::{CredentialConfirmed, Event, KitKind};
use crate::secret::Plaintext;
use crate::signing::Caution;

pub(super) fn seal(desk: &mut Desk, options: Seal) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    kit.founded()?;
    if kit.credentials.contains_key(&options.credential) {
        return Err(Trouble::refused(
            format!("{} is sealed already", options.credential),
            format!("seal its next generation:  breakglass rotate {}", options.credential),
        ));
    }
    let runbook = match &options.runbook {
        Some(path) => {
            std::fs::read_to_string(path).map_err(|cause| Trouble::Input { path: path.clone(), cause })?
        }
        None => String::new(),
    };
    let about = About {
        platform: options.credential.platform.to_string(),
        account: options.credential.account.to_string(),
        user_name: options.user.clone(),
        log_in_at: options.login.clone(),
        runbook,
    };
    let recipients = recipients(&kit, &options.to)?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let factors = factors(&kit, &options.factors)?;
    let job = Job {
        factors,
        name: &options.credential,
        source: &options.source,
        threshold: options.threshold,
        recipients: &recipients,
        about: &about,
        generation: 1,
        pending: false,
        with: options.with,
        caution: &caution,
    };
    let labels = job.carry_out(desk, &mut kit)?;
    if let Some(path) = &options.labels {
        std::fs::write(path, labels).map_err(|cause| Trouble::File { path: path.clone(), cause })?;
    }
    Ok(Outcome::Done)
}

pub(super) fn rotate(desk: &mut Desk, options: Rotate) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let name = &options.credential;
    let credential = kit.credentials.get(name).cloned().ok_or_else(|| {
        Trouble::refused(
            format!("{name} is not in this kit"),
            format!("seal it first:  breakglass seal {name}"),
        )
    })?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    if options.confirm_pending {
        let pending = credential.pending().cloned().ok_or_else(|| Trouble::Refused {
            what: format!("{name} has no pending generation"),
            next: Some(format!("begin one:  breakglass rotate {name} --generate")),
        })?;
        return confirm(desk, &mut kit, name, &pending, options.with, &caution);
    }
    if let Some(pending) = credential.pending() {
        return Err(Trouble::refused(
            format!("generation {} of {name} is pending already", pending.number),
            format!("once the platform has it:  breakglass rotate {name} --confirm-pending"),
        ));
    }
    let last =
        credential.generations.last().ok_or_else(|| Trouble::Usage(format!("{name} was never sealed")))?;
    let recipients = match options.to.is_empty() {
        true => {
            let all = recipients(&kit, &[])?;
            all.into_iter().filter(|key| last.facts.recipients.contains(&key.id)).collect()
        }
        false => recipients(&kit, &options.to)?,
    };
    let about = match kit.sealed_file(name, last, "about.toml")? {
        SealedFile::Intact(bytes) => About::parse(&bytes)?,
        SealedFile::Changed(path) | SealedFile::Missing(path) => {
            return Err(Trouble::refused(
                format!("{path} is not as it was sealed"),
                "take it from another copy first:  breakglass kit merge DIR",
            ));
        }
    };
    let factors = factors(&kit, &options.factors)?;
    let job = Job {
        factors,
        name,
        source: &options.source,
        threshold: options.threshold.unwrap_or(last.facts.threshold),
        recipients: &recipients,
        about: &about,
        generation: last.number + 1,
        pending: true,
        with: options.with,
        caution: &caution,
    };
    job.carry_out(desk, &mut kit)?;
    desk.terminal
        .say("until you confirm it, open offers both generations. now change it on the platform, then:");
    desk.terminal.say(&format!("breakglass rotate {name} --confirm-pending"));
    Ok(Outcome::Done)
}

fn confirm(
    desk: &mut Desk,
    kit: &mut Kit,
    name: &CredentialName,
    pending: &Generation,
    with: Option<Serial>,
    caution: &Caution,
) -> Result<Outcome, Trouble> {
    desk.refuse_damaged(kit)?;
    desk.confirm(
        &format!(
            "the platform has generation {} of {name}; the one before is not offered any more",
            pending.number
        ),
        &format!("confirm {}", name.platform),
    )?;
    let mut readers = desk.readers(kit.kind());
    let mut signer = desk.admitted_signer(kit, readers.as_mut(), with, caution)?;
    let event = Event::CredentialConfirmed(CredentialConfirmed {
        credential: name.to_string(),
        generation: pending.number,
        sealed: pending.record,
    });
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, kit, None, event, "to sign that the platform has it")
    })?;
    desk.head_written(&mut signer);
    if desk.json {
        desk.json_result(&serde_json::json!({
            "credential": name.to_string(), "generation": pending.number, "record": record.hash(),
        }))?;
    }
    desk.terminal.say(&format!("generation {} of {name} is the current one now.", pending.number));
    Ok(Outcome::Done)
}

struct Job<'a> {
    name: &'a CredentialName,
    source: &'a Source,
    threshold: u8,
    factors: Factors,
    recipients: &'a [Enrolled],
    about: &'a About,
    generation: u64,
    pending: bool,
    with: Option<Serial>,
    caution: &'a Caution,
}

impl Job<'_> {
    /// Key first, then the secret: nobody types a secret that could not be sealed. Gives the labels of the bags.
    fn carry_out(&self, desk: &mut Desk, kit: &mut Kit) -> Result<String, Trouble> {
        desk.refuse_damaged(kit)?;
        self.about.write()?;
        // Others have admitted these keys. Whether their attestations bear it out is seen here once more.
        for key in self.recipients {
            desk.check_enrolment(kit, key)?;
        }
        kit.folder.reserve_in_kit().map_err(KitError::from)?;
        let serials: Vec<Serial> = self.recipients.iter().map(|key| key.facts.serial).collect();
        let whose: Vec<String> = serials.iter().map(ToString::to_string).collect();
        let chosen = self.chosen(kit)?;
        let by = by(&serials, &chosen);
        let text = format!(
            "seal      {}, generation {}{}\nto        any {} of {}\nby        {by}",
            self.name,
            self.generation,
            if self.pending { ", pending" } else { "" },
            self.threshold,
            whose.join(", "),
        );
        desk.confirm(&text, &format!("seal {}", self.name.platform))?;
        let mut readers = desk.readers(kit.kind());
        let mut signer = desk.admitted_signer(kit, readers.as_mut(), self.with, self.caution)?;
        let secret = secret(desk, self.source, kit.kind())?;
        let order = Order {
            name: self.name,
            generation: self.generation,
            pending: self.pending,
            secret: &secret,
            about: self.about,
            recipients: self.recipients,
            threshold: self.threshold,
            factors: self.factors,
        };
        // What the journal says now: a record of the signing key's may have come back to it.
        let chosen = self.chosen(kit)?;
        let (event, sealed) = sealing::write(kit, &order, desk.rng()).map_err(trouble)?;
        let record = desk.at_station(readers.as_mut(), |station| {
            signer.sign(station, kit, None, event, "to sign what was sealed")
        })?;
        desk.head_written(&mut signer);
        let kit = desk.look()?;
        let labels: Vec<String> =
            self.recipients.iter().map(|key| super::bag::label(&kit, key.facts.serial)).collect();
        let labels = labels.join("\n\n") + "\n";
        let to_check = checklist(&kit.policy, &self.name.platform);
        if desk.json {
            desk.json_result(&serde_json::json!({
                "credential": self.name.to_string(), "generation": self.generation, "pending": self.pending,
                "threshold": self.threshold, "recipients": serials, "record": record.hash(),
                "factors": factors_by_serial(&serials, &chosen), "envelopes_used_again": again(&serials, &chosen),
                "subsets_opened": sealed.proof.subsets, "all_subsets": sealed.proof.all, "labels": labels,
                "checklist": to_check,
            }))?;
        }
        desk.terminal.say(&format!("sealed {}, generation {}.", self.name, self.generation));
        let subsets = match (sealed.proof.subsets, sealed.proof.all) {
            (subsets, true) => format!("every one of the {subsets} ways to open it"),
            (subsets, false) => format!("{subsets} ways to open it, each key among them"),
        };
        desk.terminal.say(&format!(
            "shown: {subsets} gave the same secret, by arithmetic. not shown yet: that each key answers."
        ));
        let again = again(&serials, &chosen);
        if !again.is_empty() {
            let keys: Vec<String> = again.iter().map(ToString::to_string).collect();
            desk.terminal.say(&format!(
                "note: every envelope of {} was used before; the newest was used again. an opening makes a new one.",
                keys.join(", ")
            ));
        }
        for item in to_check {
            desk.terminal.say(&item);
        }
        desk.terminal.say("write on the bags:");
        desk.terminal.say(labels.trim_end());
        Ok(labels)
    }
}

impl Job<'_> {
    fn chosen(&self, kit: &Kit) -> Result<Vec<Option<Chosen>>, Trouble> {
        sealing::choose(kit, self.recipients, self.factors).map_err(trouble)
    }
}

fn trouble(error: SealingError) -> Trouble {
    match error {
        SealingError::Seal(error) => Trouble::Seal(error),
        SealingError::About(error) => Trouble::About(error),
        SealingError::Kit(error) => Trouble::Kit(error),
        SealingError::WithoutFido2(_) => {
            Trouble::refused(error.to_string(), "choose others with --to, or  --factors piv")
        }
    }
}

/// What opening will ask of each key: by the option, which cannot differ from a policy that fixes it.
fn factors(kit: &Kit, named: &[String]) -> Result<Factors, Trouble> {
    let wanted = match named {
        [] => None,
        named => Some(
            Factors::of(named)
                .ok_or_else(|| Trouble::Usage("--factors is  piv  or  piv,fido2".to_owned()))?,
        ),
    };
    match (wanted, kit.policy.factors) {
        (Some(wanted), Some(fixed)) if wanted != fixed => Err(Trouble::refused(
            "the policy in force fixes other factors",
            "what it says:  breakglass policy check",
        )),
        (wanted, fixed) => Ok(wanted.or(fixed).unwrap_or(Factors::Held)),
    }
}

/// Which keys are asked for what, for the plan.
fn by(serials: &[Serial], chosen: &[Option<Chosen>]) -> String {
    let of = |fido2: bool| -> Vec<String> {
        let those = serials.iter().zip(chosen).filter(|(_, chosen)| chosen.is_some() == fido2);
        those.map(|(serial, _)| serial.to_string()).collect()
    };
    match (of(true), of(false)) {
        (both, _) if both.is_empty() => "PIV".to_owned(),
        (_, piv) if piv.is_empty() => "PIV and FIDO2".to_owned(),
        (both, piv) => format!("PIV and FIDO2 of {}; PIV alone of {}", both.join(", "), piv.join(", ")),
    }
}

fn factors_by_serial(
    serials: &[Serial],
    chosen: &[Option<Chosen>],
) -> std::collections::BTreeMap<String, &'static str> {
    let name = |chosen: &Option<Chosen>| if chosen.is_some() { "piv,fido2" } else { "piv" };
    serials.iter().zip(chosen).map(|(serial, chosen)| (serial.to_string(), name(chosen))).collect()
}

/// Keys of which an envelope is used that was used before.
fn again(serials: &[Serial], chosen: &[Option<Chosen>]) -> Vec<Serial> {
    let again = |chosen: &Option<Chosen>| chosen.as_ref().is_some_and(|chosen| chosen.before > 0);
    serials.iter().zip(chosen).filter(|(_, chosen)| again(chosen)).map(|(serial, _)| *serial).collect()
}

/// Admitted keys of these serials; all of them, if none is named.
fn recipients(kit: &Kit, named: &[Serial]) -> Result<Vec<Enrolled>, Trouble> {
    let admitted: Vec<Enrolled> =
        kit.enrolled_keys().into_iter().filter(|key| key.standing == Standing::Admitted).collect();
    if named.is_empty() {
        return Ok(admitted);
    }
    let find = |serial: &Serial| {
        let found = admitted.iter().find(|key| key.facts.serial == *serial).cloned();
        found.ok_or(Trouble::NotAdmitted(*serial))
    };
    named.iter().map(find).collect()
}

/// The secret: generated, from a file, typed, or from stdin. A practice kit seals only what it generates.
fn secret(desk: &mut Desk, source: &Source, kind: KitKind) -> Result<Plaintext, Trouble> {
    if let Some(length) = source.generate {
        return sealed::generate(length, sealed::LETTERS_AND_DIGITS, desk.rng())
            .map_err(|error| Trouble::Usage(error.to_string()));
    }
    if kind == KitKind::Practice {
        return Err(Trouble::refused(
            "a practice kit seals no real secret",
            "let it make one up:  --generate",
        ));
    }
    if let Some(path) = &source.from {
        let failed = |cause| Trouble::Input { path: path.clone(), cause };
        let file = std::fs::File::open(path).map_err(failed)?;
        return read_all(file).map_err(failed);
    }
    if std::io::stdin().is_terminal() {
        let first = desk.terminal.hidden("the secret (not shown): ")?;
        let second = desk.terminal.hidden("again: ")?;
        if *first != *second {
            return Err(Trouble::Refused { what: "the two differ".into(), next: None });
        }
        return Ok(Plaintext::new(first));
    }
    let stdin = std::path::PathBuf::from("stdin");
    let secret = read_all(std::io::stdin().lock()).map_err(|cause| Trouble::Input { path: stdin, cause })?;
    Ok(secret)
}

/// Reads into one buffer that is never grown; one byte beyond the limit shows that there is too much. A single line end
/// at the end is the shell's, not the secret's.
fn read_all(mut from: impl Read) -> std::io::Result<Plaintext> {
    let mut bytes = Zeroizing::new(vec![0; MAX_PLAINTEXT + 2]);
    let mut length = 0;
    while length < bytes.len() {
        match from.read(&mut bytes[length..])? {
            0 => break,
            more => length += more,
        }
    }
    bytes.truncate(length);
    if bytes.iter().filter(|b| **b == b'\n').count() == 1 && bytes.last() == Some(&b'\n') {
        bytes.pop();
    }
    Ok(Plaintext::new(bytes))
}
