//! What Countersign does, seen from outside.

// `cfg(test)` tells clippy that helpers, too, may unwrap.
#[cfg(test)]
mod account;
#[cfg(test)]
mod account_page;
#[cfg(test)]
mod assertions;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod browser;
#[cfg(test)]
mod caller;
#[cfg(test)]
mod chaos;
#[cfg(test)]
mod clients;
#[cfg(test)]
mod dpop;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod facts;
#[cfg(test)]
mod floods;
#[cfg(test)]
mod floors;
#[cfg(test)]
mod forward_auth;
#[cfg(test)]
mod gates;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hooks;
#[cfg(test)]
mod hosted;
#[cfg(test)]
mod issuers;
#[cfg(test)]
mod keys;
#[cfg(test)]
mod languages;
#[cfg(test)]
mod management;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod operations;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod passwordless;
#[cfg(test)]
mod program;
#[cfg(test)]
mod races;
#[cfg(test)]
mod security;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod sending;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod states;
#[cfg(test)]
mod storage;
#[cfg(test)]
mod sweeping;
#[cfg(test)]
mod verifications;
