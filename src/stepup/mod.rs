//! The heart: counting guesses, sending and judging codes, and the gate that an operation runs through.

pub mod challenges;
pub mod gate;
pub mod guesses;
pub mod records;
pub mod sends;
