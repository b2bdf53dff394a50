//! Placeholders in texts: finding them, filling them in, and making the HTML part.

use crate::domain::{
    inert::is_unseen,
    message::{Locale, Template},
    time::Timestamp,
};

/// The longest value that goes into a message, in characters.
const LONGEST_VALUE: usize = 64;

/// What a message is filled in with.
#[derive(Clone, Copy, Default)]
pub struct Values<'a> {
    /// `{code}`: the code; `None` in notices.
    pub code: Option<&'a str>,
    /// `{minutes}`: how long the code works, in minutes.
    pub minutes: u64,
    /// `{user}`: the user's name, for the operator's own texts. Never in a message to an address that is not the user's yet.
    pub user: Option<&'a str>,
    /// `{time}`: when the change of a notice was made.
    pub time: Option<Timestamp>,
    /// `{application}`: the name of the application somebody signs in to.
    pub application: Option<&'a str>,
    /// `{display}`: what the code agrees to, as [`super::statement::render`] made it.
    pub display: Option<&'a str>,
    /// `{link}`: the URL that signs in.
    pub link: Option<&'a str>,
}

/// The placeholders a template may use.
///
/// `BindNewIdentifier` has no `{user}`: it goes to an address that may be a stranger's, and the name is whatever the sender chose.
pub(super) const fn placeholders(template: Template) -> &'static [&'static str] {
    match template {
        Template::UserPermissionValidation | Template::BindMfa => &["code", "minutes", "product", "user"],
        Template::OperationConfirmation => &["code", "display", "minutes", "product", "user"],
        Template::BindNewIdentifier => &["code", "minutes", "product"],
        // Whether there is a user is not for the message to say.
        Template::SignIn => &["application", "code", "minutes", "product"],
        Template::SignInLink => &["application", "code", "link", "minutes", "product"],
        Template::PasswordChanged | Template::EmailChanged | Template::PhoneChanged => &["product", "time", "user"],
    }
}

/// A piece of a text.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// Goes into the message as it is.
    Plain(&'a str),
    /// A name in single braces, such as `code`, exactly as written (spaces too).
    Placeholder(&'a str),
}

/// Cuts a text into pieces. Only letters and `_` between braces make a placeholder, so that style sheets pass.
pub(super) fn pieces(text: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    let mut plain_from = text;
    while let Some(open) = rest.find('{') {
        let (_, inside) = rest.split_at(open + 1);
        let name = inside.split_once('}').map(|(name, _)| name).filter(|name| {
            let word = name.trim();
            !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b'_')
        });
        rest = inside;
        if let Some(name) = name {
            let plain = plain_from.len() - inside.len() - 1;
            pieces.push(Piece::Plain(plain_from.split_at(plain).0));
            pieces.push(Piece::Placeholder(name));
            rest = inside.split_at(name.len() + 1).1;
            plain_from = rest;
        }
    }
    pieces.push(Piece::Plain(plain_from));
    pieces
}

/// Fills a text in; `escape` is applied to each value, never to the text.
pub(super) fn fill(text: &str, product: &str, values: &Values<'_>, escape: impl Fn(&str) -> String) -> String {
    let mut filled = String::with_capacity(text.len() + 64);
    for piece in pieces(text) {
        match piece {
            Piece::Plain(plain) => filled.push_str(plain),
            Piece::Placeholder(name) => filled.push_str(&escape(&value(name, product, values))),
        }
    }
    filled
}

fn value(name: &str, product: &str, values: &Values<'_>) -> String {
    match name {
        "code" => clean(values.code.unwrap_or_default()),
        "minutes" => values.minutes.to_string(),
        "product" => product.to_owned(),
        "user" => clean(values.user.unwrap_or_default()),
        "time" => values.time.map(minute).unwrap_or_default(),
        "application" => clean(values.application.unwrap_or_default()),
        // Whole, too: it is inert and has a length of its own, and what is cut off would be signed unseen.
        "display" => seen(values.display.unwrap_or_default()),
        // Ours, and whole: a link that is cut off leads nowhere.
        "link" => values.link.unwrap_or_default().to_owned(),
        _ => String::new(),
    }
}

