//! What the operator decides: one file a section.

pub mod trusted_issuers;
