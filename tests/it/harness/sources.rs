//! The code itself, for tests that read it.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file of Rust in a folder of the repository, and below.
pub fn sources(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    add(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut found);
    found
}

fn add(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add(&path, found);
        } else if path.extension().is_some_and(|kind| kind == "rs") {
            found.push(path);
        }
    }
}
