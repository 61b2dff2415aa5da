//! `letter`: what a PIN and a PUK are written in by hand. This program asks for none here, and prints none.

use super::Outcome;
use super::args::Letter;
use super::bag;
use super::desk::Desk;
use super::hint::Trouble;
use super::paper::{Block, Form, Page, Sheets, kit_facts, write};
use crate::attestation::Serial;
use crate::kit::policy::Role;
use crate::kit::{Enrolled, Kit};
use crate::signing::SigningError;

pub(super) fn letter(desk: &mut Desk, options: &Letter) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    let serial = options.serial;
    let key = kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
    let title = format!("letters of key {serial}");
    let pages = vec![pin(&kit, &key), puk(&kit, serial)];
    write(desk, &kit, &options.paper, &Sheets { title, form: Form::Sheets, pages })
}

/// For who opens.
fn pin(kit: &Kit, key: &Enrolled) -> Page {
    let serial = key.facts.serial;
    let operators = kit.policy.with_role(Role::Operator);
    let custodians = kit.policy.with_role(Role::Custodian);
    let mut facts = head(kit, serial);
    facts.push(Block::fact("opened by", named(&operators, "nobody: the policy has no operator")));
    facts.push(Block::fact("kept by", named(&custodians, "nobody: the policy has no custodian")));
    let opens = bag::opens(kit, serial);
    if !opens.is_empty() {
        facts.push(Block::fact("for", opens.join(", ")));
    }
    let mut blocks = vec![Block::Facts(facts), Block::Blank(format!("PIN of {serial}"))];
    if key.facts.fido2.is_some() && !kit.fido2_pin_shared(&key.id) {
        blocks.push(Block::Blank("FIDO2 PIN".into()));
    }
    blocks.push(Block::Blank("written on, by".into()));
    blocks.push(Block::Blank("envelope number".into()));
    blocks.push(Block::Heading("How to use it".into()));
    blocks.push(Block::Steps(vec![
        "Write the PIN by hand, in ink. It is nowhere else: no program prints it.".into(),
        "Put this letter into an envelope of its own, seal it, sign over the flap. Keep it apart from the key.".into(),
        "Who opens it writes down when and why, and uses the PIN for this key alone. Three wrong PINs block the key.".into(),
        format!("Afterwards the PIN is changed (breakglass key pin {serial}), and a new letter is written. Burn or shred this one."),
    ]));
    blocks.extend(broken(serial));
    Page { title: format!("PIN letter of key {serial}"), blocks }
}

/// For who unblocks: another envelope, kept by another person.
fn puk(kit: &Kit, serial: Serial) -> Page {
    let holder = kit.policy.place(serial).and_then(|place| place.puk.as_ref());
    let mut facts = head(kit, serial);
    let holder = holder.map_or_else(|| "nobody: the policy names none".to_owned(), ToString::to_string);
    facts.push(Block::fact("held by", holder));
    let mut blocks = vec![
        Block::Facts(facts),
        Block::Blank(format!("PUK of {serial}")),
        Block::Blank("written on, by".into()),
        Block::Blank("envelope number".into()),
        Block::Heading("How to use it".into()),
        Block::Steps(vec![
            "The PUK sets a new PIN when the PIN is blocked. It is not needed to open anything.".into(),
            "Keep it in an envelope of its own, with another person than the PIN: who has both needs nobody."
                .into(),
            format!(
                "To unblock: breakglass key pin {serial} --what unblock. Afterwards change the PUK (--what puk) and write a new letter."
            ),
        ]),
    ];
    blocks.extend(broken(serial));
    Page { title: format!("PUK letter of key {serial}"), blocks }
}

fn head(kit: &Kit, serial: Serial) -> Vec<(String, String)> {
    let mut facts = kit_facts(kit);
    facts.push(Block::fact("key", serial.to_string()));
    facts
}

fn broken(serial: Serial) -> [Block; 2] {
    let what = format!(
        "Keep the envelope, and the bag with its seal, as they are. Use another key if you can. Tell the custodian and the auditor. Sign \
         what you found (breakglass key checkout {serial} --seal broken …), then change PIN and PUK."
    );
    [
        Block::Heading("If it was open, or the bag had another number or a broken seal".into()),
        Block::Text(what),
    ]
}

fn named(names: &[&str], nobody: &str) -> String {
    if names.is_empty() { nobody.to_owned() } else { names.join(", ") }
}
