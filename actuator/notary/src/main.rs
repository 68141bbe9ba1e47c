//! See the library.

fn main() -> std::process::ExitCode {
    countersign_notary::cli::main()
}
