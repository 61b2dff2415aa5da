//! What a policy says of keys and credentials that a kit does not have: a slip of the pen looks the same as what is yet to come.

use std::collections::BTreeSet;

use super::describe::list;
use super::{Group, Policy};
use crate::attestation::Serial;
use crate::kit::name::CredentialName;

/// What has no effect in a kit to which these keys are admitted and in which these credentials are sealed, a sentence each.
pub fn idle(policy: &Policy, admitted: &[Serial], sealed: &[CredentialName]) -> Vec<String> {
    let kept = policy.people.iter().flat_map(|person| &person.keys);
    let grouped = policy.quorum.groups.iter().flat_map(|group| &group.keys);
    let named: BTreeSet<Serial> =
        kept.chain(grouped).copied().chain(policy.keys.iter().map(|key| key.serial)).collect();
    let absent: Vec<&Serial> = named.iter().filter(|serial| !admitted.contains(serial)).collect();
    let mut sentences = Vec::new();
    if !absent.is_empty() {
        sentences
            .push(format!("without effect: what is said of keys that are not admitted, {}", list(absent)));
    }
    sentences.extend(policy.quorum.groups.iter().filter_map(|group| short(group, admitted)));
    let unsealed =
        policy.credentials.iter().filter(|rule| !sealed.iter().any(|name| rule.name.matches(name)));
    sentences
        .extend(unsealed.map(|rule| {
            format!("without effect: what is said of {}, as nothing of it is sealed", rule.name)
        }));
    sentences
}

/// A group asks for no more keys than it has.
fn short(group: &Group, admitted: &[Serial]) -> Option<String> {
    let has = group.keys.iter().filter(|serial| admitted.contains(serial)).count();
    (has < group.needs).then(|| {
        format!(
            "without effect: that {} of {} must sign, as {has} of its keys are admitted",
            group.needs, group.name
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    #[test]
    fn what_the_kit_does_not_have_is_told_and_nothing_else() {
        let policy = with(
            "[[person]]\nname = \"bob\"\nroles = [\"custodian\"]\nkeys = [2, 3]\n\
             [[quorum-group]]\nname = \"security\"\npeople = [\"bob\"]\nneeds = 2\n\
             [[credential]]\nname = \"core-db/*\"\ngrant = \"2h\"\n\
             [[credential]]\nname = \"core-bd/root\"\ngrant = \"3h\"\n\
             [[key]]\nserial = 1\nplace = \"safe A\"\n",
        );
        let root: CredentialName = "core-db/root".parse().unwrap();
        let told = |keys: &[u32]| {
            let keys: Vec<Serial> = keys.iter().copied().map(Serial).collect();
            idle(&policy, &keys, std::slice::from_ref(&root))
        };
        let typo = "without effect: what is said of core-bd/root, as nothing of it is sealed";
        assert_eq!(told(&[1, 2, 3]), [typo]);
        assert_eq!(
            told(&[1, 2]),
            [
                "without effect: what is said of keys that are not admitted, 3",
                "without effect: that 2 of security must sign, as 1 of its keys are admitted",
                typo
            ]
        );
    }
}
