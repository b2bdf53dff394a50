//! What an operator has the user told of a payload, in every language. How it is filled in is in `texts/statement.rs`.

use std::collections::{BTreeMap, BTreeSet};

use super::{inert, message::Locale};

/// The most characters of a template.
pub const MAX_TEMPLATE: usize = 200;

/// A piece of a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Shown as it is.
    Plain(String),
    /// The member of the payload that these names lead to, from the outside in.
    Member(Vec<String>),
}

/// A sentence with placeholders, in one language: `Pay {amount} {currency} to {payee.name}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageTemplate {
    pieces: Vec<Piece>,
}

impl MessageTemplate {
    /// Reads a template. A placeholder is a member's name, or names with dots between; names are of ASCII letters, digits, `_` and `-`.
    ///
    /// # Errors
    /// What is wrong and what to write, as the end of a sentence that begins with the key.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.trim().is_empty() {
            return Err("the text is empty: write what the user agrees to".to_owned());
        }
        if text.chars().count() > MAX_TEMPLATE {
            return Err(format!("the text has over {MAX_TEMPLATE} characters: make it shorter"));
        }
        if inert::hides(text) {
            return Err(
                "the text has line breaks, other control characters or invisible ones: take them away".to_owned()
            );
        }
        let mut pieces = Vec::new();
        let mut rest = text;
        while let Some((plain, inside)) = rest.split_once('{') {
            push_plain(&mut pieces, plain)?;
            let (name, after) = inside
                .split_once('}')
                .ok_or_else(|| format!("the brace before {inside:?} is never closed: write a member as {{name}}"))?;
            pieces.push(Piece::Member(names(name)?));
            rest = after;
        }
        push_plain(&mut pieces, rest)?;
        Ok(Self { pieces })
    }

    /// Its pieces, in order.
    #[must_use]
    pub fn pieces(&self) -> &[Piece] {
        &self.pieces
    }

    /// The members it shows.
    #[must_use]
    pub fn members(&self) -> BTreeSet<&[String]> {
        let mut members = BTreeSet::new();
        for piece in &self.pieces {
            if let Piece::Member(names) = piece {
                members.insert(names.as_slice());
            }
        }
        members
    }
}

fn push_plain(pieces: &mut Vec<Piece>, text: &str) -> Result<(), String> {
    if text.contains('}') {
        return Err("a closing brace has no opening one: write a member as {name}, and no other braces".to_owned());
    }
    if !text.is_empty() {
        pieces.push(Piece::Plain(text.to_owned()));
    }
    Ok(())
}

fn names(placeholder: &str) -> Result<Vec<String>, String> {
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
    };
    if placeholder.split('.').all(is_name) {
        return Ok(placeholder.split('.').map(str::to_owned).collect());
    }
    Err(format!(
        "{{{placeholder}}} names no member: write {{name}} or {{outer.inner}}, of letters, digits, _ and -, without spaces"
    ))
}

/// What is shown of a payload: a template for each language, and which members are money.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    templates: BTreeMap<Locale, MessageTemplate>,
    money: BTreeMap<String, String>,
}

impl Statement {
    /// Templates by language (`en` must be among them, and all show the same members), and the names of members that are amounts with
    /// the names of their currencies beside them; `None` is `amount` with `currency`.
    ///
    /// # Errors
    /// Every problem, one sentence each, beginning with the key under that of the operation.
    pub fn new(
        messages: &BTreeMap<String, String>,
        money: Option<&BTreeMap<String, String>>,
    ) -> Result<Self, Vec<String>> {
        let mut problems = Vec::new();
        let mut templates = BTreeMap::new();
        for (tag, text) in messages {
            let locale = Locale::ALL.iter().find(|locale| locale.tag() == tag);
            match (locale, MessageTemplate::parse(text)) {
                (Some(locale), Ok(template)) => {
                    templates.insert(*locale, template);
                }
                (Some(_), Err(problem)) => problems.push(format!("message.{tag}: {problem}")),
                (None, _) => {
                    let tags: Vec<_> = Locale::ALL.iter().map(|locale| locale.tag()).collect();
                    problems.push(format!("message.{tag}: this language is not known: write {}", tags.join(" or ")));
                }
            }
        }
        if !messages.contains_key(Locale::En.tag()) {
            problems
                .push("message.en: the text in English is missing: every other language falls back on it".to_owned());
        }
        if let Some(english) = templates.get(&Locale::En).map(MessageTemplate::members) {
            for (locale, members) in templates.iter().map(|(locale, template)| (locale, template.members())) {
                let differing = english.symmetric_difference(&members);
                let differing: Vec<_> = differing.map(|names| format!("{{{}}}", names.join("."))).collect();
                if !differing.is_empty() {
                    problems.push(format!(
                        "message.{}: {} stands either here or in message.en only: every language shows the same members",
                        locale.tag(),
                        differing.join(", ")
                    ));
                }
            }
        }
        let usual = || BTreeMap::from([("amount".to_owned(), "currency".to_owned())]);
        let money = money.cloned().unwrap_or_else(usual);
        for (amount, currency) in &money {
            if money.contains_key(currency) {
                problems.push(format!(
                    "money.{amount}: {currency} is an amount itself: name the member that has its currency"
                ));
            }
        }
        if problems.is_empty() { Ok(Self { templates, money }) } else { Err(problems) }
    }

