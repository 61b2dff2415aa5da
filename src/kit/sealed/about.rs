//! `about.toml`: what an operator must know beside the secret. Public, and never the secret itself.
//!
//! ```toml
//! version = 1
//! platform = "aws-prod"
//! account = "root"
//! user_name = "root@example.org"
//! log_in_at = "https://signin.aws.amazon.com/"
//! runbook = """
//! 1. Call the incident lead.
//! 2. Log in and follow page 7.
//! """
//! ```
//! Its hash stands in the signed record, like that of every sealed file, so nobody can send an operator elsewhere.

use serde::{Deserialize, Serialize};

/// Name of the file beside `payload.age`.
pub const ABOUT_NAME: &str = "about.toml";

/// Most bytes of the file. A longer one is not read.
pub const MAX_ABOUT_FILE: usize = 32 * 1024;

const MAX_LINE: usize = 512;
const MAX_RUNBOOK: usize = 8 * 1024;
const VERSION: u8 = 1;
const HEAD: &str =
    "# Public: what the secret beside this file is for. A record holds this file's hash; do not edit it.\n";

/// The public description of a credential.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// First half of the credential's name, `[a-z0-9._-]{1,64}`.
    pub platform: String,
    /// Second half of the credential's name, `[a-z0-9._-]{1,64}`.
    pub account: String,
    /// Who to log in as: one line of at most 512 bytes; may be empty.
    pub user_name: String,
    /// Where: one line of at most 512 bytes; may be empty.
    pub log_in_at: String,
    /// What to do then: at most 8 KiB, lines end with LF; may be empty.
    pub runbook: String,
}

/// Why a description cannot be written or read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AboutError {
    /// Longer than [`MAX_ABOUT_FILE`].
    #[error("{ABOUT_NAME} has {bytes} bytes; at most {MAX_ABOUT_FILE} are read")]
    TooLarge {
        /// Its length.
        bytes: usize,
    },
    /// Not UTF-8.
    #[error("{ABOUT_NAME} is not UTF-8 text")]
    NotText,
    /// Not TOML, a member missing, unknown, twice, or of another type; with the line.
    #[error("{ABOUT_NAME} is not in its form")]
    Form(#[from] toml::de::Error),
    /// A version that this program does not know.
    #[error("{ABOUT_NAME} is of version {0}; this program knows version {VERSION}")]
    Version(u8),
    /// A platform or account that is not a name.
    #[error(
        "the {field} {name:?} is not a name of 1 to 64 characters out of a-z, 0-9, dot, underscore and dash"
    )]
    Name {
        /// `platform` or `account`.
        field: &'static str,
        /// What stands there.
        name: String,
    },
    /// A field longer than it may be.
    #[error("the {field} has {bytes} bytes; at most {limit} can be kept")]
    TooLong {
        /// Which field.
        field: &'static str,
        /// Its length.
        bytes: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A character that steers a terminal or turns the reading direction, or is invisible.
    #[error("the {field} has the character U+{character:04X} in line {line}, which cannot be shown safely")]
    Character {
        /// Which field.
        field: &'static str,
        /// Its line, from 1.
        line: usize,
        /// Its code point.
        character: u32,
    },
}

/// The form of the file, member by member.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u8,
    platform: String,
    account: String,
    #[serde(default)]
    user_name: String,
    #[serde(default)]
    log_in_at: String,
    #[serde(default)]
    runbook: String,
}

impl About {
    /// Reads the file's bytes.
    ///
    /// # Errors
    /// [`AboutError`]; what the file holds is checked as strictly as what is written.
    pub fn parse(bytes: &[u8]) -> Result<Self, AboutError> {
        if bytes.len() > MAX_ABOUT_FILE {
            return Err(AboutError::TooLarge { bytes: bytes.len() });
        }
        let text = std::str::from_utf8(bytes).map_err(|_| AboutError::NotText)?;
        let File { version, platform, account, user_name, log_in_at, runbook } = toml::from_str(text)?;
        if version != VERSION {
            return Err(AboutError::Version(version));
        }
        let about = About { platform, account, user_name, log_in_at, runbook };
        about.check()?;
        Ok(about)
    }

