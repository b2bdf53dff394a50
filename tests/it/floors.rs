//! Folders are floors: a module imports only modules above it in the list of `src/lib.rs`. And: what guards a gate has no way round.

use std::{collections::BTreeSet, fs, path::Path};

use crate::harness::sources;

/// The text without its tests and comments.
fn code(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
    text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

/// Modules of the crate that a text names after `crate::`, alone or in a group.
fn imports(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (at, _) in text.match_indices("crate::") {
        let rest = &text[at + "crate::".len()..];
        let name = |text: &str| text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
        if !rest.starts_with('{') {
            names.insert(name(rest));
            continue;
        }
        let (mut depth, mut starts) = (0, true);
        for (index, letter) in rest.char_indices() {
            match letter {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' if depth == 1 => starts = true,
                _ if letter.is_whitespace() => {}
                _ if depth == 1 && starts => {
                    names.insert(name(&rest[index..]));
                    starts = false;
                }
                _ => {}
            }
            if depth == 0 {
                break;
            }
        }
    }
    names
}

#[test]
fn imports_are_found_alone_and_in_groups() {
    let text = "use crate::a::b; use crate::{c::{d, e}, f,\n g::h}; x(crate::i::j())";
    assert_eq!(imports(text).into_iter().collect::<Vec<_>>(), ["a", "c", "f", "g", "i"]);
}

#[test]
fn modules_import_only_floors_below() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let list = fs::read_to_string(root.join("lib.rs")).unwrap();
    let floors: Vec<&str> = list.lines().filter_map(|line| line.strip_prefix("pub mod ")?.strip_suffix(';')).collect();
    let floor = |name: &str| floors.iter().position(|floor| *floor == name);
    let mut wrong = Vec::new();
    for path in sources("src").iter().filter(|path| !path.ends_with("main.rs") && !path.ends_with("lib.rs")) {
        let relative = path.strip_prefix(&root).unwrap();
        if relative.to_string_lossy().ends_with("tests.rs") {
            continue;
        }
        let own = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let own_floor = floor(own).unwrap_or_else(|| panic!("{own} is not in lib.rs"));
        for name in imports(&code(path)) {
            // Macros of the crate have no floor.
            let Some(other) = floor(&name) else { continue };
            if other > own_floor {
                wrong.push(format!("{} imports {name}", relative.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "a module reaches up: {wrong:#?}");
}

#[test]
fn operations_that_need_a_verification_get_their_transaction_from_the_gate() {
    // The two that change what needs no verification.
    let free = ["account.rs", "profile.rs"];
    for path in sources("src/operations").iter().filter(|path| !free.iter().any(|free| path.ends_with(free))) {
        assert!(!code(path).contains("db.write("), "{} opens a transaction beside the gate", path.display());
    }
}

#[test]
fn files_stay_small() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let long: Vec<_> = sources("src")
        .iter()
        .chain(&sources("tests"))
        .map(|path| (path.strip_prefix(root).unwrap().to_owned(), fs::read_to_string(path).unwrap().lines().count()))
        .filter(|(_, lines)| *lines > 450)
        .collect();
    assert!(long.is_empty(), "what is hiding in {long:?}?");
}
