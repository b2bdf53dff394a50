//! The HTTP hook of contract 6.2.

use std::{sync::Arc, time::Duration};

use countersign::{
    channels::{Channels, SendError},
    config::{email::EmailConfig, sms::SmsConfig},
    domain::{
        message::{Kind, Locale, Template},
        refusal::Code,
    },
};
use rstest::rstest;
use serde_json::{Value, json};

use super::{Seen, channels, message};
use crate::harness::stand_in::{Answer, Request, start};

fn hooked(base: &str, timeout_ms: u64) -> Channels {
    let hook_url = Some(format!("{base}/send?key=hush").into());
    let hook_authorization = Some("Bearer t0ken".into());
    channels(
        &EmailConfig {
            hook_url: hook_url.clone(),
            hook_authorization: hook_authorization.clone(),
            timeout_ms,
            ..EmailConfig::default()
        },
        &SmsConfig { hook_url, hook_authorization, timeout_ms, ..SmsConfig::default() },
    )
}

fn answering(answer: impl Fn() -> Answer + Send + Sync + 'static) -> (String, Seen<Request>) {
    let seen = Seen::<Request>::default();
    let inside = Arc::clone(&seen);
    let base = start(move |request| {
        inside.lock().unwrap().push(request.clone());
        answer()
    });
    (base, seen)
}

#[tokio::test]
async fn the_body_is_the_contracts() {
    let (base, seen) = answering(|| Answer::new(204, ""));
    let channels = hooked(&base, 10_000);
    let mut email = message(Template::UserPermissionValidation, Kind::Email, Locale::Ja, "bob@example.com");
    email.ip = Some("192.0.2.1".to_owned());
    channels.send(&email).await.unwrap();
    channels.send(&message(Template::BindNewIdentifier, Kind::Sms, Locale::En, "15005550006")).await.unwrap();

    let seen = seen.lock().unwrap();
    assert_eq!((seen[0].method.as_str(), seen[0].path.as_str()), ("POST", "/send"));
    assert_eq!(seen[0].header("content-type"), Some("application/json"));
    assert_eq!(seen[0].header("authorization"), Some("Bearer t0ken"));
    assert_eq!(seen[0].header("idempotency-key"), Some("0198c0de"));
    let bodies: Vec<Value> = seen.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect();
    assert_eq!(
        bodies[0],
        json!({
            "to": "bob@example.com",
            "type": "UserPermissionValidation",
            "payload": {
                "code": "042137",
                "locale": "ja",
                "uiLocales": "ja en",
                "application": { "id": "app", "name": "Demo" },
                "user": { "id": "user" },
            },
            "ip": "192.0.2.1",
        })
    );
    assert_eq!(
        bodies[1],
        json!({
            "to": "15005550006",
            "type": "BindNewIdentifier",
            "payload": { "code": "042137", "locale": "en", "uiLocales": "ja en" },
        })
    );
}

#[tokio::test]
async fn notices_bring_their_words() {
    let (base, seen) = answering(|| Answer::new(200, "ok"));
    hooked(&base, 10_000)
        .send(&message(Template::PasswordChanged, Kind::Email, Locale::En, "bob@example.com"))
        .await
        .unwrap();
    let body: Value = serde_json::from_slice(&seen.lock().unwrap()[0].body).unwrap();
    assert_eq!(body["payload"]["subject"], "Your Countersign password was changed");
    assert!(body["payload"]["text"].is_string() && body["payload"]["html"].is_string());
    assert!(body["payload"].get("code").is_none());
}

#[tokio::test]
async fn what_a_code_agrees_to_reaches_the_hook_in_words() {
    let (base, seen) = answering(|| Answer::new(200, "ok"));
    let channels = hooked(&base, 10_000);
    for kind in Kind::ALL {
        channels.send(&message(Template::OperationConfirmation, *kind, Locale::En, "to")).await.unwrap();
    }
    for request in &*seen.lock().unwrap() {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        let text = body["payload"]["text"].as_str().unwrap();
        assert!(text.contains("Pay 120.50 EUR to ACME GmbH") && text.contains("042137"), "{body}");
        assert_eq!(body["payload"]["code"], "042137");
    }
}

#[rstest]
#[case(302, false)]
#[case(400, true)]
#[case(401, false)]
#[case(404, false)]
#[case(422, true)]
#[case(429, false)]
#[case(500, false)]
#[tokio::test]
async fn anything_but_2xx_is_general(#[case] status: u16, #[case] is_final: bool) {
    let (base, seen) = answering(move || Answer {
        headers: vec![("location", "/elsewhere".to_owned())],
        ..Answer::new(status, "bob@example.com")
    });
    let sent =
        hooked(&base, 10_000).send(&message(Template::BindMfa, Kind::Email, Locale::En, "bob@example.com")).await;
    let error = sent.unwrap_err();
    assert_eq!((error.refusal().code, error.is_final()), (Code::ConnectorGeneral, is_final));
    assert!(error.to_string().contains(&status.to_string()) && !error.to_string().contains("hush"), "{error}");
    assert_eq!(seen.lock().unwrap().len(), 1, "redirects are not followed");
}

#[tokio::test]
async fn a_slow_hook_is_given_up() {
    let (base, _) = answering(|| Answer { after: Duration::from_secs(3), ..Answer::new(200, "") });
    let sent = hooked(&base, 200).send(&message(Template::BindMfa, Kind::Sms, Locale::En, "15005550006")).await;
    assert_eq!(
        sent.unwrap_err(),
        SendError::Failed { detail: "the hook at 127.0.0.1 did not answer within 200 ms".to_owned(), is_final: false }
    );
}

#[tokio::test]
async fn doctor_learns_whether_it_is_reachable() {
    let (base, seen) = answering(|| Answer::new(405, ""));
    for (_, result) in hooked(&base, 10_000).check().await {
        assert!(result.unwrap().contains("405"));
    }
    assert!(seen.lock().unwrap().iter().all(|request| request.method == "HEAD"));
    let error = hooked("http://127.0.0.1:1", 10_000).check().await.remove(0).1.unwrap_err();
    assert!(error.to_string().starts_with("the hook at 127.0.0.1 cannot be reached"), "{error}");
}
