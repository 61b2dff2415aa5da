//! Short names in certificates and tokens, which end up in logs of platforms and must be found there whole.

use std::fmt;

/// 1 to 64 of `A-Z a-z 0-9 . _ : @ -`: the same in a line of sshd, in a distinguished name, in JSON and in a shell.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Label(String);

/// Not a label.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} cannot stand in a certificate or token: 1 to 64 of A-Z a-z 0-9 . _ : @ -, the first no -")]
pub struct NotALabel(pub String);

impl Label {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Label {
    type Err = NotALabel;
    fn from_str(text: &str) -> Result<Self, NotALabel> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with('-') // or a program would take it for an option
            && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._:@-".contains(&c));
        if fits { Ok(Label(text.to_owned())) } else { Err(NotALabel(text.to_owned())) }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_steers_neither_a_log_nor_a_shell_nor_a_name() {
        for good in ["INC-4711", "ada", "breakglass:cluster-admins", "ada@INC-4711", &"a".repeat(64)] {
            assert!(good.parse::<Label>().is_ok(), "{good}");
        }
        let bad = [
            "",
            "a b",
            "a|b",
            "a=b",
            "a,b",
            "a+b",
            "a/b",
            "a\"b",
            "ä",
            "a\n",
            "-rf",
            "*",
            "$x",
            "a\u{202e}b",
        ];
        for bad in bad.into_iter().map(str::to_owned).chain(["a".repeat(65)]) {
            assert!(bad.parse::<Label>().is_err(), "{bad:?}");
        }
    }
}
