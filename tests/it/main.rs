//! What Countersign does, seen from outside.

// `cfg(test)` tells clippy that helpers, too, may unwrap.
#[cfg(test)]
mod messages;
