//! One program for all targets: `FUZZ_TARGET` names the one to run. `./run` builds and runs it.
#![no_main]

mod targets;

use std::sync::LazyLock;

static TARGET: LazyLock<targets::Target> = LazyLock::new(|| {
    let wanted = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = targets::ALL.iter().find(|(name, _)| *name == wanted);
    let names: Vec<&str> = targets::ALL.iter().map(|(name, _)| *name).collect();
    found.map(|(_, target)| *target).unwrap_or_else(|| panic!("set FUZZ_TARGET to one of {}", names.join(", ")))
});

libfuzzer_sys::fuzz_target!(|data: &[u8]| (*TARGET)(data));
