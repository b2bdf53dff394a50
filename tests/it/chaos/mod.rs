//! What breaks: processes killed, a database that is gone, silent, slow, full or read-only, clients that leave, clocks that were set.
//! See docs/resilience.md.

mod client;
mod cluster;
mod disk;
mod kills;
mod leaving;
mod outage;
pub mod proxy;
mod time;
