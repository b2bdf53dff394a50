//! What runs beside requests.

mod delivery;

pub use delivery::run as deliver;
