//! Whose a login is: what a trace in a log is to one kit, by its number, and by what a certificate says of itself.

use std::collections::BTreeMap;

use super::{Issue, Known};
use crate::attestation::Serial;
use crate::audit::reconcile::trace::{Trace, parts};
use crate::mint::{Numbers, of_decimal, spellings};
use crate::record::event::MintKind;

/// What a trace is to one kit.
pub(super) enum Claim<'a> {
    /// Of another kit, or of none.
    NotOurs,
    /// It names this kit, and nothing that it minted.
    Outside(String),
    /// What it minted with that number, or all that it minted under that name.
    Of(Vec<&'a Issue>),
}

/// By number, and by what a certificate says of itself.
pub(super) struct Index<'a> {
    bytes: BTreeMap<Vec<u8>, Vec<&'a Issue>>,
    texts: BTreeMap<String, Vec<&'a Issue>>,
}

impl<'a> Index<'a> {
    pub(super) fn of(known: &'a Known) -> Self {
        let mut index = Index { bytes: BTreeMap::new(), texts: BTreeMap::new() };
        for issue in &known.issues {
            if let Some(bytes) = issue.bytes() {
                index.bytes.entry(bytes).or_default().push(issue);
            }
            let texts = [Some(issue.number.clone()), issue.identity()];
            for text in texts.into_iter().flatten() {
                index.texts.entry(text).or_default().push(issue);
            }
        }
        index
    }

    /// What was minted with that number.
    fn by_number(&self, number: &str, kinds: &[MintKind]) -> Vec<&'a Issue> {
        let mut found: Vec<&Issue> = Vec::new();
        for bytes in spellings(number) {
            found.extend(self.bytes.get(&bytes).into_iter().flatten());
        }
        found.retain(|issue| kinds.contains(&issue.kind));
        found
    }

    pub(super) fn claim(&self, known: &Known, trace: &Trace) -> Claim<'a> {
        match trace {
            Trace::Ssh { number, authority, .. } => {
                if !known.authorities.contains(authority) {
                    return Claim::NotOurs;
                }
                // sshd writes it in decimal.
                let bytes = of_decimal(number);
                let found = bytes.and_then(|bytes| self.bytes.get(&bytes)).into_iter().flatten();
                let found: Vec<&Issue> = found.copied().filter(|issue| issue.kind == MintKind::Ssh).collect();
                match found.is_empty() {
                    true => Claim::Outside("no record has that number".into()),
                    false => Claim::Of(found),
                }
            }
            Trace::X509 { number, .. } => match self.by_number(number, &[MintKind::X509]) {
                found if !found.is_empty() => Claim::Of(found),
                _ if spellings(number).iter().any(|bytes| known.made(bytes)) => {
                    Claim::Outside("it names a key of this kit, and no record has that number".into())
                }
                _ => Claim::NotOurs,
            },
            Trace::Name(name) => self.by_name(known, name),
            Trace::Number { number, .. } => {
                let by_text = self.texts.get(number).cloned().unwrap_or_default();
                match (by_text, self.by_number(number, &[MintKind::Ssh, MintKind::X509])) {
                    (found, _) | (_, found) if !found.is_empty() => Claim::Of(found),
                    _ if known.named(number) => {
                        Claim::Outside("it names a key of this kit, and no record has that number".into())
                    }
                    _ => Claim::NotOurs,
                }
            }
        }
    }

    fn by_name(&self, known: &Known, name: &str) -> Claim<'a> {
        let parts = parts(name);
        let all = |of: &'static str| {
            parts.iter().filter(move |(key, _)| *key == of).map(|(_, value)| (*value).to_owned())
        };
        let accounts = sorted(&all("CN").chain(all("O")).collect::<Vec<String>>());
        if !known.names.contains(&accounts) {
            return Claim::NotOurs;
        }
        let incident = all("OU").next().unwrap_or_default();
        let of_it = |issue: &&Issue| {
            issue.kind == MintKind::X509 && issue.incident == incident && sorted(&issue.accounts) == accounts
        };
        let mut found: Vec<&Issue> = self.texts.values().flatten().copied().filter(of_it).collect();
        found.sort_by_key(|issue| (issue.window, &issue.number));
        match found.is_empty() {
            true => Claim::Outside(format!(
                "no certificate for {} was minted in {incident:?}",
                accounts.join(" ")
            )),
            false => Claim::Of(found),
        }
    }
}

/// User first, then groups in their order: as `names` of [`Known`] has them.
pub(in crate::audit) fn sorted(accounts: &[String]) -> Vec<String> {
    let mut accounts = accounts.to_vec();
    let rest = 1.min(accounts.len());
    accounts[rest..].sort_unstable();
    accounts
}

impl Known {
    /// Whether a number of an X.509 certificate names a key of this kit.
    fn made(&self, bytes: &[u8]) -> bool {
        Numbers::of_x509(bytes).is_some_and(|numbers| self.keys.contains(&numbers.key))
    }

    /// Whether any text does: a number, or a key id.
    fn named(&self, number: &str) -> bool {
        let of_ssh = |bytes: &[u8]| {
            Numbers::of_ssh_bytes(bytes).is_some_and(|numbers| self.keys.contains(&numbers.key))
        };
        let by_number = |bytes: Vec<u8>| self.made(&bytes) || of_ssh(&bytes);
        let by_identity = number.strip_prefix("bg|").and_then(|rest| rest.rsplit_once("|rec="));
        let key = by_identity.and_then(|(_, place)| place.split('/').next()?.parse().ok());
        key.is_some_and(|key| self.keys.contains(&Serial(key)))
            || spellings(number).into_iter().any(by_number)
    }
}
