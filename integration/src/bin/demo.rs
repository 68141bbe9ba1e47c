//! `cargo demo`: the main job on a fake fleet, without root and without a network.

fn main() -> std::process::ExitCode {
    countersign_integration::demo::main()
}
