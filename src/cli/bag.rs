//! What goes on a bag: kit words, serial, place, which credentials.

use super::desk::{Desk, date};
use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::custody::Whereabouts;

/// The label of one key's bag.
pub(super) fn label(kit: &Kit, serial: Serial) -> String {
    let mut lines = vec![format!(
        "{serial} · {} · {}",
        kit.policy.name,
        kit.words().unwrap_or_else(|| "not founded yet: no words".into())
    )];
    let there = kit.enrolled(serial).map(|key| kit.whereabouts(&key.id, serial)).unwrap_or_default();
    let there = in_bag(&there);
    if !there.is_empty() {
        lines.push(there);
    }
    let opens = opens(kit, serial);
    if !opens.is_empty() {
        lines.push(format!("opens {}", opens.join(", ")));
    }
    lines.join("\n")
}

/// What a key helps to open: `core-fw/admin`, `core-db/root (2 of 3)`.
pub(super) fn opens(kit: &Kit, serial: Serial) -> Vec<String> {
    let Some(key) = kit.enrolled(serial) else { return Vec::new() };
    let opens = kit.credentials.iter().filter_map(|(name, credential)| {
        let generation = credential.current().or(credential.pending())?;
        let facts = &generation.facts;
        facts.recipients.contains(&key.id).then(|| match facts.threshold {
            1 => name.to_string(),
            k => format!("{name} ({k} of {})", facts.recipients.len()),
        })
    });
    opens.collect()
}

/// `safe A, bag 0417`, as far as it is known.
pub(super) fn in_bag(there: &Whereabouts) -> String {
    let bag = if there.bag.is_empty() { String::new() } else { format!("bag {}", there.bag) };
    let known: Vec<&str> = [there.place.as_str(), &bag].into_iter().filter(|text| !text.is_empty()).collect();
    known.join(", ")
}

/// Where a key is now: `safe A, bag 0417`, or who has it since when, and where it was.
pub(super) fn lies(there: &Whereabouts) -> String {
    let home = in_bag(there);
    match &there.out {
        None => home,
        Some(out) if home.is_empty() => format!("out since {}, with {}", date(out.since), out.person),
        Some(out) => format!("out since {}, with {} (was in {home})", date(out.since), out.person),
    }
}

/// Says what to write on the bag.
pub(super) fn say(desk: &mut Desk, kit: &Kit, serial: Serial) {
    let mut lines = label(kit, serial);
    lines = lines.replace('\n', "\n                  ");
    desk.terminal.say(&format!("write on the bag: {lines}"));
}