/// `2026-11-20 12:00 UTC`.
fn minute(moment: Timestamp) -> String {
    let iso = moment.to_iso();
    iso.get(..16).map(|text| format!("{} UTC", text.replace('T', " "))).unwrap_or(iso)
}

/// A value without what could break a line, hide, or turn the direction of the text round it; at most 64 characters.
pub(super) fn clean(value: &str) -> String {
    seen(value).trim().chars().take(LONGEST_VALUE).collect()
}

fn seen(value: &str) -> String {
    value.chars().filter(|letter| !is_unseen(*letter)).collect()
}

/// A value as HTML text or attribute.
pub(super) fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for letter in value.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The HTML part of a text part: paragraphs, the code large in one of its own, what it agrees to in bold, the link to be followed. No
/// colours of its own, so dark mode works.
pub(super) fn html_from(text: &str, values: &Values<'_>, locale: Locale) -> String {
    let paragraph = |paragraph: &str| {
        if Some(paragraph) == values.link {
            let link = escape(paragraph);
            format!("<p style=\"word-break:break-all\"><a href=\"{link}\">{link}</a></p>\n")
        } else if Some(paragraph) == values.code {
            let style = "font:600 28px/1.4 ui-monospace,Menlo,Consolas,monospace;letter-spacing:4px;margin:24px 0";
            format!("<p style=\"{style}\">{}</p>\n", escape(paragraph))
        } else if Some(paragraph) == values.display {
            format!("<p style=\"font-weight:600\">{}</p>\n", escape(paragraph))
        } else {
            format!("<p>{}</p>\n", escape(paragraph).replace('\n', "<br>\n"))
        }
    };
    let body: String = text.split("\n\n").map(str::trim).filter(|text| !text.is_empty()).map(paragraph).collect();
    format!(
        "<!doctype html>
<html lang=\"{lang}\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<meta name=\"color-scheme\" content=\"light dark\">
<style>:root {{ color-scheme: light dark }}</style>
</head>
<body style=\"font:16px/1.5 system-ui,-apple-system,'Segoe UI',sans-serif;margin:0 auto;max-width:560px;padding:24px\">
{body}</body>
</html>
",
        lang = locale.tag()
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_words_in_braces_are_placeholders() {
        let text = "a{code}b { x:1 } p{color:red} {} { user } {{code}} {";
        let names: Vec<_> = pieces(text)
            .into_iter()
            .filter_map(|piece| match piece {
                Piece::Placeholder(name) => Some(name),
                Piece::Plain(_) => None,
            })
            .collect();
        assert_eq!(names, ["code", " user ", "code"]);
    }

    #[test]
    fn values_lose_what_hides() {
        assert_eq!(clean(" A\r\nBcc: x\u{202E}y\u{200B}z\u{2069} \u{E0041}"), "ABcc: xyz");
        assert_eq!(clean(&"é".repeat(100)).chars().count(), 64);
    }

    #[test]
    fn times_are_told_to_the_minute() {
        assert_eq!(minute(Timestamp(1_763_640_000_007)), "2025-11-20 12:00 UTC");
    }

    proptest! {
        #[test]
        fn pieces_put_together_are_the_text(text in "[a{} \n:é]{0,40}") {
            let together: String = pieces(&text).into_iter().map(|piece| match piece {
                Piece::Plain(plain) => plain.to_owned(),
                Piece::Placeholder(name) => format!("{{{name}}}"),
            }).collect();
            prop_assert_eq!(together, text);
        }

        #[test]
        fn a_value_never_brings_its_own_placeholder_or_markup(user in ".{0,80}") {
            let values = Values { user: Some(&user), code: Some("123456"), ..Values::default() };
            let html = fill("<b>{user}</b>", "P", &values, escape);
            prop_assert_eq!(html.matches('<').count(), 2);
            prop_assert!(!html.chars().any(is_unseen));
        }
    }
}
