//! Steps that a quorum signs: `kit.toml` edited and adopted, a key admitted or retired; who has signed, and who could.

use super::history::History;
use super::{State, Step, What};
use crate::attestation::Serial;
use crate::kit::policy::Policy;
use crate::kit::roster::{Change, Roster};
use crate::kit::{Draft, Kit};

/// What `kit.toml` must say otherwise, and that it is adopted. `lines` tells what is to be changed in a policy; nothing where
/// it is as it should be. A key of `avoid` is not proposed to sign.
pub(super) fn steps(
    kit: &Kit,
    history: &History<'_>,
    avoid: &[Serial],
    lines: impl Fn(&Policy) -> Vec<String>,
) -> Vec<Step> {
    if lines(&kit.policy).is_empty() {
        let adopted = history.ended(|policy| !lines(policy).is_empty()).ok().flatten();
        let done = |at| Step {
            what: What::Adopt,
            why: "the policy in force says what it should".to_owned(),
            state: State::Done(history.done(at)),
            with: None,
        };
        return adopted.map(done).into_iter().collect();
    }
    let (to_edit, draft) = match &kit.draft {
        Draft::Differs(draft) => (lines(draft), Some(draft.hash)),
        Draft::Same => (lines(&kit.policy), None),
        Draft::Missing | Draft::Broken(_) => {
            let mut all = vec!["it cannot be read: see  breakglass status".to_owned()];
            all.extend(lines(&kit.policy));
            (all, None)
        }
    };
    let votes = |change: &Change| matches!(change, Change::Adopt { policy } if Some(*policy) == draft);
    let everybody: Vec<Serial> =
        kit.roster.iter().flat_map(Roster::admitted).map(|(_, key)| key.enrolled.serial).collect();
    let (why, with) = signatures(kit, votes, &everybody, avoid);
    let adopt = |state| Step { what: What::Adopt, why, state, with };
    match to_edit.is_empty() {
        true => vec![adopt(State::Then)],
        false => vec![
            Step {
                what: What::Edit(to_edit),
                why: "it has no effect before it is adopted".to_owned(),
                state: State::Then,
                with: None,
            },
            adopt(State::Waits("until kit.toml is edited".to_owned())),
        ],
    }
}

/// Who has signed a change and whom it still wants, as a sentence; and a key that could sign it next. `voters` have a vote.
pub(super) fn signatures(
    kit: &Kit,
    of: impl Fn(&Change) -> bool,
    voters: &[Serial],
    avoid: &[Serial],
) -> (String, Option<Serial>) {
    let Some(roster) = &kit.roster else { return (String::new(), None) };
    let pending = roster.pending.iter().find(|pending| of(&pending.change));
    let serial_of = |id| roster.keys.get(id).map(|member| member.enrolled.serial);
    let signed: Vec<Serial> =
        pending.iter().flat_map(|pending| &pending.signers).filter_map(serial_of).collect();
    let wanting =
        pending.map_or_else(|| kit.policy.quorum.wanting(voters, &[]), |pending| pending.wanting.clone());
    let mut open: Vec<Serial> =
        voters.iter().copied().filter(|serial| !signed.contains(serial) && !avoid.contains(serial)).collect();
    open.sort_unstable();
    let of_group =
        wanting.groups.iter().flat_map(|group| &group.keys).find(|serial| !avoid.contains(serial)).copied();
    let by = match &signed[..] {
        [] => "signed by nobody yet".to_owned(),
        all => format!("signed by {}", list(all)),
    };
    let from = if open.is_empty() { String::new() } else { format!(", of {}", list(&open)) };
    (format!("{by}; wanting {wanting}{from}"), of_group.or(open.first().copied()))
}

/// `23112, 23115`.
pub(super) fn list(serials: &[Serial]) -> String {
    serials.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
