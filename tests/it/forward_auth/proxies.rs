//! nginx, Caddy and `HAProxy` for real.

use std::time::{Duration, Instant};

use countersign::config::forward_auth::Unrouted;

use super::{
    guarding,
    lab::{HOST, Lab, exchange},
};
use crate::chaos::proxy::Way;

const SPOOFED: [&str; 12] = [
    "X-Countersign-Subject: mallory",
    "X-Countersign-Operation: payments.transfer",
    "X-Countersign-Amr: pwd otp",
    "X-Countersign-Assertion: e30.e30.",
    "x-countersign-subject: mallory",
    "X_Countersign_Subject: mallory",
    "X-Forwarded-For: 127.0.0.1",
    "X-Forwarded-Proto: https",
    "X-Forwarded-Host: shop.example",
    "If-None-Match: *",
    "Range: bytes=0-0",
    "Expect: 100-continue",
];

#[tokio::test]
async fn spoofed_headers_get_nobody_through() {
    let lab = Lab::start(guarding(Unrouted::Pass)).await;
    for front in &lab.fronts {
        let name = front.name;
        let passed = front.send(b"GET /free?x=1", &SPOOFED, "").await;
        assert_eq!(passed.status, 200, "{name}: {passed:?}");
        let seen = lab.seen();
        assert_eq!((seen.len(), seen[0].target.as_str()), (1, "/free?x=1"), "{name}");
        for (header, value) in &seen[0].headers {
            assert!(!value.contains("mallory") && !value.contains("e30"), "{name} lets {header} through");
            let is_ours = header.replace('_', "-").starts_with("x-countersign-");
            assert!(!is_ours || value.is_empty(), "{name} lets {header}: {value} through");
        }
        for spoofed in [
            &["X-Original-Method: GET", "X-Original-Host: bank.example", "X-Original-URI: /free"][..],
            &["X-Original-URI: /free"],
            &["X-Forwarded-Method: GET", "X-Forwarded-Host: bank.example", "X-Forwarded-Uri: /free"],
            &["X-Forwarded-Uri: /free"],
            &["X-Forwarded-Host: shop.example"],
            &["X-HTTP-Method-Override: GET"],
            &["X-Original-URL: /free"],
            &["X-Rewrite-URL: /free"],
        ] {
            let answer = front.send(b"POST /transfers/1/execute", spoofed, "{}").await;
            assert!(matches!(answer.status, 401 | 403), "{name} {spoofed:?}: {answer:?}");
        }
        // A path that is free is not so under another method or path of its own saying.
        for spoofed in ["X-HTTP-Method-Override: POST", "X-Original-URL: /transfers/1/execute", "X-Rewrite-URL: /admin"]
        {
            let answer = front.send(b"GET /free", &[spoofed], "").await;
            assert_eq!(answer.status, 403, "{name} {spoofed}: {answer:?}");
        }
        let twice =
            front.send(b"POST /transfers/1/execute", &["Authorization: Bearer a", "Authorization: Bearer b"], "").await;
        assert!(matches!(twice.status, 400..), "{name}: {twice:?}");
        assert_eq!(lab.seen().len(), 0, "{name}");
    }
}

/// Ways to write a guarded path that one back end or another would take for it.
const TRICKS: [&str; 38] = [
    "/transfers/1/execute/",
    "/Transfers/1/execute",
    "/TRANSFERS/1/EXECUTE",
    "/tran%C5%BFfers/1/execute",
    "//transfers/1/execute",
    "/transfers//1/execute",
    "/transfers/1/execute//",
    "///transfers/1/execute",
    "/./transfers/1/execute",
    "/transfers/./1/execute",
    "/x/../transfers/1/execute",
    "/transfers/1/x/../execute",
    "/transfers/1/execute/.",
    "/transfers/1/execute/x/..",
    "/%2e/transfers/1/execute",
    "/x/%2e%2e/transfers/1/execute",
    "/x/.%2E/transfers/1/execute",
    "/x/%252e%252e/transfers/1/execute",
    "/transfers%2f1%2fexecute",
    "/transfers%2F1/execute",
    "/transfers%252f1/execute",
    "/%2Ftransfers/1/execute",
    "/transfers\\1\\execute",
    "/transfers%5c1%5cexecute",
    "/transfers/1/execute;x",
    "/transfers;x=1/1/execute",
    "/transfers/1/execute%3bx",
    "/x/..;/transfers/1/execute",
    "/transfers/1/execute%00",
    "/transfers/1/execute%00.css",
    "/transfers/1/execute%0a",
    "/transfers/1/execute%23x",
    "/transfers/1/execute%3fx",
    "/transfers/1/execute#x",
    "/transfers/1/execut%65%",
    "/transfers/1/%u0065xecute",
    "/x/%c0%ae%c0%ae/transfers/1/execute",
    "http://bank.example/../transfers/1/execute",
];

