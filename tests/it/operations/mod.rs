//! Operations of other back ends: records opened first, redeemed once (contract `operations.md`).

mod introspection;
mod opening;
mod races;
mod redemption;
mod reservations;
mod services;
pub mod step_up;

use serde_json::{Value, json};

/// What `bank.pay` works on.
fn payment() -> Value {
    json!({ "amount": "120.50", "currency": "EUR", "payee": { "name": "ACME GmbH", "iban": "DE02120300000000202051" } })
}
