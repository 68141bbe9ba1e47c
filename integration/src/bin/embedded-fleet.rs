//! The embedded fleet in a process of its own: see `--help`.

fn main() -> anyhow::Result<()> {
    countersign_integration::embedded::command::main()
}
