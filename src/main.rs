//! The air-gapped binary: parse, run, exit code.

/// Freed memory is wiped, ours and that of the libraries: some of their buffers have held a secret.
#[global_allocator]
static WIPED: zeroizing_alloc::ZeroAlloc<std::alloc::System> = zeroizing_alloc::ZeroAlloc(std::alloc::System);

fn main() -> std::process::ExitCode {
    breakglass::cli::main()
}
