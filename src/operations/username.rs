//! Changing the username: part of `PATCH /api/my-account`, behind its own gate (contract 3, row 2).

use crate::{domain::requirement::Requirement, stepup::gate::Operation};

/// The operation. Even users without any method need a record (contract 3.2).
pub struct UpdateUsername;

impl Operation for UpdateUsername {
    const NAME: &'static str = "account.username.update";
    const REQUIREMENT: Requirement = Requirement::ACCOUNT;
}
