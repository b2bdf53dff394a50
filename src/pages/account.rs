//! The account page: what its script is given, and what it says.
//!
//! The page is the reference front end of the account API. It knows nothing that is not in the API: the server draws a frame, and the
//! scripts in `html/account/` do the rest. They are one module in eight files of one purpose each.

mod texts;

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde_json::{Map, Value, json};

use self::texts::{Line, TEXTS};
use super::{Frame, Page, countries};
use crate::{app::App, domain::message::Locale};

const STYLE: &str = include_str!("html/account/style.css");
const SCRIPT: &str = concat!(
    include_str!("html/account/texts.js"),
    include_str!("html/account/session.js"),
    include_str!("html/account/api.js"),
    include_str!("html/account/dialog.js"),
    include_str!("html/account/proof.js"),
    include_str!("html/account/changes.js"),
    include_str!("html/account/sessions.js"),
    include_str!("html/account/page.js"),
);

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    title: &'static str,
    loading: &'static str,
    no_script: &'static str,
    /// JSON that may stand in markup.
    setup: String,
}

impl Page for Account {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The page, for a browser of these languages.
#[must_use]
pub fn answer(app: &App, locale: Locale, accepted: &str) -> HttpResponse {
    let mut frame = Frame::new(app, locale).with(STYLE, SCRIPT);
    frame.other_language = Some(format!("/account?language={}", frame.other_tag()));
    let texts: Map<String, Value> =
        TEXTS.iter().map(|line| (line.0.to_owned(), Value::from(text(line, locale)))).collect();
    let allowed = &app.config.sms.allowed_calling_codes;
    let countries = countries::served(allowed, locale).into_iter();
    let countries = countries.map(|one| json!([one.region, one.code, one.name(locale)])).collect::<Vec<_>>();
    let setup = json!({
        "root": app.urls.root, "locale": locale.tag(), "texts": texts,
        "countries": countries, "region": countries::first(allowed, accepted, locale),
    });
    let page = Account {
        title: named("title", locale),
        loading: named("loading", locale),
        no_script: named("no_script", locale),
        setup: setup.to_string().replace('<', "\\u003c"),
        frame,
    };
    page.answer(StatusCode::OK)
}

const fn text(line: &Line, locale: Locale) -> &'static str {
    match locale {
        Locale::En => line.1,
        Locale::Ja => line.2,
    }
}

fn named(name: &str, locale: Locale) -> &'static str {
    TEXTS.iter().find(|line| line.0 == name).map_or("", |line| text(line, locale))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{audit::kinds, domain::refusal::Code};

    fn names() -> BTreeSet<&'static str> {
        TEXTS.iter().map(|line| line.0).collect()
    }

    #[test]
    fn both_languages_have_the_same_placeholders_and_every_name_stands_once() {
        let placeholders = |text: &str| -> BTreeSet<String> {
            text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
        };
        for (name, en, ja) in TEXTS {
            assert_eq!(placeholders(en), placeholders(ja), "{name}");
            assert!(!en.is_empty() && !ja.is_empty(), "{name}");
        }
        assert_eq!(names().len(), TEXTS.len());
    }

    #[test]
    fn the_script_finds_every_text_it_asks_for() {
        let names = names();
        // Not the end of another name, such as `get('state')`.
        let calls = SCRIPT.match_indices("t('").filter(|(at, _)| {
            SCRIPT.get(..*at).is_some_and(|before| !before.ends_with(|last: char| last.is_ascii_alphanumeric()))
        });
        let quoted = calls.filter_map(|(at, _)| SCRIPT.get(at + 3..)?.split('\'').next());
        let notices = SCRIPT.split("notice('").skip(1).filter_map(|rest| rest.split('\'').next());
        let asked: BTreeSet<&str> = quoted.filter(|name| !name.is_empty()).chain(notices).collect();
        assert!(asked.len() > 30, "{asked:?}");
        let missing: Vec<_> = asked
            .iter()
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !names.contains(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn events_and_refusals_that_are_told_exist() {
        for name in names() {
            if let Some(kind) = name.strip_prefix("event.") {
                assert!(kinds::find(kind).is_some(), "{name}");
            } else if name.contains('.') && !name.starts_with("password_rejected.") {
                let code = name.strip_suffix(".wait").unwrap_or(name);
                assert!(Code::ALL.iter().any(|known| known.code() == code), "{name}");
            }
        }
    }
}
