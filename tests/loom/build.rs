//! Chooses loom's words in the sources of the statistics (core/src/stats/register.rs).

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(barewire_loom)");
    println!("cargo::rustc-cfg=barewire_loom");
}
