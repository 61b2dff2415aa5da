//! What goes on a bag: kit words, serial, place, which credentials.

use super::desk::Desk;
use crate::attestation::Serial;
use crate::kit::Kit;

/// The label of one key's bag.
pub(super) fn label(kit: &Kit, serial: Serial) -> String {
    let place = kit.policy.place(serial);
    let mut lines = vec![format!(
        "{serial} · {} · {}",
        kit.policy.name,
        kit.words().unwrap_or_else(|| "not founded yet: no words".into())
    )];
    if let Some(place) = place {
        let bag = if place.bag.is_empty() { String::new() } else { format!(", bag {}", place.bag) };
        lines.push(format!("{}{bag}", place.place));
    }
    let opens: Vec<String> = kit
        .enrolled(serial)
        .map(|key| {
            kit.credentials
                .iter()
                .filter_map(|(name, credential)| {
                    let generation = credential.current().or(credential.pending())?;
                    let facts = &generation.facts;
                    facts.recipients.contains(&key.id).then(|| match facts.threshold {
                        1 => name.to_string(),
                        k => format!("{name} ({k} of {})", facts.recipients.len()),
                    })
                })
                .collect()
        })
        .unwrap_or_default();
    if !opens.is_empty() {
        lines.push(format!("opens {}", opens.join(", ")));
    }
    lines.join("\n")
}

/// Says what to write on the bag.
pub(super) fn say(desk: &mut Desk, kit: &Kit, serial: Serial) {
    let mut lines = label(kit, serial);
    lines = lines.replace('\n', "\n                  ");
    desk.terminal.say(&format!("write on the bag: {lines}"));
}
