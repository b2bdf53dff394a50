//! `[forward_auth]`: which requests at other back ends need a verification, and which proxies may ask (contract `operations.md`).

use ipnet::IpNet;
use serde::Deserialize;

use crate::domain::{
    target,
    target_route::{Pattern, Route},
};

/// `[forward_auth]`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ForwardAuthConfig {
    /// What becomes of requests that no route knows, at hosts that a route knows. Default `refuse`.
    pub default: Unrouted,
    /// Proxies, as CIDR blocks, that may ask; what they say about the original request is believed. Default: nobody.
    pub proxies: Vec<IpNet>,
    /// What is guarded; the first that fits counts. Default: nothing.
    pub routes: Vec<ForwardedRoute>,
}

/// What becomes of requests that no route knows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unrouted {
    /// 403.
    #[default]
    Refuse,
    /// 200, without a word about the user.
    Pass,
}

/// One `[[forward_auth.routes]]`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ForwardedRoute {
    /// The host clients use, such as `bank.example`; with its port when that is neither 80 nor 443.
    pub host: String,
    /// In capitals, or `*` for every method. `GET` is `HEAD` as well.
    pub method: String,
    /// `{id}` stands for one segment, `{*rest}` for whatever follows.
    pub path: String,
    /// The operation such a request is: one of `[[operations]]`.
    pub operation: String,
    /// Whether requests must carry `Content-Digest`, which is bound like the path.
    #[serde(default)]
    pub content_digest: bool,
}

impl ForwardAuthConfig {
    /// The routes as they are matched.
    ///
    /// # Errors
    /// One sentence for each problem with its key, the shape and the fix.
    pub fn table(&self) -> Result<Vec<Route>, Vec<String>> {
        let mut problems = Vec::new();
        let mut table: Vec<(usize, Route)> = Vec::new();
        for (at, entry) in self.routes.iter().enumerate() {
            let before = problems.len();
            let route =
                read(entry, |key, problem| problems.push(format!("forward_auth.routes[{at}].{key}: {problem}")));
            let Some(route) = route.filter(|_| problems.len() == before) else { continue };
            if let Some((earlier, _)) = table.iter().find(|(_, earlier)| earlier.covers(&route)) {
                problems.push(format!(
                    "forward_auth.routes[{at}].path: \"{}\" is never reached, because forward_auth.routes[{earlier}] takes all of \
                     its requests; put the narrower one first, or leave it out",
                    entry.path
                ));
            }
            table.push((at, route));
        }
        if problems.is_empty() { Ok(table.into_iter().map(|(_, route)| route).collect()) } else { Err(problems) }
    }

    /// What is wrong with the section: one line each. Empty when all is well.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let mut problems = self.table().err().unwrap_or_default();
        if self.proxies.is_empty() && !self.routes.is_empty() {
            problems.push(
                "forward_auth.proxies: nobody may ask about the routes; list the proxies as CIDR blocks, such as \
                 proxies = [\"127.0.0.1/32\"]"
                    .to_owned(),
            );
        }
        problems
    }

    /// Routes whose operation is none of those that `is_known` knows: one line each.
    #[must_use]
    pub fn unknown_operations(&self, is_known: impl Fn(&str) -> bool) -> Vec<String> {
        let unknown = self.routes.iter().enumerate().filter(|(_, route)| !is_known(&route.operation));
        let sentences = unknown.map(|(at, route)| {
            format!(
                "forward_auth.routes[{at}].operation: there is no operation \"{}\"; add one to [[operations]], or name another",
                route.operation
            )
        });
        sentences.collect()
    }

    /// Whether that peer may ask.
    #[must_use]
    pub fn may_ask(&self, peer: std::net::IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.proxies.iter().any(|net| net.contains(&peer))
    }
}

