//! E-mail against aiosmtpd.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use countersign::{
    channels::SendError,
    config::{email::EmailConfig, sms::SmsConfig},
    domain::{
        message::{Kind, Locale, Message, Template},
        refusal::Code,
    },
};
use rstest::rstest;
use serde_json::json;

use super::{channels, message};
use crate::harness::MailServer as Server;

fn mail(locale: Locale) -> Message {
    message(Template::UserPermissionValidation, Kind::Email, locale, "bob@example.com")
}

async fn send(config: &EmailConfig) -> Result<(), SendError> {
    channels(config, &SmsConfig::default()).send(&mail(Locale::En)).await
}

async fn check(config: &EmailConfig) -> Result<String, SendError> {
    channels(config, &SmsConfig::default()).check().await.remove(0).1
}

#[tokio::test]
async fn a_mail_arrives_with_both_parts() {
    let server = Server::start(&[]);
    let config = EmailConfig { reply_to: Some("help@example.com".into()), ..server.config() };
    send(&config).await.unwrap();
    let stored = server.wait_for("message");
    assert_eq!(stored["sender"], "no-reply@example.com");
    assert_eq!(stored["recipients"], json!(["bob@example.com"]));
    let data = stored["data"].as_str().unwrap();
    for part in [
        "From: Countersign <no-reply@example.com>\r\n",
        "Reply-To: help@example.com\r\n",
        "To: bob@example.com\r\n",
        "Subject: 042137 is your Countersign verification code\r\n",
        "Date: Thu, 20 Nov 2025 12:00:00 +0000\r\n",
        "Message-ID: <0198c0de@example.com>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "multipart/alternative",
        "\r\n\r\n042137\r\n\r\n",
        "text/html",
    ] {
        assert!(data.contains(part), "{part} in {data}");
    }
}

#[tokio::test]
async fn japanese_arrives_and_connections_are_kept() {
    let server = Server::start(&[]);
    let channels = channels(&server.config(), &SmsConfig::default());
    for _ in 0..3 {
        channels.send(&mail(Locale::Ja)).await.unwrap();
        let stored = server.wait_for("message");
        assert_eq!(stored["connection"], 1);
        assert!(stored["data"].as_str().unwrap().contains("Subject: 042137 =?utf-8?b?"), "{stored}");
    }
}

#[rstest]
#[case("550 5.1.1 <bob@example.com> unknown, call 15005550006", Code::ConnectorInvalidRequest, true)]
#[case("451 4.7.1 greylisted", Code::ConnectorGeneral, false)]
#[case("530 5.7.0 log in first", Code::ConnectorAuthorizationFailed, false)]
#[tokio::test]
async fn a_refusal_is_the_contracts(#[case] answer: &str, #[case] code: Code, #[case] is_final: bool) {
    let server = Server::start(&["--recipient-answer", answer]);
    let error = send(&server.config()).await.unwrap_err();
    assert_eq!((error.refusal().code, error.is_final()), (code, is_final), "{error}");
    let told = error.to_string();
    assert!(told.contains(&answer[..3]) && !told.contains("bob") && !told.contains("15005550006"), "{told}");
}

#[tokio::test]
async fn a_login_is_made_and_a_wrong_one_is_told() {
    let server = Server::start(&["--login", "ada:p/w"]);
    let config =
        EmailConfig { smtp_username: Some("ada".into()), smtp_password: Some("p/w".into()), ..server.config() };
    send(&config).await.unwrap();
    assert_eq!(server.wait_for("message")["login"], "ada");
    let url = format!("smtp://ada:p%2Fw@localhost:{}", server.port);
    send(&EmailConfig { smtp_url: Some(url.into()), ..server.config() }).await.unwrap();
    assert!(check(&config).await.unwrap().contains("takes the login"));

    let wrong = EmailConfig { smtp_password: Some("other-secret".into()), ..config };
    for error in [send(&wrong).await.unwrap_err(), check(&wrong).await.unwrap_err()] {
        assert_eq!((error.refusal().code, error.is_final()), (Code::ConnectorAuthorizationFailed, false), "{error}");
        assert!(!error.to_string().contains("other-secret"));
    }
}

#[tokio::test]
async fn a_silent_server_is_given_up() {
    let server = Server::start(&["--hang", "greeting"]);
    let config = EmailConfig { timeout_ms: 300, ..server.config() };
    let begun = Instant::now();
    let error = send(&config).await.unwrap_err();
    assert!(begun.elapsed() < Duration::from_secs(5));
    assert_eq!((error.refusal().code, error.is_final()), (Code::ConnectorGeneral, false));
    assert!(error.to_string().contains("within 300 ms"), "{error}");
}

#[tokio::test]
async fn a_connection_cut_off_in_the_middle_is_not_used_again() {
    let server = Server::start(&["--hang", "first-data"]);
    let config = EmailConfig { timeout_ms: 1500, ..server.config() };
    let channels = channels(&config, &SmsConfig::default());
    channels.send(&mail(Locale::En)).await.unwrap_err();
    channels.send(&mail(Locale::En)).await.unwrap();
    assert_eq!(server.wait_for("message")["connection"], 2);
}

