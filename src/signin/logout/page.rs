//! The pages of signing out.

use actix_web::{HttpResponse, http::StatusCode};
use secrecy::{ExposeSecret, SecretString};

use super::LogoutRequest;
use crate::{
    app::App,
    domain::message::Locale,
    pages::{
        Frame, Page as _, form_target,
        views::{Confirm, Notice},
    },
};

/// What the pages need to know.
pub struct Page<'a> {
    /// Product and colour.
    pub app: &'a App,
    /// Their language.
    pub locale: Locale,
}

impl Page<'_> {
    /// Nothing was done.
    pub fn refused(&self) -> HttpResponse {
        let frame = Frame::new(self.app, self.locale);
        let (title, text) = (frame.words.sign_out_refused, frame.words.sign_out_refused_text.to_owned());
        Notice { title, text, detail: None, is_bad: true, frame }.answer(StatusCode::BAD_REQUEST)
    }

    /// It is done, and there is nowhere to go.
    pub fn done(&self) -> HttpResponse {
        let frame = Frame::new(self.app, self.locale);
        let (title, text) = (frame.words.signed_out, frame.words.signed_out_text.to_owned());
        Notice { title, text, detail: None, is_bad: false, frame }.answer(StatusCode::OK)
    }

    /// Whether to.
    pub fn question(&self, asked: &LogoutRequest, way_back: Option<&str>, token: &SecretString) -> HttpResponse {
        let mut frame = Frame::new(self.app, self.locale);
        let words = frame.words;
        // Browsers hold the redirect that follows the form against this, too.
        frame.form_targets = way_back.and_then(form_target).into_iter().collect();
        let fields = [
            ("client_id", asked.client_id.as_deref()),
            ("post_logout_redirect_uri", way_back),
            ("state", asked.state.as_deref()),
            ("ui_locales", asked.ui_locales.as_deref()),
            ("confirmation", Some(token.expose_secret())),
        ];
        let fields = fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())));
        Confirm {
            title: words.sign_out_question.to_owned(),
            text: words.sign_out_text.to_owned(),
            subject: None,
            action: "/oidc/logout".to_owned(),
            fields: fields.collect(),
            button: words.sign_out.to_owned(),
            note: None,
            frame,
        }
        .answer(StatusCode::OK)
    }
}
