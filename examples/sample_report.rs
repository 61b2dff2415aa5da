//! Writes the report of two sample kits: `cargo run --features audit --example sample_report -- report.html`. The picture
//! in doc/auditor.md is of this file.

#[path = "../tests/support/audited.rs"]
#[allow(dead_code)]
mod audited;

use audited::{data_centre, ledger, office, report};
use breakglass::audit::report::{MOST_EMBEDDED, page, text};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of the file to write")?;
    let all = [data_centre("PAM cluster lost quorum, db1 disk full"), office(true)];
    let mut ledger = ledger(&all);
    let report = report(&mut ledger, &all, None);
    let enclosed = report.enclose(&mut ledger, MOST_EMBEDDED)?;
    std::fs::write(&path, page(&report, &enclosed).html)?;
    std::fs::write(std::path::Path::new(&path).with_extension("txt"), text(&report))?;
    let words = all.iter().map(|kit| format!("{}: {}\n", kit.name, kit.words())).collect::<String>();
    std::fs::write(std::path::Path::new(&path).with_extension("words"), words)?;
    Ok(())
}
