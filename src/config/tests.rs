//! The environment, and the example file.

use std::collections::BTreeSet;

use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;

use super::*;

fn load(environment: &[(&str, &str)]) -> anyhow::Result<Config> {
    Config::load_with(None, environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())))
}

#[test]
fn secrets_and_numbers_with_a_plus_come_through_whole() {
    let config = load(&[
        ("COUNTERSIGN_EMAIL__FROM", "a@example.com"),
        ("COUNTERSIGN_EMAIL__SMTP_URL", "smtps://mail.example.com"),
        ("COUNTERSIGN_EMAIL__SMTP_USERNAME", "007"),
        ("COUNTERSIGN_EMAIL__SMTP_PASSWORD", "0012345678901234567890"),
        ("COUNTERSIGN_SMS__FROM", "+15005550006"),
        ("COUNTERSIGN_SMS__ACCOUNT_SID", "AC1"),
        ("COUNTERSIGN_SMS__AUTH_TOKEN", "1e5"),
        ("COUNTERSIGN_HASHING__PEPPERS", "0000111122223333, true"),
    ])
    .unwrap();
    assert_eq!(config.email.smtp_username.as_deref(), Some("007"));
    assert_eq!(config.email.smtp_password.unwrap().expose_secret(), "0012345678901234567890");
    assert_eq!(config.sms.from.as_deref(), Some("+15005550006"));
    assert_eq!(config.sms.auth_token.unwrap().expose_secret(), "1e5");
    let peppers: Vec<_> = config.hashing.peppers.iter().map(ExposeSecret::expose_secret).collect();
    assert_eq!(peppers, ["0000111122223333", "true"]);
}

#[test]
fn numbers_addresses_lists_and_tables_are_read() {
    let config = load(&[
        ("COUNTERSIGN_SERVER__BIND", "127.0.0.1:0"),
        ("COUNTERSIGN_SERVER__WORKERS", "3"),
        ("COUNTERSIGN_SERVER__TRUSTED_PROXIES", "10.0.0.0/8,fd00::/8"),
        ("COUNTERSIGN_LIMITS__SEND_GAP_SECONDS", "0"),
        ("COUNTERSIGN_LOG__FORMAT", "json"),
        ("COUNTERSIGN_TRUSTED_ISSUERS__0__ISSUER", "https://login.example.com/"),
        ("COUNTERSIGN_TRUSTED_ISSUERS__0__AUDIENCE", "account"),
        ("COUNTERSIGN_TRUSTED_ISSUERS__0__SCOPES", "openid,profile"),
        ("COUNTERSIGN_OPERATIONS__0__NAME", "payments.transfer"),
        ("COUNTERSIGN_OPERATIONS__0__METHODS__0", "password,phone_code"),
        ("COUNTERSIGN_OPERATIONS__0__METHODS__1", "email_code"),
        ("COUNTERSIGN_OPERATIONS__0__REDEEMERS", "bank-api,bank-batch"),
        ("COUNTERSIGN_FORWARD_AUTH__DEFAULT", "pass"),
        ("COUNTERSIGN_FORWARD_AUTH__PROXIES", "127.0.0.1/32"),
        ("COUNTERSIGN_FORWARD_AUTH__ROUTES__0__HOST", "bank.example"),
        ("COUNTERSIGN_FORWARD_AUTH__ROUTES__0__METHOD", "POST"),
        ("COUNTERSIGN_FORWARD_AUTH__ROUTES__0__PATH", "/transfers/{id}"),
        ("COUNTERSIGN_FORWARD_AUTH__ROUTES__0__OPERATION", "payments.transfer"),
        ("COUNTERSIGN_FORWARD_AUTH__ROUTES__0__CONTENT_DIGEST", "true"),
        ("COUNTERSIGN_CONFIG", "not-a-key"),
    ])
    .unwrap();
    assert_eq!((config.server.bind.port(), config.server.workers), (0, Some(3)));
    assert_eq!(config.operations[0].methods, [vec!["password", "phone_code"], vec!["email_code"]]);
    assert_eq!(config.operations[0].redeemers, ["bank-api", "bank-batch"]);
    assert_eq!(config.server.trusted_proxies.len(), 2);
    assert_eq!((config.limits.send_gap_seconds, config.log.format), (0, LogFormat::Json));
    assert_eq!(config.trusted_issuers[0].scopes, ["openid", "profile"]);
    assert_eq!((config.forward_auth.default, config.forward_auth.proxies.len()), (forward_auth::Unrouted::Pass, 1));
    assert!(config.forward_auth.table().unwrap()[0].needs_content_digest);
    let empty = load(&[("COUNTERSIGN_SERVER__TRUSTED_PROXIES", "")]).unwrap();
    assert!(empty.server.trusted_proxies.is_empty());
}

#[test]
fn a_wrong_value_names_key_and_variable() {
    let error = format!("{:#}", load(&[("COUNTERSIGN_SERVER__WORKERS", "many")]).unwrap_err());
    assert!(error.contains("server.workers") && error.contains("COUNTERSIGN_SERVER__WORKERS"), "{error}");
    let error = format!("{:#}", load(&[("COUNTERSIGN_SERVER__PROT", "1")]).unwrap_err());
    assert!(error.contains("prot") && error.contains("bind"), "{error}");
}