fn read(entry: &ForwardedRoute, mut say: impl FnMut(&str, String)) -> Option<Route> {
    let method = match entry.method.as_str() {
        "*" => Some(None),
        text => target::read_method(text.as_bytes()).ok().map(Some),
    };
    if method.is_none() {
        say(
            "method",
            format!("\"{}\" is no method; write one in capitals, such as \"POST\", or \"*\" for all", entry.method),
        );
    }
    let host = target::read_host(entry.host.as_bytes()).ok();
    if host.is_none() {
        say(
            "host",
            format!(
                "\"{}\" is no host; write its name without a scheme, such as \"bank.example\" (punycode)",
                entry.host
            ),
        );
    }
    let path = Pattern::parse(&entry.path).map_err(|problem| say("path", format!("\"{}\": {problem}", entry.path)));
    Some(Route {
        method: method?,
        host: host?,
        path: path.ok()?,
        operation: entry.operation.clone(),
        needs_content_digest: entry.content_digest,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn config(routes: &[Value]) -> ForwardAuthConfig {
        let entry = |change: &Value| {
            let mut entry = json!({ "host": "bank.example", "method": "POST", "path": "/a/{id}", "operation": "payments.transfer" });
            entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            entry
        };
        let routes: Vec<_> = routes.iter().map(entry).collect();
        serde_json::from_value(json!({ "proxies": ["127.0.0.1/32"], "routes": routes })).unwrap()
    }

    #[test]
    fn nothing_is_passed_and_nobody_may_ask_unless_said() {
        let config = ForwardAuthConfig::default();
        assert_eq!(config.default, Unrouted::Refuse);
        assert!(!config.may_ask([127, 0, 0, 1].into()));
        assert!(config.problems().is_empty());
    }

    #[test]
    fn routes_are_read_in_their_one_spelling() {
        let table =
            config(&[json!({ "host": "Bank.Example.:443" }), json!({ "method": "*", "path": "/b" })]).table().unwrap();
        assert_eq!((table[0].host.as_str(), table[0].method.as_deref()), ("bank.example", Some("POST")));
        assert_eq!(table[1].method, None);
    }

    #[test]
    fn each_problem_names_its_key_and_a_fix() {
        let cases = [
            (json!({ "host": "https://bank.example" }), "host"),
            (json!({ "host": "" }), "host"),
            (json!({ "host": "*.bank.example" }), "host"),
            (json!({ "method": "post" }), "method"),
            (json!({ "method": "" }), "method"),
            (json!({ "path": "a" }), "path"),
            (json!({ "path": "/a/{id" }), "path"),
            (json!({ "path": "/a//b" }), "path"),
        ];
        for (change, key) in cases {
            let found = config(std::slice::from_ref(&change)).problems();
            assert_eq!(found.len(), 1, "{change}: {found:?}");
            assert!(found[0].starts_with(&format!("forward_auth.routes[0].{key}: ")), "{found:?}");
            assert!(found[0].contains("; "), "no fix: {found:?}");
        }
        let found = config(&[json!({ "host": "", "method": "", "path": "" }), json!({ "host": "" })]).problems();
        assert_eq!(found.len(), 4, "{found:?}");
    }

    #[test]
    fn a_route_behind_a_wider_one_is_a_problem() {
        let found = config(&[json!({}), json!({ "path": "/a/b" })]).problems();
        assert!(found[0].starts_with("forward_auth.routes[1].path: ") && found[0].contains("routes[0]"), "{found:?}");
        assert!(config(&[json!({ "path": "/a/b" }), json!({})]).problems().is_empty());
        assert_eq!(config(&[json!({}), json!({ "host": "BANK.example" })]).problems().len(), 1);
        assert!(config(&[json!({}), json!({ "host": "shop.example" })]).problems().is_empty());
        // Numbered as in the file, whatever stands between them.
        let found = config(&[json!({ "method": "" }), json!({}), json!({})]).problems();
        assert!(found[1].contains("forward_auth.routes[2]") && found[1].contains("routes[1]"), "{found:?}");
    }

    #[test]
    fn routes_without_proxies_and_unknown_operations_are_problems() {
        let mut config = config(&[json!({})]);
        assert!(config.unknown_operations(|name| name == "payments.transfer").is_empty());
        assert!(config.unknown_operations(|_| false)[0].starts_with("forward_auth.routes[0].operation: "));
        config.proxies.clear();
        assert!(config.problems()[0].starts_with("forward_auth.proxies: "));
    }

    #[test]
    fn mapped_addresses_are_the_ones_they_map() {
        let config = config(&[]);
        assert!(config.may_ask("::ffff:127.0.0.1".parse().unwrap()));
        assert!(!config.may_ask("127.0.0.2".parse().unwrap()));
        assert!(!config.may_ask("::1".parse().unwrap()));
    }

    #[test]
    fn unknown_keys_are_errors() {
        let entry = json!({ "host": "a", "method": "GET", "path": "/", "operation": "a.b", "paths": [] });
        assert!(serde_json::from_value::<ForwardedRoute>(entry).unwrap_err().to_string().contains("paths"));
    }
}
