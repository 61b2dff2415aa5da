//! `key checkout` and `key checkin`: two people take a key out of its bag, or put it into one. A key signs what they saw;
//! normally the one that was just taken out.

use super::args::{CheckIn, CheckOut};
use super::desk::Desk;
use super::hint::Trouble;
use super::{Outcome, bag, findings};
use crate::attestation::Serial;
use crate::kit::custody::{self, Whereabouts};
use crate::kit::name::Name;
use crate::kit::roster::Standing;
use crate::kit::{Enrolled, Kit};
use crate::record::event::{Event, KeyCheckedIn, KeyCheckedOut, SealSeen};
use crate::record::hash::Hash;
use crate::signing::{Caution, SigningError};

pub(super) fn check_out(desk: &mut Desk, options: CheckOut) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let (key, there) = movable(&kit, options.serial, &options.person, &options.witness)?;
    let serial = options.serial;
    if there.out.is_some() {
        return Err(Trouble::refused(
            format!("key {serial} is out already: {}", bag::lies(&there)),
            format!("if it was put away since:  {}", custody::check_in(serial)),
        ));
    }
    let read: &str = if options.bag.is_empty() { "without a number" } else { &options.bag };
    let mut text = format!(
        "take out  {serial}, {}\nbag       {read}, seal {}\nby        {}; {} sees it\nbecause   {}",
        lies(&there),
        options.seal.name(),
        options.person,
        options.witness,
        options.why
    );
    if !there.bag.is_empty() && options.bag != there.bag {
        text += &format!("\nnote      it should be bag {}: this becomes a finding", there.bag);
    }
    if options.seal == SealSeen::Broken {
        text += "\nnote      keep the bag and the seal as evidence: this becomes a finding";
    }
    let event = Event::KeyCheckedOut(KeyCheckedOut {
        serial,
        key: key.id,
        bag: options.bag,
        seal: options.seal,
        person: options.person.to_string(),
        witness: options.witness.to_string(),
        why: options.why,
    });
    let signing = Signing {
        with: options.with,
        spend_last_try: options.caution.spend_last_try,
        text: &text,
        word: &format!("checkout {serial}"),
    };
    let record = sign(desk, &mut kit, signing, event)?;
    let kit = desk.look()?;
    // What is told of this key for this move, not for one before.
    let moved: Vec<&custody::Move> =
        kit.moves.get(&key.id).into_iter().flatten().filter(|one| one.record == record).collect();
    let (seal_fits, bag_fits) = (
        moved.iter().all(|one| one.seal_wrong().is_none()),
        moved.iter().all(|one| one.bag_wrong().is_none()),
    );
    if desk.json {
        desk.json_result(&serde_json::json!({
            "serial": serial, "record": record, "seal_fits": seal_fits, "bag_fits": bag_fits,
        }))?;
    }
    desk.terminal.say(&format!("on record: {serial} is out, with {}.", options.person));
    if !(seal_fits && bag_fits) {
        let told: Vec<_> = custody::findings(&kit)
            .into_iter()
            .filter(|one| one.text.contains(&serial.to_string()))
            .collect();
        findings::say(desk, &told);
    }
    desk.terminal.say(&format!("when it is put away:  {}", custody::check_in(serial)));
    Ok(Outcome::Done)
}

pub(super) fn check_in(desk: &mut Desk, options: CheckIn) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let (key, there) = movable(&kit, options.serial, &options.person, &options.witness)?;
    let serial = options.serial;
    if there.checked_in.is_some() && there.out.is_none() {
        return Err(Trouble::refused(
            format!("key {serial} was put away already: {}", bag::lies(&there)),
            format!(
                "what its bag and seal are like when it is taken out:  breakglass key checkout {serial} --bag … --seal …"
            ),
        ));
    }
    let bag: &str = if options.bag.is_empty() { "without a number" } else { &options.bag };
    let text = format!(
        "put away  {serial}, now {}\nplace     {}\nbag       {bag}\nby        {}; {} sees it",
        lies(&there),
        options.place,
        options.person,
        options.witness
    );
    let event = Event::KeyCheckedIn(KeyCheckedIn {
        serial,
        key: key.id,
        place: options.place.clone(),
        bag: options.bag.clone(),
        person: options.person.to_string(),
        witness: options.witness.to_string(),
    });
    let signing = Signing {
        with: options.with,
        spend_last_try: options.caution.spend_last_try,
        text: &text,
        word: &format!("checkin {serial}"),
    };
    let record = sign(desk, &mut kit, signing, event)?;
    let kit = desk.look()?;
    if desk.json {
        desk.json_result(&serde_json::json!({
            "serial": serial, "record": record, "place": options.place, "bag": options.bag,
        }))?;
    }
    desk.terminal.say(&format!("on record: {serial} lies in {}.", lies(&kit.whereabouts(&key.id, serial))));
    super::bag::say(desk, &kit, serial);
    Ok(Outcome::Done)
}

/// The key, and where it is, if it belongs and two people of the policy move it.
fn movable(
    kit: &Kit,
    serial: Serial,
    person: &Name,
    witness: &Name,
) -> Result<(Enrolled, Whereabouts), Trouble> {
    kit.founded()?;
    let key = kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
    if let Standing::Retired { .. } = key.standing {
        return Err(Trouble::refused(
            format!("key {serial} was retired: where it lies is not kept any more"),
            "the others:  breakglass key list",
        ));
    }
    let known: Vec<&str> = kit.policy.people.iter().map(|person| person.name.as_str()).collect();
    for name in [person, witness] {
        if !known.contains(&name.as_str()) {
            return Err(Trouble::refused(
                format!("{name} is not in the policy"),
                format!("people of the policy: {}", known.join(", ")),
            ));
        }
    }
    if person == witness {
        return Err(Trouble::refused(
            format!("{person} cannot be both people: a key is moved by two"),
            format!("people of the policy: {}", known.join(", ")),
        ));
    }
    let there = kit.whereabouts(&key.id, serial);
    Ok((key, there))
}

fn lies(there: &Whereabouts) -> String {
    match bag::lies(there) {
        lies if lies.is_empty() => "of which nothing says where it lies".into(),
        lies => lies,
    }
}

/// What is confirmed, and with which key it is signed.
struct Signing<'a> {
    with: Option<Serial>,
    spend_last_try: bool,
    text: &'a str,
    word: &'a str,
}

fn sign(desk: &mut Desk, kit: &mut Kit, signing: Signing<'_>, event: Event) -> Result<Hash, Trouble> {
    desk.confirm(signing.text, signing.word)?;
    let mut readers = desk.readers(kit.kind());
    let caution = Caution { spend_last_try: signing.spend_last_try, accept_gap: None };
    let mut signer = desk.admitted_signer(kit, readers.as_mut(), signing.with, &caution)?;
    let record = desk.at_station(readers.as_mut(), |station| {
        signer.sign(station, kit, None, event, "to sign where the key is")
    })?;
    desk.head_written(&mut signer);
    Ok(record.hash())
}
