//! `cargo bench -p countersign-integration --bench plan`: see `countersign_integration::bench::plan`.

fn main() -> anyhow::Result<()> {
    countersign_integration::bench::plan::main()
}
