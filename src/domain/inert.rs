//! Characters that are not seen, or that change how others are seen.

/// Control characters, and those that are invisible, without width, or turn the direction of the text round them: Unicode's default
/// ignorable ones but variation selectors, separators of lines and paragraphs, and tags.
#[must_use]
pub fn is_unseen(letter: char) -> bool {
    letter.is_control()
        || matches!(letter,
            '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}' | '\u{1160}' | '\u{17B4}' | '\u{17B5}' | '\u{180B}'..='\u{180F}'
            | '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{2800}' | '\u{3164}' | '\u{FEFF}'
            | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}'
            | '\u{E0000}'..='\u{E00FF}' | '\u{E01F0}'..='\u{E0FFF}')
}

/// Whether something in the text is not seen as it stands: an unseen character, a selector of variants with nothing to select, or so
/// many accents on a letter that they cover its neighbours.
#[must_use]
pub fn hides(text: &str) -> bool {
    // The letter before, and how many accents it has so far. A text may not begin with one: it would change what stands before it.
    let mut before = None;
    let mut marks = 0;
    for letter in text.chars() {
        marks = if is_mark(letter) { marks + 1 } else { 0 };
        let selects_nothing = is_selector(letter) && !before.is_some_and(|base: char| has_variants(base));
        if is_unseen(letter) || selects_nothing || marks > 3 || (marks > 0 && before.is_none()) {
            return true;
        }
        before = Some(letter);
    }
    false
}

/// Accents that combine with any letter. Those of one script only are part of its spelling.
fn is_mark(letter: char) -> bool {
    matches!(letter, '\u{300}'..='\u{36F}' | '\u{483}'..='\u{489}' | '\u{1AB0}'..='\u{1AFF}' | '\u{1DC0}'..='\u{1DFF}'
        | '\u{20D0}'..='\u{20FF}' | '\u{FE20}'..='\u{FE2F}')
}

fn is_selector(letter: char) -> bool {
    matches!(letter, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Ideographs and pictures have variants: names in Japan are written with them.
fn has_variants(letter: char) -> bool {
    !letter.is_ascii() && !letter.is_whitespace() && !is_selector(letter) && !is_mark(letter)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("ACME GmbH & Söhne", false)]
    #[case("渡邉\u{E0101}商店", false)]
    #[case("❤\u{FE0F}", false)]
    #[case("Nguye\u{302}\u{303}n", false)]
    #[case("שלום مرحبا", false)]
    #[case("a\nb", true)]
    #[case("a\u{85}b", true)]
    #[case("a\u{2028}b", true)]
    #[case("a\u{202E}b", true)]
    #[case("a\u{2067}b", true)]
    #[case("a\u{200B}b", true)]
    #[case("a\u{E0041}b", true)]
    #[case("a\u{FE0F}b", true)]
    #[case("渡\u{E0101}\u{E0101}", true)]
    #[case("\u{338}1", true)]
    #[case("e\u{301}\u{301}\u{301}\u{301}", true)]
    fn texts(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(hides(text), expected);
    }
}
