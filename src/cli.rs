//! The edge.

/// Parse, run, exit code.
pub fn main() -> std::process::ExitCode {
    std::process::ExitCode::SUCCESS
}
