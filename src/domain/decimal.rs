//! Decimal numbers as they are written: whether two writings are the same number, digit for digit.

/// A number in decimal: `digits` without noughts at either end, times ten to the `exponent`. Two are equal when the numbers are.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    is_negative: bool,
    digits: String,
    exponent: i64,
}

/// Reads a number as JSON writes it (RFC 8259, 6). `None` for anything else, and for an exponent past an `i64`.
fn read(text: &str) -> Option<Decimal> {
    let (is_negative, rest) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
    let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    if whole.is_empty() || ![whole, fraction].concat().bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = [whole, fraction].concat();
    let significant = digits.trim_end_matches('0');
    if significant.is_empty() {
        // Nought, whatever the exponent: -0 too, as RFC 8785 writes it.
        return Some(Decimal { is_negative: false, digits: String::new(), exponent: 0 });
    }
    let exponent: i64 = exponent.parse().ok()?;
    let dropped = i64::try_from(digits.len() - significant.len()).ok()?;
    let exponent = exponent.checked_sub(i64::try_from(fraction.len()).ok()?)?.checked_add(dropped)?;
    Some(Decimal { is_negative, digits: significant.trim_start_matches('0').to_owned(), exponent })
}

/// Whether two writings are one number: `1.50` and `15e-1` are, `0.1` and `0.10000000000000001` are not, though a double holds no
/// difference.
#[must_use]
pub fn is_same(one: &str, other: &str) -> bool {
    read(one).is_some_and(|one| Some(one) == read(other))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case("1.50", "15e-1", true)]
    #[case("100", "1E+2", true)]
    #[case("-0.0e99999999999999999999", "0", true)]
    #[case("1e+21", "1000000000000000000000", true)]
    #[case("0.1", "0.10000000000000001", false)]
    #[case("1", "-1", false)]
    #[case("12345678901234567890", "12345678901234567000", false)]
    #[case("1e-99999999999999999999", "0", false)]
    #[case("1e99999999999999999999", "1e99999999999999999999", false)]
    #[case("x", "x", false)]
    fn writings(#[case] one: &str, #[case] other: &str, #[case] expected: bool) {
        assert_eq!(is_same(one, other), expected);
    }
}
