//! One credential: what it is, which keys open it, the commands in order, and what it leaves to be done.

use crate::cli::bag;
use crate::cli::desk::date;
use crate::cli::hint::Trouble;
use crate::cli::paper::{Block, Page, kit_facts};
use crate::kit::credentials::Generation;
use crate::kit::name::CredentialName;
use crate::kit::policy::Role;
use crate::kit::roster::Standing;
use crate::kit::sealed::{ABOUT_NAME, About};
use crate::kit::{Kit, SealedFile};

pub(super) fn page(kit: &Kit, name: &CredentialName, generation: &Generation) -> Result<Page, Trouble> {
    let about = match kit.sealed_file(name, generation, ABOUT_NAME)? {
        SealedFile::Intact(bytes) => About::parse(&bytes).ok(),
        SealedFile::Changed(_) | SealedFile::Missing(_) => None,
    };
    let facts = &generation.facts;
    let mut head = kit_facts(kit);
    let or_dash = |text: &str| if text.is_empty() { "not said".to_owned() } else { text.to_owned() };
    if let Some(about) = &about {
        head.push(Block::fact("user", or_dash(&about.user_name)));
        head.push(Block::fact("log in at", or_dash(&about.log_in_at)));
    }
    let pending = if generation.pending { ", not confirmed yet" } else { "" };
    let sealed = format!("generation {}{pending}, {}", generation.number, date(generation.sealed_at));
    head.push(Block::fact("sealed", sealed));
    let mut blocks = vec![Block::Facts(head)];
    if about.is_none() {
        blocks.push(Block::Text(
            "Its description (about.toml) is missing or not as it was sealed: user, place and runbook are not known.".into(),
        ));
    }
    let needed = match facts.threshold {
        1 => "Any one of these keys opens it".to_owned(),
        k => format!("Any {k} of these {} keys open it together", facts.recipients.len()),
    };
    blocks.push(Block::Heading(needed));
    blocks.push(Block::Facts(keys(kit, generation)));
    blocks.extend(open(kit, name, facts.threshold));
    if let Some(about) = about.filter(|about| !about.runbook.trim().is_empty()) {
        blocks.push(Block::Heading("What to do then".into()));
        blocks.push(Block::Exactly(about.runbook));
    }
    blocks.extend(afterwards(name));
    Ok(Page { title: name.to_string(), blocks })
}

/// Where each key lies, and who holds its PUK.
fn keys(kit: &Kit, generation: &Generation) -> Vec<(String, String)> {
    let known = generation.facts.recipients.iter().filter_map(|id| kit.key(id));
    let words = known.map(|key| {
        let serial = key.facts.serial;
        let mut words = vec![bag::lies(&kit.whereabouts(&key.id, serial))];
        if words[0].is_empty() {
            words[0] = "place not on record".into();
        }
        if key.standing != Standing::Admitted {
            words.push("of no use: it belongs to the kit no more".into());
        }
        if let Some(puk) = kit.policy.place(serial).and_then(|place| place.puk.as_ref()) {
            words.push(format!("PUK with {puk}"));
        }
        (serial.to_string(), words.join("; "))
    });
    words.collect()
}

fn open(kit: &Kit, name: &CredentialName, threshold: u8) -> Vec<Block> {
    let emergencies: Vec<&str> = kit.policy.terms(name).emergencies.iter().map(|one| one.as_str()).collect();
    let operators = kit.policy.with_role(Role::Operator);
    let fetch = match threshold {
        1 => "Fetch one of the keys and its PIN letter, two of you.".to_owned(),
        k => format!("Fetch {k} of the keys and their PIN letters, two of you."),
    };
    let mut steps: Vec<String> = asked(kit, name).into_iter().collect();
    steps.extend([
            format!("{fetch} Before you cut a bag, read its number and look at its seal. If it is broken, prefer another key."),
            "Compare the six words on the bag with those on this page, and later with those on the screen. If they differ, stop.".into(),
            "On the machine that is kept for this, put in the stick, open a terminal and type the lines below. Plug in one key after the other as it asks.".into(),
            format!(
                "It asks why ({}), for the incident or ticket, for a few words, and for your name ({}). Then it shows what it will do and asks you to type  open {}.",
                emergencies.join(", "),
                operators.join(", "),
                name.platform
            ),
            "It asks for the PIN of each key and for a touch when the key blinks. The secret is shown for 60 seconds, as often as you want.".into(),
    ]);
    vec![
        Block::Heading("Open it".into()),
        Block::Steps(steps),
        Block::Exactly(format!(
            "cd KIT   # the folder on the stick that holds kit.toml\n\
             breakglass doctor\n\
             breakglass key checkout SERIAL --bag NUMBER --seal intact \\\n    \
             --person YOU --witness OTHER --why INCIDENT   # of each key\n\
             breakglass open {name}"
        )),
    ]
}

/// Who has to say yes first, and what to do where nobody answers.
fn asked(kit: &Kit, name: &CredentialName) -> Option<String> {
    let terms = kit.policy.terms(name);
    let number = terms.approval.number();
    let people = kit.policy.with_role(Role::Approver).join(", ");
    let nobody = match terms.open_unapproved {
        true => "If nobody answers, go on without: the record names who was not asked.",
        false => "Without them this program opens nothing; the page on recovery does.",
    };
    (number > 0).then(|| {
        format!(
            "{number} of {people}, and never you, must say yes first:  breakglass request {name}   makes a file for them; they give you one back:  breakglass open --approval FILE. {nobody}"
        )
    })
}

fn afterwards(name: &CredentialName) -> Vec<Block> {
    vec![
        Block::Heading("Afterwards, in this order".into()),
        Block::Exactly(format!(
            "breakglass close INCIDENT --verdict real --outcome \"how it ended\"\n\
             breakglass rotate {name}   # seals the new secret; then set it on the platform\n\
             breakglass rotate {name} --confirm-pending   # once the platform has it\n\
             breakglass key pin SERIAL   # of each key that was used; write a new PIN letter\n\
             breakglass key checkin SERIAL --place PLACE --bag NUMBER \\\n    \
             --person YOU --witness OTHER   # of each key\n\
             breakglass records export DIR --with SERIAL   # give that folder to the auditor\n\
             breakglass status   # what is still to be done"
        )),
    ]
}
