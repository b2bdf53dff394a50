//! The targets of `fuzz/`, on inputs that are kept: what is usual, and what once broke something. `fuzz/run` looks for more.

#[path = "../../fuzz/src/targets/mod.rs"]
mod targets;

use std::{fs, path::Path};

#[test]
fn what_comes_from_outside_breaks_nothing() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds");
    for (name, target) in targets::ALL {
        let mut files: Vec<_> = fs::read_dir(folder.join(name)).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(!files.is_empty(), "{name} has no seeds");
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}
