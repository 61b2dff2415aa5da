//! A person at a terminal: a program on a pty that `script` makes (util-linux), what it shows, and what is typed.
//!
//! ```ignore
//! let mut person = Person::sit_down(Command::new("script"), &[PROGRAM, "--kit", "kit"]);
//! person.answer("number (Enter ends): ", "1");
//! let (code, shown) = person.end();
//! ```

#![allow(dead_code, reason = "each test uses its part")]

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait for something to be shown.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that shows nothing for so long waits for the person.
const STILL: Duration = Duration::from_millis(250);

/// What is on the screen, all of it from the beginning, without carriage returns; and whether it has gone dark.
#[derive(Default)]
struct Screen {
    shown: Mutex<(Vec<u8>, bool)>,
    changed: Condvar,
}

/// One program at one terminal.
pub(crate) struct Person {
    script: Child,
    keyboard: Option<ChildStdin>,
    screen: Arc<Screen>,
    /// How much of what is shown the person has read.
    read: usize,
    /// How many lines the person has typed.
    pub(crate) lines: usize,
}

impl Person {
    /// Starts the words at a terminal. `script` is that program, as a world or a test wants it to be run.
    pub(crate) fn sit_down(mut script: Command, words: &[&str]) -> Self {
        let line: Vec<String> =
            words.iter().map(|word| format!("'{}'", word.replace('\'', r"'\''"))).collect();
        script.args(["--quiet", "--return", "--command", &format!("exec {}", line.join(" ")), "/dev/null"]);
        script.env("SHELL", "/bin/sh").env("TERM", "xterm");
        script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut script = script.spawn().expect("script (util-linux) runs");
        let (keyboard, mut output) = (script.stdin.take(), script.stdout.take().expect("piped"));
        let screen = Arc::new(Screen::default());
        let drawn = Arc::clone(&screen);
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            loop {
                let read = output.read(&mut piece).unwrap_or(0);
                let mut shown = drawn.shown.lock().unwrap_or_else(PoisonError::into_inner);
                shown.0.extend(piece[..read].iter().filter(|byte| **byte != b'\r'));
                shown.1 = read == 0;
                drawn.changed.notify_all();
                if read == 0 {
                    return;
                }
            }
        });
        Person { script, keyboard, screen, read: 0, lines: 0 }
    }

    /// Everything that was shown so far.
    pub(crate) fn shown(&self) -> String {
        let shown = self.screen.shown.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&shown.0).into_owned()
    }

    /// Waits for that text after what was read; gives what stands before it.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        match self.wait_for_any(&[text]) {
            Ok((_, before)) => before,
            Err(why) => panic!("{why}: {text:?}\n{}", self.shown()),
        }
    }

    /// Waits for the first of several texts; which it was, and what stands before it.
    pub(crate) fn wait_for_any(&mut self, texts: &[&str]) -> Result<(usize, String), &'static str> {
        let begun = Instant::now();
        let mut shown = self.screen.shown.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let rest = &shown.0[self.read..];
            let at = |text: &str| rest.windows(text.len()).position(|piece| piece == text.as_bytes());
            let first = texts.iter().enumerate().filter_map(|(index, text)| Some((at(text)?, index))).min();
            if let Some((at, index)) = first {
                let before = String::from_utf8_lossy(&rest[..at]).into_owned();
                self.read += at + texts[index].len();
                return Ok((index, before));
            }
            let dark = shown.1;
            let left = PATIENCE.saturating_sub(begun.elapsed());
            if dark || left.is_zero() {
                return Err(if dark { "ended without" } else { "waited in vain for" });
            }
            shown = self.screen.changed.wait_timeout(shown, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What was shown since it was last read, once the program waits for the person; `None` once it has ended.
    pub(crate) fn until_it_waits(&mut self) -> Option<String> {
        let begun = Instant::now();
        let mut shown = self.screen.shown.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let before = shown.0.len();
            let (after, timeout) =
                self.screen.changed.wait_timeout(shown, STILL).unwrap_or_else(PoisonError::into_inner);
            shown = after;
            let still = timeout.timed_out() && shown.0.len() == before;
            let asks = [&b": "[..], b"? ", b" s\n"].iter().any(|end| shown.0.ends_with(end));
            if shown.1 || (still && asks && shown.0.len() > self.read) {
                let rest = String::from_utf8_lossy(&shown.0[self.read..]).into_owned();
                self.read = shown.0.len();
                return (!rest.is_empty() || !shown.1).then_some(rest);
            }
            assert!(begun.elapsed() < PATIENCE, "{}", String::from_utf8_lossy(&shown.0));
        }
    }

    /// Waits for a question, and types a line.
    #[track_caller]
    pub(crate) fn answer(&mut self, question: &str, line: &str) {
        self.wait_for(question);
        self.line(line);
    }

    /// Types a line.
    pub(crate) fn line(&mut self, line: &str) {
        self.lines += 1;
        self.keys(&format!("{line}\r"));
    }

    /// Presses keys.
    pub(crate) fn keys(&mut self, keys: &str) {
        // A program that has ended takes none.
        let keyboard = self.keyboard.as_mut().expect("nobody has left");
        let _ = keyboard.write_all(keys.as_bytes()).and_then(|()| keyboard.flush());
    }

    /// Waits until the program has ended; its exit code, and everything that was shown.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let begun = Instant::now();
        loop {
            if let Some(status) = self.script.try_wait().expect("it can be waited for") {
                let mut shown = self.screen.shown.lock().unwrap_or_else(PoisonError::into_inner);
                while !shown.1 {
                    shown = self.screen.changed.wait(shown).unwrap_or_else(PoisonError::into_inner);
                }
                let text = String::from_utf8_lossy(&shown.0).into_owned();
                drop(shown);
                return (status.code(), text);
            }
            assert!(begun.elapsed() < PATIENCE, "it does not end\n{}", self.shown());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The terminal is closed: whoever held it is gone at once.
    pub(crate) fn close_the_terminal(mut self) -> String {
        self.script.kill().expect("it runs");
        self.script.wait().expect("it can be waited for");
        self.shown()
    }
}

impl Drop for Person {
    fn drop(&mut self) {
        let _ = self.script.kill();
        let _ = self.script.wait();
    }
}
