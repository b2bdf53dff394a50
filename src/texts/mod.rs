//! What messages say, in every language, and the operator's own words in their place.
//!
//! A language is one file here: the compiler asks for every template in it. The HTML part is made from the text part unless the
//! operator gives one, so that the two never disagree.

mod en;
mod fill;
mod ja;
mod locale;
mod overrides;
pub mod statement;

use std::collections::HashMap;

pub use fill::Values;
pub use locale::{negotiate, ui_locales};

use crate::{
    config::messages::MessagesConfig,
    domain::message::{Kind, Locale, Rendered, Template},
};

/// A message's words in one language, with placeholders such as `{code}`.
#[derive(Clone, Copy)]
struct Words {
    /// One line.
    subject: &'static str,
    /// The text part of an e-mail.
    text: &'static str,
    /// The whole of a text message.
    sms: &'static str,
}

/// How numbers are written in a language.
#[derive(Clone, Copy)]
struct Separators {
    /// Between groups of three digits.
    group: &'static str,
    /// Before the decimals.
    decimal: &'static str,
}

/// One piece of a message, as a file of the operator's may replace it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Part {
    Subject,
    Text,
    Html,
    Sms,
}

/// Every text, ready to be filled in.
pub struct Templates {
    product: String,
    otp_host: Option<String>,
    overrides: HashMap<(Locale, Template, Part), String>,
}

impl Templates {
    /// The built-in texts.
    #[must_use]
    pub fn built_in(product: &str, otp_host: Option<&str>) -> Self {
        Self { product: fill::clean(product), otp_host: otp_host.map(str::to_owned), overrides: HashMap::new() }
    }

    /// The built-in texts and over them the operator's; `otp_host` is that of `[sms]`.
    ///
    /// # Errors
    /// Every problem of the section and its files, one sentence each, with the file, what is wrong and what to write.
    pub fn load(config: &MessagesConfig, otp_host: Option<&str>) -> Result<Self, Vec<String>> {
        let mut problems = config.problems();
        let mut templates = Self::built_in(&config.product, otp_host);
        if let Some(folder) = &config.templates_dir {
            match overrides::load(folder) {
                Ok(files) => templates.overrides = files,
                Err(more) => problems.extend(more),
            }
        }
        if problems.is_empty() { Ok(templates) } else { Err(problems) }
    }

    fn own(&self, locale: Locale, template: Template, part: Part) -> Option<&str> {
        self.overrides.get(&(locale, template, part)).map(String::as_str)
    }
}

const fn built_in(locale: Locale, template: Template) -> Words {
    match locale {
        Locale::En => en::words(template),
        Locale::Ja => ja::words(template),
    }
}

const fn separators(locale: Locale) -> Separators {
    match locale {
        Locale::En => en::SEPARATORS,
        Locale::Ja => ja::SEPARATORS,
    }
}

/// The words of one message.
///
/// A text message with a code ends with the line `@host #code` when a host is configured, which lets browsers fill it in.
#[must_use]
pub fn render(templates: &Templates, template: Template, kind: Kind, locale: Locale, values: &Values<'_>) -> Rendered {
    let words = built_in(locale, template);
    let fill_in = |part, built_in: &str| {
        fill::fill(templates.own(locale, template, part).unwrap_or(built_in), &templates.product, values, str::to_owned)
    };
    match kind {
        Kind::Email => {
            let text = fill_in(Part::Text, words.text);
            let html = templates.own(locale, template, Part::Html).map_or_else(
                || fill::html_from(&text, values, locale),
                |own| fill::fill(own, &templates.product, values, fill::escape),
            );
            Rendered { subject: Some(fill_in(Part::Subject, words.subject)), text, html: Some(html) }
        }
        Kind::Sms => {
            let mut text = fill_in(Part::Sms, words.sms);
            if let (Some(host), Some(code)) = (&templates.otp_host, values.code) {
                text = format!("{text}\n\n@{host} #{code}");
            }
            Rendered { subject: None, text, html: None }
        }
    }
}

#[cfg(test)]
mod tests;
