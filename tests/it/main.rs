//! What Countersign does, seen from outside.

mod messages;
