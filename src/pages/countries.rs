//! Countries a phone number may belong to, with their calling codes and their names. In the order of the English names.

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

const fn of(region: &'static str, code: &'static str, en: &'static str, ja: &'static str) -> Country {
    Country { region, code, en, ja }
}

/// All of them.
pub const ALL: &[Country] = &[
    of("AF", "93", "Afghanistan", "アフガニスタン"),
    of("AX", "358", "Åland Islands", "オーランド諸島"),
    of("AL", "355", "Albania", "アルバニア"),
    of("DZ", "213", "Algeria", "アルジェリア"),
    of("AS", "1", "American Samoa", "米領サモア"),
    of("AD", "376", "Andorra", "アンドラ"),
    of("AO", "244", "Angola", "アンゴラ"),
    of("AI", "1", "Anguilla", "アンギラ"),
    of("AG", "1", "Antigua & Barbuda", "アンティグア・バーブーダ"),
    of("AR", "54", "Argentina", "アルゼンチン"),
    of("AM", "374", "Armenia", "アルメニア"),
    of("AW", "297", "Aruba", "アルバ"),
    of("AC", "247", "Ascension Island", "アセンション島"),
    of("AU", "61", "Australia", "オーストラリア"),
    of("AT", "43", "Austria", "オーストリア"),
    of("AZ", "994", "Azerbaijan", "アゼルバイジャン"),
    of("BS", "1", "Bahamas", "バハマ"),
    of("BH", "973", "Bahrain", "バーレーン"),
    of("BD", "880", "Bangladesh", "バングラデシュ"),
    of("BB", "1", "Barbados", "バルバドス"),
    of("BY", "375", "Belarus", "ベラルーシ"),
    of("BE", "32", "Belgium", "ベルギー"),
    of("BZ", "501", "Belize", "ベリーズ"),
    of("BJ", "229", "Benin", "ベナン"),
    of("BM", "1", "Bermuda", "バミューダ"),
    of("BT", "975", "Bhutan", "ブータン"),
    of("BO", "591", "Bolivia", "ボリビア"),
    of("BA", "387", "Bosnia & Herzegovina", "ボスニア・ヘルツェゴビナ"),
    of("BW", "267", "Botswana", "ボツワナ"),
    of("BR", "55", "Brazil", "ブラジル"),
    of("IO", "246", "British Indian Ocean Territory", "英領インド洋地域"),
    of("VG", "1", "British Virgin Islands", "英領ヴァージン諸島"),
    of("BN", "673", "Brunei", "ブルネイ"),
    of("BG", "359", "Bulgaria", "ブルガリア"),
    of("BF", "226", "Burkina Faso", "ブルキナファソ"),
    of("BI", "257", "Burundi", "ブルンジ"),
    of("KH", "855", "Cambodia", "カンボジア"),
    of("CM", "237", "Cameroon", "カメルーン"),
    of("CA", "1", "Canada", "カナダ"),
    of("CV", "238", "Cape Verde", "カーボベルデ"),
    of("BQ", "599", "Caribbean Netherlands", "オランダ領カリブ"),
    of("KY", "1", "Cayman Islands", "ケイマン諸島"),
    of("CF", "236", "Central African Republic", "中央アフリカ共和国"),
    of("TD", "235", "Chad", "チャド"),
    of("CL", "56", "Chile", "チリ"),
    of("CN", "86", "China", "中国"),
    of("CX", "61", "Christmas Island", "クリスマス島"),
    of("CC", "61", "Cocos (Keeling) Islands", "ココス(キーリング)諸島"),
    of("CO", "57", "Colombia", "コロンビア"),
    of("KM", "269", "Comoros", "コモロ"),
    of("CG", "242", "Congo - Brazzaville", "コンゴ共和国(ブラザビル)"),
    of("CD", "243", "Congo - Kinshasa", "コンゴ民主共和国(キンシャサ)"),
    of("CK", "682", "Cook Islands", "クック諸島"),
    of("CR", "506", "Costa Rica", "コスタリカ"),
    of("CI", "225", "Côte d’Ivoire", "コートジボワール"),
    of("HR", "385", "Croatia", "クロアチア"),
    of("CU", "53", "Cuba", "キューバ"),
    of("CW", "599", "Curaçao", "キュラソー"),
    of("CY", "357", "Cyprus", "キプロス"),
    of("CZ", "420", "Czechia", "チェコ"),
    of("DK", "45", "Denmark", "デンマーク"),
    of("DJ", "253", "Djibouti", "ジブチ"),
    of("DM", "1", "Dominica", "ドミニカ国"),
    of("DO", "1", "Dominican Republic", "ドミニカ共和国"),
    of("EC", "593", "Ecuador", "エクアドル"),
    of("EG", "20", "Egypt", "エジプト"),
    of("SV", "503", "El Salvador", "エルサルバドル"),
    of("GQ", "240", "Equatorial Guinea", "赤道ギニア"),
    of("ER", "291", "Eritrea", "エリトリア"),
    of("EE", "372", "Estonia", "エストニア"),
    of("SZ", "268", "Eswatini", "エスワティニ"),
    of("ET", "251", "Ethiopia", "エチオピア"),
    of("FK", "500", "Falkland Islands", "フォークランド諸島"),
    of("FO", "298", "Faroe Islands", "フェロー諸島"),
    of("FJ", "679", "Fiji", "フィジー"),
    of("FI", "358", "Finland", "フィンランド"),
    of("FR", "33", "France", "フランス"),
    of("GF", "594", "French Guiana", "仏領ギアナ"),
    of("PF", "689", "French Polynesia", "仏領ポリネシア"),
    of("GA", "241", "Gabon", "ガボン"),
    of("GM", "220", "Gambia", "ガンビア"),
    of("GE", "995", "Georgia", "ジョージア"),
    of("DE", "49", "Germany", "ドイツ"),
    of("GH", "233", "Ghana", "ガーナ"),
    of("GI", "350", "Gibraltar", "ジブラルタル"),
    of("GR", "30", "Greece", "ギリシャ"),
    of("GL", "299", "Greenland", "グリーンランド"),
    of("GD", "1", "Grenada", "グレナダ"),
    of("GP", "590", "Guadeloupe", "グアドループ"),
    of("GU", "1", "Guam", "グアム"),
    of("GT", "502", "Guatemala", "グアテマラ"),
    of("GG", "44", "Guernsey", "ガーンジー"),
    of("GN", "224", "Guinea", "ギニア"),
    of("GW", "245", "Guinea-Bissau", "ギニアビサウ"),
    of("GY", "592", "Guyana", "ガイアナ"),
    of("HT", "509", "Haiti", "ハイチ"),
    of("HN", "504", "Honduras", "ホンジュラス"),
    of("HK", "852", "Hong Kong", "香港"),
    of("HU", "36", "Hungary", "ハンガリー"),
    of("IS", "354", "Iceland", "アイスランド"),
    of("IN", "91", "India", "インド"),
    of("ID", "62", "Indonesia", "インドネシア"),
    of("IR", "98", "Iran", "イラン"),
    of("IQ", "964", "Iraq", "イラク"),
    of("IE", "353", "Ireland", "アイルランド"),
    of("IM", "44", "Isle of Man", "マン島"),
    of("IL", "972", "Israel", "イスラエル"),
    of("IT", "39", "Italy", "イタリア"),
    of("JM", "1", "Jamaica", "ジャマイカ"),
    of("JP", "81", "Japan", "日本"),
    of("JE", "44", "Jersey", "ジャージー"),
    of("JO", "962", "Jordan", "ヨルダン"),
    of("KZ", "7", "Kazakhstan", "カザフスタン"),
    of("KE", "254", "Kenya", "ケニア"),
    of("KI", "686", "Kiribati", "キリバス"),
    of("XK", "383", "Kosovo", "コソボ"),
    of("KW", "965", "Kuwait", "クウェート"),
    of("KG", "996", "Kyrgyzstan", "キルギス"),
    of("LA", "856", "Laos", "ラオス"),
    of("LV", "371", "Latvia", "ラトビア"),
    of("LB", "961", "Lebanon", "レバノン"),
    of("LS", "266", "Lesotho", "レソト"),
    of("LR", "231", "Liberia", "リベリア"),
    of("LY", "218", "Libya", "リビア"),
    of("LI", "423", "Liechtenstein", "リヒテンシュタイン"),
    of("LT", "370", "Lithuania", "リトアニア"),
    of("LU", "352", "Luxembourg", "ルクセンブルク"),
    of("MO", "853", "Macao", "マカオ"),
    of("MG", "261", "Madagascar", "マダガスカル"),
    of("MW", "265", "Malawi", "マラウイ"),
    of("MY", "60", "Malaysia", "マレーシア"),
    of("MV", "960", "Maldives", "モルディブ"),
    of("ML", "223", "Mali", "マリ"),
    of("MT", "356", "Malta", "マルタ"),
    of("MH", "692", "Marshall Islands", "マーシャル諸島"),
    of("MQ", "596", "Martinique", "マルティニーク"),
    of("MR", "222", "Mauritania", "モーリタニア"),
    of("MU", "230", "Mauritius", "モーリシャス"),
    of("YT", "262", "Mayotte", "マヨット"),
    of("MX", "52", "Mexico", "メキシコ"),
    of("FM", "691", "Micronesia", "ミクロネシア連邦"),
    of("MD", "373", "Moldova", "モルドバ"),
    of("MC", "377", "Monaco", "モナコ"),
    of("MN", "976", "Mongolia", "モンゴル"),
    of("ME", "382", "Montenegro", "モンテネグロ"),
    of("MS", "1", "Montserrat", "モントセラト"),
    of("MA", "212", "Morocco", "モロッコ"),
    of("MZ", "258", "Mozambique", "モザンビーク"),
    of("MM", "95", "Myanmar (Burma)", "ミャンマー (ビルマ)"),
    of("NA", "264", "Namibia", "ナミビア"),
    of("NR", "674", "Nauru", "ナウル"),
    of("NP", "977", "Nepal", "ネパール"),
    of("NL", "31", "Netherlands", "オランダ"),
    of("NC", "687", "New Caledonia", "ニューカレドニア"),
    of("NZ", "64", "New Zealand", "ニュージーランド"),
    of("NI", "505", "Nicaragua", "ニカラグア"),
    of("NE", "227", "Niger", "ニジェール"),
    of("NG", "234", "Nigeria", "ナイジェリア"),
    of("NU", "683", "Niue", "ニウエ"),
    of("NF", "672", "Norfolk Island", "ノーフォーク島"),
    of("KP", "850", "North Korea", "北朝鮮"),
    of("MK", "389", "North Macedonia", "北マケドニア"),
    of("MP", "1", "Northern Mariana Islands", "北マリアナ諸島"),
    of("NO", "47", "Norway", "ノルウェー"),
    of("OM", "968", "Oman", "オマーン"),
    of("PK", "92", "Pakistan", "パキスタン"),
    of("PW", "680", "Palau", "パラオ"),
    of("PS", "970", "Palestinian Territories", "パレスチナ自治区"),
    of("PA", "507", "Panama", "パナマ"),
    of("PG", "675", "Papua New Guinea", "パプアニューギニア"),
    of("PY", "595", "Paraguay", "パラグアイ"),
    of("PE", "51", "Peru", "ペルー"),
    of("PH", "63", "Philippines", "フィリピン"),
    of("PL", "48", "Poland", "ポーランド"),
    of("PT", "351", "Portugal", "ポルトガル"),
    of("PR", "1", "Puerto Rico", "プエルトリコ"),
    of("QA", "974", "Qatar", "カタール"),
    of("RE", "262", "Réunion", "レユニオン"),
    of("RO", "40", "Romania", "ルーマニア"),
    of("RU", "7", "Russia", "ロシア"),
    of("RW", "250", "Rwanda", "ルワンダ"),
    of("WS", "685", "Samoa", "サモア"),
    of("SM", "378", "San Marino", "サンマリノ"),
    of("ST", "239", "São Tomé & Príncipe", "サントメ・プリンシペ"),
    of("SA", "966", "Saudi Arabia", "サウジアラビア"),
    of("SN", "221", "Senegal", "セネガル"),
    of("RS", "381", "Serbia", "セルビア"),
    of("SC", "248", "Seychelles", "セーシェル"),
    of("SL", "232", "Sierra Leone", "シエラレオネ"),
    of("SG", "65", "Singapore", "シンガポール"),
    of("SX", "1", "Sint Maarten", "シント・マールテン"),
    of("SK", "421", "Slovakia", "スロバキア"),
    of("SI", "386", "Slovenia", "スロベニア"),
    of("SB", "677", "Solomon Islands", "ソロモン諸島"),
    of("SO", "252", "Somalia", "ソマリア"),
    of("ZA", "27", "South Africa", "南アフリカ"),
    of("KR", "82", "South Korea", "韓国"),
    of("SS", "211", "South Sudan", "南スーダン"),
    of("ES", "34", "Spain", "スペイン"),
    of("LK", "94", "Sri Lanka", "スリランカ"),
    of("BL", "590", "St. Barthélemy", "サン・バルテルミー"),
    of("SH", "290", "St. Helena", "セントヘレナ"),
    of("KN", "1", "St. Kitts & Nevis", "セントクリストファー・ネーヴィス"),
    of("LC", "1", "St. Lucia", "セントルシア"),
    of("MF", "590", "St. Martin", "サン・マルタン"),
    of("PM", "508", "St. Pierre & Miquelon", "サンピエール島・ミクロン島"),
    of("VC", "1", "St. Vincent & Grenadines", "セントビンセント及びグレナディーン諸島"),
    of("SD", "249", "Sudan", "スーダン"),
    of("SR", "597", "Suriname", "スリナム"),
    of("SJ", "47", "Svalbard & Jan Mayen", "スバールバル諸島・ヤンマイエン島"),
    of("SE", "46", "Sweden", "スウェーデン"),
    of("CH", "41", "Switzerland", "スイス"),
    of("SY", "963", "Syria", "シリア"),
    of("TW", "886", "Taiwan", "台湾"),
    of("TJ", "992", "Tajikistan", "タジキスタン"),
    of("TZ", "255", "Tanzania", "タンザニア"),
    of("TH", "66", "Thailand", "タイ"),
    of("TL", "670", "Timor-Leste", "東ティモール"),
    of("TG", "228", "Togo", "トーゴ"),
    of("TK", "690", "Tokelau", "トケラウ"),
    of("TO", "676", "Tonga", "トンガ"),
    of("TT", "1", "Trinidad & Tobago", "トリニダード・トバゴ"),
    of("TA", "290", "Tristan da Cunha", "トリスタン・ダ・クーニャ"),
    of("TN", "216", "Tunisia", "チュニジア"),
    of("TR", "90", "Türkiye", "トルコ"),
    of("TM", "993", "Turkmenistan", "トルクメニスタン"),
    of("TC", "1", "Turks & Caicos Islands", "タークス・カイコス諸島"),
    of("TV", "688", "Tuvalu", "ツバル"),
    of("VI", "1", "U.S. Virgin Islands", "米領ヴァージン諸島"),
    of("UG", "256", "Uganda", "ウガンダ"),
    of("UA", "380", "Ukraine", "ウクライナ"),
    of("AE", "971", "United Arab Emirates", "アラブ首長国連邦"),
    of("GB", "44", "United Kingdom", "イギリス"),
    of("US", "1", "United States", "アメリカ合衆国"),
    of("UY", "598", "Uruguay", "ウルグアイ"),
    of("UZ", "998", "Uzbekistan", "ウズベキスタン"),
    of("VU", "678", "Vanuatu", "バヌアツ"),
    of("VA", "39", "Vatican City", "バチカン市国"),
    of("VE", "58", "Venezuela", "ベネズエラ"),
    of("VN", "84", "Vietnam", "ベトナム"),
    of("WF", "681", "Wallis & Futuna", "ウォリス・フツナ"),
    of("EH", "212", "Western Sahara", "西サハラ"),
    of("YE", "967", "Yemen", "イエメン"),
    of("ZM", "260", "Zambia", "ザンビア"),
    of("ZW", "263", "Zimbabwe", "ジンバブエ"),
];

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
