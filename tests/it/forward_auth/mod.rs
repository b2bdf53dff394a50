//! Requests at another back end, asked about by real proxies (contract `operations.md`, "Forward auth").

mod answers;
mod lab;
mod proxies;

use countersign::config::{
    Config,
    forward_auth::{ForwardedRoute, Unrouted},
};

/// One guarded path; what else there is, as `default` says.
fn guarding(default: Unrouted) -> impl FnOnce(&mut Config) {
    move |config| {
        config.forward_auth.default = default;
        config.forward_auth.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.forward_auth.routes = vec![route("POST", "/transfers/{id}/execute"), route("*", "/admin/{*rest}")];
    }
}

fn route(method: &str, path: &str) -> ForwardedRoute {
    ForwardedRoute {
        host: lab::HOST.to_owned(),
        method: method.to_owned(),
        path: path.to_owned(),
        operation: "payments.transfer".to_owned(),
        content_digest: false,
    }
}
