//! Who must sign a change of keys or policy: a number of keys, and of each group a number of its keys beside it.

use std::collections::BTreeSet;
use std::fmt;

use crate::attestation::Serial;
use crate::kit::name::Name;

/// What a change of keys or policy needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quorum {
    /// How many admitted keys must sign.
    pub number: usize,
    /// Of whom some must be among them.
    pub groups: Vec<Group>,
}

/// Keys of which some must be among the signers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What people call it.
    pub name: Name,
    /// Its keys: those that it names, and those of its people.
    pub keys: BTreeSet<Serial>,
    /// How many of them must sign.
    pub needs: usize,
}

/// What signatures leave wanting.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Wanting {
    /// How many more keys must sign, whosever they are.
    pub more: usize,
    /// Groups of which too few have signed.
    pub groups: Vec<Missing>,
}

/// A group of which too few have signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which group.
    pub group: Name,
    /// How many more of it must sign.
    pub more: usize,
    /// Those of it that could.
    pub keys: Vec<Serial>,
}

impl Quorum {
    /// What these signers leave wanting. `voters` are the keys that have a vote, a serial as often as keys have it;
    /// signers are among them. Neither the number nor a group asks for more keys than have a vote: a kit whose keys are
    /// lost can still be mended by those that are left.
    pub fn wanting(&self, voters: &[Serial], signers: &[Serial]) -> Wanting {
        let needs = self.number.min(voters.len()).max(1);
        let groups = self.groups.iter().filter_map(|group| {
            let of_it = |keys: &[Serial]| keys.iter().filter(|key| group.keys.contains(key)).count();
            let more = group.needs.min(of_it(voters)).saturating_sub(of_it(signers));
            let mut keys: Vec<Serial> = voters.to_vec();
            keys.retain(|key| group.keys.contains(key) && !signers.contains(key));
            keys.sort_unstable();
            (more > 0).then(|| Missing { group: group.name.clone(), more, keys })
        });
        Wanting { more: needs.saturating_sub(signers.len()), groups: groups.collect() }
    }
}

impl Wanting {
    /// Whether the signatures are enough.
    pub fn is_nothing(&self) -> bool {
        self.more == 0 && self.groups.is_empty()
    }

    /// `, wanting …`, to follow a count of signatures that does not tell it all: where groups have signed too little.
    pub fn beside_the_count(&self) -> String {
        if self.groups.is_empty() { String::new() } else { format!(", wanting {self}") }
    }
}

impl fmt::Display for Missing {
    /// `1 of security (23115, 30877)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<String> = self.keys.iter().map(ToString::to_string).collect();
        write!(f, "{} of {} ({})", self.more, self.group, keys.join(", "))
    }
}

impl fmt::Display for Wanting {
    /// `1 more key`, `1 of security (23115)`, or `2 more keys, among them 1 of security (23115) and 1 of …`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let groups: Vec<String> = self.groups.iter().map(ToString::to_string).collect();
        let groups = groups.join(" and ");
        let keys = if self.more == 1 { "1 more key".to_owned() } else { format!("{} more keys", self.more) };
        match (self.more, groups.is_empty()) {
            (0, _) => f.write_str(&groups),
            (_, true) => f.write_str(&keys),
            (_, false) => write!(f, "{keys}, and among all {groups}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Security has 1 and 2, operations 3 and 4; 5 is nobody's. Two keys, one of security and one of operations.
    fn quorum() -> Quorum {
        let group = |name: &str, keys: [u32; 2]| Group {
            name: name.parse().unwrap(),
            keys: keys.map(Serial).into(),
            needs: 1,
        };
        Quorum { number: 2, groups: vec![group("security", [1, 2]), group("operations", [3, 4])] }
    }

    #[test]
    fn a_number_and_one_of_each_group() {
        let cases: &[(&[u32], &[u32], &str)] = &[
            (&[1, 2, 3, 4, 5], &[1, 3], ""),
            (&[1, 2, 3, 4, 5], &[1, 2], "1 of operations (3, 4)"),
            (&[1, 2, 3, 4, 5], &[5, 4], "1 of security (1, 2)"),
            (&[1, 2, 3, 4, 5], &[5, 4, 2], ""),
            (
                &[1, 2, 3, 4, 5],
                &[],
                "2 more keys, and among all 1 of security (1, 2) and 1 of operations (3, 4)",
            ),
            (&[1, 2, 3, 4, 5], &[1], "1 more key, and among all 1 of operations (3, 4)"),
            // A group has no more say than it has keys with a vote.
            (&[3, 4, 5], &[3, 5], ""),
            (&[1, 5], &[5], "1 more key, and among all 1 of security (1)"),
            (&[5], &[5], ""),
            (&[1], &[], "1 more key, and among all 1 of security (1)"),
            (&[], &[], "1 more key"),
        ];
        for (voters, signers, wanting) in cases {
            let keys = |of: &[u32]| of.iter().copied().map(Serial).collect::<Vec<_>>();
            let found = quorum().wanting(&keys(voters), &keys(signers));
            assert_eq!(found.to_string(), *wanting, "{voters:?} {signers:?}");
            assert_eq!(found.is_nothing(), wanting.is_empty(), "{voters:?} {signers:?}");
        }
    }

    #[test]
    fn of_a_group_that_needs_two_one_is_not_enough() {
        let mut quorum = quorum();
        quorum.groups[0].needs = 2;
        let (voters, one) = ([1, 2, 3].map(Serial), [1, 3].map(Serial));
        assert_eq!(quorum.wanting(&voters, &one).to_string(), "1 of security (2)");
        assert!(quorum.wanting(&voters, &voters).is_nothing());
    }
}