#[tokio::test]
async fn a_connection_closed_while_idle_costs_no_message() {
    let server = Server::start(&["--idle", "0.5"]);
    let channels = channels(&server.config(), &SmsConfig::default());
    for connection in 1..=2 {
        channels.send(&mail(Locale::En)).await.unwrap();
        assert_eq!(server.wait_for("message")["connection"], connection);
        server.wait_for("closed");
    }
}

#[tokio::test]
async fn a_connection_closed_at_the_worst_moment_costs_no_message() {
    let server = Server::start(&["--drop"]);
    let channels = channels(&server.config(), &SmsConfig::default());
    for connection in 1..=2 {
        channels.send(&mail(Locale::En)).await.unwrap();
        assert_eq!(server.wait_for("message")["connection"], connection);
    }
}

#[tokio::test]
async fn a_connection_that_died_silently_costs_no_message() {
    let server = Server::start(&["--hang", "rested"]);
    let config = EmailConfig { timeout_ms: 4000, ..server.config() };
    let channels = channels(&config, &SmsConfig::default());
    for connection in 1..=2 {
        channels.send(&mail(Locale::En)).await.unwrap();
        assert_eq!(server.wait_for("message")["connection"], connection);
    }
}

#[tokio::test]
async fn old_connections_are_not_used_again() {
    let server = Server::start(&[]);
    let config = EmailConfig { idle_timeout_ms: 1, ..server.config() };
    let channels = channels(&config, &SmsConfig::default());
    for connection in 1..=2 {
        channels.send(&mail(Locale::En)).await.unwrap();
        assert_eq!(server.wait_for("message")["connection"], connection);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[rstest]
#[case("starttls", "smtp", "?tls=starttls")]
#[case("implicit", "smtps", "")]
#[tokio::test]
async fn tls_is_used_and_its_certificate_judged(#[case] mode: &str, #[case] scheme: &str, #[case] query: &str) {
    let folder = tempfile::tempdir().unwrap();
    let authority = folder.path().join("ca.pem");
    let server = Server::start(&["--tls", mode, "--ca-out", authority.to_str().unwrap(), "--login", "ada:secret"]);
    let url = |host: &str| format!("{scheme}://ada:secret@{host}:{}{query}", server.port).into();
    let trusting = |host: &str, ca: Option<&Path>| EmailConfig {
        smtp_url: Some(url(host)),
        smtp_ca_file: ca.map(Path::to_path_buf),
        ..server.config()
    };
    send(&trusting("localhost", Some(&authority))).await.unwrap();
    let stored = server.wait_for("message");
    assert_eq!((&stored["tls"], &stored["login"]), (&json!(true), &json!("ada")));
    let told = check(&trusting("localhost", Some(&authority))).await.unwrap();
    assert!(told.contains("TLS"), "{told}");

    // An authority nobody vouches for, and a certificate for another name.
    for config in [trusting("localhost", None), trusting("127.0.0.1", Some(&authority))] {
        let error = send(&config).await.unwrap_err();
        assert_eq!(error.refusal().code, Code::ConnectorInvalidConfig, "{error}");
        assert!(error.to_string().contains("smtp_ca_file"), "{error}");
    }
}

#[tokio::test]
async fn without_starttls_nothing_is_sent() {
    let server = Server::start(&[]);
    let url = format!("smtp://127.0.0.1:{}?tls=starttls", server.port);
    let error = send(&EmailConfig { smtp_url: Some(url.into()), ..server.config() }).await.unwrap_err();
    assert_eq!(error.refusal().code, Code::ConnectorInvalidConfig);
    assert!(error.to_string().contains("does not offer STARTTLS"), "{error}");
}

#[tokio::test]
async fn doctor_is_told_in_words() {
    let server = Server::start(&[]);
    assert!(check(&server.config()).await.unwrap().contains("lets us send from email.from"));
    let refusing = Server::start(&["--sender-answer", "553 not yours"]);
    let error = check(&refusing.config()).await.unwrap_err();
    assert!(matches!(&error, SendError::Misconfigured(told) if told.contains("email.from was refused")), "{error}");
    let config = server.config();
    drop(server);
    let error = check(&config).await.unwrap_err();
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn a_broken_authority_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in
        [("none.pem", None), ("empty.pem", Some("")), ("bad.pem", Some("-----BEGIN CERTIFICATE-----\n!\n"))]
    {
        let path = folder.path().join(name);
        text.inspect(|text| std::fs::write(&path, text).unwrap());
        let config = EmailConfig {
            from: Some("a@example.com".into()),
            smtp_url: Some("smtps://mail.example.com".into()),
            smtp_ca_file: Some(path),
            ..EmailConfig::default()
        };
        let problems = countersign::channels::Channels::from_config(&config, &SmsConfig::default()).err().unwrap();
        assert!(problems.len() == 1 && problems[0].starts_with("email.smtp_ca_file"), "{problems:?}");
    }
}