    /// The file's bytes.
    ///
    /// # Errors
    /// [`AboutError`] names the field that cannot be kept.
    pub fn write(&self) -> Result<String, AboutError> {
        self.check()?;
        let About { platform, account, user_name, log_in_at, runbook } = self.clone();
        let file = File { version: VERSION, platform, account, user_name, log_in_at, runbook };
        let text = toml::to_string_pretty(&file).expect("strings and a number are always TOML");
        Ok(format!("{HEAD}{text}"))
    }

    fn check(&self) -> Result<(), AboutError> {
        for (field, name) in [("platform", &self.platform), ("account", &self.account)] {
            let allowed =
                |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
            if !(1..=64).contains(&name.len()) || !name.bytes().all(allowed) {
                return Err(AboutError::Name { field, name: name.clone() });
            }
        }
        let texts = [
            ("user name", &self.user_name, MAX_LINE),
            ("place to log in", &self.log_in_at, MAX_LINE),
            ("runbook", &self.runbook, MAX_RUNBOOK),
        ];
        for (field, text, limit) in texts {
            if text.len() > limit {
                return Err(AboutError::TooLong { field, bytes: text.len(), limit });
            }
            let lines_allowed = field == "runbook";
            let bad = text.char_indices().find(|(_, c)| !(is_plain(*c) || lines_allowed && *c == '\n'));
            if let Some((at, character)) = bad {
                let line = 1 + text[..at].matches('\n').count();
                return Err(AboutError::Character { field, line, character: character.into() });
            }
        }
        Ok(())
    }
}

