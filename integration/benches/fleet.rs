//! `cargo bench -p countersign-integration --bench fleet`: see `countersign_integration::bench`.

fn main() -> anyhow::Result<()> {
    countersign_integration::bench::main(env!("CARGO_BIN_EXE_embedded-fleet").as_ref())
}
