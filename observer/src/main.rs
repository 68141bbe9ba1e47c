//! See the library.

fn main() -> std::process::ExitCode {
    countersign_observer::cli::main()
}
