//! The auditor's program. What it does is in the library; here it only starts.

use std::process::ExitCode;

/// One that threads do not wait for each other in.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    breakglass::cli::audit::main()
}
