//! The bundled list of common passwords (contract D20): works offline, always on. Source and licence: `NOTICE`.

use std::sync::LazyLock;

/// Sorted by bytes, one a line, no doubles.
static LIST: LazyLock<Vec<&'static str>> = LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// Whether `password` is on the list, letter case and all, as a list of leaked passwords would have it.
#[must_use]
pub fn is_common(password: &str) -> bool {
    LIST.binary_search(&password).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case("123456", true)]
    #[case("password", true)]
    #[case("qwertyuiop", true)]
    #[case("Password", false)]
    #[case("", false)]
    #[case("correct horse battery staple", false)]
    fn the_list_knows(#[case] password: &str, #[case] common: bool) {
        assert_eq!(is_common(password), common);
    }

    #[test]
    fn the_list_is_sorted_and_without_doubles() {
        assert!(LIST.len() >= 10_000);
        assert!(LIST.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(LIST.iter().all(|word| word.len() >= 4));
    }
}
