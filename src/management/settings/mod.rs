//! Settings, for operators (contract 4). A change counts on every node with the request that follows it.

pub(super) mod account_center;
pub(super) mod public;
pub(super) mod sign_in_exp;
