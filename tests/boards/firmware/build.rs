//! The memory of the board that a target stands for, for the linker script of cortex-m-rt.

use std::path::PathBuf;
use std::{env, fs};

/// A board that qemu has: its target, its name, its flash and RAM in KiB, and for how many
/// connections at once it has room here.
struct Board(&'static str, &'static str, u32, u32, u32);

const BOARDS: [Board; 3] = [
    Board("thumbv7m-none-eabi", "lm3s6965evb", 256, 64, 8),
    Board("thumbv7em-none-eabi", "mps2-an386", 4096, 4096, 16),
    Board("thumbv6m-none-eabi", "microbit", 256, 16, 2),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let target = env::var("TARGET").unwrap();
    let board = BOARDS.iter().find(|board| board.0 == target);
    let Board(_, name, flash, ram, connections) =
        board.unwrap_or_else(|| panic!("there is no board for {target}"));
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let script = format!(
        "MEMORY\n{{\n  FLASH : ORIGIN = 0x00000000, LENGTH = {flash}K\n  \
         RAM : ORIGIN = 0x20000000, LENGTH = {ram}K\n}}\n"
    );
    fs::write(out.join("memory.x"), script).unwrap();
    println!("cargo::rustc-env=BOARD={name}");
    fs::write(
        out.join("board.rs"),
        format!("/// Connections at once.\npub(crate) const CONNECTIONS: usize = {connections};\n"),
    )
    .unwrap();
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
