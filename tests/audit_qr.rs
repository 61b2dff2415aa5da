//! Records cross the gap as codes: the terminal's codes and the printed page, made into pictures, come back as the bundle.

#[path = "support/practice.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod practice;
#[path = "support/tools.rs"]
#[allow(dead_code, reason = "others use the rest")]
mod tools;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use breakglass::attestation;
use breakglass::record::bundle::Bundle;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::{event, hash, token};
use image::{GrayImage, Luma};
use practice::{PIN, PracticeKit};
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use sample::Writer;

#[path = "../src/record/sample.rs"]
mod sample;

/// A kit with an opening on record, and its bundle as codes: what the terminal showed for some seconds.
fn exported(folder: &Path) -> (PracticeKit, String) {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(1);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let open = [PracticeKit::opening("core-fw/admin"), vec!["--key", "23112"]].concat();
    assert!(kit.run(&open, &pins).status.success());
    let mut expect = Command::new(tools::debian("expect", "expect"));
    expect.arg("-c").arg(WATCHER).env("PIN", PIN).env("PROGRAM", env!("CARGO_BIN_EXE_breakglass"));
    expect.env("KIT", kit.path()).env("TO", folder);
    let output = expect.output().expect("expect runs");
    assert!(output.status.success(), "{output:?}");
    (kit, String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Types the PIN, lets the codes run, and presses a key.
const WATCHER: &str = r#"
set timeout 120
set stty_init "rows 60 columns 120"
spawn -noecho $env(PROGRAM) --kit $env(KIT) records export $env(TO) --with 23112 --qr
expect -re "PIN for 23112.*: "
send -- "$env(PIN)\r"
expect "any key ends it"
set timeout 40
expect eof { exit 1 } timeout { send -- "x" }
set timeout 120
expect eof
exit [lindex [wait] 3]
"#;

/// Every code that the terminal drew.
fn frames(screen: &str) -> Vec<Vec<String>> {
    let is_code = |line: &&str| line.contains("\x1b[38;5;16;48;5;231m");
    let plain = |line: &str| {
        let line = line.rsplit("231m").next().expect("a part");
        line.split("\x1b[0m").next().expect("a part").to_owned()
    };
    let drawn = screen.split("\x1b[H");
    let frames = drawn.map(|frame| frame.lines().filter(is_code).map(plain).collect::<Vec<_>>());
    frames.filter(|frame| frame.len() > 20).collect()
}

/// Half blocks as a camera sees them: dark ink on light paper, so many pixels a module.
fn picture(frame: &[String], pixels: u32) -> GrayImage {
    let width = frame[0].chars().count() as u32;
    let mut picture = GrayImage::new(width * pixels, frame.len() as u32 * 2 * pixels);
    for (row, line) in frame.iter().enumerate() {
        for (column, block) in line.chars().enumerate() {
            let [upper, lower] = match block {
                ' ' => [255, 255],
                '▀' => [0, 255],
                '▄' => [255, 0],
                '█' => [0, 0],
                other => panic!("{other:?} is no half block"),
            };
            for (half, shade) in [(0, upper), (1, lower)] {
                for y in 0..pixels {
                    for x in 0..pixels {
                        let at = (column as u32 * pixels + x, (row as u32 * 2 + half) * pixels + y);
                        picture.put_pixel(at.0, at.1, Luma([shade]));
                    }
                }
            }
        }
    }
    picture
}

fn audit(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
    command.current_dir(folder).args(arguments);
    command.output().expect("the program runs")
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_the_terminal_shows_comes_back_though_a_third_was_missed_and_too_few_are_said_to_be() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_kit, screen) = exported(folder.path());
    let frames = frames(&screen);
    picture(&frames[0], 4).save(folder.path().join("one.png")).expect("saved");
    let too_few = audit(folder.path(), &["import", "--qr", "one.png"]);
    assert_eq!(too_few.status.code(), Some(1));
    assert!(said(&too_few).contains("a bundle is not complete: 1 of its"), "{}", said(&too_few));
    let pictures = folder.path().join("pictures");
    fs::create_dir(&pictures).expect("made");
    for (index, frame) in frames.iter().enumerate().filter(|(index, _)| index % 3 != 0) {
        picture(frame, 4).save(pictures.join(format!("{index:04}.png"))).expect("saved");
    }
    let imported = audit(folder.path(), &["import", "--qr", "pictures"]);
    let text = said(&imported);
    let lines = fs::read_to_string(folder.path().join("records.jws")).expect("the bundle").lines().count();
    assert!(text.contains(&format!("{lines} read · {lines} stored · 0 known already")), "{text}");
    // The same lines, and they end as the bundle does.
    let again = said(&audit(folder.path(), &["import", "records.jws"]));
    assert!(again.contains(&format!("{lines} read · 0 stored · {lines} known already")), "{again}");
    for text in [&text, &again] {
        assert!(!text.contains("cut") && !text.contains("other lines"), "{text}");
    }
}

#[test]
fn the_printed_page_comes_back_as_a_browser_shows_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (_kit, _) = exported(folder.path());
    let mut browser = Command::new(tools::debian("chromium", "chromium"));
    browser.args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
    browser.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
    browser.args(["--hide-scrollbars", "--force-device-scale-factor=2", "--window-size=700,16000"]);
    browser.arg(format!("--user-data-dir={}", folder.path().join("profile").display()));
    browser.arg(format!("--screenshot={}", folder.path().join("page.png").display()));
    browser.arg(format!("file://{}", folder.path().join("codes.html").display()));
    let output = browser.output().expect("the browser runs");
    assert!(folder.path().join("page.png").exists(), "{output:?}");
    // As sheets of paper are photographed: a piece at a time.
    let page = image::open(folder.path().join("page.png")).expect("a picture").into_luma8();
    let sheets = folder.path().join("sheets");
    fs::create_dir(&sheets).expect("made");
    let (height, step) = (2_400, 1_200);
    for (index, top) in (0..page.height() - height).step_by(step).enumerate() {
        let sheet = image::imageops::crop_imm(&page, 0, top, page.width(), height).to_image();
        sheet.save(sheets.join(format!("{index:04}.png"))).expect("saved");
    }
    let text = said(&audit(folder.path(), &["import", "--qr", "sheets"]));
    let lines = fs::read_to_string(folder.path().join("records.jws")).expect("the bundle").lines().count();
    assert!(text.contains(&format!("{lines} read · {lines} stored · 0 known already")), "{text}");
}

