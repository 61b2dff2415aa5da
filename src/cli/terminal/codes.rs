//! Codes that follow each other on a screen of their own, until a key is pressed.

use std::time::Duration;

use super::Tty;
use super::screen::{ENTER, LEAVE};

/// Five codes a second: what cameras of phones keep up with.
const EACH: Duration = Duration::from_millis(200);

/// Black on white, whatever the terminal's colours are.
const PAPER: &str = "\x1b[38;5;16;48;5;231m";
const PLAIN: &str = "\x1b[0m";

impl Tty {
    /// Draws one code after the other, with `below` under each, until a key is pressed or there is no next. How many.
    pub(crate) fn show_codes(&mut self, next: &mut dyn FnMut() -> Option<String>, below: &str) -> usize {
        let Some(mut raw) = self.raw() else { return 0 };
        let mut shown = 0;
        raw.write(ENTER);
        while let Some(code) = next() {
            let lines: String = code.lines().map(|line| format!("{PAPER}{line}{PLAIN}\r\n")).collect();
            shown += 1;
            raw.write(&format!("\x1b[H{lines}{below}   {shown}\r\n"));
            if raw.key(Some(EACH)).is_some() {
                break;
            }
        }
        raw.write(LEAVE);
        shown
    }
}
