//! The one canonical form of JSON (RFC 8785): of payloads that are signed, and of audit events.

use serde_json::Value;

/// JSON without white space, members sorted by their names' UTF-16 units, numbers in the shortest form of a double (RFC 8785).
///
/// Whole numbers past 2^53 are rounded to a double: keep them out before.
///
/// # Errors
/// None that a [`Value`] can bring about; the type of the writer asks for one.
pub fn canonical(value: &Value) -> serde_json::Result<String> {
    serde_json_canonicalizer::to_string(value)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    /// RFC 8785, appendix B: the bits of a double, and how it is written.
    #[rstest]
    #[case(0x0000_0000_0000_0000, "0")]
    #[case(0x8000_0000_0000_0000, "0")]
    #[case(0x0000_0000_0000_0001, "5e-324")]
    #[case(0x8000_0000_0000_0001, "-5e-324")]
    #[case(0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308")]
    #[case(0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308")]
    #[case(0x4340_0000_0000_0000, "9007199254740992")]
    #[case(0xc340_0000_0000_0000, "-9007199254740992")]
    #[case(0x4430_0000_0000_0000, "295147905179352830000")]
    #[case(0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22")]
    #[case(0x44b5_2d02_c7e1_4af6, "1e+23")]
    #[case(0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23")]
    #[case(0x444b_1ae4_d6e2_ef4e, "999999999999999700000")]
    #[case(0x444b_1ae4_d6e2_ef4f, "999999999999999900000")]
    #[case(0x444b_1ae4_d6e2_ef50, "1e+21")]
    #[case(0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7")]
    #[case(0x3eb0_c6f7_a0b5_ed8d, "0.000001")]
    #[case(0x41b3_de43_5555_5553, "333333333.3333332")]
    #[case(0x41b3_de43_5555_5554, "333333333.33333325")]
    #[case(0x41b3_de43_5555_5555, "333333333.3333333")]
    #[case(0x41b3_de43_5555_5556, "333333333.3333334")]
    #[case(0x41b3_de43_5555_5557, "333333333.33333343")]
    #[case(0xbecb_f647_612f_3696, "-0.0000033333333333333333")]
    #[case(0x4314_3ff3_c1cb_0959, "1424953923781206.2")]
    fn numbers(#[case] bits: u64, #[case] wanted: &str) {
        assert_eq!(canonical(&json!(f64::from_bits(bits))).unwrap(), wanted);
    }

    /// RFC 8785, 3.2.2 and 3.2.3.
    #[rstest]
    #[case(
        r#"{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"#,
        "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\
         \"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}"
    )]
    #[case(
        r#"{"\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh", "1": "One",
            "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control", "\u00f6": "Latin Small Letter O With Diaeresis"}"#,
        "{\"\\r\":\"Carriage Return\",\"1\":\"One\",\"\u{80}\":\"Control\",\"ö\":\"Latin Small Letter O With Diaeresis\",\
         \"€\":\"Euro Sign\",\"\u{1f600}\":\"Emoji: Grinning Face\",\"\u{fb33}\":\"Hebrew Letter Dalet With Dagesh\"}"
    )]
    fn texts_and_names(#[case] text: &str, #[case] wanted: &str) {
        let value: Value = serde_json::from_str(text).unwrap();
        assert_eq!(canonical(&value).unwrap(), wanted);
    }
}
