//! What pages send, and how they are told of what went wrong.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
    web::Payload,
};
use url::form_urlencoded;

use super::flow::Flow;
use crate::{
    app::App,
    domain::message::Locale,
    error::{Error, Result},
    pages::{self, Frame, Page, views::Notice, words::fill},
    texts,
    web::json::{self, Kind},
};

/// The fields of a form, or of a query.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    /// Of the query.
    #[must_use]
    pub fn of_query(request: &HttpRequest) -> Self {
        Self::parse(request.query_string().as_bytes())
    }

    /// Of the body; none when it is no form.
    pub async fn of_body(app: &App, request: &HttpRequest, payload: Payload) -> Result<Self> {
        let body = json::read(payload.into_inner(), &app.config.limits).await?;
        Ok(if json::kind(request) == Kind::Form { Self::parse(&body) } else { Self(Vec::new()) })
    }

    fn parse(text: &[u8]) -> Self {
        let pairs = form_urlencoded::parse(text).into_owned();
        Self(pairs.filter(|(name, value)| !name.contains('\0') && !value.contains('\0')).collect())
    }

    /// The first of that name; empty when there is none.
    #[must_use]
    pub fn get(&self, name: &str) -> &str {
        self.0.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value)
    }
}

/// The languages of a browser.
#[must_use]
pub fn accepted(request: &HttpRequest) -> &str {
    request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// The language of a page: the one that was chosen, else the client's, else the browser's.
#[must_use]
pub fn locale(request: &HttpRequest, chosen: Option<Locale>, ui_locales: Option<&str>) -> Locale {
    chosen.unwrap_or_else(|| texts::negotiate(ui_locales, true, None, Some(accepted(request)), "en"))
}

/// A redirect that is always fetched by GET, and never kept.
#[must_use]
pub fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .insert_header((header::REFERRER_POLICY, "no-referrer"))
        .finish()
}

/// What went wrong, as a page.
#[must_use]
pub fn failed(app: &App, request: &HttpRequest, error: &Error) -> HttpResponse {
    if let Error::Failed(failure) = error {
        tracing::error!(error = format!("{failure:#}"), "request failed");
    }
    let refusal = error.shown();
    let locale = locale(request, None, None);
    match refusal.code.status() {
        429 => pages::too_many(app, locale, refusal.retry_after),
        status => pages::failed(app, locale, StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)),
    }
}

/// The page for a browser that has no such sign-in under way.
#[must_use]
pub fn no_session(app: &App, request: &HttpRequest) -> HttpResponse {
    let frame = Frame::new(app, locale(request, None, None));
    let (title, text) = (frame.words.no_session, frame.words.no_session_text.to_owned());
    Notice { title, text, detail: None, is_bad: true, frame }.answer(StatusCode::BAD_REQUEST)
}

/// The page of a sign-in that is over.
#[must_use]
pub fn finished(frame: Frame, flow: &Flow) -> HttpResponse {
    let text = fill(frame.words.finished_text, &[("app", &flow.application.name)]);
    Notice { title: frame.words.finished, text, detail: None, is_bad: false, frame }.answer(StatusCode::OK)
}

/// The page for a request nobody can be sent back from.
#[must_use]
pub fn bad_request(app: &App, request: &HttpRequest, detail: &str) -> HttpResponse {
    let frame = Frame::new(app, locale(request, None, None));
    let (title, text) = (frame.words.bad_request, frame.words.bad_request_text.to_owned());
    Notice { title, text, detail: Some(detail.to_owned()), is_bad: true, frame }.answer(StatusCode::BAD_REQUEST)
}
