//! Cryptography: the hashing of passwords.

pub mod digest;
pub mod hasher;
mod worker;
