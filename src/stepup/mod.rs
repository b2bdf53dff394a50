//! The heart: counting guesses, sending and judging codes, records that are opened first, redemption, and the gate that an operation
//! runs through.

pub mod challenges;
pub mod collecting;
pub mod gate;
pub mod guesses;
pub mod opened;
pub mod records;
pub mod redemption;
pub mod sends;
mod standing;
