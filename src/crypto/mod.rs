//! Keys and what is done with them: sealing, digests, signing, tokens, the keys of foreign issuers.

pub mod digest;
pub mod issuers;
mod jws;
pub mod master_key;
pub mod random;
pub mod sealer;
pub mod signing;
pub mod tokens;
