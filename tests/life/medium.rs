//! What happens to the stick: edited, old, read-only, full. Each is found before a PIN is asked.

use std::path::{Path, PathBuf};

use crate::pcsc::Settings;
use crate::real::*;

fn one_key() -> Life {
    Life::with(&Settings::usual(&[KEYS[0]]))
}

/// The only generation of a credential.
fn generation(kit: &Path, credential: &str) -> PathBuf {
    let entries = std::fs::read_dir(kit.join("sealed").join(credential)).expect("sealed");
    let folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    let [folder] = &folders[..] else { panic!("one generation: {folders:?}") };
    folder.clone()
}

fn flip_last_byte(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    *bytes.last_mut().expect("not empty") ^= 1;
    std::fs::write(path, bytes).expect("written");
}

#[test]
fn an_edited_sealed_file_is_named_before_a_pin_and_mended_by_another_copy() {
    let life = Life::start();
    let copy_path = life.path("copy");
    copy(&life.kit(), &copy_path);
    let payload = generation(&life.kit(), "core-fw/admin").join("payload.age");
    flip_last_byte(&payload);
    let named = payload.strip_prefix(life.kit()).expect("in the kit").display().to_string();
    life.open("core-fw/admin", &[ONE], &[]).refused(
        6,
        &[
            &format!("{named} is not the file that was sealed."),
            "nothing was opened, nothing was cut away.",
            "keep this stick as it is; open from the other copy, or go on with  --accept-damage \"why\"",
        ],
    );
    life.open("core-fw/admin", &[ONE], &["--accept-damage", "no other copy"]).is(6, &[]);
    assert_eq!(life.pins_sent(), [0, 0, 0]);
    let verified = life.run(&["records", "verify"], &[]).is(6, &[]).text();
    assert!(verified.contains(&named), "{verified}");

    // One of three shares is damaged: the other two open, with a word, which is on record.
    let folder = generation(&life.kit(), "core-db/root");
    let share = std::fs::read_dir(&folder).expect("files").map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let share = share.into_iter().find(|path| name(path).starts_with("4000001-")).expect("its share");
    flip_last_byte(&share);
    let damaged = format!(
        "{} is not the file that was sealed.",
        share.strip_prefix(life.kit()).expect("in it").display()
    );
    let said = life.open("core-db/root", &[ONE, TWO, THREE], &[]).is(6, &[]);
    assert!(said.stderr.contains(&damaged), "{said}");
    assert_eq!(life.pins_sent(), [0, 0, 0]);
    life.open("core-db/root", &[TWO, THREE], &["--accept-damage", "share of 4000001"]).gave(ROOT_SECRET);
    let listed = life.run(&["records", "list", "--json"], &[]).json();
    let overridden = |record: &serde_json::Value| {
        record["facts"]["overrides"][0] == serde_json::json!({ "rule": "damage", "why": "share of 4000001" })
    };
    assert_eq!(listed["records"].as_array().expect("records").iter().filter(|r| overridden(r)).count(), 2);

    let merged = life.run(&["kit", "merge", &copy_path.display().to_string()], &[]).done().text();
    assert!(merged.contains(&format!("mended       {named}")), "{merged}");
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    life.open("core-db/root", &[ONE, TWO], &[]).gave(ROOT_SECRET);
}

#[test]
fn an_edited_record_is_named_by_its_line_and_never_cut_away() {
    let life = one_key();
    let entries = std::fs::read_dir(life.kit().join("journal")).expect("a journal");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let name = |path: &PathBuf| path.file_name().expect("a name").to_string_lossy().into_owned();
    let journal = paths.into_iter().find(|path| name(path).starts_with("4000001-")).expect("its journal");
    let text = std::fs::read_to_string(&journal).expect("a journal");
    let lines: Vec<&str> = text.lines().collect();
    let changed = lines[2].replacen('e', "f", 1);
    let mut edited = lines.clone();
    edited[2] = &changed;
    let edited = edited.join("\n") + "\n";
    std::fs::write(&journal, &edited).expect("written");
    let said = life.open("core-fw/admin", &[ONE], &[]).is(6, &[]);
    assert!(said.stdout.is_empty() && said.stderr.contains("line 3"), "{said}");
    let seal = ["seal", "a/b", "--with", "4000001", "--confirm", "seal a"];
    life.run_with(&seal, &[pin_line(ONE)], b"x").is(6, &[]);
    assert_eq!(life.pins_sent(), [0]);
    assert_eq!(std::fs::read_to_string(&journal).expect("still there"), edited);
}

