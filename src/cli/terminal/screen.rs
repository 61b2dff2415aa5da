//! The secret's own screen: alternate screen, gone afterwards, nothing in the scrollback.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Tty;
use crate::kit::sealed::About;
use crate::record::visible::is_hidden;
use crate::secret::Plaintext;

/// How long the secret stays on the screen, in seconds.
const SECONDS: u32 = 60;

pub(super) const ENTER: &str = "\x1b[?1049h\x1b[2J\x1b[H";
pub(super) const LEAVE: &str = "\x1b[2J\x1b[3J\x1b[H\x1b[?1049l";

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
                raw.write(&page);
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

/// The page in one buffer that is wiped and never grown: no copy of the secret stays behind in memory that was let go.
fn page(
    title: &str,
    secret: &str,
    about: Option<&About>,
    form: Form,
    left: u32,
) -> zeroize::Zeroizing<String> {
    let runbook = about.map_or("", |about| &about.runbook);
    let mut page =
        zeroize::Zeroizing::new(String::with_capacity(16_384 + 64 * secret.len() + 10 * runbook.len()));
    let page_text: &mut String = &mut page;
    add(page_text, title);
    if let Some(about) = about {
        add(page_text, &format!("     user  {}\n", about.user_name));
        add(page_text, &format!("where  {}\n", about.log_in_at));
    }
    add(page_text, "\n\n");
    match form {
        Form::Plain => add(page_text, secret),
        Form::Grouped => group(page_text, secret),
        Form::Spelled => spell(page_text, secret),
    }
    if form == Form::Grouped {
        add(page_text, "\n\n");
        add(page_text, &marks(secret));
    }
    if !runbook.is_empty() {
        add(page_text, "\n\nrunbook\n");
        add(page_text, runbook);
    }
    add(
        page_text,
        &format!(
            "\n\ns spell   c as one piece   g in groups   any other key hides it   hides itself in {left} s\n"
        ),
    );
    page
}

/// Adds text that is safe to show, its line ends as a raw terminal wants them.
fn add(page: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '\n' => page.push_str("\r\n"),
            hidden if is_hidden(hidden) => page.extend(hidden.escape_unicode()),
            plain => page.push(plain),
        }
    }
}

/// In groups of four: `wKf7 - 3mQx`. Text with spaces or of several lines is left as it is.
fn group(page: &mut String, secret: &str) {
    if secret.chars().any(char::is_whitespace) || secret.chars().count() > 64 {
        return add(page, secret);
    }
    for (index, character) in secret.chars().enumerate() {
        if index > 0 && index % 4 == 0 {
            page.push_str(" - ");
        }
        add(page, character.encode_utf8(&mut [0; 4]));
    }
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
fn spell(page: &mut String, secret: &str) {
    for (index, character) in secret.chars().enumerate() {
        add(page, &format!("{:>3}  ", index + 1));
        add(page, character.encode_utf8(&mut [0; 4]));
        page.push_str("  ");
        match character {
            '0' => page.push_str("digit zero"),
            '1' => page.push_str("digit one"),
            '0'..='9' => page.extend(["digit ", character.encode_utf8(&mut [0; 4])]),
            'a'..='z' => page.extend(["small ", word(character)]),
            'A'..='Z' => page.extend(["capital ", word(character.to_ascii_lowercase())]),
            ' ' => page.push_str("space"),
            other => page.extend(["sign ", &sign(other)]),
        }
        page.push_str("\r\n");
    }
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

    fn drawn(draw: fn(&mut String, &str), secret: &str) -> String {
        let mut page = String::new();
        draw(&mut page, secret);
        page
    }

    #[test]
    fn look_alikes_are_grouped_named_and_spelled() {
        assert_eq!(drawn(group, "wKf73mQxZZ"), "wKf7 - 3mQx - ZZ");
        assert_eq!(drawn(group, "two words"), "two words");
        assert_eq!(marks("a0O1lI"), "0 zero   O capital o   1 one   l small L   I capital i");
        let spelled = "  1  l  small lima\r\n  2  I  capital india\r\n  3  -  sign minus\r\n";
        assert_eq!(drawn(spell, "lI-"), spelled);
    }

    #[test]
    fn a_secret_cannot_move_the_cursor() {
        assert!(!drawn(group, "a\x1b[2J").contains('\x1b'));
        assert!(!drawn(spell, "\x1b").contains('\x1b'));
    }

    #[test]
    fn the_page_is_never_moved_to_a_larger_buffer() {
        let long = "\u{1b}\u{E000}W".repeat(2_000);
        let about = About {
            platform: "a".into(),
            account: "b".into(),
            user_name: "u".repeat(512),
            log_in_at: "l".repeat(512),
            runbook: "r\n".repeat(4_096),
        };
        for secret in ["", "lI-", &long] {
            for form in [Form::Grouped, Form::Spelled, Form::Plain] {
                let page = page("a/b", secret, Some(&about), form, 60);
                assert_eq!(page.capacity(), 16_384 + 64 * secret.len() + 10 * about.runbook.len());
            }
        }
    }
}
