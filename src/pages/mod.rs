//! Hosted pages: markup, style and script in one answer, nothing from elsewhere. They work without the script.
//!
//! This floor only draws: what is shown is decided above it. One layout for all, so that people know where they are.

pub mod account;
mod color;
pub mod countries;
pub mod views;
pub mod words;

use std::time::Duration;

use actix_web::{
    HttpResponse, HttpResponseBuilder,
    http::{StatusCode, header},
};
use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use url::Url;

use self::{color::Accent, words::Words};
use crate::{app::App, config::pages::PagesConfig, domain::message::Locale};

const STYLE: &str = include_str!("html/style.css");
const SCRIPT: &str = include_str!("html/script.js");

/// What every page has.
pub struct Frame {
    /// In which language.
    pub locale: Locale,
    /// Its texts.
    pub words: &'static Words,
    /// The name people know the service by.
    pub product: String,
    /// Its first letter.
    pub initial: String,
    /// The same page in the other language.
    pub other_language: Option<String>,
    /// Where the person goes afterwards, for the foot of the page.
    pub returns_to: Option<String>,
    /// Where a form of the page may lead beside our own site: see [`form_target`].
    pub form_targets: Vec<String>,
    style: String,
    script: &'static str,
    calls_us: bool,
}

impl Frame {
    /// As configured.
    #[must_use]
    pub fn new(app: &App, locale: Locale) -> Self {
        let product = app.config.messages.product.trim().to_owned();
        let initial = product.chars().next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
        let rgb = app.config.pages.rgb().or_else(|| PagesConfig::default().rgb()).unwrap_or_default();
        let style = format!("{STYLE}{}", Accent::new(rgb).style());
        Self {
            locale,
            words: Words::of(locale),
            product,
            initial,
            other_language: None,
            returns_to: None,
            form_targets: Vec::new(),
            style,
            script: SCRIPT,
            calls_us: false,
        }
    }

    /// The same for a page with more style and a script of its own, which calls our API.
    fn with(mut self, style: &str, script: &'static str) -> Self {
        self.style.push_str(style);
        Self { script, calls_us: true, ..self }
    }

    /// The other language's tag.
    #[must_use]
    pub const fn other_tag(&self) -> &'static str {
        match self.locale {
            Locale::En => "ja",
            Locale::Ja => "en",
        }
    }

    /// The browser runs and applies these two texts and no others, sends forms nowhere but to us (and where they lead), and shows the page in no frame.
    fn policy(&self) -> String {
        let hash = |text: &str| BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()));
        let (style, script) = (hash(&self.style), hash(self.script));
        let targets = [&["'self'".to_owned()], self.form_targets.as_slice()].concat().join(" ");
        let calls = if self.calls_us { " connect-src 'self';" } else { "" };
        format!(
            "default-src 'none';{calls} style-src 'sha256-{style}'; script-src 'sha256-{script}'; form-action {targets}; \
             frame-ancestors 'none'; base-uri 'none'"
        )
    }
}

/// A page: a template with a frame.
pub trait Page: Template {
    /// The frame.
    fn frame(&self) -> &Frame;

    /// As an answer.
    fn answer(&self, status: StatusCode) -> HttpResponse {
        self.answer_with(status, |_| {})
    }

    /// The same with more headers.
    fn answer_with(&self, status: StatusCode, more: impl FnOnce(&mut HttpResponseBuilder)) -> HttpResponse {
        let body = match self.render() {
            Ok(body) => body,
            Err(error) => {
                tracing::error!(%error, "a page cannot be drawn");
                return HttpResponse::InternalServerError().finish();
            }
        };
        let mut response = HttpResponse::build(status);
        response
            .content_type("text/html; charset=utf-8")
            .insert_header((header::CONTENT_SECURITY_POLICY, self.frame().policy()))
            .insert_header((header::X_FRAME_OPTIONS, "DENY"))
            .insert_header((header::REFERRER_POLICY, "no-referrer"))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .insert_header((header::CONTENT_LANGUAGE, self.frame().locale.tag()));
        more(&mut response);
        response.body(body)
    }
}

/// What a page must name for its form to be answered with a redirect there, for browsers hold that against `form-action`: an origin, or
/// the scheme of an app and a colon.
#[must_use]
pub fn form_target(uri: &str) -> Option<String> {
    let uri = Url::parse(uri).ok()?;
    Some(match uri.origin() {
        origin if origin.is_tuple() => origin.ascii_serialization(),
        _ => format!("{}:", uri.scheme()),
    })
}

/// The page of somebody who asks too often.
#[must_use]
pub fn too_many(app: &App, locale: Locale, wait: Option<Duration>) -> HttpResponse {
    let frame = Frame::new(app, locale);
    let wait = wait.unwrap_or(Duration::from_secs(60));
    let text = words::fill(frame.words.too_many_text, &[("time", &words::wait(frame.words, wait))]);
    let page = views::Notice { title: frame.words.too_many_title, text, detail: None, is_bad: true, frame };
    page.answer_with(StatusCode::TOO_MANY_REQUESTS, |response| {
        response.insert_header((header::RETRY_AFTER, seconds(wait).to_string()));
    })
}

/// The page for what is nobody's fault but ours.
#[must_use]
pub fn failed(app: &App, locale: Locale, status: StatusCode) -> HttpResponse {
    let frame = Frame::new(app, locale);
    let (title, text) = (frame.words.failed, frame.words.failed_text.to_owned());
    views::Notice { title, text, detail: None, is_bad: true, frame }.answer(status)
}

/// Whole seconds, rounded up.
#[must_use]
pub fn seconds(length: Duration) -> u128 {
    length.as_millis().div_ceil(1000).max(1)
}

/// Full-width digits and plus signs as input methods write them, in ASCII.
#[must_use]
pub fn plain_digits(text: &str) -> String {
    let plain = |letter: char| match letter {
        '０'..='９' => char::from_u32(u32::from(letter) - u32::from('０') + u32::from('0')).unwrap_or(letter),
        '＋' => '+',
        _ => letter,
    };
    text.chars().map(plain).collect()
}
