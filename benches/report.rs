//! How long a browser takes to open a report and to verify it: 1,000 and 10,000 records in headless Chromium.
//!
//! `cargo bench --features audit --bench report`. From the navigation to the verdict, kit words typed; beside it, in the same
//! page and run, the floor: nothing but `crypto.subtle.verify` over the same signatures, keys imported and bytes decoded
//! before. A report hashes, parses, chains and compares beside that, and the browser lays out the page.

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/audited.rs"]
#[allow(dead_code)]
mod audited;
#[path = "../tests/support/browser.rs"]
#[allow(dead_code)]
mod browser;

use std::time::Instant;

use audited::{ledger, looked_at, report};
use breakglass::audit::report::{MOST_EMBEDDED, page};
use browser::Browser;

const RUNS: usize = 5;

/// Verifies every record and every assertion of the page, and nothing else; answers with milliseconds.
const FLOOR: &str = r#"
    const done = arguments[arguments.length - 1];
    const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (c) => c.charCodeAt(0));
    (async () => {
      const lines = document.getElementById("records").textContent.trim().split("\n");
      const pair = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
      const work = lines.map((line) => {
        const dot = line.lastIndexOf(".");
        return [bytes(line.slice(dot + 1)), new TextEncoder().encode(line.slice(0, dot))];
      });
      // An assertion is one more signature over 150 bytes or so.
      for (const line of lines) {
        if (atob(line.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")).includes("open.asserted")) work.push([work[0][0], new Uint8Array(164)]);
      }
      const begun = performance.now();
      await Promise.all(work.map(([signature, input]) => crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, pair.publicKey, signature, input)));
      done([performance.now() - begun, work.length]);
    })();
"#;

fn main() {
    println!("report --html in Chromium, median of {RUNS}: from opening the file to the verdict");
    println!(
        "{:>8} {:>9} {:>10} {:>10} {:>12} {:>10} {:>7}",
        "records", "file", "to write", "to open", "signatures", "floor", "ratio"
    );
    for records in [1_000, 10_000] {
        row(records);
    }
}

fn row(records: usize) {
    let all = [looked_at(records)];
    let mut ledger = ledger(&all);
    let begun = Instant::now();
    let told = report(&mut ledger, &all, None);
    let enclosed = told.enclose(&mut ledger, MOST_EMBEDDED).expect("records");
    let html = page(&told, &enclosed).html;
    let written = begun.elapsed().as_secs_f64();
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("report.html");
    std::fs::write(&path, &html).expect("written");
    let browser = Browser::start();
    let (mut opened, mut floors, mut signatures) = (Vec::new(), Vec::new(), 0);
    for _ in 0..RUNS {
        browser.open(&path);
        let through =
            browser.run("return Number(document.body.dataset.checked)").as_f64().expect("milliseconds");
        browser.types("#kit-0", &all[0].words());
        browser.clicks("#anchors button");
        let judged = loop {
            let state = browser.run("return document.getElementById('verdict').dataset.state");
            match state.as_str() {
                Some("verified") => break browser.run("return Number(document.body.dataset.judged)"),
                Some("wrong") => {
                    panic!("{}", browser.run("return document.getElementById('verdict').innerText"))
                }
                _ => std::thread::sleep(std::time::Duration::from_millis(10)),
            }
        };
        opened.push(through + judged.as_f64().expect("milliseconds"));
        let floor = browser.run_async(FLOOR);
        floors.push(floor[0].as_f64().expect("milliseconds"));
        signatures = floor[1].as_u64().expect("a number");
    }
    let (opened, floor) = (median(opened), median(floors));
    println!(
        "{:>8} {:>6.1} MB {:>8.2} s {:>8.2} s {:>12} {:>8.2} s {:>6.2}x",
        enclosed.records.len(),
        html.len() as f64 / 1e6,
        written,
        opened / 1e3,
        signatures,
        floor / 1e3,
        opened / floor
    );
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}
