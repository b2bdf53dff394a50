//! What `/forward-auth` answers, asked as proxies ask.

use countersign::config::forward_auth::Unrouted;
use reqwest::Method;
use serde_json::json;

use super::{guarding, lab, route};
use crate::harness::{Answer, TestApp};

/// How nginx and `HAProxy` say what a request is.
pub const NGINX: [&str; 3] = ["x-original-method", "x-original-host", "x-original-uri"];
/// How Caddy and Traefik do.
const TRAEFIK: [&str; 3] = ["x-forwarded-method", "x-forwarded-host", "x-forwarded-uri"];

pub async fn ask(app: &TestApp, names: [&str; 3], values: [&str; 3], more: &[(&str, &str)]) -> Answer {
    let mut request = app.http.get(app.url("/forward-auth"));
    for (name, value) in names.into_iter().zip(values).chain(more.iter().copied()) {
        request = request.header(name, value);
    }
    Answer::of(request).await
}

pub const PAID: [&str; 3] = ["POST", lab::HOST, "/transfers/1/execute"];

#[tokio::test]
async fn nobody_may_ask_who_is_not_listed() {
    let app = TestApp::start_with(|config| {
        guarding(Unrouted::Pass)(config);
        config.forward_auth.proxies = vec!["10.0.0.0/8".parse().unwrap()];
        // Whom the peer speaks for does not matter here.
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let answer = ask(&app, NGINX, ["GET", lab::HOST, "/"], &[("x-forwarded-for", "10.0.0.1")]).await;
    let answer = answer.expect("403 forward_auth.refused");
    assert!(answer.json()["data"]["reason"].as_str().unwrap().contains("forward_auth.proxies"), "{answer:?}");
    let nobody = TestApp::start().await;
    ask(&nobody, NGINX, ["GET", lab::HOST, "/"], &[]).await.expect("403 forward_auth.refused");
}

#[tokio::test]
async fn what_no_route_knows_is_refused_unless_said() {
    let refusing = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let passing = TestApp::start_with(guarding(Unrouted::Pass)).await;
    for names in [NGINX, TRAEFIK] {
        for target in [["GET", lab::HOST, "/transfers/1/execute"], ["POST", lab::HOST, "/transfers"]] {
            ask(&refusing, names, target, &[]).await.expect("403 forward_auth.refused");
            let passed = ask(&passing, names, target, &[]).await.expect("200");
            for name in ["subject", "operation", "amr", "assertion"] {
                assert_eq!(passed.header(&format!("x-countersign-{name}")), Some(""), "{passed:?}");
            }
        }
        // A back end that answers to any name would be reached past its guard.
        for host in ["shop.example", "bank.example:8443", "127.0.0.1"] {
            let answer = ask(&passing, names, ["POST", host, "/transfers/1/execute"], &[]).await;
            answer.expect("403 forward_auth.refused");
        }
        ask(&passing, names, PAID, &[]).await.expect("401 auth.authorization_header_missing");
        ask(&passing, names, ["POST", lab::HOST, "/Transfers/1/Execute/"], &[])
            .await
            .expect("403 forward_auth.refused");
        ask(&passing, names, ["PUT", lab::HOST, "/admin"], &[]).await.expect("401 auth.authorization_header_missing");
    }
}

#[tokio::test]
async fn a_token_alone_is_challenged_with_what_to_open() {
    let app = TestApp::start_with(guarding(Unrouted::Refuse)).await;
    let user = app.user().await;
    let token = format!("Bearer {}", user.token);
    let target = ["POST", "BANK.example.:443", "/transfers/%31/execute?a=%2e&b"];
    let answer = ask(&app, NGINX, target, &[("authorization", &token)]).await;
    let answer = answer.expect("401 verification_record.permission_denied");
    let payload = json!({ "method": "POST", "host": lab::HOST, "path": "/transfers/1/execute", "query": "a=%2e&b" });
    assert_eq!(answer.json()["data"]["payload"], payload);
    assert_eq!(answer.json()["data"]["operation"], "payments.transfer");
    assert!(answer.header("www-authenticate").unwrap().contains("insufficient_user_authentication"), "{answer:?}");
    for wrong in ["Bearer x", "Basic eDp5", ""] {
        let answer = ask(&app, NGINX, PAID, &[("authorization", wrong)]).await;
        assert_eq!(answer.status, 401, "{wrong}: {answer:?}");
    }
}

#[tokio::test]
async fn envoy_asks_with_the_request_itself() {
    let app = TestApp::start_with(guarding(Unrouted::Pass)).await;
    let user = app.user().await;
    let ask = |method: &str, path: &str, token: Option<&str>| {
        let request = app.http.request(method.parse().unwrap(), app.url(&format!("/forward-auth{path}")));
        let request = request.header("host", lab::HOST).header("content-length", "0");
        Answer::of(token.into_iter().fold(request, reqwest::RequestBuilder::bearer_auth))
    };
    let answer = ask("POST", "/transfers/1/execute?a", Some(&user.token)).await;
    let answer = answer.expect("401 verification_record.permission_denied");
    let payload = json!({ "method": "POST", "host": lab::HOST, "path": "/transfers/1/execute", "query": "a" });
    assert_eq!(answer.json()["data"]["payload"], payload);
    for method in ["OPTIONS", "HEAD", "PUT", "PROPFIND"] {
        ask(method, "/x", None).await.expect("200");
        assert_eq!(ask(method, "/admin/x", None).await.status, 401, "{method}");
    }
    assert_eq!(ask("OPTIONS", "/transfers/1/execute/", None).await.status, 200);
    for odd in ["/TRANSFERS/1/execute", "/a;b/c", "//transfers/1/execute", "/transfers/1/execute/", "/a%2fb"] {
        ask("POST", odd, None).await.expect("403 forward_auth.refused");
    }
}

#[tokio::test]
async fn a_guarded_body_is_named_by_its_digest() {
    let app = TestApp::start_with(|config| {
        guarding(Unrouted::Refuse)(config);
        config.forward_auth.routes[0].content_digest = true;
    })
    .await;
    let token = format!("Bearer {}", app.user().await.token);
    let digest = "sha-256=:X48E9qOokqqrvdts8nOJRJN3OWDUoyWxBf7kbu9DBPE=:";
    let answer = ask(&app, NGINX, PAID, &[("authorization", &token), ("content-digest", digest)]).await;
    assert_eq!(
        answer.expect("401 verification_record.permission_denied").json()["data"]["payload"]["contentDigest"],
        digest
    );
    ask(&app, NGINX, PAID, &[("authorization", &token)]).await.expect("403 forward_auth.refused");
    for wrong in ["", "sha-256", "sha-256=abc", "sha-256=:abc:;x", "SHA-256=:abc:", "sha-256=::", &"a=:b:,".repeat(100)]
    {
        let answer = ask(&app, NGINX, PAID, &[("authorization", &token), ("content-digest", wrong)]).await;
        answer.expect("403 forward_auth.refused");
    }
}

/// Nothing of the layers around it gets out: a proxy takes 2xx for a pass, and some pass anything else on.
#[tokio::test]
async fn there_are_four_kinds_of_answers() {
    let app = TestApp::start_with(|config| {
        guarding(Unrouted::Refuse)(config);
        config.limits.uri_bytes = 512;
        config.limits.header_bytes = 4096;
    })
    .await;
    let long = "a".repeat(1000);
    let mut seen = Vec::new();
    for method in ["GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE", "PATCH", "TRACE", "PROPFIND", "options"] {
        for path in ["", "/", "/x", "?x", "/transfers/1/execute", &format!("?{long}"), &format!("/{long}")] {
            for (name, value) in [
                ("if-none-match", "*"),
                ("access-control-request-method", "POST"),
                ("range", "bytes=0-"),
                ("content-type", "text/odd"),
                ("x-filler", &*"b".repeat(8000)),
                ("x-original-uri", "/"),
            ] {
                let request = app.http.request(method.parse().unwrap(), app.url(&format!("/forward-auth{path}")));
                let request = request.header("host", lab::HOST).header("origin", "https://evil.example");
                let request = request.header(name, value);
                let answer = Answer::of(request.body("x".repeat(10))).await;
                let is_known = matches!(answer.status, 401 | 403 | 500..);
                assert!(is_known, "{method} {path} {name}: {answer:?}");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{answer:?}");
                seen.push(answer.status);
            }
        }
    }
    assert!(seen.contains(&401) && seen.contains(&403), "{seen:?}");
}

#[tokio::test]
async fn an_unchanged_answer_is_an_answer_and_head_is_as_good_as_get() {
    let app = TestApp::start_with(guarding(Unrouted::Pass)).await;
    let first = ask(&app, NGINX, ["GET", lab::HOST, "/"], &[]).await.expect("200");
    assert_eq!((first.header("etag"), first.header("cache-control")), (None, Some("no-store")));
    ask(&app, NGINX, ["GET", lab::HOST, "/"], &[("if-none-match", "*")]).await.expect("200");
    let request = app.http.request(Method::HEAD, app.url("/forward-auth"));
    let request =
        NGINX.into_iter().zip(["HEAD", lab::HOST, "/"]).fold(request, |one, (name, value)| one.header(name, value));
    Answer::of(request).await.expect("200");
    // Letter case and a slash too many belong to others' paths here, and are not settled.
    let other = app.http.request(Method::OPTIONS, app.url("/Forward-Auth"));
    assert_eq!(Answer::of(other).await.status, 404);
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_to_wait_and_proxies_are_not_their_clients() {
    let app = TestApp::start_with(|config| {
        guarding(Unrouted::Pass)(config);
        config.limits.requests_per_minute = 2;
    })
    .await;
    let ask = async |client: &str| ask(&app, NGINX, ["GET", lab::HOST, "/"], &[("x-forwarded-for", client)]).await;
    for _ in 0..2 {
        ask("203.0.113.1").await.expect("200");
        ask("203.0.113.2").await.expect("200");
    }
    let answer = ask("203.0.113.1").await.expect("503 request.rate_limited");
    assert!(answer.header("retry-after").is_some(), "{answer:?}");
}

#[tokio::test]
async fn a_configuration_that_guards_nothing_it_means_to_does_not_start() {
    let mut config = countersign::config::Config::default();
    guarding(Unrouted::Refuse)(&mut config);
    assert!(config.problems().is_empty(), "{:?}", config.problems());
    config.forward_auth.routes.push(route("POST", "/transfers/1/execute"));
    assert!(config.problems()[0].starts_with("forward_auth.routes[2].path: "), "{:?}", config.problems());
    // What is built in is guarded by its own gate, and a name nobody knows guards nothing.
    for name in ["account.email.update", "payments.tranfser"] {
        guarding(Unrouted::Refuse)(&mut config);
        config.forward_auth.routes[0].operation = name.to_owned();
        assert!(config.problems()[0].starts_with("forward_auth.routes[0].operation: "), "{:?}", config.problems());
    }
}
