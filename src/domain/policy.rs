//! Policies: what an operation demands of a verification record (contract `operations.md`, "Policy as data").

use std::{collections::BTreeMap, time::Duration};

use super::{
    demand,
    id::ApplicationId,
    method::{Category, Method},
    requirement::Requirement,
    statement::Statement,
    time::Timestamp,
};

/// The area of the built-in operations; nobody else's may begin so.
pub const BUILT_IN_AREA: &str = "account.";

/// Authentication Context Class: how much a set of methods proves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Acr {
    /// One factor.
    OneFactor,
    /// Two factors of different categories.
    TwoFactors,
}

impl Acr {
    /// The value of `acr` and `acr_values`.
    #[must_use]
    pub const fn urn(self) -> &'static str {
        match self {
            Self::OneFactor => "urn:countersign:acr:1fa",
            Self::TwoFactors => "urn:countersign:acr:2fa",
        }
    }

    /// What `methods` prove together. Two of one category are one factor, and a mailbox is no possession: its code proves one factor
    /// at most, with whatever else that is (contract, "Policy as data").
    #[must_use]
    pub fn of(methods: &[Method]) -> Self {
        let has = |category| methods.iter().any(|method| method.category() == Some(category));
        if has(Category::Knowledge) && has(Category::Possession) { Self::TwoFactors } else { Self::OneFactor }
    }

    /// The smallest sets of methods that prove as much.
    #[must_use]
    pub fn sets(self) -> Vec<Vec<Method>> {
        let pairs = || {
            let after = |at| Method::ALL.iter().skip(at + 1);
            Method::ALL.iter().enumerate().flat_map(move |(at, one)| after(at).map(|other| vec![*one, *other]))
        };
        match self {
            Self::OneFactor => Method::ALL.iter().map(|method| vec![*method]).collect(),
            Self::TwoFactors => pairs().filter(|pair| Self::of(pair) == Self::TwoFactors).collect(),
        }
    }
}

/// The `amr` values of `methods` (RFC 8176), each once, `mfa` in front where they are two factors.
#[must_use]
pub fn amr(methods: &[Method]) -> Vec<String> {
    let mut values = Vec::new();
    if Acr::of(methods) == Acr::TwoFactors {
        values.push("mfa");
    }
    for method in methods {
        if !values.contains(&method.amr()) {
            values.push(method.amr());
        }
    }
    values.into_iter().map(str::to_owned).collect()
}

/// One method that was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proof {
    /// Which.
    pub method: Method,
    /// When.
    pub at: Timestamp,
}

/// What an operation demands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// `area.action`.
    pub operation: String,
    /// Any of these sets, every method in the set.
    pub methods: Vec<Vec<Method>>,
    /// Longest time between the oldest proof of the set and the operation.
    pub max_age: Duration,
    /// Whether the record is spent by the operation.
    pub is_single_use: bool,
    /// Whether the record must be bound to a payload.
    pub binds_payload: bool,
    /// What the owner is shown of the payload.
    pub statement: Option<Statement>,
    /// Relying services that may redeem.
    pub redeemers: Vec<ApplicationId>,
    /// Whether a user who owns no method at all may pass without one (contract `logto.md` 3, row 4).
    pub exempts_users_without_methods: bool,
}

/// Proofs that satisfy a policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Met {
    /// The strongest set that is complete.
    pub methods: Vec<Method>,
    /// When the oldest of them was proved.
    pub auth_time: Timestamp,
}

impl Policy {
    /// The policy of a built-in operation, as long as the configuration has no other.
    #[must_use]
    pub fn built_in(operation: &str, requirement: &Requirement) -> Self {
        Self {
            operation: operation.to_owned(),
            methods: requirement.methods.iter().map(|method| vec![*method]).collect(),
            max_age: requirement.max_age,
            is_single_use: requirement.is_single_use,
            binds_payload: false,
            statement: None,
            redeemers: Vec::new(),
            exempts_users_without_methods: requirement.exempts_users_without_methods,
        }
    }

