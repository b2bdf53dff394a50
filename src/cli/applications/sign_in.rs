//! What an application may do to sign people in, as arguments.

use std::path::PathBuf;

use anyhow::Context;
use serde_json::{Value, json};

use crate::domain::application::{Connection, GrantType};

const GRANT_HELP: &str = "A grant it may use, instead of those of its type: authorization_code, refresh_token, client_credentials or \
                          otp; may be given several times";

/// Each list replaces the one there was.
#[derive(clap::Args)]
pub struct SignIn {
    /// Where users come back to after signing in, character for character; may be given several times
    #[arg(long = "redirect-uri", value_name = "URI")]
    redirect_uris: Vec<String>,
    /// Where users come back to after signing out; may be given several times
    #[arg(long = "post-logout-redirect-uri", value_name = "URI")]
    post_logout_redirect_uris: Vec<String>,
    /// A grant it may use, instead of those of its type; may be given several times
    #[arg(long = "grant", value_name = "GRANT", value_parser = grant, long_help = GRANT_HELP)]
    grants: Vec<GrantType>,
    /// A connection its users may sign in by, instead of both: email or sms; may be given several times, in the order of the page
    #[arg(long = "connection", value_name = "CONNECTION", value_parser = connection)]
    connections: Vec<Connection>,
    /// An origin whose pages may call with credentials; may be given several times
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    cors_origins: Vec<String>,
    /// Whether its `auth0-forwarded-for` header names the client whose requests it passes on
    #[arg(long, value_name = "BOOL")]
    trust_forwarded_for: Option<bool>,
    /// Whether it gets tokens with a DPoP proof only, which binds them to a key
    #[arg(long, value_name = "BOOL")]
    require_proof_of_possession: Option<bool>,
    /// A file with its public keys, a JWK set, for `private_key_jwt`
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
}

impl SignIn {
    /// Puts what was given into a body of the management API.
    pub fn put_into(self, body: &mut Value) -> anyhow::Result<()> {
        let mut put = |group: &str, member: &str, value: Value| {
            let group = body.as_object_mut().map(|body| body.entry(group).or_insert_with(|| json!({})));
            if let Some(members) = group.and_then(Value::as_object_mut) {
                members.insert(member.to_owned(), value);
            }
        };
        for (member, uris) in
            [("redirectUris", self.redirect_uris), ("postLogoutRedirectUris", self.post_logout_redirect_uris)]
        {
            if !uris.is_empty() {
                put("oidcClientMetadata", member, json!(uris));
            }
        }
        let mut set = |member: &str, value: Value| put("customClientMetadata", member, value);
        if !self.grants.is_empty() {
            set("grantTypes", json!(self.grants));
        }
        if !self.connections.is_empty() {
            set("connections", json!(self.connections));
        }
        if !self.cors_origins.is_empty() {
            set("corsAllowedOrigins", json!(self.cors_origins));
        }
        if let Some(is_trusted) = self.trust_forwarded_for {
            set("trustForwardedFor", json!(is_trusted));
        }
        if let Some(is_required) = self.require_proof_of_possession {
            set("requireProofOfPossession", json!(is_required));
        }
        if let Some(file) = self.jwks {
            let text = std::fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            let keys = serde_json::from_slice(&text).with_context(|| format!("{} is not JSON", file.display()))?;
            set("jwks", keys);
        }
        Ok(())
    }
}

fn grant(text: &str) -> Result<GrantType, String> {
    // The grant of codes that were sent has a name nobody types.
    let found = if text == "otp" { Some(GrantType::PasswordlessOtp) } else { GrantType::parse(text) };
    found.ok_or_else(|| "it is none of authorization_code, refresh_token, client_credentials, otp".to_owned())
}

fn connection(text: &str) -> Result<Connection, String> {
    Connection::parse(text).ok_or_else(|| "it is neither email nor sms".to_owned())
}
