//! `[[operations]]`: policies, for operations of other back ends and over the built-in ones (contract `operations.md`).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Deserialize;

use crate::domain::{
    id::ApplicationId,
    method::Method,
    policy::{Acr, BUILT_IN_AREA, Policy},
    statement::Statement,
};

/// A record lives ten minutes, and five when it is bound to a payload: nothing older can be shown.
const LONGEST: Duration = Duration::from_secs(600);
const LONGEST_BOUND: Duration = Duration::from_secs(300);

/// One operation and what it demands.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OperationConfig {
    /// `area.action`, such as `payments.transfer`; or a built-in one, such as `account.email.update`.
    pub name: String,
    /// Any of these sets, every method in the set.
    pub methods: Vec<Vec<String>>,
    /// Between the oldest method of the set and the operation: `"90s"`, `"5m"`. Default: 10 minutes, 5 when bound to a payload.
    pub max_age: Option<String>,
    /// Whether a record is good once, or until it expires. Default: `once`, for built-in operations `until_expiry`.
    #[serde(rename = "use")]
    pub spending: Option<Spending>,
    /// Whether the record is bound to a payload. Default: `none`.
    #[serde(default)]
    pub bind: Binding,
    /// What the owner is shown, by language, with members of the payload in braces. Demanded where a payload is bound.
    pub message: Option<BTreeMap<String, String>>,
    /// Which members are amounts, and the names of their currencies beside them. Default: `amount`, with `currency`.
    pub money: Option<BTreeMap<String, String>>,
    /// Ids of the applications that may redeem.
    #[serde(default)]
    pub redeemers: Vec<String>,
    /// How many factors of different categories each set must have at least. Default: 1.
    #[serde(default = "one")]
    pub factors: u8,
}

const fn one() -> u8 {
    1
}

/// How often a record is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Spending {
    /// Once.
    Once,
    /// As often as needed while it lives.
    UntilExpiry,
}

/// What a record is bound to beside the operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Binding {
    /// Nothing.
    #[default]
    None,
    /// One payload.
    Payload,
}

impl OperationConfig {
    /// As a policy.
    ///
    /// # Errors
    /// Every problem, one sentence each: the key, the value's shape and the fix.
    pub fn policy(&self) -> Result<Policy, Vec<String>> {
        let mut problems = Vec::new();
        let name = &self.name;
        let mut say = |key: &str, text: String| problems.push(format!("operations (\"{name}\").{key}: {text}"));
        if !is_name(name) {
            say("name", "expected area.action in lower-case letters, digits, \"_\" and \".\", such as \"payments.transfer\", at most 64 characters".to_owned());
        }
        let is_built_in = name.starts_with(BUILT_IN_AREA);
        let methods = self.sets(&mut say);
        let binds_payload = self.bind == Binding::Payload;
        let is_single_use =
            self.spending.unwrap_or(if is_built_in { Spending::UntilExpiry } else { Spending::Once }) == Spending::Once;
        if binds_payload && !is_single_use {
            say("use", "what is bound to a payload is good once: write use = \"once\", or bind = \"none\"".to_owned());
        }
        if is_built_in && (binds_payload || !self.redeemers.is_empty()) {
            say("bind", "a built-in operation has no payload and no redeemers: leave both out".to_owned());
        }
        let statement = self.message.as_ref().map(|message| Statement::new(message, self.money.as_ref())).transpose();
        if binds_payload && self.message.is_none() {
            say("message", "what is bound must be shown: write message = { en = \"Pay {amount} {currency} to {payee}\" }, with members of the payload".to_owned());
        }
        if !binds_payload && self.message.is_some() {
            say(
                "message",
                "nothing is bound that it could show: write bind = \"payload\", or leave the message out".to_owned(),
            );
        }
        let longest = if binds_payload { LONGEST_BOUND } else { LONGEST };
        let max_age = self
            .max_age
            .as_deref()
            .map_or(Some(longest), duration)
            .filter(|age| (1..=longest.as_secs()).contains(&age.as_secs()));
        if max_age.is_none() {
            say(
                "max_age",
                format!(
                    "expected a time such as \"90s\" or \"5m\", at least 1s and at most {}s (records live no longer)",
                    longest.as_secs()
                ),
            );
        }
        if self.redeemers.iter().any(String::is_empty) || has_twice(&self.redeemers) {
            say(
                "redeemers",
                "expected ids of applications, each once (`countersign applications list` shows them)".to_owned(),
            );
        }
        let statement = statement.unwrap_or_else(|more| {
            problems.extend(more.into_iter().map(|problem| format!("operations (\"{name}\").{problem}")));
            None
        });
        match (problems.is_empty(), max_age) {
            (true, Some(max_age)) => Ok(Policy {
                operation: name.clone(),
                methods,
                max_age,
                is_single_use,
                binds_payload,
                statement,
                redeemers: self.redeemers.iter().cloned().map(ApplicationId).collect(),
                exempts_users_without_methods: false,
            }),
            _ => Err(problems),
        }
    }

