//! The one file that speaks to people.
//!
//! Rules of speech: stdout carries results and nothing else; talk goes to stderr; PINs and secrets go over the
//! controlling terminal. One line says what happened, one what state things are in, one what to do next. What comes
//! from files (reasons, names) is shown with control and bidi characters escaped, and without line feeds where it is part
//! of a line. A closed or full stdout is an error
//! that is handled, never a panic.

use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use zeroize::Zeroizing;

use crate::attestation::Serial;
use crate::device::{Tries, try_word};
use crate::operator::{Ask, Operator, Unanswered};
use crate::secret::{Fido2Pin, Pin, PinFormatError};

mod codes;
mod pins;
#[cfg(feature = "audit")]
mod progress;
mod screen;
mod signals;
mod tty;

pub(super) use pins::{PinSource, PinSourceError};
#[cfg(feature = "audit")]
pub(super) use progress::Progress;
pub(super) use screen::Shown;
pub(super) use signals::Signals;
pub(super) use tty::Tty;

pub(super) use crate::record::visible::{visible as one_line, visible_lines as escape};

/// How long a flow waits before it looks again at what is plugged in.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// The person's side of the program.
pub(super) struct Terminal {
    /// The controlling terminal, if there is one.
    pub tty: Option<Tty>,
    /// A signal came while a secret was shown, or the terminal went away: nothing more is asked.
    pub to_end: bool,
    pins: Option<PinSource>,
    /// How long to wait for a key to be plugged in without a terminal.
    wait: Duration,
    waited: Duration,
    /// Answer to the exact-word question, given beforehand for scripts.
    confirmed: Option<String>,
    /// The last line of progress, so that polling does not repeat it.
    last: String,
    quiet: bool,
}

impl Terminal {
    /// With PINs from a descriptor, a wait without a terminal, and an exact word given beforehand, each if wanted.
    pub(super) fn new(
        pins: Option<PinSource>,
        wait: Duration,
        confirmed: Option<String>,
        quiet: bool,
    ) -> Self {
        let tty = Tty::open();
        let (waited, last) = (Duration::ZERO, String::new());
        Terminal { tty, to_end: false, pins, wait, waited, confirmed, last, quiet }
    }

    /// Talk: one line on stderr. Nobody listening is no reason to fail.
    pub(super) fn say(&mut self, text: &str) {
        if !self.quiet {
            talk(text);
        }
    }

    /// Talk that is shown even with `--quiet`-like settings: errors.
    pub(super) fn complain(&mut self, text: &str) {
        talk(text);
    }

    /// A result: bytes on stdout, flushed.
    pub(super) fn result(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut out = io::stdout().lock();
        out.write_all(bytes)?;
        out.flush()
    }

    /// A line of results, whatever is in it.
    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.result(format!("{}\n", one_line(text)).as_bytes())
    }

    /// Lines of results, each with its line feed.
    pub(super) fn text(&mut self, text: &str) -> io::Result<()> {
        self.result(escape(text).as_bytes())
    }

    /// Whether somebody can be asked.
    pub(super) fn has_person(&self) -> bool {
        self.tty.is_some() && io::stdin().is_terminal()
    }

    /// Whether answers were given beforehand, for scripts.
    pub(super) fn is_scripted(&self) -> bool {
        self.pins.is_some() || self.confirmed.is_some()
    }

    /// Whether [`Operator::swap`] would wait at all.
    pub(super) fn waits(&self) -> bool {
        self.has_person() || !self.wait.is_zero()
    }

    /// Asks a question whose answer is no secret; an empty answer is asked again.
    pub(super) fn ask(&mut self, question: &str) -> Result<String, Unanswered> {
        if !self.has_person() {
            return Err(Unanswered::NobodyToAsk);
        }
        self.last.clear();
        loop {
            if let Some(answer) = self.typed_line(question)? {
                return Ok(answer);
            }
        }
    }

    /// The same, where only one of these answers can be right (any, if none is given): another is asked for again.
    pub(super) fn ask_known(&mut self, question: &str, known: &[&str]) -> Result<String, Unanswered> {
        loop {
            let answer = self.ask(question)?;
            if known.is_empty() || known.contains(&answer.as_str()) {
                return Ok(answer);
            }
            self.say(&format!("{answer} is none of: {}", known.join(", ")));
        }
    }

    /// The same; `None` if the person wants nothing: an empty answer, or `q`.
    pub(super) fn ask_or_leave(&mut self, question: &str) -> Result<Option<String>, Unanswered> {
        if !self.has_person() {
            return Err(Unanswered::NobodyToAsk);
        }
        self.last.clear();
        Ok(self.typed_line(question)?.filter(|answer| answer != "q"))
    }

    /// One line as it was typed, without the space around it; `None` if nothing is left.
    fn typed_line(&mut self, question: &str) -> Result<Option<String>, Unanswered> {
        let tty = self.tty.as_mut().ok_or(Unanswered::NobodyToAsk)?;
        let answer = tty.line(&escape(question))?;
        Ok(Some(answer.trim().to_owned()).filter(|answer| !answer.is_empty()))
    }

    /// Text from the terminal that is not echoed, or `None` if there is no terminal.
    pub(super) fn hidden(&mut self, question: &str) -> Result<Zeroizing<Vec<u8>>, Unanswered> {
        self.tty.as_mut().ok_or(Unanswered::NobodyToAsk)?.hidden(question)
    }

    fn typed<P>(
        &mut self,
        question: &str,
        parse: fn(&[u8]) -> Result<P, PinFormatError>,
    ) -> Result<P, Unanswered> {
        loop {
            let typed = self.hidden(question)?;
            match parse(&typed) {
                Ok(pin) => return Ok(pin),
                // Not spent: what cannot be a PIN is never sent.
                Err(wrong) => self.say(&format!("{wrong}. no try was spent")),
            }
        }
    }
}