#[tokio::test]
async fn no_spelling_of_a_guarded_path_gets_past_a_proxy() {
    let lab = Lab::start(guarding(Unrouted::Pass)).await;
    let plain = ["/transfers/1/execute", "/tr%61nsfers/%31/execute", "/transfers/1/execute?x=/../../free"];
    for front in &lab.fronts {
        for path in TRICKS {
            let answer = front.send(format!("POST {path}").as_bytes(), &[], "{}").await;
            assert!(matches!(answer.status, 400..), "{} {path}: {answer:?}", front.name);
        }
        for path in plain {
            let answer = front.send(format!("POST {path}").as_bytes(), &[], "{}").await;
            assert_eq!(answer.status, 401, "{} {path}: {answer:?}", front.name);
        }
        for line in ["post /transfers/1/execute", "POST  /transfers/1/execute", "POST\t/transfers/1/execute"] {
            let answer = front.send(line.as_bytes(), &[], "{}").await;
            assert!(matches!(answer.status, 0 | 400..), "{} {line}: {answer:?}", front.name);
        }
        let raw = front.send(b"POST /tran\xc5\xbffers/1/execute", &[], "{}").await;
        assert!(matches!(raw.status, 0 | 400..), "{}: {raw:?}", front.name);
        assert_eq!(lab.seen().len(), 0, "{}", front.name);
    }
}

#[tokio::test]
async fn the_host_is_the_one_the_back_end_sees() {
    let lab = Lab::start(guarding(Unrouted::Pass)).await;
    for front in &lab.fronts {
        for hosts in [
            "Host: shop.example",
            "Host: 127.0.0.1",
            "Host: BANK.example",
            "Host: bank.example.",
            "Host: bank.example:443",
            "Host: shop.example\r\nHost: bank.example",
            "Host: bank.example\r\nHost: shop.example",
        ] {
            let bytes = format!(
                "POST /transfers/1/execute HTTP/1.1\r\n{hosts}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
            );
            let answer = exchange(front.port, bytes.into_bytes()).await;
            let sent = lab.seen();
            assert!(sent.is_empty(), "{} {hosts}: {answer:?} {sent:?}", front.name);
        }
        let absolute = format!(
            "POST http://{HOST}/transfers/1/execute HTTP/1.1\r\nHost: shop.example\r\nConnection: close\r\n\r\n"
        );
        let answer = exchange(front.port, absolute.into_bytes()).await;
        assert!(lab.seen().is_empty(), "{}: {answer:?}", front.name);
    }
}

#[tokio::test]
async fn a_challenge_reaches_the_client() {
    let lab = Lab::start(guarding(Unrouted::Refuse)).await;
    let user = lab.app.user().await;
    let token = format!("Authorization: Bearer {}", user.token);
    for front in &lab.fronts {
        let answer = front.send(b"POST /transfers/1/execute?a=b", &[&token], "{}").await;
        assert_eq!(answer.status, 401, "{}: {answer:?}", front.name);
        let challenge = answer.header("www-authenticate").unwrap();
        assert!(challenge.contains("insufficient_user_authentication"), "{}: {challenge}", front.name);
        let refused = front.send(b"GET /free", &[&token], "").await;
        assert_eq!(refused.status, 403, "{}: {refused:?}", front.name);
        assert_eq!(lab.seen().len(), 0, "{}", front.name);
    }
}

#[tokio::test]
async fn without_countersign_nothing_passes() {
    let lab = Lab::start(guarding(Unrouted::Pass)).await;
    for way in [Way::Cut, Way::Silent] {
        lab.way.set(way);
        for front in &lab.fronts {
            let began = Instant::now();
            let answer = front.send(b"GET /free", &[], "").await;
            assert!(answer.status >= 500, "{} {way:?}: {answer:?}", front.name);
            assert!(began.elapsed() < Duration::from_secs(15), "{} {way:?}: {:?}", front.name, began.elapsed());
        }
        assert_eq!(lab.seen().len(), 0, "{way:?}");
    }
    lab.way.set(Way::Open);
    for front in &lab.fronts {
        let answer = front.send(b"GET /free", &[], "").await;
        assert_eq!(answer.status, 200, "{} did not come back: {answer:?}", front.name);
    }
}
