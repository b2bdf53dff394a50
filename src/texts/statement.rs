//! Fills in what the user is told of a payload. What is shown is what is signed: anything that could not be shown as it is, is a
//! problem, never a blank, a guess or a rounded number.

use iso_currency::Currency;
use serde_json::Value;

use super::{Separators, separators};
use crate::domain::{
    canonical::canonical,
    inert,
    message::Locale,
    payload::{Payload, Problem, Step},
    statement::{Piece, Statement},
};

/// The most characters of a value; of a longer one both ends are shown.
pub const LONGEST_VALUE: usize = 64;
/// The most characters of the whole text.
pub const LONGEST: usize = 320;
/// The most digits of an amount before its point, so that it is never cut.
const MOST_DIGITS: usize = 24;

/// The text for the user: one line of plain text without invisible or direction characters, at most [`LONGEST`] characters.
///
/// Values stay text: nothing in them is a placeholder, and whoever puts the text into HTML escapes it.
///
/// # Errors
/// Every problem of the payload, with its place.
pub fn render(statement: &Statement, payload: &Payload, locale: Locale) -> Result<String, Vec<Problem>> {
    let mut text = String::new();
    let mut problems = Vec::new();
    let Some(template) = statement.template(locale) else {
        return Err(vec![Problem::at(&[], "The operation has no message.")]);
    };
    for piece in template.pieces() {
        match piece {
            Piece::Plain(plain) => text.push_str(plain),
            Piece::Member(names) => match member(statement, payload, names, locale) {
                Ok((shown, unit)) => {
                    text.push_str(&shown);
                    // An amount without its currency would say too little.
                    let unshown = unit.filter(|unit| !template.members().contains(unit.path.as_slice()));
                    text.extend(unshown.into_iter().flat_map(|unit| [" ", unit.code]));
                }
                Err(sentence) => {
                    let path: Vec<_> = names.iter().cloned().map(Step::Name).collect();
                    problems.push(Problem::at(&path, sentence));
                }
            },
        }
    }
    if text.chars().count() > LONGEST {
        problems.push(Problem::at(&[], "What is to be shown of the payload has over 320 characters."));
    }
    if problems.is_empty() { Ok(text) } else { Err(problems) }
}

/// A member as it is shown; with an amount, the currency and where that stands.
fn member(
    statement: &Statement,
    payload: &Payload,
    names: &[String],
    locale: Locale,
) -> Result<(String, Option<Unit>), &'static str> {
    let missing = "The member is shown to the user: it must be here, as a text, a number or true or false.";
    let (name, outer) = names.split_last().ok_or(missing)?;
    let mut object = payload.members();
    for name in outer {
        object = object.get(name).and_then(Value::as_object).ok_or(missing)?;
    }
    let value = object.get(name).ok_or(missing)?;
    if let Some((currency, code)) = statement.currency_of(name).and_then(|name| object.get_key_value(name)) {
        let (shown, code) = money(value, code, separators(locale))?;
        let path = outer.iter().chain([currency]).cloned().collect();
        return Ok((shown, Some(Unit { code, path })));
    }
    match value {
        Value::String(text) => inert_text(text).map(|shown| (shown, None)),
        Value::Bool(_) | Value::Number(_) => canonical(value).map(|shown| (shown, None)).map_err(|_| missing),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(missing),
    }
}

/// A currency, and where it stands in the payload.
struct Unit {
    code: &'static str,
    path: Vec<String>,
}

/// A text that shows all it has, or both ends of it.
fn inert_text(text: &str) -> Result<String, &'static str> {
    if text.trim().is_empty() {
        return Err("The member is shown to the user: it must not be empty.");
    }
    if inert::hides(text) {
        // To leave them out would show another text than is signed.
        return Err("The member is shown to the user: it must not have control, invisible or direction characters.");
    }
    let length = text.chars().count();
    if length <= LONGEST_VALUE {
        return Ok(text.to_owned());
    }
    let end = LONGEST_VALUE / 2;
    let head = text.chars().take(LONGEST_VALUE - end - 1);
    Ok(head.chain(['…']).chain(text.chars().skip(length - end)).collect())
}

/// An amount with all the decimals of its currency (ISO 4217) and the reader's separators: `1,234.50`.
fn money(amount: &Value, currency: &Value, separators: Separators) -> Result<(String, &'static str), &'static str> {
    let unknown = "The amount's currency must be a code of ISO 4217 that has decimals, such as EUR.";
    let currency = currency.as_str().and_then(Currency::from_code).ok_or(unknown)?;
    let decimals = usize::from(currency.exponent().ok_or(unknown)?);
    let unfit = "The amount must be a number, or a text such as 120.50: at most 24 digits, a point, and digits.";
    let text = match amount {
        Value::String(text) => text.clone(),
        Value::Number(_) => canonical(amount).map_err(|_| unfit)?,
        _ => return Err(unfit),
    };
    let (sign, digits) = text.strip_prefix('-').map_or(("", text.as_str()), |digits| ("-", digits));
    let (whole, fraction) = digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let are_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let has_leading_nought = whole.len() > 1 && whole.starts_with('0');
    if !are_digits(whole) || !fraction.is_none_or(are_digits) || has_leading_nought || whole.len() > MOST_DIGITS {
        return Err(unfit);
    }
    let fraction = fraction.unwrap_or_default();
    if fraction.len() > decimals {
        return Err("The amount has more decimals than its currency.");
    }
    let mut shown = format!("{sign}{}", grouped(whole, separators.group));
    if decimals > 0 {
        shown.push_str(separators.decimal);
        shown.push_str(&format!("{fraction:0<decimals$}"));
    }
    Ok((shown, currency.code()))
}

/// Digits in groups of three, counted from the end.
fn grouped(digits: &str, separator: &str) -> String {
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push_str(separator);
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
#[path = "statement_tests.rs"]
mod tests;
