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

use image::{GrayImage, Luma};
use practice::{PIN, PracticeKit};

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