/// The example with its keys in force: all, or only those with a default.
fn example(all: bool) -> String {
    let is_key = |line: &str| {
        let word = line.split([' ', '=']).next().unwrap_or_default();
        line.starts_with("[[")
            || (!word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'))
    };
    let in_force = |line: &&str| match line.strip_prefix('#') {
        Some(rest) if is_key(rest) => all || !line.ends_with("# no default"),
        _ => false,
    };
    let mut lines: Vec<&str> = Vec::new();
    for line in EXAMPLE.lines() {
        if line.starts_with('[') {
            lines.push(line);
        } else if in_force(&line) && (all || !line.contains("[[")) {
            lines.push(line.trim_start_matches('#'));
        } else if !all && line.contains("[[") {
            break;
        }
    }
    lines.join("\n")
}

fn parse(text: &str) -> toml_like::Table {
    toml_like::parse(text)
}

/// The tables of a file as the `config` crate reads them.
mod toml_like {
    pub type Table = std::collections::HashMap<String, config::Value>;

    pub fn parse(text: &str) -> Table {
        let file = config::File::from_str(text, config::FileFormat::Toml);
        config::Config::builder().add_source(file).build().unwrap().try_deserialize().unwrap()
    }
}

#[test]
fn the_examples_values_are_the_defaults() {
    let file = config::File::from_str(&example(false), config::FileFormat::Toml);
    let read: Config = config::Config::builder().add_source(file).build().unwrap().try_deserialize().unwrap();
    let default = Config::default();
    assert_eq!(format!("{read:?}"), format!("{default:?}"));
    // These two hide what `Debug` must not show.
    assert_eq!(read.database.url, default.database.url);
    assert_eq!(read.database.acquire_timeout_ms, default.database.acquire_timeout_ms);
}

#[test]
fn the_example_has_every_key_and_no_other() {
    let example = parse(&example(true));
    let sections: BTreeSet<_> = example.keys().cloned().collect();
    assert_eq!(sections, fields::<Config>());
    let keys = |section: &str| -> BTreeSet<String> {
        let value = example[section].clone();
        match value.clone().into_array() {
            Ok(entries) => entries[0].clone().into_table().unwrap().into_keys().collect(),
            Err(_) => value.into_table().unwrap().into_keys().collect(),
        }
    };
    assert_eq!(keys("server"), fields::<ServerConfig>());
    assert_eq!(keys("database"), fields::<DatabaseConfig>());
    assert_eq!(keys("email"), fields::<email::EmailConfig>());
    assert_eq!(keys("sms"), fields::<sms::SmsConfig>());
    assert_eq!(keys("messages"), fields::<messages::MessagesConfig>());
    assert_eq!(keys("keys"), fields::<KeysConfig>());
    assert_eq!(keys("hashing"), fields::<HashingConfig>());
    assert_eq!(keys("limits"), fields::<LimitsConfig>());
    assert_eq!(keys("retention"), fields::<RetentionConfig>());
    assert_eq!(keys("log"), fields::<LogConfig>());
    assert_eq!(keys("forward_auth"), fields::<ForwardAuthConfig>());
    let routes = example["forward_auth"].clone().into_table().unwrap()["routes"].clone().into_array().unwrap();
    let route: BTreeSet<_> = routes[0].clone().into_table().unwrap().into_keys().collect();
    assert_eq!(route, fields::<forward_auth::ForwardedRoute>());
    assert_eq!(keys("trusted_issuers"), fields::<trusted_issuers::TrustedIssuer>());
    assert_eq!(keys("operations"), fields::<operations::OperationConfig>());
}

/// The keys a section takes, as its refusal of an unknown one lists them.
fn fields<T: DeserializeOwned>() -> BTreeSet<String> {
    let error = serde_json::from_str::<T>(r#"{"no such key": 1}"#).err().unwrap().to_string();
    let (_, list) = error.split_once("expected ").unwrap();
    list.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn what_limits_still_count_must_be_kept() {
    let error = load(&[("COUNTERSIGN_RETENTION__SENDS_HOURS", "24"), ("COUNTERSIGN_RETENTION__GUESSES_HOURS", "1")]);
    let error = format!("{:#}", error.unwrap_err());
    assert!(error.contains("retention.sends_hours") && error.contains("retention.guesses_hours"), "{error}");
    let config = load(&[("COUNTERSIGN_KEYS__OLDER_MASTER_KEY_FILES", "a.key, b.key")]).unwrap();
    assert_eq!(config.keys.older_master_key_files, [Path::new("a.key"), Path::new("b.key")]);
}

#[test]
fn everything_production_misses_is_named_at_once() {
    let missing = Config::default().missing_for_production();
    assert_eq!(missing.len(), 3);
    assert!(missing[1].contains("countersign keys generate --master"), "{missing:?}");
}
