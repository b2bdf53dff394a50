//! Requests at another back end, asked about by real proxies (contract `operations.md`, "Forward auth").

mod answers;
mod lab;
mod proxies;
mod redeeming;

use countersign::config::{
    Config,
    forward_auth::{ForwardedRoute, Unrouted},
};
use serde_json::json;

/// Transfers, which are guarded one by one, and a view, which is guarded for a while; what else there is, as `default` says.
fn guarding(default: Unrouted) -> impl FnOnce(&mut Config) {
    move |config| {
        config.forward_auth.default = default;
        config.forward_auth.proxies = vec!["127.0.0.1/32".parse().unwrap()];
        config.forward_auth.routes = vec![
            route("POST", "/transfers/{id}/execute"),
            ForwardedRoute { operation: "payroll.view".to_owned(), ..route("*", "/admin/{*rest}") },
        ];
        let operations = json!([
            { "name": "payments.transfer", "methods": [["password"], ["email_code"]], "bind": "payload", "max_age": "5m",
              "message": { "en": "{method} {path} at {host}", "ja": "{host} で {method} {path}" } },
            { "name": "payroll.view", "methods": [["password"]], "use": "until_expiry" },
        ]);
        config.operations = serde_json::from_value(operations).unwrap();
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
