//! What a built-in operation demands unless the configuration says otherwise: the default of its [`super::policy::Policy`].

use std::time::Duration;

use super::method::Method;

/// The default policy of a built-in operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Requirement {
    /// Any one of these will do.
    pub methods: &'static [Method],
    /// Longest time between the proof and the operation.
    pub max_age: Duration,
    /// Whether the record is spent by the operation.
    pub is_single_use: bool,
    /// Whether a user who owns no method at all may pass without one (contract 3, row 4).
    pub exempts_users_without_methods: bool,
}

impl Requirement {
    /// The built-in account operations: any method, ten minutes, as often as needed while the record lives.
    pub const ACCOUNT: Self = Self {
        methods: Method::ALL,
        max_age: Duration::from_secs(600),
        is_single_use: false,
        exempts_users_without_methods: false,
    };
}
