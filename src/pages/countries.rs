//! Countries a phone number may belong to, with their calling codes and their names. In the order of the English names.

mod table;

pub use self::table::ALL;
use crate::domain::message::Locale;

/// A country or territory.
#[derive(Clone, Copy, Debug)]
pub struct Country {
    /// ISO 3166-1, two letters.
    pub region: &'static str,
    /// Its calling code (ITU E.164).
    pub code: &'static str,
    en: &'static str,
    ja: &'static str,
}

impl Country {
    /// Its name.
    #[must_use]
    pub const fn name(&self, locale: Locale) -> &'static str {
        match locale {
            Locale::En => self.en,
            Locale::Ja => self.ja,
        }
    }
}

/// The country of that region; letter case does not matter.
#[must_use]
pub fn find(region: &str) -> Option<&'static Country> {
    ALL.iter().find(|country| country.region.eq_ignore_ascii_case(region))
}

/// Those that messages may go to by `sms.allowed_calling_codes`, in the order of their names.
#[must_use]
pub fn served(allowed: &[String], locale: Locale) -> Vec<&'static Country> {
    let is_served = |country: &&Country| {
        let fits = |code: &String| country.code.starts_with(code.as_str()) || code.starts_with(country.code);
        allowed.is_empty() || allowed.iter().any(fits)
    };
    let mut served: Vec<_> = ALL.iter().filter(is_served).collect();
    if locale != Locale::En {
        served.sort_by_key(|country| country.name(locale));
    }
    served
}

/// The region a browser seems to be in: of the first language with one (`en-GB`), else the one where the language is at home.
#[must_use]
pub fn guess(accept_language: &str, locale: Locale) -> &'static str {
    let tags = accept_language.split(',').filter_map(|tag| tag.split(';').next()).take(8);
    let regions = tags.filter_map(|tag| tag.trim().split('-').next_back());
    let found = regions.filter(|region| region.len() == 2).find_map(|region| {
        // `ja` alone is a language, though `JA` is no country; `de` would be both.
        accept_language.contains(&format!("-{region}")).then(|| find(region)).flatten()
    });
    match (found, locale) {
        (Some(country), _) => country.region,
        (None, Locale::Ja) => "JP",
        (None, Locale::En) => "US",
    }
}

/// The region to begin with: the browser's, if messages go there.
#[must_use]
pub fn first(allowed: &[String], accept_language: &str, locale: Locale) -> &'static str {
    let guessed = guess(accept_language, locale);
    let served = served(allowed, locale);
    let is_served = served.iter().any(|country| country.region == guessed);
    served.first().filter(|_| !is_served).map_or(guessed, |first| first.region)
}

/// Digits with the country code in front, from what people type: a whole number after `+` or `00`, or the one they dial at home in
/// `country`. `None` when there are no digits, or too many.
#[must_use]
pub fn digits(country: &Country, typed: &str) -> Option<String> {
    let typed = super::plain_digits(typed);
    let is_whole = typed.trim_start().starts_with('+');
    let digits: String = typed.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() || digits.len() > 17 || typed.chars().any(char::is_alphabetic) {
        return None;
    }
    if is_whole {
        return Some(digits);
    }
    if let Some(whole) = digits.strip_prefix("00") {
        return Some(whole.to_owned());
    }
    // What is dialled inside the country only; a zero is taken out where all numbers are made canonical.
    let national = match (country.code, digits.len()) {
        ("1", 11) => digits.strip_prefix('1'),
        ("7", 11) => digits.strip_prefix('8'),
        ("36", _) => digits.strip_prefix("06"),
        _ => None,
    };
    Some(format!("{}{}", country.code, national.unwrap_or(&digits)))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;
    use crate::domain::calling_codes;

    #[test]
    fn every_calling_code_is_one_of_a_country() {
        for country in ALL {
            let digits = format!("{}5550001111", country.code);
            assert!(calling_codes::is_of_a_country(&digits), "{country:?}");
            assert_eq!(calling_codes::of(&digits), Some(country.code), "{country:?}");
        }
    }

    #[rstest]
    #[case("JP", "090-1234-5678", Some("8109012345678"))]
    #[case("JP", "０９０ １２３４ ５６７８", Some("8109012345678"))]
    #[case("US", "(415) 555-2671", Some("14155552671"))]
    #[case("US", "1 415 555 2671", Some("14155552671"))]
    #[case("US", "+44 7911 123456", Some("447911123456"))]
    #[case("US", "＋44 7911 123456", Some("447911123456"))]
    #[case("GB", "0044 7911 123456", Some("447911123456"))]
    #[case("RU", "8 912 345-67-89", Some("79123456789"))]
    #[case("HU", "06 20 123 4567", Some("36201234567"))]
    #[case("GB", "call me", None)]
    #[case("GB", "", None)]
    #[case("GB", "123456789012345678", None)]
    fn numbers_as_people_type_them(#[case] region: &str, #[case] typed: &str, #[case] expected: Option<&str>) {
        assert_eq!(digits(find(region).unwrap(), typed).as_deref(), expected);
    }

    #[rstest]
    #[case("en-GB,en;q=0.9", Locale::En, "GB")]
    #[case("ja", Locale::Ja, "JP")]
    #[case("de,en-US;q=0.7", Locale::En, "US")]
    #[case("", Locale::En, "US")]
    #[case("zh-Hant-TW, en", Locale::En, "TW")]
    #[case("de, fr", Locale::En, "US")]
    fn regions_of_browsers(#[case] accepted: &str, #[case] locale: Locale, #[case] expected: &str) {
        assert_eq!(guess(accepted, locale), expected);
    }

    #[test]
    fn only_countries_that_are_served_are_offered() {
        let of = |codes: &[&str]| -> Vec<&str> {
            let allowed: Vec<String> = codes.iter().map(|code| (*code).to_owned()).collect();
            served(&allowed, Locale::Ja).into_iter().map(|country| country.region).collect()
        };
        assert_eq!(of(&["81", "4474"]), ["GB", "GG", "JE", "IM", "JP"], "in the order of their Japanese names");
        assert_eq!(of(&[]).len(), ALL.len());
    }
}
