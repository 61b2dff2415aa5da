//! The operator at a terminal, with nothing given beforehand: what is asked, what is shown, and what is on the screen
//! only for as long as it is wanted.

use crate::pcsc::{Settings, tools};
use crate::real::*;

/// Types what the questions ask for, up to the first PIN.
const OPERATOR: &str = r#"
set timeout 120
log_user 0
proc wait_for {text} {
    expect {
        -exact $text { send_user -- $expect_out(buffer) }
        timeout { send_user -- "$expect_out(buffer)\nnot seen: $text\n"; exit 98 }
        eof { send_user -- "$expect_out(buffer)\nended before: $text\n"; exit 99 }
    }
}
proc answer {question text} { wait_for $question; send -- "$text\r" }
spawn -noecho $env(PROGRAM) --kit $env(KIT) open
answer "which? " "3"
wait_for "3 is not in the list"
answer "which? " "2"
answer "lockout)? " "pam-outage"
answer "incident or ticket? " "INC-4711"
answer "in a few words: " "PAM lost quorum"
answer "your name as in the policy: " "ada"
answer "to go on: " "open core-fw"
"#;

const END: &str = r#"
expect eof
send_user -- $expect_out(buffer)
exit [lindex [wait] 3]
"#;

/// The secret in groups of four.
const GROUPED: &str = "0OlI - 1-ad - min- - of-c - ore- - fw";

/// Runs an expect script on the kit; its exit code, and everything that was on the terminal.
fn at_terminal(life: &Life, script: &str) -> (Option<i32>, String) {
    let mut expect = life.world.command(tools::debian("expect", "expect"));
    expect.arg("-c").arg([OPERATOR, script, END].concat());
    expect.env("PROGRAM", PROGRAM).env("KIT", life.kit()).env("PIN", pin(ONE)).env("SECRET", GROUPED);
    let output = expect.env("TERM", "xterm").output().expect("expect runs");
    (output.status.code(), String::from_utf8_lossy(&output.stdout).replace('\r', ""))
}

#[test]
fn a_person_is_asked_for_everything_and_the_secret_leaves_the_screen() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    let (code, shown) = at_terminal(
        &life,
        r#"
answer "(3 of 3 tries left): " "123"
wait_for "it has 3 characters; a PIN or PUK has 6 to 8. no try was spent"
answer "PIN for 4000001 (3 of 3 tries left): " "11111111"
wait_for "that PIN is wrong. 4000001 has 2 tries left"
answer "PIN for 4000001 (2 of 3 tries left): " "$env(PIN)"
answer "press Enter to show it: " ""
wait_for "$env(SECRET)"
wait_for "0 zero   O capital o"
wait_for "hides itself in"
send -- "s"
wait_for "digit zero"
wait_for "capital oscar"
send -- "x"
answer "q ends: " ""
wait_for "$env(SECRET)"
send -- "x"
answer "q ends: " "q"
"#,
    );
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains("pIN-x7Q") && !shown.contains("11111111"), "a PIN is not echoed\n{shown}");
    assert_eq!(shown.matches('*').count(), 3 + 8 + 8, "{shown}");
    // The secret is on the other screen alone, which is wiped before it is left.
    let mut on_it = 0;
    for (index, part) in shown.split("\x1b[?1049l").enumerate() {
        let (own, other) = part.split_once("\x1b[?1049h").unwrap_or((part, ""));
        assert!(!own.contains("0OlI") && !own.contains("capital oscar"), "on the own screen\n{own}");
        assert!(other.is_empty() || other.ends_with("\x1b[2J\x1b[3J\x1b[H"), "{other:?}");
        on_it += usize::from(other.contains(GROUPED));
        assert!(index < 2 || other.is_empty());
    }
    assert_eq!(on_it, 2, "{shown}");
    let after = shown.rsplit_once("\x1b[?1049l").expect("the own screen").1;
    for due in ["opened core-fw/admin at ", "due: rotate core-fw/admin", "return 4000001 to safe A"] {
        assert!(after.contains(due), "{shown}");
    }
    assert_eq!(life.world.tries(ONE), (3, 3));
}

#[test]
fn a_person_who_gives_up_is_told_what_stands() {
    let life = Life::with(&Settings::usual(&[KEYS[0]]));
    life.pins_sent();
    let (code, shown) = at_terminal(&life, "wait_for \"tries left): \"\nsend -- \"1234\\003\"\n");
    assert_eq!(code, Some(1), "{shown}");
    let last: Vec<&str> = shown.trim_end().lines().rev().take(2).collect();
    assert_eq!(last, ["what was signed before stands in the journal.", "cancelled."], "{shown}");
    assert_eq!(life.pins_sent(), [0]);
}
