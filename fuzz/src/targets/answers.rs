//! What others answer: SMS services, hooks, mail servers, issuers.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        LazyLock, Mutex, PoisonError,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::Duration,
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    channels::Channels,
    config::{email::EmailConfig, sms::SmsConfig, trusted_issuers::TrustedIssuer},
    crypto::issuers::TrustedIssuers,
    domain::{
        message::{Kind, Locale, Message, Payload, Rendered, Template},
        time::Timestamp,
    },
};
use serde_json::json;
use tokio::runtime::Runtime;

use super::choice;

/// Says what it was told to, whatever it is asked, and hangs up: a part for each connection, the last one for all others.
struct Stage {
    parts: &'static Mutex<Vec<Vec<u8>>>,
    runtime: Runtime,
    twilio: Channels,
    hook: Channels,
    smtp: Channels,
    issuers: TrustedIssuers,
    /// Where all of them are.
    url: String,
    now: AtomicI64,
}

impl Stage {
    /// A token that names the issuer, and a key it may have; the signature is nobody's.
    fn token(&self) -> String {
        let part = |value: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
        let header = part(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "k" }));
        let claims = part(json!({ "iss": self.url, "sub": "s", "aud": "a", "exp": i64::MAX }));
        format!("{header}.{claims}.{}", BASE64_URL_SAFE_NO_PAD.encode([7; 64]))
    }
}

fn speak(mut stream: TcpStream, text: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
    let mut asked = [0; 4096];
    // A mail server speaks first; whoever asks in HTTP has asked by then.
    if !text.starts_with(b"220") {
        let _ = stream.read(&mut asked);
    }
    let _ = stream.write_all(text);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    while matches!(stream.read(&mut asked), Ok(1..)) {}
}

static STAGE: LazyLock<Stage> = LazyLock::new(|| {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let smtp_url = format!("smtp://{}?tls=none", listener.local_addr().unwrap());
    let parts: &'static Mutex<Vec<Vec<u8>>> = Box::leak(Box::default());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut parts = parts.lock().unwrap_or_else(PoisonError::into_inner);
            let text = if parts.len() > 1 { parts.remove(0) } else { parts.first().cloned().unwrap_or_default() };
            drop(parts);
            thread::spawn(move || speak(stream, &text));
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _entered = runtime.enter();
    let twilio = SmsConfig {
        account_sid: Some("AC1".to_owned()),
        auth_token: Some("secret".to_owned().into()),
        from: Some("+15005550006".to_owned()),
        twilio_url: Some(url.clone()),
        timeout_ms: 300,
        ..SmsConfig::default()
    };
    let hook = EmailConfig { hook_url: Some(url.clone().into()), timeout_ms: 300, ..EmailConfig::default() };
    let smtp = EmailConfig {
        smtp_url: Some(smtp_url.into()),
        from: Some("no-reply@example.com".to_owned()),
        timeout_ms: 300,
        ..EmailConfig::default()
    };
    let channels = |email: &EmailConfig, sms: &SmsConfig| Channels::from_config(email, sms).unwrap();
    let entry = json!({ "issuer": url, "audience": "a", "algorithms": ["RS256", "PS384", "ES256", "ES384", "EdDSA"] });
    let entry: TrustedIssuer = serde_json::from_value(entry).unwrap();
    Stage {
        parts,
        twilio: channels(&EmailConfig::default(), &twilio),
        hook: channels(&hook, &SmsConfig::default()),
        smtp: channels(&smtp, &SmsConfig::default()),
        issuers: TrustedIssuers::new(&[entry]).unwrap_or_else(|error| panic!("{error}")),
        url,
        now: AtomicI64::new(1_795_176_000_000),
        runtime,
    }
});

fn message(kind: Kind) -> Message {
    Message {
        id: "message-1".to_owned(),
        created_at: Timestamp(1_795_176_000_000),
        kind,
        to: if kind == Kind::Sms { "+15005550006" } else { "ada@example.com" }.to_owned(),
        template: Template::UserPermissionValidation,
        rendered: Rendered { subject: Some("Code".to_owned()), text: "481516".to_owned(), html: None },
        payload: Payload {
            code: Some("481516".to_owned()),
            locale: Locale::En,
            ui_locales: None,
            application: None,
            user: None,
        },
        ip: None,
    }
}

/// Whatever comes back, it is success or an error in words, in time. A nought ends what is said on one connection.
pub fn answers(data: &[u8]) {
    let (number, data) = choice(data);
    let stage = &*STAGE;
    let parts: Vec<Vec<u8>> = data.split(|byte| *byte == 0).map(<[u8]>::to_vec).collect();
    // Where they are is not known before they listen.
    let parts = parts.into_iter().map(|part| replaced(&part, b"ISSUER", stage.url.as_bytes())).collect();
    *stage.parts.lock().unwrap_or_else(PoisonError::into_inner) = parts;
    let outcome = match number % 4 {
        0 => stage.runtime.block_on(stage.twilio.send(&message(Kind::Sms))),
        1 => stage.runtime.block_on(stage.hook.send(&message(Kind::Email))),
        2 => stage.runtime.block_on(stage.smtp.send(&message(Kind::Email))),
        _ => {
            // Later than any pause between two fetches.
            let now = Timestamp(stage.now.fetch_add(3_600_000, Ordering::Relaxed));
            let token = stage.token();
            assert!(stage.runtime.block_on(stage.issuers.verify(&token, now)).is_err(), "nobody signed it");
            return;
        }
    };
    if let Err(error) = outcome {
        let text = error.to_string();
        assert!(text.chars().count() < 1000 && !text.contains(['\r', '\n']), "{text}");
        let refusal = error.refusal();
        assert!((400..=503).contains(&refusal.code.status()), "{refusal}");
    }
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let Some(at) = text.windows(from.len()).position(|window| window == from) else { return text.to_vec() };
    [&text[..at], to, &text[at + from.len()..]].concat()
}