    /// The template in a language, else in English.
    #[must_use]
    pub fn template(&self, locale: Locale) -> Option<&MessageTemplate> {
        self.templates.get(&locale).or_else(|| self.templates.get(&Locale::En))
    }

    /// The member beside `amount` that has its currency, if that one is money.
    #[must_use]
    pub fn currency_of(&self, amount: &str) -> Option<&str> {
        self.money.get(amount).map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn templates_are_cut_into_pieces() {
        let template = MessageTemplate::parse("Pay {amount} to {payee.first-name}").unwrap();
        let member = |names: &[&str]| Piece::Member(names.iter().map(|name| (*name).to_owned()).collect());
        let plain = |text: &str| Piece::Plain(text.to_owned());
        let wanted = [plain("Pay "), member(&["amount"]), plain(" to "), member(&["payee", "first-name"])];
        assert_eq!(template.pieces(), wanted);
    }

    #[rstest]
    #[case("", "empty")]
    #[case("Pay {amount", "never closed")]
    #[case("Pay amount}", "no opening one")]
    #[case("Pay {}", "{} names no member")]
    #[case("Pay { amount }", "{ amount } names no member")]
    #[case("Pay {{amount}}", "{{amount} names no member")]
    #[case("Pay {a..b}", "{a..b} names no member")]
    #[case("Pay\n{a}", "line breaks")]
    #[case("Pay \u{202E}{a}", "invisible")]
    fn bad_templates_are_told(#[case] text: &str, #[case] expected: &str) {
        let problem = MessageTemplate::parse(text).unwrap_err();
        assert!(problem.contains(expected), "{problem}");
    }

    #[test]
    fn long_templates_are_told() {
        MessageTemplate::parse(&"あ".repeat(MAX_TEMPLATE)).unwrap();
        MessageTemplate::parse(&"あ".repeat(MAX_TEMPLATE + 1)).unwrap_err();
    }

    #[rstest]
    #[case(&[("ja", "{a}")], "message.en: the text in English is missing")]
    #[case(&[("en", "{a} {b}"), ("ja", "{a} {c}")], "message.ja: {b}, {c} stands either")]
    #[case(&[("en", "a"), ("fr", "a")], "message.fr: this language is not known: write en or ja")]
    #[case(&[("en", "{")], "message.en: the brace")]
    fn bad_sets_are_told(#[case] messages: &[(&str, &str)], #[case] expected: &str) {
        let problems = Statement::new(&map(messages), None).unwrap_err();
        assert!(problems.len() == 1 && problems[0].starts_with(expected), "{problems:?}");
    }

    #[test]
    fn money_has_its_names() {
        let messages = map(&[("en", "Pay {amount}")]);
        assert_eq!(Statement::new(&messages, None).unwrap().currency_of("amount"), Some("currency"));
        let own = Statement::new(&messages, Some(&map(&[("total", "unit")]))).unwrap();
        assert_eq!((own.currency_of("total"), own.currency_of("amount")), (Some("unit"), None));
        Statement::new(&messages, Some(&map(&[("total", "total")]))).unwrap_err();
    }
}
