//! The development mailbox: what was sent, for people and for scripts.

use std::sync::LazyLock;

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    web::{Data, Query},
};
use serde::Deserialize;
use serde_json::Value;

use super::page::Page;
use crate::channels::mailbox::Mailbox;

static PAGE: LazyLock<Page> = LazyLock::new(|| {
    Page::new(include_str!("pages/mailbox.html"), include_str!("pages/mailbox.css"), include_str!("pages/mailbox.js"))
});

/// Which messages.
#[derive(Deserialize)]
pub struct Wanted {
    /// Only those to this address.
    to: Option<String>,
}

/// The messages, newest first: a page for browsers, JSON for everybody else.
pub async fn show(request: HttpRequest, mailbox: Data<Mailbox>, wanted: Query<Wanted>) -> HttpResponse {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return PAGE.answer();
    }
    let mut messages = mailbox.list();
    if let (Some(to), Value::Array(list)) = (&wanted.to, &mut messages) {
        list.retain(|message| message.get("to").and_then(Value::as_str) == Some(to));
    }
    HttpResponse::Ok().insert_header((header::VARY, "accept")).json(messages)
}
