//! `runbook`: the kit on paper, for the vault. A page for each credential, one for each role, and the scripts that an
//! opening without this program needs. It says what is public in the kit, and no secret.

use super::Outcome;
use super::args::Runbook;
use super::bag;
use super::desk::{Desk, date, now};
use super::hint::Trouble;
use super::paper::{Block, Form, Page, Sheets, kit_facts, write};
use crate::kit::Kit;
use crate::kit::roster::Standing;

mod credential;
mod recovery;
mod roles;

pub(super) fn runbook(desk: &mut Desk, options: &Runbook) -> Result<Outcome, Trouble> {
    let kit = desk.look()?;
    kit.founded()?;
    let mut pages = vec![first(&kit)];
    for (name, credential) in &kit.credentials {
        if let Some(generation) = credential.current().or(credential.pending()) {
            pages.push(credential::page(&kit, name, generation)?);
            pages.push(recovery::page(&kit, name, generation));
        }
    }
    pages.extend(roles::pages(&kit));
    pages.extend(recovery::scripts(&kit));
    let title = format!("runbook of {}", kit.policy.name);
    write(desk, &kit, &options.paper, &Sheets { title, form: Form::Sheets, pages })
}

/// What this is, what is in it, and where the keys lie.
fn first(kit: &Kit) -> Page {
    let mut facts = kit_facts(kit);
    facts.push(Block::fact("printed", date(now())));
    facts.push(Block::fact("policy", kit.policy.hash.short()));
    let credentials: Vec<String> = kit.credentials.keys().map(ToString::to_string).collect();
    let mut blocks = vec![
        Block::Facts(facts),
        Block::Text(
            "These pages say what to do when the usual way to log in is gone. They hold no secret. Print them anew after \
             every sealing, move of a key or change of the policy; put the old ones through the shredder."
                .into(),
        ),
        Block::Heading("What can be opened".into()),
    ];
    blocks.push(match credentials.is_empty() {
        true => Block::Text("Nothing is sealed yet.".into()),
        false => Block::Steps(credentials),
    });
    blocks.push(Block::Heading("Where the keys lie".into()));
    let keys = kit.enrolled_keys();
    let lie = keys.iter().filter(|key| !matches!(key.standing, Standing::Retired { .. })).map(|key| {
        let serial = key.facts.serial;
        let lies = bag::lies(&kit.whereabouts(&key.id, serial));
        let lies = if lies.is_empty() { "not on record".to_owned() } else { lies };
        (
            serial.to_string(),
            if key.standing == Standing::Admitted { lies } else { format!("{lies}; not admitted") },
        )
    });
    blocks.push(Block::Facts(lie.collect()));
    Page { title: kit.policy.name.clone(), blocks }
}
