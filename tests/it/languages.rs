//! The language of messages (contract 6.3).

use reqwest::Method;
use serde_json::json;

use crate::harness::{Answer, TestApp};

#[tokio::test]
async fn messages_come_in_the_language_that_was_asked_for() {
    let app = TestApp::start_with(|config| config.limits.send_gap_seconds = 0).await;
    let user = app.user().await;
    let send = async |query: &str, headers: &[(&str, &str)]| {
        let body = json!({ "identifier": { "type": "email", "value": user.email } });
        let path = format!("/api/verifications/verification-code{query}");
        let mut request = user.request(Method::POST, &path).json(&body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Answer::of(request).await.expect("201");
        app.mailbox.messages()[0].clone()
    };
    let message = send("", &[]).await;
    let code = message.payload.code.clone().unwrap();
    assert_eq!(message.payload.locale.tag(), "en");
    assert!(message.rendered.text.lines().any(|line| line.trim() == code), "{}", message.rendered.text);
    assert!(message.rendered.subject.as_ref().unwrap().contains(&code));
    assert!(message.rendered.html.as_ref().unwrap().contains(&code));
    let tag = |message: countersign::domain::message::Message| message.payload.locale.tag();
    assert_eq!(tag(send("", &[("accept-language", "fr;q=0.9, ja-JP ; q=0.8, en;q=0.1")]).await), "ja");
    assert_eq!(tag(send("?locale=ja", &[("accept-language", "en")]).await), "ja");
    let cookie = ("cookie", "a=b; _logto=%7B%22uiLocales%22%3A%22ja%20en%22%7D");
    let message = send("?locale=en", &[cookie]).await;
    assert_eq!(message.payload.ui_locales.as_deref(), Some("ja en"));
    assert_eq!(tag(message), "ja");
    app.change_settings(|settings| {
        settings.sign_in_experience.language_info.auto_detect = false;
        settings.sign_in_experience.language_info.fallback_language = "ja".to_owned();
    })
    .await;
    assert_eq!(tag(send("?locale=en", &[("accept-language", "en")]).await), "ja");
}
