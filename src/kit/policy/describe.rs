//! What a policy says, in sentences.

use super::mints::sentence;
use super::{CredentialRule, Factors, Group, KeyPlace, Policy, Role, Rotation};
use crate::kit::name::Name;

/// Each role with what it may do, in the order in which it is told.
pub(super) const DUTIES: [(Role, &str); 4] = [
    (Role::Operator, "open"),
    (Role::Custodian, "keep keys"),
    (Role::Approver, "approve"),
    (Role::Auditor, "audit"),
];

/// What `review-before-reopen` asks.
pub(super) const REVIEW_FIRST: &str =
    "what was opened for an incident without a review opens again only with a word on record";

/// What `open-unapproved` allows; it follows `an opening` or the name of a credential.
const UNAPPROVED: &str = "may go on where too few have approved; the record then names who was not asked";

/// Whether an opening may go on where too few have approved.
pub(super) fn unapproved(may: bool) -> &'static str {
    if may { UNAPPROVED } else { "is refused where too few have approved" }
}

/// Everything that the policy says, sentence by sentence.
pub fn describe(policy: &Policy) -> Vec<String> {
    let mut sentences = vec![
        format!("the kit is called {:?}; its records are issued by {}", policy.name, policy.issuer),
        format!("{} admitted keys must sign a change of keys or policy", policy.quorum.number),
    ];
    sentences.extend(
        policy.quorum.groups.iter().map(|group| format!("among the signers must be {}", members(group))),
    );
    sentences.push(format!("these justify an opening: {}", list(&policy.emergencies)));
    sentences.extend(policy.factors.map(factors));
    sentences.extend(sentence(&policy.mints));
    sentences.push(format!(
        "an opening is granted for {}; a sealing is reviewed after {}; keys are drilled every {} days",
        policy.grant, policy.review_every, policy.drill_days
    ));
    sentences.push(rotation("a credential", &policy.rotation));
    sentences.push(format!("an opening {}", policy.approval));
    sentences.extend(policy.open_unapproved.then(|| format!("an opening {}", UNAPPROVED)));
    if policy.review_before_reopen {
        sentences.push(REVIEW_FIRST.into());
    }
    for rule in &policy.credentials {
        sentences.extend(differing(rule));
    }
    sentences.extend(policy.mint_rules.iter().map(ToString::to_string));
    for platform in &policy.platforms {
        let name = &platform.name;
        sentences.push(match &platform.backup_waived {
            Some(why) => format!("{name} needs no backup credential: {why}"),
            None => format!("{name} needs a primary and a backup credential"),
        });
        sentences.extend(checklist(policy, name));
    }
    for (role, verb) in DUTIES {
        let who = policy.with_role(role).join(", ");
        sentences.push(match who.is_empty() {
            true => format!("nobody may {verb}"),
            false => format!("may {verb}: {who}"),
        });
    }
    for person in policy.people.iter().filter(|person| !person.keys.is_empty()) {
        sentences.push(format!("{} keeps {}", person.name, list(&person.keys)));
    }
    sentences.extend(policy.keys.iter().map(|key| format!("key {} lies in {}", key.serial, place(key))));
    sentences
}

/// What is to be checked on a platform after sealing, a sentence each.
pub fn checklist(policy: &Policy, platform: &Name) -> Vec<String> {
    let items = policy.platform(platform).map_or(&[][..], |platform| &platform.checklist);
    items.iter().map(|item| format!("to check on {platform}: {item}")).collect()
}

/// What a table about credentials says.
fn differing(rule: &CredentialRule) -> Vec<String> {
    let name = &rule.name;
    let mut sentences = Vec::new();
    sentences
        .extend(rule.emergencies.as_ref().map(|names| format!("{name} is opened for {} alone", list(names))));
    sentences.extend(rule.grant.map(|grant| format!("{name}: an opening is granted for {grant}")));
    sentences.extend(rule.review_every.map(|length| format!("{name}: a sealing is reviewed after {length}")));
    sentences.extend(rule.rotation.as_ref().map(|how| rotation(&name.to_string(), how)));
    sentences.extend(rule.approval.map(|approval| format!("{name} {approval}")));
    sentences.extend(rule.open_unapproved.map(|may| format!("{name} {}", unapproved(may))));
    sentences
}

/// Whether a credential is rotated after use.
pub(super) fn rotation(of: &str, rotation: &Rotation) -> String {
    match rotation {
        Rotation::AfterUse => format!("{of} is rotated after each use"),
        Rotation::Waived(why) => format!("{of} is not rotated after use: {why}"),
    }
}

/// What opening asks of each key.
pub(super) fn factors(factors: Factors) -> String {
    match factors {
        Factors::Held => "opening asks of each key what it has".to_owned(),
        Factors::Piv => "opening asks every key for PIV alone".to_owned(),
        Factors::Both => "opening asks every key for PIV and FIDO2".to_owned(),
    }
}

/// `1 of security (23112, 23115)`.
pub(super) fn members(group: &Group) -> String {
    format!("{} of {} ({})", group.needs, group.name, list(&group.keys))
}

/// `safe A, bag 0417; carol holds its PUK`.
pub(super) fn place(key: &KeyPlace) -> String {
    let bag = if key.bag.is_empty() { String::new() } else { format!(", bag {}", key.bag) };
    let puk = key.puk.as_ref().map_or(String::new(), |name| format!("; {name} holds its PUK"));
    format!("{}{bag}{puk}", key.place)
}

/// With commas between.
pub(super) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}
