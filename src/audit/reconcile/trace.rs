//! What a log shows of a minted credential: its number, however the platform spells it, and what it says of itself.

use std::fmt;

/// The beginning of a trace where the ledger keeps it, in place of `platform/account`: no name of a credential has it.
pub const MINTED: &str = "mint:";

/// A minted credential, as a platform's log shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trace {
    /// An SSH certificate, as sshd logs it. The two fingerprints are SHA-256 in base64, as OpenSSH writes them after `SHA256:`.
    Ssh {
        /// Its serial number.
        number: String,
        /// Fingerprint of the authority that signed it.
        authority: String,
        /// Fingerprint of the key that logged in.
        subject: String,
        /// Its key id, in the words of whoever signed it.
        identity: String,
    },
    /// A client certificate, with its serial number.
    X509 {
        /// Its serial number.
        number: String,
        /// Its subject (RFC 2253), where the log has it.
        name: String,
    },
    /// A client certificate of which the log has the subject alone.
    Name(String),
    /// A number in a column: a serial number, a key id or a `jti`.
    Number {
        /// As the column has it.
        number: String,
        /// What the column of the account says, if there is one.
        account: String,
    },
}

impl Trace {
    /// Which logs would show the like: `ssh`, `x509`, `any`.
    pub fn kind(&self) -> &'static str {
        match self {
            Trace::Ssh { .. } => "ssh",
            Trace::X509 { .. } | Trace::Name(_) => "x509",
            Trace::Number { .. } => "any",
        }
    }

    /// Of a text that [`fmt::Display`] wrote.
    pub fn parse(text: &str) -> Option<Self> {
        let (kind, rest) = text.strip_prefix(MINTED)?.split_once('|')?;
        let own = str::to_owned;
        Some(match kind {
            "ssh" => {
                let mut parts = rest.splitn(4, '|').map(own);
                let (number, authority) = (parts.next()?, parts.next()?);
                Trace::Ssh { number, authority, subject: parts.next()?, identity: parts.next()? }
            }
            "x509" => {
                let (number, name) = rest.split_once('|')?;
                Trace::X509 { number: own(number), name: own(name) }
            }
            "name" => Trace::Name(own(rest)),
            "any" => {
                // An account of the log can hold anything; a number of ours holds none of these.
                let (account, number) = rest.split_once('|')?;
                Trace::Number { number: own(number), account: own(account) }
            }
            _ => return None,
        })
    }
}

/// As the ledger keeps it. What a stranger may have chosen comes last, or has its bars taken out.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trace::Ssh { number, authority, subject, identity } => {
                write!(f, "{MINTED}ssh|{number}|{authority}|{subject}|{identity}")
            }
            Trace::X509 { number, name } => write!(f, "{MINTED}x509|{number}|{name}"),
            Trace::Name(name) => write!(f, "{MINTED}name|{name}"),
            Trace::Number { number, account } => {
                write!(f, "{MINTED}any|{}|{number}", account.replace('|', " "))
            }
        }
    }
}

/// What sshd says of a certificate, in the words that follow `ssh2: `:
/// `ECDSA-CERT SHA256:… ID … (serial N) CA ECDSA SHA256:…` (OpenSSH, auth2-pubkey.c: `format_key`). The key id is the text of
/// whoever signed it, so the rest is read from both ends.
pub(super) fn of_sshd(words: &str) -> Option<Trace> {
    let (rest, authority) = words.rsplit_once(" CA ")?;
    let (rest, number) = rest.rsplit_once(" (serial ")?;
    let number = number.strip_suffix(')')?;
    let (key, identity) = rest.split_once(" ID ")?;
    let print = |key: &str| {
        key.split_once(' ').and_then(|(_, print)| print.strip_prefix("SHA256:")).map(str::to_owned)
    };
    let digits = !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit());
    Some(Trace::Ssh {
        number: digits.then(|| number.to_owned())?,
        authority: print(authority)?,
        subject: print(key)?,
        identity: identity.to_owned(),
    })
}

/// The parts of a distinguished name as servers log it (RFC 2253): the most special first. A comma after a backslash is part of
/// a value.
pub(super) fn parts(name: &str) -> Vec<(&str, &str)> {
    let (mut cuts, mut escaped) = (Vec::new(), false);
    for (at, byte) in name.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b',' => cuts.push(at),
            _ => {}
        }
    }
    let ends = cuts.iter().copied().chain([name.len()]);
    let begins = [0].into_iter().chain(cuts.iter().map(|at| at + 1));
    begins.zip(ends).filter_map(|(from, to)| name[from..to].split_once('=')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_sshd_is_read_from_both_ends() {
        let words = "ECDSA-CERT SHA256:I3L9 ID bg|inc=INC-42|op=ada|rec=23112/7 (serial 99265284112391) CA ECDSA SHA256:1ZCM";
        let trace = of_sshd(words).unwrap();
        let Trace::Ssh { number, authority, subject, identity } = &trace else { panic!("{trace:?}") };
        assert_eq!(
            (number.as_str(), authority.as_str(), subject.as_str()),
            ("99265284112391", "1ZCM", "I3L9")
        );
        assert_eq!(identity, "bg|inc=INC-42|op=ada|rec=23112/7");
        assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
        // A key id that pretends.
        let words =
            "ECDSA-CERT SHA256:me ID x (serial 1) CA ECDSA SHA256:other (serial 2) CA ECDSA SHA256:real";
        let Some(Trace::Ssh { number, authority, identity, .. }) = of_sshd(words) else { panic!("none") };
        assert_eq!((number.as_str(), authority.as_str()), ("2", "real"));
        assert_eq!(identity, "x (serial 1) CA ECDSA SHA256:other");
        for none in ["ED25519 SHA256:x", "", "ECDSA-CERT SHA256:x ID y (serial z) CA ECDSA SHA256:q"] {
            assert_eq!(of_sshd(none), None, "{none}");
        }
    }

    #[test]
    fn a_trace_comes_back_from_the_ledger_as_it_was() {
        for trace in [
            Trace::X509 { number: "42AB".into(), name: "CN=ada,OU=INC|1,O=x".into() },
            Trace::Name("CN=ada,OU=INC-1,O=x".into()),
            Trace::Number { number: "a|b".into(), account: "x y".into() },
        ] {
            assert_eq!(Trace::parse(&trace.to_string()), Some(trace));
        }
        for none in ["core-db/root", "mint:", "mint:ssh|1|2", "mint:other|x"] {
            assert_eq!(Trace::parse(none), None, "{none}");
        }
    }

    #[test]
    fn names_are_cut_at_commas_that_are_not_escaped() {
        assert_eq!(
            parts("CN=ada,OU=INC-1,O=a,O=b"),
            [("CN", "ada"), ("OU", "INC-1"), ("O", "a"), ("O", "b")]
        );
        assert_eq!(parts("CN=a\\,OU=x,O=y"), [("CN", "a\\,OU=x"), ("O", "y")]);
        assert!(parts("nothing").is_empty());
    }
}