/// Whether a character shows as itself where it stands: no control, nothing that turns the reading direction (Unicode
/// UAX 9), no line or paragraph separator, nothing invisible that could hide a difference.
fn is_plain(c: char) -> bool {
    let unsafe_to_show = matches!(c,
        '\u{061C}' | '\u{180E}' | '\u{200B}' | '\u{200E}' | '\u{200F}' | '\u{2028}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF9}'..='\u{FFFB}' | '\u{E0000}'..='\u{E007F}');
    !c.is_control() && !unsafe_to_show
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn about() -> About {
        About {
            platform: "aws-prod".into(),
            account: "root".into(),
            user_name: "root@example.org".into(),
            log_in_at: "https://signin.aws.amazon.com/".into(),
            runbook: "1. Call the incident lead.\n2. Größe \"prüfen\", dann C:\\weiter.\n".into(),
        }
    }

    #[test]
    fn the_file_is_as_documented() {
        let text = about().write().unwrap();
        let expected = [
            HEAD.trim_end(),
            "version = 1",
            "platform = \"aws-prod\"",
            "account = \"root\"",
            "user_name = \"root@example.org\"",
            "log_in_at = \"https://signin.aws.amazon.com/\"",
        ];
        assert_eq!(text.lines().take(6).collect::<Vec<_>>(), expected);
        assert!(text.contains("\n1. Call the incident lead.\n2. Größe \"prüfen\""), "{text}");
        assert_eq!(About::parse(text.as_bytes()), Ok(about()));
    }

    #[test]
    fn what_may_be_left_out_is_empty() {
        let about = About::parse(b"version = 1\nplatform = \"a\"\naccount = \"b\"\n").unwrap();
        assert_eq!((about.user_name, about.log_in_at, about.runbook), Default::default());
    }

    #[test]
    fn what_steers_a_terminal_is_refused_both_ways() {
        let cases = [
            ("user name", '\n', 1),
            ("user name", '\u{202E}', 1),
            ("place to log in", '\u{1b}', 1),
            ("place to log in", '\u{9b}', 1),
            ("runbook", '\r', 2),
            ("runbook", '\t', 2),
            ("runbook", '\u{2066}', 2),
            ("runbook", '\u{2028}', 2),
            ("runbook", '\u{E0041}', 2),
        ];
        for (field, character, line) in cases {
            let mut about = about();
            match field {
                "user name" => about.user_name.push(character),
                "place to log in" => about.log_in_at.push(character),
                _ => about.runbook = format!("first\nsecond {character}\n"),
            }
            let error = AboutError::Character { field, line, character: character.into() };
            assert_eq!(about.write(), Err(error.clone()));
            let written = toml::to_string(&File {
                version: 1,
                platform: about.platform,
                account: about.account,
                user_name: about.user_name,
                log_in_at: about.log_in_at,
                runbook: about.runbook,
            });
            assert_eq!(About::parse(written.unwrap().as_bytes()), Err(error));
        }
        let error = AboutError::Character { field: "runbook", line: 2, character: 0x1b };
        let text = "the runbook has the character U+001B in line 2, which cannot be shown safely";
        assert_eq!(error.to_string(), text);
    }

    #[test]
    fn limits_hold() {
        let longest = About {
            user_name: "u".repeat(512),
            log_in_at: "l".repeat(512),
            runbook: "\n".repeat(8192),
            ..about()
        };
        let text = longest.write().unwrap();
        assert!(text.len() <= MAX_ABOUT_FILE);
        assert_eq!(About::parse(text.as_bytes()), Ok(longest.clone()));

        let line = About { user_name: "u".repeat(513), ..about() };
        assert_eq!(line.write(), Err(AboutError::TooLong { field: "user name", bytes: 513, limit: 512 }));
        let runbook = About { runbook: "r".repeat(8193), ..about() };
        assert_eq!(runbook.write(), Err(AboutError::TooLong { field: "runbook", bytes: 8193, limit: 8192 }));
        let file = vec![b'#'; MAX_ABOUT_FILE + 1];
        assert_eq!(About::parse(&file), Err(AboutError::TooLarge { bytes: MAX_ABOUT_FILE + 1 }));
    }

    #[test]
    fn names_are_names() {
        for name in ["", "A", "a b", "a/b", "ä", &"x".repeat(65)] {
            let platform = About { platform: name.into(), ..about() };
            assert_eq!(platform.write(), Err(AboutError::Name { field: "platform", name: name.into() }));
            let account = About { account: name.into(), ..about() };
            assert_eq!(account.write(), Err(AboutError::Name { field: "account", name: name.into() }));
        }
    }

    #[test]
    fn other_forms_are_refused() {
        let sound = "version = 1\nplatform = \"a\"\naccount = \"b\"\n";
        for (defect, text) in [
            ("unknown member", format!("{sound}password = \"x\"\n")),
            ("twice", format!("{sound}account = \"c\"\n")),
            ("missing", sound.replace("account = \"b\"\n", "")),
            ("other type", sound.replace("\"b\"", "5")),
        ] {
            assert!(matches!(About::parse(text.as_bytes()), Err(AboutError::Form(_))), "{defect}");
        }
        let later = sound.replace("version = 1", "version = 2");
        assert_eq!(About::parse(later.as_bytes()), Err(AboutError::Version(2)));
        assert_eq!(About::parse(b"\xff"), Err(AboutError::NotText));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_the_same(
            user_name in "[ -~äß\u{1F525}]{0,100}",
            log_in_at in "[ -~]{0,100}",
            runbook in "([ -~ä'\"\\\\]{0,30}\n?){0,10}",
        ) {
            let about = About { user_name, log_in_at, runbook, ..about() };
            prop_assert_eq!(About::parse(about.write().unwrap().as_bytes()), Ok(about));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "([a-z_]{1,9} ?[=\\[\\].] ?[\"'0-9{}\\\\-]{0,12}\n?){0,6}") {
            let _ = About::parse(text.as_bytes());
        }
    }
}
