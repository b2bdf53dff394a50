//! What a sign-in is to prove: `acr_values` (OpenID Connect Core 3.1.2.1, RFC 9470 3 and 4) as sets of methods, and sets as `acr_values`.
//!
//! A class says how much is proved, and not by what. So it says too little of a policy that takes one method and not another, or two that
//! are one factor: whoever brought something else of that class would be asked again, for ever. Such a set has a value of its own, which
//! names its methods: `urn:countersign:acr:methods:password.email_code`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{
    method::Method,
    policy::{Acr, Proof},
    time::Timestamp,
};

/// Every value of ours begins so.
const OURS: &str = "urn:countersign:acr:";
/// What names the methods of one set begins so.
const METHODS: &str = "urn:countersign:acr:methods:";
/// Between their names.
const BETWEEN: &str = ".";

/// Any of these sets of methods, every method in the set.
type Sets = Vec<Vec<Method>>;

/// What a sign-in is to prove.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// What each value takes, the best value first.
    values: Vec<Sets>,
    /// The longest time between the oldest proof and the end, in seconds.
    max_age: u64,
}

/// What comes after what was proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Nothing: it is enough.
    Enough,
    /// This.
    Prove(Method),
    /// Nothing the user owns would do.
    Unmet,
}

impl Demand {
    /// What `acr_values` asks for. Of values that are not ours nothing is promised: `None` when there are no others. A value of ours that
    /// nobody knows can be met by nothing.
    ///
    /// No proof counts for longer than `longest`; `max_age` in seconds may be less. Zero asks for a sign-in now, which a step-up is anyway.
    #[must_use]
    pub fn parse(acr_values: &str, max_age: Option<u64>, longest: Duration) -> Option<Self> {
        let ours = acr_values.split_ascii_whitespace().filter(|value| value.starts_with(OURS));
        let values: Vec<Sets> = ours.map(sets_of).collect();
        let max_age = max_age.filter(|seconds| *seconds > 0).unwrap_or(u64::MAX).min(longest.as_secs());
        (!values.is_empty()).then_some(Self { values, max_age })
    }

    /// What is left of it where these methods can be proved and no others; `None` when that is nothing.
    #[must_use]
    pub fn within(mut self, provable: &[Method]) -> Option<Self> {
        for sets in &mut self.values {
            sets.retain(|set| set.iter().all(|method| provable.contains(method)));
        }
        self.values.retain(|sets| !sets.is_empty());
        (!self.values.is_empty()).then_some(self)
    }

    /// Whether one code, by whichever way somebody comes in, is what it asks for.
    #[must_use]
    pub fn takes_any(&self) -> bool {
        self.values.contains(&Acr::OneFactor.sets())
    }

    /// The place of the best value a method counts for; the lower, the better. What counts for none comes last.
    #[must_use]
    pub fn rank(&self, method: Method) -> usize {
        let counts = |sets: &Sets| sets.iter().any(|set| set.contains(&method));
        self.values.iter().position(counts).unwrap_or(usize::MAX)
    }

    /// Those of `proofs` that still count.
    #[must_use]
    pub fn counting(&self, proofs: &[Proof], now: Timestamp) -> Vec<Proof> {
        let max_age = Duration::from_secs(self.max_age);
        proofs.iter().copied().filter(|proof| now.since(proof.at) <= max_age).collect()
    }

    /// What comes after `proved`, for somebody who owns `owned`.
    ///
    /// Of the sets they own that one is asked for which wastes least of what they have proved already: the way in is theirs to choose. Of
    /// several, the best.
    #[must_use]
    pub fn next(&self, proved: &[Method], owned: &[Method]) -> Next {
        let is_lacking = |method: &&Method| !proved.contains(method);
        let is_within_reach = |set: &&Vec<Method>| set.iter().filter(is_lacking).all(|method| owned.contains(method));
        let wasted = |set: &&Vec<Method>| proved.iter().filter(|method| !set.contains(method)).count();
        // The first of several that are least.
        let Some(set) = self.values.iter().flatten().filter(is_within_reach).min_by_key(wasted) else {
            return Next::Unmet;
        };
        set.iter().find(is_lacking).map_or(Next::Enough, |method| Next::Prove(*method))
    }
}

fn sets_of(value: &str) -> Sets {
    if let Some(names) = value.strip_prefix(METHODS) {
        let methods: Result<Vec<Method>, String> = names.split(BETWEEN).map(Method::parse).collect();
        return methods.into_iter().collect();
    }
    [Acr::OneFactor, Acr::TwoFactors].into_iter().find(|acr| acr.urn() == value).map_or_else(Vec::new, Acr::sets)
}

/// The `acr_values` that ask for any of `sets`, in their order: whoever proves what one of them says has proved one of the sets.
#[must_use]
pub fn acr_values(sets: &[Vec<Method>]) -> String {
    let is_met_by = |proved: &Vec<Method>| sets.iter().any(|set| set.iter().all(|method| proved.contains(method)));
    let mut values: Vec<String> = Vec::new();
    for set in sets {
        let class = Acr::of(set);
        let value = if class.sets().iter().all(is_met_by) { class.urn().to_owned() } else { value_of(set) };
        if !values.contains(&value) {
            values.push(value);
        }
    }
    values.join(" ")
}

fn value_of(set: &[Method]) -> String {
    let names: Vec<&str> = set.iter().map(|method| method.name()).collect();
    format!("{METHODS}{}", names.join(BETWEEN))
}

#[cfg(test)]
#[path = "demand_tests.rs"]
mod tests;
