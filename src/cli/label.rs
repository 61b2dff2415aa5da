//! `label`: what goes on each bag, to cut out.

use super::Outcome;
use super::args::Label;
use super::bag;
use super::desk::Desk;
use super::hint::Trouble;
use super::paper::{Block, Form, Page, Sheets, kit_facts, write};
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::roster::Standing;
use crate::signing::SigningError;

pub(super) fn label(desk: &mut Desk, options: &Label) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    let serials: Vec<Serial> = match options.serial {
        Some(serial) => vec![serial],
        None => kit
            .enrolled_keys()
            .iter()
            .filter(|key| !matches!(key.standing, Standing::Retired { .. }))
            .map(|key| key.facts.serial)
            .collect(),
    };
    let pages = serials.into_iter().map(|serial| card(&kit, serial)).collect::<Result<_, _>>()?;
    let title = format!("bags of {}", kit.policy.name);
    write(desk, &kit, &options.paper, &Sheets { title, form: Form::Cards, pages })
}

/// The label of one key's bag.
fn card(kit: &Kit, serial: Serial) -> Result<Page, Trouble> {
    let key = kit.enrolled(serial).ok_or(SigningError::NotEnrolled(serial))?;
    let there = kit.whereabouts(&key.id, serial);
    let or_blank = |text: &str| if text.is_empty() { "____________".to_owned() } else { text.to_owned() };
    let opens = bag::opens(kit, serial);
    let mut facts = kit_facts(kit);
    facts.push(Block::fact("place", or_blank(&there.place)));
    facts.push(Block::fact("bag", or_blank(&there.bag)));
    let opens = if opens.is_empty() { "nothing yet".to_owned() } else { opens.join("\n") };
    facts.push(Block::fact("opens", opens));
    if let Some(puk) = kit.policy.place(serial).and_then(|place| place.puk.as_ref()) {
        facts.push(Block::fact("PUK", format!("with {puk}")));
    }
    Ok(Page { title: serial.to_string(), blocks: vec![Block::Facts(facts)] })
}
