//! Writes the report of two sample kits: `cargo run --features audit --example sample_report -- report.html`. The picture
//! in the README is of this file.

#[path = "../tests/support/audited.rs"]
#[allow(dead_code)]
mod audited;

use audited::{NOW, data_centre, ledger, office};
use breakglass::audit::report::{MOST_EMBEDDED, Report, page};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args_os().nth(1).ok_or("give the path of the file to write")?;
    let all = [data_centre("PAM cluster lost quorum, db1 disk full"), office(true)];
    let kits = all.iter().map(|one| one.assessment.clone()).collect();
    let report = Report::new(kits, Vec::new(), None, NOW);
    let enclosed = report.enclose(&mut ledger(&all), MOST_EMBEDDED)?;
    std::fs::write(path, page(&report, &enclosed).html)?;
    Ok(())
}
