//! Whether somebody else has to say yes before an opening, or is told after it.

use std::fmt;

use super::{Person, Role};

/// Who is asked before an opening, or told after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Approval {
    /// Nobody.
    None,
    /// Nobody; every approver is told afterwards.
    Notify,
    /// So many approvers sign a request first. The one who asks is never among them.
    Number(usize),
}

/// No more approvers are asked for: their records fit beside all else into that of the opening.
const MOST: usize = 5;

/// Names of all approvers together are no longer than this, so that a record can name them.
const NAMES: usize = 256;

impl Approval {
    /// How many approvers must sign.
    pub fn number(self) -> usize {
        match self {
            Approval::None | Approval::Notify => 0,
            Approval::Number(number) => number,
        }
    }

    /// What the file says.
    ///
    /// # Errors
    /// What it may say instead.
    pub(super) fn read(written: &toml::Value) -> Result<Self, &'static str> {
        let number = written.as_integer().and_then(|number| usize::try_from(number).ok());
        match (written.as_str(), number) {
            (Some("none"), _) => Ok(Approval::None),
            (Some("notify"), _) => Ok(Approval::Notify),
            (_, Some(number)) if (1..=MOST).contains(&number) => Ok(Approval::Number(number)),
            _ => Err("\"none\", \"notify\", or a number of approvers from 1 to 5"),
        }
    }

    /// Why these people cannot give it, if they cannot. An approver without a key of their own signs nothing.
    pub(super) fn impossible(self, people: &[Person]) -> Option<String> {
        let Approval::Number(number) = self else { return None };
        let approvers = || people.iter().filter(|person| person.roles.contains(&Role::Approver));
        if approvers().map(|person| person.name.as_str().len()).sum::<usize>() > NAMES {
            return Some(format!("the names of all approvers together are at most {NAMES} bytes"));
        }
        let beside = |operator: &Person| {
            approvers().filter(|person| person.name != operator.name && !person.keys.is_empty()).count()
        };
        let operators = people.iter().filter(|person| person.roles.contains(&Role::Operator));
        let most = operators.map(beside).max()?;
        (most < number).then(|| {
            format!("no operator finds {number} others who approve and keep a key; there are {most}")
        })
    }
}

impl fmt::Display for Approval {
    /// What follows `an opening` or the name of a credential.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Approval::None => f.write_str("needs no approval"),
            Approval::Notify => f.write_str("needs no approval; every approver is told afterwards"),
            Approval::Number(1) => f.write_str("needs the approval of 1 other person"),
            Approval::Number(number) => write!(f, "needs the approval of {number} other people"),
        }
    }
}