/// The copy from before the last opening: the key remembers more.
#[test]
fn an_old_copy_is_refused_until_it_is_merged_or_the_gap_accepted() {
    let life = one_key();
    let kit = life.kit().display().to_string();
    for name in ["old", "older"] {
        copy(&life.kit(), &life.path(name));
    }
    let (old, older) = (life.path("old").display().to_string(), life.path("older").display().to_string());
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    life.pins_sent();
    let in_copy = |copy: &str, words: &[&str]| {
        life.run_with(&[&["--kit", copy], words].concat(), &[pin_line(ONE)], b"x")
    };
    let opening = opening("core-fw/admin");
    let gap = [
        "this copy of the kit is older than key 4000001 remembers: it lacks records 6 to 7 of 4000001.",
        "nothing was opened.",
        "bring the other stick and run  breakglass kit merge DIR        or, in an emergency, go on and leave the gap visible:  breakglass open … --accept-gap \"why\"",
    ];
    in_copy(&old, &opening).refused(6, &gap);
    // Who has time does not go on over it: what is lost for good is accepted on record first.
    let lost = [
        gap[0],
        "nothing was signed.",
        "bring the other stick and run  breakglass kit merge DIR        or, if it is lost for good:  breakglass kit accept-gap --why …",
    ];
    in_copy(&old, &["seal", "a/b", "--with", "4000001", "--confirm", "seal a"]).refused(6, &lost);
    let inventory = in_copy(&old, &["inventory"]).is(6, &[]).text();
    assert!(inventory.contains("it lacks records 6 to 7 of 4000001"), "{inventory}");
    assert_eq!(life.pins_sent(), [0]);

    let merged = in_copy(&old, &["kit", "merge", &kit]).done().text();
    assert!(merged.starts_with("took over 2 records and 0 files from "), "{merged}");
    in_copy(&old, &opening).gave(ADMIN_SECRET);
    in_copy(&old, &["records", "verify"]).done();
    let merged = life.run(&["kit", "merge", &old], &[]).done().text();
    assert!(merged.starts_with("took over 2 records and 0 files from "), "{merged}");

    // No other stick is at hand: the gap stays visible, and every record that went on over it says so.
    in_copy(&older, &[&opening[..], &["--accept-gap", "the other stick is in safe B"]].concat())
        .gave(ADMIN_SECRET);
    let listed = in_copy(&older, &["records", "list", "--json"]).is(6, &[]).json();
    let records = listed["records"].as_array().expect("records");
    let intent = records.iter().rev().find(|record| record["event"] == "open.intent").expect("an intent");
    let accepted = serde_json::json!([{ "rule": "gap", "why": "the other stick is in safe B" }]);
    assert_eq!((&intent["facts"]["overrides"], &intent["seq"]), (&accepted, &10.into()), "{intent:#}");
    let verified = in_copy(&older, &["records", "verify"]).is(6, &[]).text();
    assert!(verified.contains("missing"), "{verified}");
    life.run(&["kit", "merge", &older], &[]);
    in_copy(&older, &["kit", "merge", &kit]).done();
    in_copy(&older, &["records", "verify"]).done();
    in_copy(&older, &opening).gave(ADMIN_SECRET);
}

/// Who may open is what was adopted, whatever kit.toml says now, and if it is gone.
#[test]
fn an_edited_kit_toml_has_no_effect() {
    let life = one_key();
    let toml = life.kit().join("kit.toml");
    let text = std::fs::read_to_string(&toml).expect("kit.toml");
    let as_eve: Vec<&str> =
        opening("core-fw/admin").iter().map(|word| if *word == "ada" { "eve" } else { *word }).collect();
    let edited = text.replace("\"ada\"", "\"eve\"").replace("quorum = 2", "quorum = 1");
    for (now, note) in [
        (
            Some(&edited[..]),
            "note: kit.toml differs from the adopted policy; it has no effect until it is adopted.",
        ),
        (Some("kind = "), "note: kit.toml cannot be read"),
        (None, "note: kit.toml is missing; the adopted policy is in force."),
    ] {
        match now {
            Some(text) => std::fs::write(&toml, text).expect("written"),
            None => std::fs::remove_file(&toml).expect("removed"),
        }
        life.run(&as_eve, &[pin_line(ONE)])
            .refused(
                1,
                &[
                    "the policy does not allow it: \"eve\" is not an operator; operators are: ada.",
                    "nothing was opened.",
                ],
            )
            .says(&[note]);
        assert_eq!(life.pins_sent(), [0]);
        life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET).says(&[note]);
        life.pins_sent();
    }
}

