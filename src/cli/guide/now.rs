//! What a kit shows at one moment, and what can be done with it then: nothing else is offered.

use super::due::led;
use crate::attestation::Serial;
use crate::cli::bag;
use crate::cli::desk::date;
use crate::cli::findings::counted;
use crate::kit::debts::{self, Debt};
use crate::kit::finding::{Finding, Weight};
use crate::kit::incidents::incidents;
use crate::kit::roster::Standing;
use crate::kit::{Kit, check};
use crate::record::event::KitKind;

/// So many incidents are told each on its line.
const MOST: usize = 4;

/// Something that the person can choose.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Choice {
    /// Open a credential.
    Open,
    /// Say how one of these ended.
    Close(Vec<String>),
    /// Do one of these, each left by the incident that is named.
    Finish(Vec<(String, Debt)>),
    /// Do one of these, which are due beside what incidents left.
    Due(Vec<Finding>),
    /// See everything that is due or wrong.
    Status,
    /// See what is wrong with this copy of the kit.
    Damage,
    /// Look at the keys.
    Keys,
    /// Look at the machine.
    Doctor,
    /// Make a practice kit, and go on in it.
    Rehearse,
}

impl Choice {
    pub(super) fn words(&self) -> String {
        match self {
            Choice::Open => "open a credential in an emergency".into(),
            Choice::Close(open) => match &open[..] {
                [one] => format!("say how {one} ended"),
                _ => "say how an incident ended".into(),
            },
            Choice::Finish(owed) => match &owed[..] {
                [(incident, debt)] => format!("do what {incident} left: {}", debt.what),
                _ => format!("do what incidents left: {} things", owed.len()),
            },
            Choice::Due(due) => match &due[..] {
                [one] => format!("do what is due: {}", one.text),
                _ => format!("do what else is due: {} things", due.len()),
            },
            Choice::Status => "see all that is due".into(),
            Choice::Damage => "see what is wrong with this copy of the kit".into(),
            Choice::Keys => "look at the keys (no PIN, no touch)".into(),
            Choice::Doctor => "something does not work: look at this machine".into(),
            Choice::Rehearse => "rehearse, in a practice kit of its own".into(),
        }
    }
}

/// Lines to show, and choices to number.
#[derive(Debug)]
pub(super) struct Now {
    pub(super) lines: Vec<String>,
    pub(super) choices: Vec<Choice>,
}

/// `attached`: the keys that are plugged in, or why nobody can tell. `found`: what is wrong or due.
pub(super) fn now(kit: &Kit, attached: &Result<Vec<Serial>, String>, found: &[Finding]) -> Now {
    let open: Vec<String> =
        incidents(kit).into_iter().filter(|(_, one)| one.closed.is_none()).map(|(name, _)| name).collect();
    let owed: Vec<(String, Debt)> = debts::debts(kit)
        .into_iter()
        .flat_map(|(name, debts)| debts.into_iter().map(move |debt| (name.clone(), debt)))
        .filter(|(_, debt)| debt.done.is_none())
        .collect();
    let commands: Vec<String> = owed.iter().map(|(incident, debt)| debt.what.next(incident)).collect();
    let due = led(found, &commands);
    let wounds = check::wounds(kit).filter(|wounds| !wounds.accepted);
    let signs = kit.roster.is_some() && attached.is_ok() && wounds.is_none();
    let mut choices = Vec::new();
    let mut add = |possible: bool, choice: Choice| choices.extend(possible.then_some(choice));
    add(wounds.is_some(), Choice::Damage);
    add(attached.is_err(), Choice::Doctor);
    add(signs && !kit.credentials.is_empty(), Choice::Open);
    add(signs && !open.is_empty(), Choice::Close(open.clone()));
    add(signs && !owed.is_empty(), Choice::Finish(owed));
    add(signs && !due.is_empty(), Choice::Due(due));
    add(found.iter().any(|finding| finding.weight != Weight::Note), Choice::Status);
    add(attached.is_ok() && !kit.enrolled_keys().is_empty(), Choice::Keys);
    add(attached.is_ok(), Choice::Doctor);
    add(kit.kind() == KitKind::Real, Choice::Rehearse);
    Now { lines: lines(kit, attached, found, &open), choices }
}