impl Operator for Terminal {
    fn pin(&mut self, ask: Ask, serial: Serial, tries: Option<Tries>) -> Result<Pin, Unanswered> {
        if let Some(pins) = &mut self.pins {
            return pins.take(ask, serial).ok_or(Unanswered::NobodyToAsk);
        }
        if self.tty.is_none() {
            return Err(Unanswered::NobodyToAsk);
        }
        let left = match tries {
            Some(Tries { left, total: Some(total), .. }) => format!(" ({left} of {total} tries left)"),
            Some(Tries { left, total: None, .. }) => format!(" ({left} {} left)", try_word(left)),
            None => String::new(),
        };
        match ask {
            Ask::Pin => self.typed(&format!("PIN for {serial}{left}: "), Pin::parse),
            Ask::Puk => self.typed(&format!("PUK for {serial}{left}: "), Pin::parse),
            Ask::NewPin | Ask::NewPuk => loop {
                let what = if ask == Ask::NewPin { "PIN" } else { "PUK" };
                let first = self.typed(&format!("new {what} for {serial}: "), Pin::parse)?;
                let second = self.typed(&format!("new {what} for {serial} again: "), Pin::parse)?;
                if first.same_as(&second) {
                    return Ok(first);
                }
                self.say(&format!("the two differ; nothing was sent to {serial}"));
            },
        }
    }

    fn fido2_pin(&mut self, serial: Serial, left: u8) -> Result<Fido2Pin, Unanswered> {
        if let Some(pins) = &mut self.pins {
            return pins.take_fido2(serial).ok_or(Unanswered::NobodyToAsk);
        }
        let question = format!("FIDO2 PIN for {serial} ({left} {} left): ", try_word(left));
        self.typed(&question, Fido2Pin::parse)
    }

    fn new_fido2_pin(&mut self, serial: Serial, least: u8) -> Result<Fido2Pin, Unanswered> {
        if let Some(pins) = &mut self.pins {
            return pins.take_new_fido2(serial).ok_or(Unanswered::NobodyToAsk);
        }
        loop {
            let question = format!("new FIDO2 PIN for {serial} (at least {least} characters): ");
            let first = self.typed(&question, Fido2Pin::parse)?;
            let second = self.typed(&format!("new FIDO2 PIN for {serial} again: "), Fido2Pin::parse)?;
            if first.same_as(&second) {
                return Ok(first);
            }
            self.say(&format!("the two differ; nothing was sent to {serial}"));
        }
    }

    fn touch(&mut self, serial: Serial, purpose: &str) {
        self.last.clear();
        self.say(&format!("touch {serial} now {purpose}"));
    }

    fn confirm(&mut self, text: &str, word: &str) -> Result<bool, Unanswered> {
        if !text.is_empty() {
            self.say(text);
        }
        if let Some(given) = self.confirmed.take() {
            return Ok(given == word);
        }
        Ok(self.ask(&format!("type  {word}  to go on: "))? == word)
    }

    fn swap(&mut self, text: &str) -> Result<(), Unanswered> {
        let endless = self.has_person() && self.wait.is_zero();
        if !endless && self.waited >= self.wait {
            return Err(Unanswered::NobodyToAsk);
        }
        self.progress(text);
        std::thread::sleep(LOOK_AGAIN);
        self.waited += LOOK_AGAIN;
        Ok(())
    }

    fn progress(&mut self, text: &str) {
        if self.last != text {
            self.say(text);
            text.clone_into(&mut self.last);
        }
    }
}

/// Talk of the drivers, which know no [`Terminal`].
#[cfg(feature = "hardware")]
pub(super) fn announce(text: &str) {
    talk(text);
}

/// A line in one piece: whoever reads along is woken once.
fn talk(text: &str) {
    let _ = io::stderr().write_all(format!("{}\n", escape(text)).as_bytes());
}

/// Opens a descriptor that the caller of the program handed over, without taking ownership of a raw number. What is
/// written goes to the end: a file that is opened again would be written over from its beginning.
pub(super) fn descriptor(number: i32, write: bool) -> io::Result<File> {
    File::options().read(!write).append(write).open(format!("/proc/self/fd/{number}"))
}
