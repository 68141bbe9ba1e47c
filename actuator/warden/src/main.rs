//! See the library.

fn main() -> std::process::ExitCode {
    countersign_warden::cli::main()
}
