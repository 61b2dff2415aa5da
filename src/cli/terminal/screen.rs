//! The secret's own screen: alternate screen, gone afterwards, nothing in the scrollback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::{Tty, escape};
use crate::kit::sealed::About;
use crate::secret::Plaintext;

/// How long the secret stays on the screen, in seconds.
const SECONDS: u32 = 60;

const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";
const LEAVE: &str = "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l";

/// Why the screen went away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// A key hid it, or the time was over.
    Hidden,
    /// The program is to end (signal), or the terminal went away.
    Ended,
}

impl Tty {
    /// Shows the secret until a key other than `s` and `c` is pressed, the time is over, or `end` is set by a signal.
    pub(crate) fn show_secret(
        &mut self,
        title: &str,
        secret: &Plaintext,
        about: Option<&About>,
        end: &Arc<AtomicBool>,
    ) -> Shown {
        let Some(mut raw) = self.raw() else { return Shown::Ended };
        let Ok(text) = std::str::from_utf8(secret.expose_bytes()) else {
            raw.write("the credential is not text; take it with --fd or on stdout\r\n");
            return Shown::Hidden;
        };
        let mut form = Form::Grouped;
        let mut left = SECONDS;
        let mut drawn = None;
        let shown = loop {
            if drawn != Some((form, left)) {
                raw.write(ENTER);
                let page = page(title, text, about, form, left);
                raw.write(&page.replace('\n', "\r\n"));
                drawn = Some((form, left));
            }
            match raw.key(Some(Duration::from_secs(1))) {
                Some(b's') => form = Form::Spelled,
                Some(b'c') => form = Form::Plain,
                Some(b'g') => form = Form::Grouped,
                Some(_) => break Shown::Hidden,
                None if end.load(Ordering::Relaxed) => break Shown::Ended,
                None if left <= 1 => break Shown::Hidden,
                None => left -= 1,
            }
        };
        raw.write(LEAVE);
        shown
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Grouped,
    Spelled,
    Plain,
}

fn page(
    title: &str,
    secret: &str,
    about: Option<&About>,
    form: Form,
    left: u32,
) -> zeroize::Zeroizing<String> {
    let mut page = zeroize::Zeroizing::new(String::with_capacity(4096 + 64 * secret.len()));
    let mut add = |text: &str| page.push_str(text);
    add(&escape(title));
    if let Some(about) = about {
        add(&format!("     user  {}\n", escape(&about.user_name)));
        add(&format!("where  {}\n", escape(&about.log_in_at)));
    }
    add("\n\n");
    match form {
        Form::Plain => add(&escape(secret)),
        Form::Grouped => add(&group(secret)),
        Form::Spelled => add(&spell(secret)),
    }
    if form == Form::Grouped {
        add("\n\n");
        add(&marks(secret));
    }
    if let Some(about) = about.filter(|a| !a.runbook.is_empty()) {
        add("\n\nrunbook\n");
        add(&escape(&about.runbook));
    }
    add(&format!(
        "\n\ns spell   c as one piece   g in groups   any other key hides it   hides itself in {left} s\n"
    ));
    page
}

/// In groups of four: `wKf7 - 3mQx`. Text with spaces or of several lines is left as it is.
pub(crate) fn group(secret: &str) -> String {
    if secret.chars().any(char::is_whitespace) || secret.chars().count() > 64 {
        return escape(secret);
    }
    let characters: Vec<char> = secret.chars().collect();
    characters.chunks(4).map(|four| escape(&four.iter().collect::<String>())).collect::<Vec<_>>().join(" - ")
}

/// Names the look-alikes that are in it.
fn marks(secret: &str) -> String {
    let named = [
        ('0', "0 zero"),
        ('O', "O capital o"),
        ('o', "o small o"),
        ('1', "1 one"),
        ('l', "l small L"),
        ('I', "I capital i"),
        ('|', "| bar"),
    ];
    named.iter().filter(|(c, _)| secret.contains(*c)).map(|(_, name)| *name).collect::<Vec<_>>().join("   ")
}

/// A line for each character, for reading aloud.
pub(crate) fn spell(secret: &str) -> String {
    let mut lines = String::new();
    for (index, character) in secret.chars().enumerate() {
        let kind = match character {
            '0' => "digit zero".into(),
            '1' => "digit one".into(),
            '0'..='9' => format!("digit {character}"),
            'a'..='z' => format!("small {}", word(character)),
            'A'..='Z' => format!("capital {}", word(character.to_ascii_lowercase())),
            ' ' => "space".into(),
            other => format!("sign {}", sign(other)),
        };
        lines.push_str(&format!("{:>3}  {}  {kind}\n", index + 1, escape(&character.to_string())));
    }
    lines
}

/// The spelling alphabet of ICAO and ITU.
fn word(letter: char) -> &'static str {
    const WORDS: [&str; 26] = [
        "alfa", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel", "india", "juliett", "kilo",
        "lima", "mike", "november", "oscar", "papa", "quebec", "romeo", "sierra", "tango", "uniform",
        "victor", "whiskey", "x-ray", "yankee", "zulu",
    ];
    WORDS[usize::from(letter as u8 - b'a')]
}

fn sign(character: char) -> String {
    let name = match character {
        '!' => "exclamation mark",
        '"' => "double quote",
        '#' => "hash",
        '$' => "dollar",
        '%' => "percent",
        '&' => "ampersand",
        '\'' => "single quote",
        '(' => "opening bracket",
        ')' => "closing bracket",
        '*' => "star",
        '+' => "plus",
        ',' => "comma",
        '-' => "minus",
        '.' => "full stop",
        '/' => "slash",
        ':' => "colon",
        ';' => "semicolon",
        '<' => "less than",
        '=' => "equals",
        '>' => "greater than",
        '?' => "question mark",
        '@' => "at",
        '[' => "opening square bracket",
        '\\' => "backslash",
        ']' => "closing square bracket",
        '^' => "caret",
        '_' => "underscore",
        '`' => "backtick",
        '{' => "opening brace",
        '|' => "bar",
        '}' => "closing brace",
        '~' => "tilde",
        other => return format!("U+{:04X}", other as u32),
    };
    name.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn look_alikes_are_grouped_named_and_spelled() {
        assert_eq!(group("wKf73mQxZZ"), "wKf7 - 3mQx - ZZ");
        assert_eq!(group("two words"), "two words");
        assert_eq!(marks("a0O1lI"), "0 zero   O capital o   1 one   l small L   I capital i");
        assert_eq!(spell("lI-"), "  1  l  small lima\n  2  I  capital india\n  3  -  sign minus\n");
    }

    #[test]
    fn a_secret_cannot_move_the_cursor() {
        assert!(!group("a\x1b[2J").contains('\x1b'));
        assert!(!spell("\x1b").contains('\x1b'));
    }
}
