//! `[webhooks]`: where webhooks may go.

use ipnet::IpNet;
use serde::Deserialize;

/// `[webhooks]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct WebhooksConfig {
    /// Networks that are not public, and to which webhooks may go all the same. Default: none.
    pub allowed_networks: Vec<IpNet>,
}
