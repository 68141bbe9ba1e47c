//! See the library.

fn main() -> std::process::ExitCode {
    countersign_actuator::cli::main()
}