/// The records of a bundle of two keys, each as a printed code is photographed; and the bundle.
fn printed(n: u8) -> (Vec<GrayImage>, Vec<u8>) {
    let mut founder = Writer::founder(n);
    founder.open(2);
    let mut other = Writer::new(n + 1);
    let enrolment = other.enrolment();
    other.write(enrolment);
    other.kit = founder.kit;
    other.open(2);
    let chains = [&other, &founder].map(|one| Chain::read(&one.name(), &one.journal(), Depth::Links));
    let bundle = Bundle::of(&chains);
    // By the key whose chain is the last, as when a person chooses it.
    let end = other.write(event::Event::Exported(bundle.exported()));
    let bundle = bundle.end(&end).expect("its end");
    let codes = bundle.split_inclusive(|byte| *byte == b'\n').map(|line| {
        let line = line.strip_suffix(b"\n").expect("a line feed");
        let code = QrCode::with_error_correction_level(line, EcLevel::L).expect("fits one code");
        let drawn = code.render::<Dense1x2>().dark_color(Dense1x2::Dark).light_color(Dense1x2::Light).build();
        picture(&drawn.lines().map(str::to_owned).collect::<Vec<_>>(), 4)
    });
    (codes.collect(), bundle)
}

/// Puts pictures into a folder, all but some.
fn photograph(folder: &Path, pictures: &[GrayImage], missed: &[usize]) {
    fs::create_dir_all(folder).expect("made");
    for (index, picture) in pictures.iter().enumerate().filter(|(index, _)| !missed.contains(index)) {
        picture.save(folder.join(format!("{index:02}.png"))).expect("saved");
    }
}