    fn sets(&self, say: &mut impl FnMut(&str, String)) -> Vec<Vec<Method>> {
        let known: Vec<&str> = Method::ALL.iter().map(|method| method.name()).collect();
        let shape = format!(
            "expected sets of methods such as [[\"password\", \"phone_code\"]]; there are {}",
            known.join(", ")
        );
        if self.methods.is_empty() || self.methods.iter().any(Vec::is_empty) {
            say("methods", format!("{shape}; an empty set would let everybody pass"));
        }
        if !(1..=2).contains(&self.factors) {
            say("factors", "expected 1 or 2".to_owned());
        }
        let mut sets = Vec::new();
        for set in &self.methods {
            let methods: Result<BTreeSet<Method>, String> = set.iter().map(|name| Method::parse(name)).collect();
            match methods {
                Err(unknown) => say("methods", format!("\"{unknown}\" is no method; {shape}")),
                Ok(methods) if methods.len() < set.len() => {
                    say("methods", format!("{set:?} names a method twice; name it once"));
                }
                Ok(methods) => {
                    let methods: Vec<Method> = methods.into_iter().collect();
                    if self.factors == 2 && Acr::of(&methods) < Acr::TwoFactors {
                        say(
                            "methods",
                            format!(
                                "{set:?} is one factor, and factors = 2: join a method of another category to it (a code by e-mail counts for none)"
                            ),
                        );
                    }
                    sets.push(methods);
                }
            }
        }
        sets
    }
}

/// Every policy of the section.
///
/// # Errors
/// Every problem of it.
pub fn policies(operations: &[OperationConfig]) -> Result<Vec<Policy>, Vec<String>> {
    let mut problems = Vec::new();
    let mut policies = Vec::new();
    for operation in operations {
        match operation.policy() {
            Ok(policy) => policies.push(policy),
            Err(more) => problems.extend(more),
        }
    }
    let names: Vec<&String> = operations.iter().map(|operation| &operation.name).collect();
    if has_twice(&names) {
        problems.push("operations.name: one name stands twice; keep one entry for each operation".to_owned());
    }
    if problems.is_empty() { Ok(policies) } else { Err(problems) }
}

fn has_twice<T: Ord>(items: &[T]) -> bool {
    items.iter().collect::<BTreeSet<_>>().len() < items.len()
}

fn is_name(name: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|letter: char| letter.is_ascii_lowercase())
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
    };
    name.len() <= 64 && name.contains('.') && name.split('.').all(is_word)
}

/// `90s`, `5m`.
fn duration(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = number.parse().ok().filter(|_| number.bytes().all(|byte| byte.is_ascii_digit()))?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        _ => return None,
    };
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn read(text: &str) -> Result<Vec<Policy>, Vec<String>> {
        #[derive(Deserialize)]
        struct File {
            operations: Vec<OperationConfig>,
        }
        let source = config::File::from_str(text, config::FileFormat::Toml);
        let file: File = config::Config::builder()
            .add_source(source)
            .build()
            .and_then(config::Config::try_deserialize)
            .map_err(|error| vec![error.to_string()])?;
        policies(&file.operations)
    }

    #[test]
    fn a_policy_is_read_with_its_defaults() {
        let text = r#"
            [[operations]]
            name = "payments.transfer"
            methods = [["phone_code", "password"], ["email_code"]]
            bind = "payload"
            message = { en = "Pay {amount} {currency} to {payee}" }
            redeemers = ["bank-api"]
            [[operations]]
            name = "account.email.update"
            methods = [["password"]]
            max_age = "90s"
        "#;
        let policies = read(text).unwrap();
        let [transfer, email] = policies.as_slice() else { panic!("{policies:?}") };
        assert_eq!(transfer.methods, [vec![Method::Password, Method::PhoneCode], vec![Method::EmailCode]]);
        assert_eq!((transfer.max_age.as_secs(), transfer.is_single_use, transfer.binds_payload), (300, true, true));
        assert_eq!((email.max_age.as_secs(), email.is_single_use, email.binds_payload), (90, false, false));
    }

    #[rstest]
    #[case(r#"name = "transfer""#, "name")]
    #[case(r#"name = "Payments.transfer""#, "name")]
    #[case(r#"name = "payments..transfer""#, "name")]
    #[case("methods = []", "methods")]
    #[case("methods = [[]]", "empty set")]
    #[case(r#"methods = [["passport"]]"#, "passport")]
    #[case(r#"methods = [["password", "password"]]"#, "twice")]
    #[case("factors = 2", "one factor")]
    #[case("factors = 3", "1 or 2")]
    #[case(r#"max_age = "5""#, "max_age")]
    #[case(r#"max_age = "0s""#, "max_age")]
    #[case(r#"max_age = "+5m""#, "max_age")]
    #[case(r#"max_age = "11m""#, "at most 600s")]
    #[case("max_age = \"6m\"\nbind = \"payload\"\nmessage = { en = \"{a}\" }", "at most 300s")]
    #[case("bind = \"payload\"\nuse = \"until_expiry\"\nmessage = { en = \"{a}\" }", "use")]
    #[case(r#"bind = "payload""#, "must be shown")]
    #[case(r#"message = { en = "Pay" }"#, "nothing is bound")]
    #[case("bind = \"payload\"\nmessage = { ja = \"{a}\" }", "message.en")]
    #[case(r#"use = "twice""#, "twice")]
    #[case(r#"redeemers = ["a", "a"]"#, "redeemers")]
    #[case("name = \"account.email.update\"\nredeemers = [\"a\"]", "built-in")]
    #[case(r#"mesage = "x""#, "mesage")]
    fn what_is_wrong_is_said_with_its_key(#[case] line: &str, #[case] said: &str) {
        let mut lines = vec![r#"name = "payments.transfer""#, r#"methods = [["password", "email_code"]]"#];
        lines.retain(|default| !line.lines().any(|own| own.split('=').next() == default.split('=').next()));
        let problems = read(&format!("[[operations]]\n{}\n{line}", lines.join("\n"))).unwrap_err();
        assert!(problems.len() == 1 && problems[0].contains(said), "{problems:?}");
    }

    #[test]
    fn one_operation_has_one_entry() {
        let entry = "[[operations]]\nname = \"bank.pay\"\nmethods = [[\"password\"]]\n";
        assert!(read(&[entry, entry].concat()).unwrap_err()[0].contains("twice"));
    }
}