    /// Judges what was proved.
    ///
    /// # Errors
    /// The methods that are missing, set by set; those with the fewest first.
    pub fn judge(&self, proofs: &[Proof], now: Timestamp) -> Result<Met, Vec<Vec<Method>>> {
        let fresh = |method: Method| {
            proofs
                .iter()
                .filter(|proof| proof.method == method && now.since(proof.at) <= self.max_age)
                .map(|proof| proof.at)
                .max()
        };
        let complete = self.methods.iter().filter_map(|set| {
            let times: Option<Vec<Timestamp>> = set.iter().map(|method| fresh(*method)).collect();
            Some(Met { methods: set.clone(), auth_time: times?.into_iter().min()? })
        });
        // Of several, the strongest; among equals the one that is listed first.
        let best =
            complete.reduce(|one, other| if Acr::of(&other.methods) > Acr::of(&one.methods) { other } else { one });
        best.ok_or_else(|| self.lacking(|method| fresh(method).is_some()))
    }

    /// Whether a user who owns `methods` can satisfy it at all.
    ///
    /// # Errors
    /// The methods the user would have to own, set by set; those with the fewest first.
    pub fn require_enrolled(&self, methods: &[Method]) -> Result<(), Vec<Vec<Method>>> {
        let missing = self.lacking(|method| methods.contains(&method));
        if missing.iter().any(Vec::is_empty) { Ok(()) } else { Err(missing) }
    }

    fn lacking(&self, has: impl Fn(Method) -> bool) -> Vec<Vec<Method>> {
        let lack = |set: &Vec<Method>| set.iter().copied().filter(|method| !has(*method)).collect();
        let mut missing: Vec<Vec<Method>> = self.methods.iter().map(lack).collect();
        missing.sort_by_key(Vec::len);
        missing
    }

    /// What a challenge asks for (RFC 9470 3): whoever proves that has satisfied it.
    #[must_use]
    pub fn acr_values(&self) -> String {
        demand::acr_values(&self.methods)
    }

    /// Whether `application` may redeem records for this operation.
    #[must_use]
    pub fn is_redeemed_by(&self, application: &ApplicationId) -> bool {
        self.redeemers.contains(application)
    }
}

/// Every policy there is, by operation.
#[derive(Clone, Debug, Default)]
pub struct Policies(BTreeMap<String, Policy>);

impl Policies {
    /// The built-in ones, with `configured` ones over them and beside them.
    ///
    /// # Errors
    /// One sentence for each built-in operation that does not exist.
    pub fn new(built_in: impl IntoIterator<Item = Policy>, configured: Vec<Policy>) -> Result<Self, Vec<String>> {
        let mut all: BTreeMap<String, Policy> =
            built_in.into_iter().map(|policy| (policy.operation.clone(), policy)).collect();
        let mut problems = Vec::new();
        for policy in configured {
            let standing = all.get(&policy.operation);
            if policy.operation.starts_with(BUILT_IN_AREA) && standing.is_none() {
                let known: Vec<&str> =
                    all.keys().filter(|name| name.starts_with(BUILT_IN_AREA)).map(String::as_str).collect();
                problems.push(format!(
                    "operations.name: there is no built-in operation \"{}\"; take one of {}, or a name that does not begin with \
                     \"{BUILT_IN_AREA}\"",
                    policy.operation,
                    known.join(", ")
                ));
                continue;
            }
            let exempts = standing.is_some_and(|standing| standing.exempts_users_without_methods);
            all.insert(policy.operation.clone(), Policy { exempts_users_without_methods: exempts, ..policy });
        }
        if problems.is_empty() { Ok(Self(all)) } else { Err(problems) }
    }

    /// The policy of an operation.
    #[must_use]
    pub fn find(&self, operation: &str) -> Option<&Policy> {
        self.0.get(operation)
    }

    /// All of them, by name.
    pub fn iter(&self) -> impl Iterator<Item = &Policy> {
        self.0.values()
    }
}

#[cfg(test)]
mod tests;
