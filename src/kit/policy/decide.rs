//! What the policy says of one credential, and whether somebody may open it for an emergency.

use super::{Approval, Length, Pattern, Policy, Role};
use crate::kit::name::{CredentialName, Name};

/// A table of the policy about one credential or all of a platform: what it sets differs from the rest of the kit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialRule {
    /// What it is about.
    pub name: Pattern,
    /// The emergencies that justify opening it, of those of the kit.
    pub emergencies: Option<Vec<Name>>,
    /// How long a grant lasts.
    pub grant: Option<Length>,
    /// How old a sealing may be before somebody looks whether it is still right.
    pub review_every: Option<Length>,
    /// Whether it is rotated after use.
    pub rotation: Option<Rotation>,
    /// Who is asked before it is opened.
    pub approval: Option<Approval>,
    /// Whether it may be opened where too few have approved.
    pub open_unapproved: Option<bool>,
}

/// Whether a credential has to be rotated once it was used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rotation {
    /// After each use.
    AfterUse,
    /// Not, for this reason.
    Waived(String),
}

/// What the policy says of one credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms<'p> {
    /// The emergencies that justify opening it.
    pub emergencies: &'p [Name],
    /// How long a grant lasts.
    pub grant: Length,
    /// How old a sealing may be before somebody looks whether it is still right.
    pub review_every: Length,
    /// Whether it is rotated after use.
    pub rotation: &'p Rotation,
    /// Who is asked before it is opened, or told after it.
    pub approval: Approval,
    /// Whether it may be opened where too few have approved.
    pub open_unapproved: bool,
}

/// Why the policy does not let an opening pass.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Who wants to is no operator.
    #[error("{name:?} is not an operator; operators are: {}", .operators.join(", "))]
    NotAnOperator {
        /// Who wants to.
        name: String,
        /// Who may.
        operators: Vec<String>,
    },
    /// The kit knows no such emergency.
    #[error("{name:?} is not an emergency; these are: {}", .emergencies.join(", "))]
    NotAnEmergency {
        /// What was named.
        name: String,
        /// What justifies opening this credential.
        emergencies: Vec<String>,
    },
    /// It is an emergency, and not one for which this credential is there.
    #[error("{name:?} does not justify opening {credential}; these do: {}", .emergencies.join(", "))]
    NotForThis {
        /// What was named.
        name: String,
        /// What was to be opened.
        credential: CredentialName,
        /// What justifies opening it.
        emergencies: Vec<String>,
    },
}

impl Policy {
    /// What holds for this credential: each thing by its own table, else by that of its platform, else by the kit.
    pub fn terms(&self, name: &CredentialName) -> Terms<'_> {
        let mut rules: Vec<&CredentialRule> =
            self.credentials.iter().filter(|rule| rule.name.matches(name)).collect();
        rules.sort_by_key(|rule| rule.name.account.is_none());
        Terms {
            emergencies: rules
                .iter()
                .find_map(|rule| rule.emergencies.as_deref())
                .unwrap_or(&self.emergencies),
            grant: rules.iter().find_map(|rule| rule.grant).unwrap_or(self.grant),
            review_every: rules.iter().find_map(|rule| rule.review_every).unwrap_or(self.review_every),
            rotation: rules.iter().find_map(|rule| rule.rotation.as_ref()).unwrap_or(&self.rotation),
            approval: rules.iter().find_map(|rule| rule.approval).unwrap_or(self.approval),
            open_unapproved: rules
                .iter()
                .find_map(|rule| rule.open_unapproved)
                .unwrap_or(self.open_unapproved),
        }
    }

    /// Whether this emergency justifies opening this credential.
    pub fn justifies(&self, emergency: &str, credential: &CredentialName) -> Result<(), Refusal> {
        let justifying = self.terms(credential).emergencies;
        if justifying.iter().any(|one| one.as_str() == emergency) {
            return Ok(());
        }
        let (name, emergencies) =
            (emergency.to_owned(), justifying.iter().map(ToString::to_string).collect());
        Err(match self.emergencies.iter().any(|one| one.as_str() == emergency) {
            true => Refusal::NotForThis { name, credential: credential.clone(), emergencies },
            false => Refusal::NotAnEmergency { name, emergencies },
        })
    }

    /// Whether this person may open this credential for this emergency.
    pub fn may_open(
        &self,
        operator: &str,
        emergency: &str,
        credential: &CredentialName,
    ) -> Result<(), Refusal> {
        if self.person(operator, Role::Operator).is_none() {
            let operators = self.with_role(Role::Operator).into_iter().map(str::to_owned).collect();
            return Err(Refusal::NotAnOperator { name: operator.to_owned(), operators });
        }
        self.justifies(emergency, credential)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::with;
    use super::*;

    /// `attack` and `lockout` for the kit; `attack` alone for core-db; `lockout` alone for core-db/root.
    const TABLES: &str = r#"
[[credential]]
name = "core-db/*"
emergencies = ["attack"]
grant = "30m"
rotate-after-use = false
rotate-waived = "read only"

[[credential]]
name = "core-db/root"
emergencies = ["lockout"]
review-every = "30d"
rotate-after-use = true
"#;

    #[test]
    fn who_may_open_what_for_which_emergency() {
        let policy = with(TABLES);
        for (who, emergency, credential, refused) in [
            ("ada", "lockout", "core-db/root", ""),
            (
                "ada",
                "attack",
                "core-db/root",
                r#""attack" does not justify opening core-db/root; these do: lockout"#,
            ),
            ("ada", "attack", "core-db/backup", ""),
            (
                "ada",
                "lockout",
                "core-db/backup",
                r#""lockout" does not justify opening core-db/backup; these do: attack"#,
            ),
            ("ada", "boredom", "core-db/root", r#""boredom" is not an emergency; these are: lockout"#),
            ("ada", "attack", "core-fw/admin", ""),
            ("ada", "pam-outage", "core-fw/admin", ""),
            ("mallory", "attack", "core-fw/admin", r#""mallory" is not an operator; operators are: ada"#),
        ] {
            let found = policy.may_open(who, emergency, &credential.parse().unwrap());
            let found = found.err().map_or(String::new(), |refusal| refusal.to_string());
            assert_eq!(found, refused, "{who} {emergency} {credential}");
        }
    }

    #[test]
    fn each_term_by_the_nearest_table_that_sets_it() {
        let policy = with(TABLES);
        let waived = Rotation::Waived("read only".into());
        for (credential, grant, review, rotation) in [
            ("core-db/root", "30 minutes", "30 days", &Rotation::AfterUse),
            ("core-db/backup", "30 minutes", "365 days", &waived),
            ("core-fw/admin", "1 hour", "365 days", &Rotation::AfterUse),
        ] {
            let name = credential.parse().unwrap();
            let terms = policy.terms(&name);
            assert_eq!(
                (terms.grant.to_string().as_str(), terms.review_every.to_string().as_str(), terms.rotation),
                (grant, review, rotation),
                "{credential}"
            );
        }
    }
}
