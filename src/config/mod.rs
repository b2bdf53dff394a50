//! What the operator sets: defaults, then the file, then the environment, then flags. One file a section.

pub mod address;
pub mod email;
pub mod messages;
pub mod sms;
