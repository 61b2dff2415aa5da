//! `breakglass` without a verb, at a real terminal: what a tired person is shown, asked and spared.

#[path = "support/pcsc.rs"]
mod pcsc;
#[path = "support/practice.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod practice;
#[path = "support/real.rs"]
mod real;
#[path = "support/terminal.rs"]
mod terminal;

#[path = "guide/asked.rs"]
mod asked;
#[path = "guide/story.rs"]
mod story;
#[path = "guide/wrong.rs"]
mod wrong;
