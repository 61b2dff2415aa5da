//! `key admit` and `key retire`: changes of the roster. The first admission founds the kit.

use super::Outcome;
use super::args::{Admit, Retire};
use super::desk::Desk;
use super::hint::Trouble;
use crate::attestation::Serial;
use crate::kit::debts::quoted;
use crate::kit::policy::Wanting;
use crate::kit::roster::{Change, Standing};
use crate::kit::{Draft, Enrolled, Kit, KitError, policy_path};
use crate::record::event::{Event, KeyAdmitted, KeyRetired, KitFounded};
use crate::record::hash::Hash;
use crate::signing::{Caution, Signer, SigningError};

pub(super) fn admit(desk: &mut Desk, options: &Admit) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let enrolled = kit.enrolled(options.serial).ok_or(SigningError::NotEnrolled(options.serial))?;
    desk.check_enrolment(&kit, &enrolled)?;
    if kit.roster.is_none() {
        return found(desk, &mut kit, &enrolled, &caution);
    }
    if enrolled.standing == Standing::Admitted {
        return Err(Trouble::Refused {
            what: format!("key {} is admitted already", options.serial),
            next: None,
        });
    }
    let change = Change::Admit { key: enrolled.id, enrolment: enrolled.enrolment };
    let text = format!(
        "admit     {}, firmware {}, attested by {}\nkey id    {}",
        options.serial, enrolled.facts.firmware, enrolled.facts.root, enrolled.id
    );
    let event = |hash: Hash| {
        Event::KeyAdmitted(KeyAdmitted {
            change: hash,
            serial: enrolled.facts.serial,
            key: enrolled.id,
            enrolment: enrolled.enrolment,
        })
    };
    let word = format!("admit {}", options.serial);
    let proposal = Proposal { change, text: &text, word: &word, command: &format!("key {word}") };
    let settled = sign_change(desk, &mut kit, options.with, &caution, proposal, event)?;
    if settled {
        desk.terminal.say(&format!("{} belongs to the kit now.", options.serial));
        super::bag::say(desk, &kit, options.serial);
    }
    Ok(Outcome::Done)
}

/// The first key founds the kit, and puts the policy of kit.toml in force.
fn found(desk: &mut Desk, kit: &mut Kit, enrolled: &Enrolled, caution: &Caution) -> Result<Outcome, Trouble> {
    let serial = enrolled.facts.serial;
    let bytes = kit.folder.read("kit.toml").map_err(KitError::from)?.ok_or(KitError::NotFounded)?;
    let policy = kit.policy.clone();
    let root = policy.attestation_root.as_deref().map(Hash::of);
    let text = format!(
        "found     {:?}, a {} kit, with key {serial}\npolicy    kit.toml as it is now, quorum {}\nroots     {}",
        policy.name,
        super::kind_word(policy.kind),
        policy.quorum.number,
        match root {
            Some(root) => format!("Yubico's, and the private one {root}"),
            None => super::roots_word(policy.kind).to_owned(),
        }
    );
    desk.confirm(&text, &format!("found {serial}"))?;
    kit.folder.reserve_in_kit().map_err(KitError::from)?;
    kit.folder.reserve().map_err(KitError::from)?;
    kit.folder.write_new(&policy_path(&policy.hash), &bytes).map_err(KitError::from)?;
    let mut readers = desk.readers(kit.kind());
    let record = desk.at_station(readers.as_mut(), |station| {
        let mut signer = Signer::ready(station, kit, serial, caution)?;
        let event = Event::KitFounded(KitFounded {
            name: policy.name.clone(),
            kind: policy.kind,
            policy: policy.hash,
            attestation_root: root,
        });
        signer.sign(station, kit, None, event, "to found the kit")
    })?;
    let kit = desk.look()?;
    let words = kit.words().unwrap_or_default();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "founded": hex::encode(record.hash().0), "words": words, "serial": serial, "record": record.hash(),
        }))?;
    }
    desk.terminal.say(&format!("founded {:?} with {serial}.   words  {words}", kit.policy.name));
    super::bag::say(desk, &kit, serial);
    desk.terminal.say("it is alone and may admit a second key by itself:  breakglass key admit SERIAL");
    Ok(Outcome::Done)
}

