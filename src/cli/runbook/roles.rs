//! One page for each role: what to do, in words that need no explanation.

use crate::cli::paper::{Block, Page, kit_facts};
use crate::kit::Kit;
use crate::kit::policy::Role;

/// What a role is, and what it does.
struct Duty {
    role: Role,
    title: &'static str,
    what: &'static str,
    steps: &'static [&'static str],
    commands: &'static str,
}

const DUTIES: [Duty; 4] = [
    Duty {
        role: Role::Operator,
        title: "If you open in an emergency",
        what: "You get a secret out of the kit because there is no other way in, and you put everything back in order.",
        steps: &[
            "Is there really no other way in? Note the time and the ticket. Call a second person.",
            "Fetch the keys that the page of the credential names, with that person. Read the number of each bag aloud.",
            "Compare the six words: bag, paper, screen. If one differs, touch nothing and call a custodian.",
            "Does the policy ask for an approval? Make the request first, and say its four words to the approver.",
            "Follow the page of the credential line by line. What you type as reason is read by the auditor.",
            "A wrong PIN costs the key a try; after three it is blocked. If you are not sure, take another key.",
            "If a key says that it cannot prove itself, keep it in its bag as evidence and take another one.",
            "Do not write the secret down and do not photograph it. When you are done, do what is listed under Afterwards.",
        ],
        commands: "breakglass request PLATFORM/ACCOUNT\nbreakglass open --approval FILE\nbreakglass open\nbreakglass close INCIDENT --verdict real --outcome \"how it ended\"\nbreakglass status",
    },
    Duty {
        role: Role::Custodian,
        title: "If you keep keys",
        what: "You keep keys in their bags and places, so that they are there, unused, when they are needed.",
        steps: &[
            "Each key lies in a numbered bag with a seal, in the place that is on record. Its PIN letter lies elsewhere.",
            "A key leaves its bag only with two people, who look at number and seal and sign what they found.",
            "If a seal is broken or a number is wrong, keep the bag, sign it so, change the PIN, and tell the auditor.",
            "Put a key back into a new bag, with a new number, and sign where it lies. Print its label anew.",
            "Visit every key once in three months: is it there, genuine, and unused?",
            "After every opening: the secret is replaced, the PINs of the keys that were used are changed.",
        ],
        commands: "breakglass key checkout SERIAL --bag NUMBER --seal intact \\\n    \
                   --person YOU --witness OTHER --why VISIT\n\
                   breakglass inventory --all --witness\n\
                   breakglass key checkin SERIAL --place PLACE --bag NUMBER --person YOU --witness OTHER\n\
                   breakglass label --html labels.html\n\
                   breakglass status",
    },
    Duty {
        role: Role::Approver,
        title: "If you are asked whether something may be opened",
        what: "You say yes or no to an opening, as somebody who does not open it.",
        steps: &[
            "Who asks, for which account, for which incident? Call back on a number that you know.",
            "Is it one of the emergencies of the policy, and is there no other way in?",
            "Take the request file to your own machine and your own key. Have the four words said to you on that call.",
            "Read all of it before you type your PIN: you sign just what is shown. Give the approval file back.",
            "If it is no, sign nothing, and tell an auditor that you were asked. You never need the secret for any of this.",
            "If you cannot be reached, an opening may go on where the policy says so. Its record names you, and you are told.",
        ],
        commands: "breakglass approve request-….json\nbreakglass records list --incident INCIDENT",
    },
    Duty {
        role: Role::Auditor,
        title: "If you judge afterwards",
        what: "You compare what the keys signed with what should have happened. You need no key and no PIN.",
        steps: &[
            "Take the records that were exported, from every stick there is.",
            "Compare the six words with those on the bags yourself, once, and tell the program that you did.",
            "Read what is wrong first, then what is due, then what could not be checked.",
            "Ask for the paper of every opening without this program, and for the logs of the platforms.",
        ],
        commands: "breakglass-audit import records.jws\nbreakglass-audit trust \"the six words\"\nbreakglass-audit check\n\
                   breakglass-audit report",
    },
];

/// A page for each role, with the people of the policy who have it.
pub(super) fn pages(kit: &Kit) -> impl Iterator<Item = Page> + use<'_> {
    DUTIES.iter().map(|duty| {
        let mut facts = kit_facts(kit);
        let people = kit.policy.people.iter().filter(|person| person.roles.contains(&duty.role));
        let named: Vec<String> = people
            .map(|person| match person.contact.is_empty() {
                true => person.name.to_string(),
                false => format!("{}, {}", person.name, person.contact),
            })
            .collect();
        let named = if named.is_empty() { "nobody by the policy".to_owned() } else { named.join("\n") };
        facts.push(Block::fact("people", named));
        if duty.role == Role::Approver || duty.role == Role::Operator {
            let emergencies: Vec<&str> = kit.policy.emergencies.iter().map(|one| one.as_str()).collect();
            facts.push(Block::fact("emergencies", emergencies.join(", ")));
        }
        let blocks = vec![
            Block::Facts(facts),
            Block::Text(duty.what.into()),
            Block::Steps(duty.steps.iter().map(ToString::to_string).collect()),
            Block::Exactly(duty.commands.into()),
        ];
        Page { title: duty.title.into(), blocks }
    })
}
