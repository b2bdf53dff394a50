//! The development mailbox: what was sent, for people and for scripts.

use actix_web::{HttpRequest, HttpResponse, http::header, web::Data};

use crate::channels::mailbox::Mailbox;

/// The messages, newest first: a page for browsers, JSON for everybody else.
pub async fn show(request: HttpRequest, mailbox: Data<Mailbox>) -> HttpResponse {
    let accept = request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if accept.contains("text/html") {
        return HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header(("content-security-policy", "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src 'self'; frame-ancestors 'none'"))
            .body(include_str!("mailbox.html"));
    }
    HttpResponse::Ok().json(mailbox.list())
}
