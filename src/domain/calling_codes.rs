//! The country calling codes of ITU E.164, and where a zero is dialled inside the country only.
//!
//! A table instead of a phone number library: it is all that is needed, and the library's data took a third of a second to
//! load on first use. A test holds the table against that library.

/// Countries whose trunk prefix is a zero that is not part of the number: `+44 (0)20 …` is `+44 20 …`.
const WITH_TRUNK_ZERO: &[u16] = &[
    20, 27, 31, 32, 33, 40, 41, 43, 44, 46, 49, 51, 53, 54, 55, 57, 58, 60, 61, 62, 63, 64, 66, 81, 82, 84, 86, 90, 91,
    92, 93, 94, 95, 98, 211, 212, 213, 218, 231, 232, 233, 234, 243, 249, 250, 251, 252, 254, 255, 256, 260, 261, 262,
    263, 264, 265, 291, 353, 355, 358, 359, 370, 373, 374, 377, 380, 381, 382, 383, 385, 386, 387, 389, 421, 423, 508,
    590, 591, 593, 594, 595, 596, 598, 686, 850, 855, 856, 880, 886, 961, 962, 963, 964, 966, 967, 970, 971, 972, 976,
    977, 994, 995, 996,
];

/// All others: a leading zero, where there is one, belongs to the number (Italy, Côte d'Ivoire).
const WITHOUT_TRUNK_ZERO: &[u16] = &[
    1, 7, 30, 34, 36, 39, 45, 47, 48, 52, 56, 65, 216, 220, 221, 222, 223, 224, 225, 226, 227, 228, 229, 230, 235, 236,
    237, 238, 239, 240, 241, 242, 244, 245, 246, 247, 248, 253, 257, 258, 266, 267, 268, 269, 290, 297, 298, 299, 350,
    351, 352, 354, 356, 357, 371, 372, 375, 376, 378, 420, 500, 501, 502, 503, 504, 505, 506, 507, 509, 592, 597, 599,
    670, 672, 673, 674, 675, 676, 677, 678, 679, 680, 681, 682, 683, 685, 687, 688, 689, 690, 691, 692, 800, 808, 852,
    853, 870, 878, 881, 882, 883, 888, 960, 965, 968, 973, 974, 975, 979, 992, 993, 998,
];

/// Country code and national number without trunk zero; `None` when no country has the code.
///
/// Codes are prefix-free, so the first that exists is the one.
pub(super) fn split(digits: &str) -> Option<(&str, &str)> {
    (1..=3).find_map(|length| {
        let (code, national) = digits.split_at_checked(length)?;
        let number = code.parse().ok()?;
        if code.starts_with('0') {
            None
        } else if WITH_TRUNK_ZERO.contains(&number) {
            Some((code, national.trim_start_matches('0')))
        } else {
            WITHOUT_TRUNK_ZERO.contains(&number).then_some((code, national))
        }
    })
}

/// Codes that are no country's: freephone, shared cost, satellites, networks without a place, premium rate. Few people can be texted
/// there, and whoever lives on the price of messages can.
const NO_COUNTRY: &[&str] = &["800", "808", "870", "878", "881", "882", "883", "888", "979"];

/// The calling code of a number in E.164 digits.
#[must_use]
pub fn of(digits: &str) -> Option<&str> {
    split(digits).map(|(code, _)| code)
}

/// Whether a number's (E.164 digits) calling code is that of a country.
#[must_use]
pub fn is_of_a_country(digits: &str) -> bool {
    of(digits).is_some_and(|code| !NO_COUNTRY.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_their_country_or_none() {
        assert_eq!((of("447911123456"), of("15550001111"), of("0123456")), (Some("44"), Some("1"), None));
        assert!(is_of_a_country("818012345678") && is_of_a_country("35812345678"));
        for digits in ["97912345678", "881612345678", "80012345678", "01234567", "2101234567", ""] {
            assert!(!is_of_a_country(digits), "{digits}");
        }
        for code in NO_COUNTRY {
            assert_eq!(of(&format!("{code}1234567")), Some(*code));
        }
    }
    use phonenumber::metadata::DATABASE;

    #[test]
    fn the_table_agrees_with_the_library() {
        for code in 1..=999_u16 {
            let has_trunk_zero = DATABASE
                .by_code(&code)
                .map(|regions| regions.iter().any(|region| region.national_prefix() == Some("0")));
            assert_eq!(WITH_TRUNK_ZERO.contains(&code), has_trunk_zero == Some(true), "{code}");
            assert_eq!(WITHOUT_TRUNK_ZERO.contains(&code), has_trunk_zero == Some(false), "{code}");
        }
    }
}
