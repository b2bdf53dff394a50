//! Messages reach real servers, and what those say is understood.

mod hook;
mod sms;
mod smtp;

use std::sync::{Arc, Mutex};

use countersign::{
    channels::Channels,
    config::{email::EmailConfig, sms::SmsConfig},
    domain::{
        message::{Kind, Locale, Message, Payload, Template},
        time::Timestamp,
    },
    texts::{Templates, Values, render},
};
use serde_json::json;

/// A message as the service makes it.
fn message(template: Template, kind: Kind, locale: Locale, to: &str) -> Message {
    let templates = Templates::built_in("Countersign", Some("login.example.com"));
    let made = Timestamp(1_763_640_000_000);
    let code = template.carries_code().then_some("042137");
    let display = template.carries_display().then_some("Pay 120.50 EUR to ACME GmbH");
    let values = Values { code, display, minutes: 10, time: Some(made), ..Values::default() };
    Message {
        id: "0198c0de".to_owned(),
        created_at: made,
        kind,
        to: to.to_owned(),
        template,
        rendered: render(&templates, template, kind, locale, &values),
        payload: Payload {
            code: code.map(str::to_owned),
            locale,
            ui_locales: Some("ja en".to_owned()),
            application: Some(json!({ "id": "app", "name": "Demo" })),
            user: Some(json!({ "id": "user" })),
        },
        ip: None,
    }
}

fn channels(email: &EmailConfig, sms: &SmsConfig) -> Channels {
    Channels::from_config(email, sms).unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// What a stand-in received.
type Seen<T> = Arc<Mutex<Vec<T>>>;

#[tokio::test]
async fn the_mailbox_keeps_the_last_messages_newest_first() {
    let (channels, mailbox) = Channels::to_mailbox(2);
    for to in ["a@example.com", "b@example.com", "c@example.com"] {
        channels.send(&message(Template::BindMfa, Kind::Email, Locale::En, to)).await.unwrap();
    }
    let list = mailbox.list();
    assert_eq!(list.as_array().unwrap().len(), 2);
    assert_eq!((&list[0]["to"], &list[1]["to"]), (&json!("c@example.com"), &json!("b@example.com")));
    assert_eq!((&list[0]["code"], &list[0]["type"]), (&json!("042137"), &json!("BindMfa")));
    assert!(channels.check().await.iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn a_message_survives_the_outbox_and_debug_shows_no_secret() {
    let message = message(Template::BindMfa, Kind::Email, Locale::Ja, "bob@example.com");
    let stored = serde_json::to_vec(&message).unwrap();
    assert_eq!(serde_json::from_slice::<Message>(&stored).unwrap(), message);
    let shown = format!("{message:?}");
    assert!(!shown.contains("042137") && !shown.contains("bob"), "{shown}");
}