impl Life {
    /// Runs a program of the system in the world, as its root.
    fn system(&self, words: &[&str]) {
        self.world.run(self.world.command(words[0]).args(&words[1..]));
    }
}

#[test]
fn a_read_only_stick_is_found_before_a_pin_and_the_records_go_elsewhere() {
    let life = one_key();
    let kit = life.kit().display().to_string();
    life.system(&["/bin/mount", "--bind", &kit, &kit]);
    life.system(&["/bin/mount", "-o", "remount,bind,ro", &kit]);
    let refusal = [
        &format!("{kit}/journal is read-only.")[..],
        "nothing was opened.",
        "write the records elsewhere:  --journal DIR",
    ];
    let seal = ["seal", "a/b", "--with", "4000001", "--confirm", "seal a"];
    life.open("core-fw/admin", &[ONE], &[]).refused(5, &refusal);
    let elsewhere = life.path("a/b/elsewhere").display().to_string();
    let in_the_kit = [
        &format!("{kit}/journal is read-only, and sealed credentials and policies lie in the kit itself.")[..],
        "nothing was changed.",
        "do it on a writable copy with room, then:  breakglass kit merge DIR",
    ];
    life.run_with(&[&["--journal", &elsewhere], &seal[..]].concat(), &[pin_line(ONE)], b"x")
        .refused(5, &in_the_kit);
    life.run_with(&seal, &[pin_line(ONE)], b"x").refused(5, &in_the_kit);
    assert_eq!(life.pins_sent(), [0]);

    let words = ["--journal", &elsewhere];
    for records in [11, 13] {
        life.open("core-fw/admin", &[ONE], &words)
            .gave(ADMIN_SECRET)
            .says(&[&format!("records   written to {elsewhere} before anything is shown")]);
        let verified = life.run(&[&words[..], &["records", "verify"]].concat(), &[]).done().text();
        assert!(verified.contains(&format!("intact: {records} records")), "{verified}");
    }

    // Back home, writable again: the records are missing until they are brought in.
    life.system(&["/bin/umount", &kit]);
    life.pins_sent();
    life.open("core-fw/admin", &[ONE], &[]).is(6, &[]).says(&["it lacks records 6 to 9 of 4000001"]);
    assert_eq!(life.pins_sent(), [0]);
    let merged = life.run(&["kit", "merge", &elsewhere], &[]).done().text();
    assert!(merged.starts_with("took over 4 records and 0 files from "), "{merged}");
    life.open("core-fw/admin", &[ONE], &[]).gave(ADMIN_SECRET);
    life.run(&["records", "verify"], &[]).done();
}

#[test]
fn a_full_stick_is_found_before_a_pin_and_the_records_go_elsewhere() {
    let life = one_key();
    let stick = life.path("stick").display().to_string();
    std::fs::create_dir(life.path("stick")).expect("a folder");
    life.system(&["/bin/mount", "-t", "tmpfs", "-o", "size=512k", "none", &stick]);
    life.system(&["/bin/cp", "-r", &life.kit().display().to_string(), &stick]);
    life.system(&["/bin/sh", "-c", &format!("! cat /dev/zero > {stick}/full 2>/dev/null")]);
    let kit = format!("{stick}/kit");
    let words = [&["--kit", &kit], &opening("core-fw/admin")[..]].concat();
    life.run(&words, &[pin_line(ONE)]).refused(
        5,
        &[
            &format!("{kit}/journal has no room for a record."),
            "nothing was opened.",
            "write the records elsewhere:  --journal DIR",
        ],
    );
    assert_eq!(life.pins_sent(), [0]);
    let elsewhere = life.path("elsewhere").display().to_string();
    life.run(&[&["--journal", &elsewhere], &words[..]].concat(), &[pin_line(ONE)]).gave(ADMIN_SECRET);
}

/// Two at once in one kit: the second names the first and waits for nobody.
#[test]
fn a_second_run_in_the_same_kit_is_turned_away() {
    let life = one_key();
    life.world.remove(ONE);
    let words = [&opening("core-fw/admin")[..], &["--wait", "60"]].concat();
    let mut seen = None;
    let said = life.attend(&words, &[pin_line(ONE)], |line| {
        if line.starts_with("insert one of: ") {
            seen = Some(life.open("core-fw/admin", &[ONE], &[]));
            life.world.insert(ONE);
        }
    });
    said.gave(ADMIN_SECRET);
    seen.expect("a second run").is(7, &["nothing was changed.", "wait for it, or end it if it hangs"]);
}