fn lines(
    kit: &Kit,
    attached: &Result<Vec<Serial>, String>,
    found: &[Finding],
    open: &[String],
) -> Vec<String> {
    let words = match kit.words() {
        Some(words) => format!("{words}     (compare with the bag)"),
        None => "none yet: no key has founded this kit".into(),
    };
    let mut lines = vec![
        format!("kit       {}, in {}", kit.policy.name, kit.folder.root().display()),
        format!("words     {words}"),
    ];
    if !kit.enrolled_keys().is_empty() || attached.is_err() {
        lines.push(format!("keys      {}", keys(kit, attached)));
    }
    let incidents = incidents(kit);
    for name in open.iter().take(MOST) {
        let Some(one) = incidents.get(name) else { continue };
        let (what, who) = (one.what().join(", "), one.operators.join(", "));
        lines.push(format!("open      {name} since {}: {what}, by {who}", date(one.since)));
    }
    if open.len() > MOST {
        lines.push(format!("open      and {}", counted(open.len() - MOST, "more incident")));
    }
    for (word, weights) in
        [("wrong", &[Weight::Wrong][..]), ("due", &[Weight::Due]), ("unclear", &[Weight::NotChecked])]
    {
        let those: Vec<&Finding> = found.iter().filter(|one| weights.contains(&one.weight)).collect();
        let Some(first) = those.first() else { continue };
        let more = if those.len() > 1 { format!("; and {} more", those.len() - 1) } else { String::new() };
        lines.push(format!("{word:<9} {}{more}", first.text));
    }
    lines
}

/// Which keys of the kit are plugged in, and where the others lie.
fn keys(kit: &Kit, attached: &Result<Vec<Serial>, String>) -> String {
    let attached = match attached {
        Ok(attached) => attached,
        Err(why) => return format!("{why}: nothing can be opened or signed before that is mended"),
    };
    let (mut here, mut away) = (Vec::new(), Vec::new());
    for key in kit.enrolled_keys() {
        if matches!(key.standing, Standing::Retired { .. }) {
            continue;
        }
        let serial = key.facts.serial;
        match attached.contains(&serial) {
            true => here.push(serial.to_string()),
            false => match bag::lies(&kit.whereabouts(&key.id, serial)) {
                lies if lies.is_empty() => away.push(serial.to_string()),
                lies => away.push(format!("{serial} ({lies})")),
            },
        }
    }
    let strangers = attached.iter().filter(|serial| kit.enrolled(**serial).is_none());
    let mut parts = vec![match here.is_empty() {
        true => "none of this kit is plugged in".to_owned(),
        false => format!("{} plugged in", here.join(", ")),
    }];
    parts.extend(strangers.map(|serial| format!("{serial} is of no use here")));
    if !away.is_empty() {
        parts.push(format!("elsewhere: {}", away.join(" · ")));
    }
    parts.join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kit::folder::Folder;
    use crate::record::chain::Depth;

    fn kit(place: &std::path::Path, kind: KitKind) -> Kit {
        let text = crate::kit::policy::template("test", kind);
        std::fs::write(place.join("kit.toml"), text).unwrap();
        Kit::read(Folder::at(place, None), Depth::Every).unwrap()
    }

    #[test]
    fn of_a_kit_that_is_only_begun_nothing_is_offered_that_needs_a_key() {
        let place = tempfile::tempdir().unwrap();
        let kit = kit(place.path(), KitKind::Real);
        let due = [Finding::due("KIT-NOT-FOUNDED", "it has no key yet".into(), "…".into())];
        let now = now(&kit, &Ok(Vec::new()), &due);
        assert_eq!(now.choices, [Choice::Status, Choice::Doctor, Choice::Rehearse]);
        assert!(now.lines.iter().any(|line| line == "due       it has no key yet"), "{:?}", now.lines);
    }

    #[test]
    fn where_no_reader_answers_that_is_said_and_its_remedy_comes_first() {
        let place = tempfile::tempdir().unwrap();
        let kit = kit(place.path(), KitKind::Practice);
        let now = now(&kit, &Err("pcscd is not running".into()), &[]);
        assert_eq!(now.choices, [Choice::Doctor]);
        assert!(now.lines.iter().any(|line| line.starts_with("keys      pcscd is not running: nothing can")));
    }
}
