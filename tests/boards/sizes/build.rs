//! The memory of the board: mps2-an386.

use std::path::PathBuf;
use std::{env, fs};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed=CONNECTIONS");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap());
    let script = "MEMORY\n{\n  FLASH : ORIGIN = 0x00000000, LENGTH = 4096K\n  \
                  RAM : ORIGIN = 0x20000000, LENGTH = 4096K\n}\n";
    fs::write(out.join("memory.x"), script).unwrap();
    let connections = env::var("CONNECTIONS").unwrap_or_else(|_| "4".to_owned());
    let connections: usize = connections.parse().unwrap();
    fs::write(
        out.join("connections.rs"),
        format!("/// Connections at once.\npub const CONNECTIONS: usize = {connections};\n"),
    )
    .unwrap();
    println!("cargo::rustc-link-search={}", out.display());
    println!("cargo::rustc-link-arg-bins=-Tlink.x");
    println!("cargo::rustc-link-arg-bins=--nmagic");
}
