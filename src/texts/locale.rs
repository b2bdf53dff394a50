//! Which language a message is in (contract 6.3).

use crate::domain::message::Locale;

/// The longest text looked at, in bytes: what comes after is ignored.
const LONGEST: usize = 1024;
/// The most languages looked at in one list.
const MOST: usize = 32;

/// The language of a message: the first that is written here of, in order, the languages of the page (`uiLocales`, separated by
/// spaces), then, if `auto_detect`, `?locale=` and `Accept-Language` by its weights, then `fallback`; else English.
///
/// A language counts when it or its base is written here: `ja-JP` is Japanese.
#[must_use]
pub fn negotiate(
    ui_locales: Option<&str>,
    auto_detect: bool,
    locale_query: Option<&str>,
    accept_language: Option<&str>,
    fallback: &str,
) -> Locale {
    let asked = ui_locales.map(bounded).unwrap_or_default();
    let (query, accepted) = if auto_detect {
        (locale_query.map(bounded).unwrap_or_default(), accept_language.map(bounded).unwrap_or_default())
    } else {
        ("", "")
    };
    asked
        .split_ascii_whitespace()
        .chain(query.split_ascii_whitespace())
        .take(MOST)
        .chain(by_weight(accepted))
        .chain([fallback])
        .find_map(Locale::parse)
        .unwrap_or(Locale::En)
}

/// The field `uiLocales` of the `_logto` cookie's value: JSON, percent-encoded or not. `None` when it cannot be read.
#[must_use]
pub fn ui_locales(cookie: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Cookie {
        #[serde(rename = "uiLocales")]
        ui_locales: Option<String>,
    }
    if cookie.len() > 4 * LONGEST {
        return None;
    }
    let decoded = percent_encoding::percent_decode_str(cookie).decode_utf8().ok()?;
    let cookie: Cookie = serde_json::from_str(cookie).or_else(|_| serde_json::from_str(&decoded)).ok()?;
    let languages = cookie.ui_locales?;
    let languages = bounded(&languages).trim();
    (!languages.is_empty()).then(|| languages.to_owned())
}

/// Languages of an `Accept-Language` header (RFC 9110, 12.5.4), best first; equal weights keep their order.
fn by_weight(header: &str) -> Vec<&str> {
    let mut languages: Vec<(&str, u16)> = header
        .split(',')
        .take(MOST)
        .filter_map(|item| {
            let (tag, parameters) = item.split_once(';').unwrap_or((item, ""));
            let weight = weight(parameters)?;
            (weight > 0).then_some((tag.trim(), weight))
        })
        .collect();
    languages.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
    languages.into_iter().map(|(tag, _)| tag).collect()
}

/// Thousandths of `q=`; 1000 without one, `None` when it is no weight.
fn weight(parameters: &str) -> Option<u16> {
    let parameters = parameters.trim();
    if parameters.is_empty() {
        return Some(1000);
    }
    let (name, value) = parameters.split_once('=')?;
    let value: f32 = value.trim().parse().ok().filter(|value| (0.0..=1.0).contains(value))?;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
    name.trim().eq_ignore_ascii_case("q").then_some((value * 1000.0).round() as u16)
}

fn bounded(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(None, true, None, None, "en", Locale::En)]
    #[case(None, true, None, None, "ja", Locale::Ja)]
    #[case(None, true, None, None, "fr", Locale::En)]
    #[case(Some("fr ja en"), true, Some("en"), Some("en"), "en", Locale::Ja)]
    #[case(Some("ja-JP"), false, None, None, "en", Locale::Ja)]
    #[case(Some("fr de"), true, Some("ja"), Some("en"), "en", Locale::Ja)]
    #[case(None, true, Some("JA_jp"), Some("en"), "en", Locale::Ja)]
    #[case(None, false, Some("ja"), Some("ja"), "en", Locale::En)]
    #[case(None, true, None, Some("fr, en;q=0.3 , ja ; q = 0.9"), "en", Locale::Ja)]
    #[case(None, true, None, Some("ja;q=0, en;q=0.1"), "ja", Locale::En)]
    #[case(None, true, None, Some("en;q=0.8,ja;q=0.8"), "ja", Locale::En)]
    #[case(None, true, None, Some("*"), "ja", Locale::Ja)]
    #[case(None, true, None, Some("en;q=2, ja;q=0.1"), "en", Locale::Ja)]
    #[case(None, true, None, Some(";;,=,q"), "ja", Locale::Ja)]
    fn languages(
        #[case] ui: Option<&str>,
        #[case] auto: bool,
        #[case] query: Option<&str>,
        #[case] accept: Option<&str>,
        #[case] fallback: &str,
        #[case] expected: Locale,
    ) {
        assert_eq!(negotiate(ui, auto, query, accept, fallback), expected);
    }

    #[test]
    fn long_lists_are_cut_off() {
        let long = format!("{} ja", "fr ".repeat(1000));
        assert_eq!(negotiate(Some(&long), true, None, Some(&long), "en"), Locale::En);
    }

    #[rstest]
    #[case(r#"{"uiLocales":"ja en"}"#, Some("ja en"))]
    #[case("%7B%22uiLocales%22%3A%22ja%20en%22%2C%22appId%22%3A%22x%22%7D", Some("ja en"))]
    #[case(r#"{"uiLocales":""}"#, None)]
    #[case(r#"{"uiLocales":7}"#, None)]
    #[case("{}", None)]
    #[case("nonsense", None)]
    fn cookies(#[case] cookie: &str, #[case] expected: Option<&str>) {
        assert_eq!(ui_locales(cookie).as_deref(), expected);
    }

    proptest! {
        #[test]
        fn nothing_from_outside_breaks_it(a in ".{0,60}", b in ".{0,60}", c in ".{0,60}") {
            let _ = (negotiate(Some(&a), true, Some(&b), Some(&c), "ja"), ui_locales(&a));
        }
    }
}
