//! Keys and what is done with them: password hashing, sealing, digests, signing, tokens, the keys of foreign issuers.

pub mod assertions;
pub mod digest;
mod door;
pub mod dpop;
pub mod hasher;
pub mod hook_signature;
pub mod issuers;
pub mod jwks;
pub mod jws;
pub mod master_key;
pub mod random;
pub mod sealer;
pub mod signing;
pub mod stepup;
pub mod stored;
pub mod tokens;
mod worker;
