//! What is wrong with a chain, as one sentence.

use std::fmt;

use super::{Break, Chain, Damage, Fault, Verdict};

/// So many separate faults are named; of the rest, how many.
const NAMED: usize = 12;

/// A journal with damage: every line to blame, every gap, and what is intact all the same.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("journal {name}: {what}")]
pub struct ChainDamage {
    /// The chain's name.
    pub name: String,
    /// The damaged lines, from 1.
    pub lines: Vec<usize>,
    /// The gravest of what was found.
    pub severity: Severity,
    what: String,
}

/// What kind of statement a fault is. Only the last accuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It could not be read.
    CannotRead,
    /// It could not be checked.
    CannotCheck,
    /// It was checked, and it is wrong.
    Wrong,
}

impl Fault {
    /// What kind of statement it is.
    pub fn severity(&self) -> Severity {
        match self {
            Fault::Unreadable(_) => Severity::CannotRead,
            Fault::Unverifiable => Severity::CannotCheck,
            Fault::NotARecord(_)
            | Fault::Changed
            | Fault::NeverSigned
            | Fault::Foreign(_)
            | Fault::Repeated(_)
            | Fault::OutOfOrder { .. }
            | Fault::SameSeq { .. } => Severity::Wrong,
        }
    }

    /// The predicate of "line 3 …" or "lines 3 to 5 …".
    fn said_of(&self, lines: usize) -> String {
        let (is, was, has, it) = match lines {
            1 => ("is", "was", "has", "it"),
            _ => ("are", "were", "have", "they"),
        };
        match self {
            Fault::NotARecord(why) => format!("{has} not the form of a record: {why}"),
            Fault::Unreadable(why) => format!("{was} signed by the key but cannot be read: {why}"),
            Fault::Unverifiable => "cannot be checked without the enrolment of the key".into(),
            Fault::Changed => format!("{was} changed after {it} {was} signed"),
            Fault::NeverSigned => format!("{has} a signature that never was the key's"),
            Fault::Foreign(chain) => format!("{is} of another chain, {chain}"),
            Fault::Repeated(line) => format!("{is} the same as line {line}"),
            Fault::OutOfOrder { seq } => format!("{is} out of order, as record {seq} of the chain"),
            Fault::SameSeq { seq, line } => format!("and line {line} are both signed as record {seq}"),
        }
    }
}

impl fmt::Display for Break {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Break::Missing { before, from, to, .. } if from == to => {
                write!(f, "record {from} is missing before line {before}")
            }
            Break::Missing { before, from, to, count } if *count == to - from + 1 => {
                write!(f, "records {from} to {to} are missing before line {before}")
            }
            Break::Missing { before, from, to, count } => {
                let are = if *count == 1 { "is" } else { "are" };
                write!(f, "{count} of the records {from} to {to} {are} missing before line {before}")
            }
            Break::Fork { line, seq } => {
                write!(f, "line {line} follows another record {seq} than the one before it")
            }
        }
    }
}

/// See [`Chain::check`].
pub(super) fn check(chain: &Chain) -> Result<(), ChainDamage> {
    let mut faults: Vec<String> = Vec::new();
    let mut severity = Severity::CannotRead;
    if let Some(belongs_to) = &chain.belongs_to
        && *belongs_to != chain.name
    {
        faults.push(format!("the file holds the records of {belongs_to}"));
        severity = Severity::Wrong;
    }
    let damaged: Vec<&Damage> = chain.lines.iter().filter_map(damage).collect();
    let alike = |a: &&Damage, b: &&Damage| {
        b.line == a.line + 1
            && matches!(a.why, Fault::Changed | Fault::Unverifiable | Fault::NeverSigned | Fault::Foreign(_))
            && a.why.said_of(1) == b.why.said_of(1)
    };
    for group in damaged.chunk_by(alike) {
        let (first, last) = (group[0].line, group[group.len() - 1].line);
        faults.push(format!("{} {}", lines(&[(first, last)]), group[0].why.said_of(group.len())));
        severity = severity.max(group[0].why.severity());
    }
    for gap in &chain.breaks {
        faults.push(gap.to_string());
        severity = Severity::Wrong;
    }
    if faults.is_empty() {
        return Ok(());
    }
    if faults.len() > NAMED {
        let more = faults.len() - NAMED;
        faults.truncate(NAMED);
        faults.push(format!("and {more} more"));
    }
    faults.push(intact(chain));
    let lines = damaged.iter().map(|damage| damage.line).collect();
    Err(ChainDamage { name: chain.name.clone(), lines, severity, what: faults.join("; ") })
}

fn damage(line: &Verdict) -> Option<&Damage> {
    match line {
        Verdict::Intact(_) => None,
        Verdict::Damaged(damage) => Some(damage),
    }
}

/// "lines 1 to 13 and 15 to 18 are intact"
fn intact(chain: &Chain) -> String {
    let mut ranges: Vec<(usize, usize)> = Vec::new();
    for (at, _) in chain.lines.iter().enumerate().filter(|(_, line)| line.intact().is_some()) {
        match ranges.last_mut() {
            Some((_, last)) if *last == at => *last = at + 1,
            _ => ranges.push((at + 1, at + 1)),
        }
    }
    let count: usize = ranges.iter().map(|(first, last)| last - first + 1).sum();
    match count {
        0 => "no line is intact".into(),
        1 => format!("{} is intact", lines(&ranges)),
        _ if ranges.len() > NAMED => format!("{count} other lines are intact"),
        _ => format!("{} are intact", lines(&ranges)),
    }
}

/// "line 3", "lines 4 to 6", "lines 1 to 3, 5 and 7 to 9"
fn lines(ranges: &[(usize, usize)]) -> String {
    let range = |(first, last): &(usize, usize)| match first == last {
        true => first.to_string(),
        false => format!("{first} to {last}"),
    };
    match ranges {
        [one @ (first, last)] if first == last => format!("line {}", range(one)),
        [one] => format!("lines {}", range(one)),
        [some @ .., last] => {
            let some: Vec<String> = some.iter().map(range).collect();
            format!("lines {} and {}", some.join(", "), range(last))
        }
        [] => "no line".into(),
    }
}
