//! What people are known by, and their passwords.

use std::sync::LazyLock;

use countersign::{
    crypto::stored::validate_digest,
    domain::{
        blocklist::EmailBlocklistPolicy,
        id::RecordId,
        identifier::{E164, EmailAddress, PhoneNumber, Username},
        password::PasswordAlgorithm,
        password_policy::{PasswordPolicy, UserInfo},
        username::UsernamePolicy,
    },
};
use serde_json::{Value, json};
use utoipa::PartialSchema;

use super::choice;

struct Schema(jsonschema::Validator);

impl Schema {
    fn of<T: PartialSchema>() -> Self {
        Self(jsonschema::validator_for(&serde_json::to_value(T::schema()).unwrap()).unwrap())
    }

    fn takes(&self, text: &str) -> bool {
        self.0.is_valid(&Value::from(text))
    }
}

static EMAIL: LazyLock<Schema> = LazyLock::new(Schema::of::<EmailAddress>);
static PHONE: LazyLock<Schema> = LazyLock::new(Schema::of::<PhoneNumber>);
static NAME: LazyLock<Schema> = LazyLock::new(Schema::of::<Username>);
static BLOCKLIST: LazyLock<EmailBlocklistPolicy> = LazyLock::new(|| {
    let policy = json!({ "blockSubaddressing": true, "customBlocklist": ["*a*b*@example.com", "@*.example.org", "x@gmail.com"] });
    serde_json::from_value(policy).unwrap()
});

/// The parsers take what the published schema takes, and what was taken once is taken again and stays as it is.
pub fn identifiers(data: &[u8]) {
    let text = &*String::from_utf8_lossy(data);
    let email = EmailAddress::parse(text);
    assert_eq!(email.is_ok(), EMAIL.takes(text), "e-mail address: parser and schema");
    if let Ok(email) = email
        && !email.exceeds_column()
    {
        assert_eq!(EmailAddress::parse(email.as_str()).as_ref(), Ok(&email), "an address changes when it is read back");
        let key = EmailAddress::parse(&email.key()).expect("the key of an address is an address").key();
        assert_eq!(key, email.key(), "the key of a key");
        assert_eq!(format!("{}@{}", email.local(), email.domain()), email.as_str());
        let shown = email.masked();
        let hidden = shown.strip_suffix(email.domain()).and_then(|shown| shown.strip_suffix("***@"));
        assert!(hidden.is_some_and(|shown| shown.chars().count() <= 1), "the mask shows {shown}");
        let is_ascii = |email: &EmailAddress| email.local().is_ascii();
        let key = EmailAddress::parse(&key).expect("a key");
        assert_eq!(is_ascii(&email), is_ascii(&key), "another mailbox has the same key");
        let _ = (email.is_deliverable(), BLOCKLIST.check(&email), format!("{email:?}"));
    }
    let phone = PhoneNumber::parse(text);
    assert_eq!(phone.is_ok(), PHONE.takes(text), "phone: parser and schema");
    if let Some(number) = phone.ok().and_then(|phone| phone.normalized()) {
        assert_eq!(E164::of(number.as_str()).as_ref(), Some(&number), "a canonical number has another canonical form");
        assert!((7..=15).contains(&number.as_str().len()), "{number:?}");
        assert!(!number.masked().contains(number.as_str()));
    }
    let name = Username::parse(text);
    if let Ok(name) = &name {
        let _ = (UsernamePolicy::default().check(name), name.masked());
        assert_eq!(Username::parse(&name.key()).map(|key| key.key()), Ok(name.key()));
    }
    // The length is judged with the column's, later.
    assert_eq!(name.is_ok_and(|name| !name.exceeds_column()), NAME.takes(text), "username: parser and schema");
    if let Some(id) = RecordId::parse(text) {
        assert_eq!(id.expose(), text);
    }
}

/// Any password is judged; what is judged good is not too short, too long, nor the user's name.
pub fn passwords(data: &[u8]) {
    let text = String::from_utf8_lossy(data).into_owned();
    let (password, about) = text.split_once('\n').unwrap_or((&text, "ada"));
    let user = UserInfo { name: Some(about), username: Some(about), email: Some(about), phone: Some(about) };
    let policy = PasswordPolicy::default();
    let issues = policy.check(password, &user, &|_| false);
    let length = password.chars().count();
    assert!(!issues.is_empty() || (8..=256).contains(&length), "a password of {length} characters passes");
    assert!(!issues.is_empty() || password != about, "the name itself passes");
}

/// An imported digest is refused or bounded, never a panic.
pub fn digests(data: &[u8]) {
    const ALL: [PasswordAlgorithm; 8] = [
        PasswordAlgorithm::Argon2i,
        PasswordAlgorithm::Argon2d,
        PasswordAlgorithm::Argon2id,
        PasswordAlgorithm::Bcrypt,
        PasswordAlgorithm::MD5,
        PasswordAlgorithm::SHA1,
        PasswordAlgorithm::SHA256,
        PasswordAlgorithm::Legacy,
    ];
    let (number, data) = choice(data);
    let text = String::from_utf8_lossy(data);
    let is_good = validate_digest(ALL[number % ALL.len()], &text).is_ok();
    assert!(!is_good || text.len() <= 4096);
}
