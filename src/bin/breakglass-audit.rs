//! The auditor's program. What it does is in the library; here it only starts.

use std::process::ExitCode;

fn main() -> ExitCode {
    breakglass::cli::audit::main()
}
