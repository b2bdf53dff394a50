//! The targets: each takes any bytes, and panics when what must always hold does not. The fuzzer runs them for as long as it is told,
//! `tests/it/seeds.rs` runs each on the inputs of `fuzz/seeds`.

mod answers;
mod payloads;
mod requests;
mod settings;
mod tokens;
mod wire;
mod words;

/// What is given to a target.
pub type Target = fn(&[u8]);

/// Every target by its name, which is also the name of its folder of seeds.
pub const ALL: &[(&str, Target)] = &[
    ("identifiers", words::identifiers),
    ("passwords", words::passwords),
    ("digests", words::digests),
    ("tokens", tokens::tokens),
    ("exports", tokens::exports),
    ("forwarded", wire::forwarded),
    ("headers", wire::headers),
    ("bodies", wire::bodies),
    ("configuration", settings::configuration),
    ("templates", settings::templates),
    ("payloads", payloads::payloads),
    ("answers", answers::answers),
    ("requests", requests::requests),
];

/// The first byte chooses, the rest is the input.
fn choice(data: &[u8]) -> (usize, &[u8]) {
    data.split_first().map_or((0, data), |(first, rest)| (usize::from(*first), rest))
}
