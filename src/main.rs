//! The air-gapped binary: parse, run, exit code.

fn main() -> std::process::ExitCode {
    breakglass::cli::main()
}
