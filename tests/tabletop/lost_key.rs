//! A key is lost. One command leads through all that follows; what the key opened opens for nobody who finds it. Somebody
//! finds it, with an old copy of the kit: that shows.

use crate::auditor::Clock;
use crate::pcsc::tools;
use crate::people::{People, without_table};
use crate::real::*;

#[test]
fn a_key_is_lost_and_found_by_somebody_else() {
    let mut people = People::with(&KEYS);
    people
        .adopts(|text| text + "\n[[person]]\nname = \"carol\"\nroles = [\"custodian\"]\nkeys = [4000003]\n");
    // A copy of the kit lies about, as copies do.
    let old = people.life.path("old-stick");
    copy(&people.life.kit(), &old);

    // Carol cannot find key 4000003. Nobody types a PIN to see what that means.
    people.life.pins_sent();
    let said = people.run(&["change", "--lost", "4000003"]).is(1, &[]).text();
    assert_eq!(people.life.pins_sent(), [0, 0, 0]);
    for line in [
        "change    key 4000003 was lost: 5 of 5 steps left",
        " 1 next   rotate core-fw/admin\n          4000003 opens it alone: rotate it at once\n          breakglass rotate \
         core-fw/admin --to 4000001,4000002 --with 4000001\n",
        " 2 then   retire 4000003\n          signed by nobody yet; wanting 2 more keys, of 4000001, 4000002\n",
        " 3 then   rotate core-db/root\n          1 of the 2 shares that open it is gone",
        "it opens only with all of 4000001, 4000002\n",
        " 4 then   edit kit.toml: remove [[key]] serial = 4000003; take 4000003 out of the keys of carol\n",
        " 5 waits  adopt kit.toml\n",
        "nothing is opened for this",
    ] {
        assert!(said.contains(line), "{line}\n{said}");
    }

    // They do what it says, command by command.
    let took = people.led_through(&["--lost", "4000003"], |people, step| {
        let edit = step.starts_with("edit kit.toml");
        if edit {
            people.edits(|text| {
                without_table(&text, "[[key]]", "serial = 4000003").replace("keys = [4000003]\n", "")
            });
        }
        edit
    });
    assert_eq!(
        took,
        [
            "rotate core-fw/admin", // sealed
            "rotate core-fw/admin", // set on the platform, and confirmed
            "retire 4000003",       // one key signs,
            "retire 4000003",       // and another
            "rotate core-db/root",
            "rotate core-db/root",
            "edit kit.toml: remove [[key]] serial = 4000003; take 4000003 out of the keys of carol",
            "adopt kit.toml",
            "adopt kit.toml",
        ]
    );
    let said = people.run(&["change", "--lost", "4000003"]).done().text();
    assert!(said.contains("nothing is left to be done") && said.matches(" done   ").count() == 4, "{said}");
    let opened = people.run(&["--json", "incident", "list"]).json();
    assert_eq!(opened["incidents"], serde_json::json!([]), "nothing was opened for it");
    people.life.open("core-fw/admin", &[THREE], &["--key", "4000003"]).is(2, &[]);

    let auditor = people.auditor(Clock::Right);
    auditor.finds(Clock::Right).is(&[]);

    // Whoever finds the key has its PIN too, and the old copy, in which it still belongs. What comes out is no secret any
    // more; and the key has signed for it.
    let old_kit = old.display().to_string();
    let opening = [&["--kit", &old_kit][..], &opening("core-fw/admin"), &["--key", "4000003"]].concat();
    people.run(&opening).gave(ADMIN_SECRET);
    people.run(&["kit", "merge", &old_kit]);
    let (code, rules) = people.status(Clock::Right);
    assert!(code == 6 && rules.contains(&"RECORD-NO-RIGHT".to_owned()), "{code} {rules:?}");
    auditor.import(Clock::Right);
    let found = auditor.finds(Clock::Right);
    assert!(found.rules.contains(&"wrong KEY-RETIRED-USED".to_owned()), "{found:#?}");
    found.says(&["4000003"]);
    assert_eq!(found.code, Some(6));
}

/// Somebody at a terminal: the next step is offered, and is the verb itself, with its own word and PIN.
const PERSON: &str = r#"
set timeout 120
log_user 0
proc answer {question text} {
    expect {
        -exact $question { send_user -- $expect_out(buffer); send -- "$text\r" }
        timeout { send_user -- "\nnot asked: $question\n"; exit 98 }
        eof { send_user -- "$expect_out(buffer)\nended before: $question\n"; exit 99 }
    }
}
spawn -noecho $env(PROGRAM) --kit $env(KIT) change --lost 4000003
answer "do the next step now (yes, no)? " "perhaps"
answer "do the next step now (yes, no)? " "yes"
answer "to go on: " "seal core-fw"
answer "the secret (not shown): " "another secret"
answer "again: " "another secret"
answer "(3 of 3 tries left): " "$env(PIN)"
answer "do the next step now (yes, no)? " "no"
expect eof
send_user -- $expect_out(buffer)
exit [lindex [wait] 3]
"#;

#[test]
fn at_a_terminal_the_next_step_is_done_at_once_and_only_by_its_own_word() {
    let people = People::with(&KEYS[..1]);
    let mut expect = people.life.world.command(tools::debian("expect", "expect"));
    expect.arg("-c").arg(PERSON).env("PROGRAM", PROGRAM).env("KIT", people.life.kit()).env("PIN", pin(ONE));
    let output = expect.env("TERM", "xterm").output().expect("expect runs");
    let shown = String::from_utf8_lossy(&output.stdout).replace('\r', "");
    assert_eq!(output.status.code(), Some(1), "{shown}");
    assert!(!shown.contains("another secret") && !shown.contains(&pin(ONE)), "{shown}");
    let last = shown.rsplit_once("change    key 4000003 was lost").expect("told again").1;
    assert!(last.contains("rotate core-fw/admin --confirm-pending --with 4000001"), "{shown}");
    let (_, told) = people.change(&["--lost", "4000003"]);
    assert_eq!(told["steps"][0]["state"], "next", "it is sealed, and waits for the platform");
}