#[test]
fn a_printed_code_that_was_not_photographed_accuses_nobody_and_the_whole_from_anywhere_settles_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let (pictures, bundle) = printed(1);
    let all = pictures.len();
    photograph(&folder.path().join("most"), &pictures, &[3]);
    photograph(&folder.path().join("all"), &pictures, &[]);
    let most = audit(folder.path(), &["import", "--qr", "most"]);
    assert_eq!(most.status.code(), Some(1), "{}", said(&most));
    assert!(
        said(&most).contains(&format!("{} of {all} records were photographed", all - 1)),
        "{}",
        said(&most)
    );
    let checked = said(&audit(folder.path(), &["check"]));
    assert!(
        checked.contains("BUNDLE-END") && checked.contains("counts more: a code was missed"),
        "{checked}"
    );
    assert!(!checked.contains("were added, changed, moved or taken out"), "{checked}");
    let whole = audit(folder.path(), &["import", "--qr", "all"]);
    assert_eq!(whole.status.code(), Some(0), "{}", said(&whole));
    let checked = said(&audit(folder.path(), &["check"]));
    assert!(!checked.contains("BUNDLE-END"), "{checked}");

    // So does the bundle's file in a ledger of its own; a bundle in which a line lacks stays an accusation.
    let other = ["--ledger", "other.db"];
    let lines: Vec<&[u8]> = bundle.split_inclusive(|byte| *byte == b'\n').collect();
    fs::write(folder.path().join("cut.jws"), [&lines[..3], &lines[4..]].concat().concat()).expect("written");
    fs::write(folder.path().join("records.jws"), &bundle).expect("written");
    audit(folder.path(), &[&other[..], &["import", "--qr", "most"]].concat());
    let cut = audit(folder.path(), &[&other[..], &["import", "cut.jws"]].concat());
    assert_eq!(cut.status.code(), Some(6), "{}", said(&cut));
    let checked = said(&audit(folder.path(), &[&other[..], &["check"]].concat()));
    assert!(checked.contains("were added, changed, moved or taken out"), "{checked}");
    audit(folder.path(), &[&other[..], &["import", "records.jws"]].concat());
    let checked = said(&audit(folder.path(), &[&other[..], &["check"]].concat()));
    assert!(!checked.contains("BUNDLE-END"), "{checked}");
}

#[test]
fn a_picture_that_cannot_be_read_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    let (mut pictures, _) = printed(1);
    let all = pictures.len();
    // A hand over the middle of a code: its corners are there.
    let (width, height) = pictures[2].dimensions();
    for x in width / 4..width * 3 / 4 {
        for y in height / 4..height * 3 / 4 {
            pictures[2].put_pixel(x, y, Luma([0]));
        }
    }
    let sheets = folder.path().join("sheets");
    photograph(&sheets, &pictures, &[]);
    pictures[0].save(sheets.join("double.png")).expect("saved");
    GrayImage::from_pixel(90, 90, Luma([255])).save(sheets.join("empty.png")).expect("saved");
    let damaged = audit(folder.path(), &["import", "--qr", "sheets"]);
    assert_eq!(damaged.status.code(), Some(1), "{}", said(&damaged));
    for text in [
        "sheets/02.png: a code in it cannot be read".into(),
        format!("{} of {all} records were photographed", all - 1),
        format!(
            "{} pictures, 1 of them with a code that cannot be read, 1 without a code, 1 with no code that was not read \
             before, 0 passed over: 1 bundles",
            all + 2
        ),
    ] {
        assert!(said(&damaged).contains(&text), "{text}: {}", said(&damaged));
    }

    // The record that says how many there are is the one that cannot be read.
    let end = folder.path().join("end");
    photograph(&end, &printed(1).0, &[all - 1]);
    pictures[2].save(end.join("end.png")).expect("saved");
    let endless = audit(folder.path(), &["--ledger", "endless.db", "import", "--qr", "end"]);
    assert_eq!(endless.status.code(), Some(1), "{}", said(&endless));
    assert!(said(&endless).contains("no signed end: lines may have been cut off"), "{}", said(&endless));

    // What a folder holds beside pictures is named; all that is a picture is read.
    let (pictures, _) = printed(1);
    photograph(&sheets, &pictures, &[]);
    fs::create_dir(sheets.join("d.png")).expect("made");
    std::os::unix::fs::symlink("nowhere", sheets.join("z.png")).expect("a link");
    let read = audit(folder.path(), &["import", "--qr", "sheets"]);
    assert_eq!(read.status.code(), Some(1), "{}", said(&read));
    assert!(said(&read).contains(&format!("{all} read · 1 stored")), "{}", said(&read));
    assert!(said(&read).contains("sheets/d.png: a folder with the name of a picture"), "{}", said(&read));
    assert!(said(&read).contains("sheets/z.png: No such file"), "{}", said(&read));
    // What the person named has to be there.
    let named = audit(folder.path(), &["import", "--qr", "nowhere.png"]);
    assert_eq!(named.status.code(), Some(5), "{}", said(&named));
}