pub(super) fn retire(desk: &mut Desk, options: &Retire) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let caution = Caution { spend_last_try: options.caution.spend_last_try, accept_gap: None };
    let victim = kit.enrolled(options.serial).ok_or(SigningError::NotEnrolled(options.serial))?;
    kit.founded()?;
    if let Standing::Retired { .. } = victim.standing {
        return Err(Trouble::Refused {
            what: format!("key {} is retired already", options.serial),
            next: None,
        });
    }
    // Signers of the same change name the same last record: the one that the first of them named.
    let known = kit.journal.last(&victim.chain).map_or(0, |(seq, _)| seq);
    let named = kit.founded()?.pending.iter().find_map(|pending| match pending.change {
        Change::Retire { key, last_seq } if key == victim.id => Some(last_seq),
        _ => None,
    });
    let last_seq = named.unwrap_or(known);
    let opens: Vec<String> = kit
        .credentials
        .iter()
        .filter(|(_, c)| c.current().is_some_and(|g| g.facts.recipients.contains(&victim.id)))
        .map(|(name, _)| name.to_string())
        .collect();
    let text = format!(
        "retire    {}, as of its record {last_seq}, because: {}\nto rotate {}",
        options.serial,
        options.why,
        if opens.is_empty() { "nothing: it opens no credential".to_owned() } else { opens.join(", ") },
    );
    let event = |hash: Hash| {
        Event::KeyRetired(KeyRetired {
            change: hash,
            serial: victim.facts.serial,
            key: victim.id,
            last_seq,
            why: options.why.clone(),
        })
    };
    let change = Change::Retire { key: victim.id, last_seq };
    let word = format!("retire {}", options.serial);
    let command = format!("key {word} --why {}", quoted(&options.why));
    let proposal = Proposal { change, text: &text, word: &word, command: &command };
    let settled = sign_change(desk, &mut kit, options.with, &caution, proposal, event)?;
    if settled {
        desk.terminal.say(&format!("{} belongs to the kit no more.", options.serial));
        for name in opens {
            desk.terminal.say(&format!("due: breakglass rotate {name}"));
        }
    }
    Ok(Outcome::Done)
}

/// A change that is to be signed.
pub(super) struct Proposal<'a> {
    pub change: Change,
    /// What it would do.
    pub text: &'a str,
    /// The exact words that confirm it.
    pub word: &'a str,
    /// Verb and options by which the next key signs the same.
    pub command: &'a str,
}

/// Signs one change and says whether it took effect or who still has to sign. `true` if it took effect.
pub(super) fn sign_change(
    desk: &mut Desk,
    kit: &mut Kit,
    with: Option<Serial>,
    caution: &Caution,
    proposal: Proposal<'_>,
    event: impl FnOnce(Hash) -> Event,
) -> Result<bool, Trouble> {
    let Proposal { change, text, word, command } = proposal;
    let id = kit.founded()?.kit;
    let hash = change.hash(&id);
    desk.refuse_damaged(kit)?;
    let mut readers = desk.readers(kit.kind());
    let signing = desk.signing_key(kit, readers.as_mut(), with)?;
    let pending = kit.founded()?.pending.iter().find(|pending| pending.change == change).cloned();
    if let (Some(pending), Some(signer)) = (&pending, kit.enrolled(signing))
        && pending.signers.contains(&signer.id)
    {
        return Err(Trouble::refused(
            format!(
                "key {signing} has signed this already; {} of {} have{}",
                pending.signers.len(),
                pending.needs,
                pending.wanting.beside_the_count()
            ),
            format!("let another key sign:  breakglass {command} --with SERIAL"),
        ));
    }
    let words = kit.words().unwrap_or_default();
    desk.confirm(&format!("{text}\nkit       {words}\nchange    {hash}\nsigned by {signing}"), word)?;
    let mut signer = desk.admitted_signer(kit, readers.as_mut(), Some(signing), caution)?;
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, kit, None, event(hash), "to sign the change")
    })?;
    desk.head_written(&mut signer);
    let after = desk.look()?;
    let roster = after.founded()?;
    let pending = roster.pending.iter().find(|pending| pending.change == change).cloned();
    if desk.json {
        desk.json_result(&serde_json::json!({
            "change": hash, "record": record.hash(), "in_effect": pending.is_none(),
            "signed": pending.as_ref().map(|p| p.signers.len()), "needs": pending.as_ref().map(|p| p.needs),
            "wanting": pending.as_ref().map(|p| p.wanting.to_string()),
        }))?;
    }
    match pending {
        Some(pending) => {
            desk.terminal.say(&format!(
                "signed by {} of {} keys. it takes effect {}:  breakglass {command} --with SERIAL",
                pending.signers.len(),
                pending.needs,
                once(&pending.wanting),
            ));
            Ok(false)
        }
        None => Ok(true),
    }
}

/// `when 1 more signs`; where groups are wanting, `with the signatures of 1 of security (23115)`.
fn once(wanting: &Wanting) -> String {
    match (wanting.more, wanting.groups.is_empty()) {
        (1, true) => "when 1 more signs".into(),
        (more, true) => format!("when {more} more sign"),
        (..) => format!("with the signatures of {wanting}"),
    }
}

/// How `kit.toml` stands, in a sentence, where it is not what is in force.
pub(super) fn draft_sentence(kit: &Kit) -> Option<String> {
    match &kit.draft {
        Draft::Same => None,
        Draft::Differs(_) => {
            Some("kit.toml differs from the adopted policy; it has no effect until it is adopted".into())
        }
        Draft::Broken(error) => {
            Some(format!("kit.toml cannot be read ({error}); the adopted policy is in force"))
        }
        Draft::Missing => Some("kit.toml is missing; the adopted policy is in force".into()),
    }
}
