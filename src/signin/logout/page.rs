//! The pages of signing out: markup and a little style, nothing else.

use std::sync::LazyLock;

use actix_web::{HttpResponse, http::StatusCode};
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::LogoutRequest;
use crate::domain::message::Locale;

const STYLE: &str = ":root{color-scheme:light dark}body{font:1rem/1.5 system-ui,sans-serif;max-width:24rem;margin:20vh auto;\
                     padding:0 1rem}button{font:inherit;padding:.6rem 1.2rem}";

static STYLE_SOURCE: LazyLock<String> =
    LazyLock::new(|| format!("'sha256-{}'", BASE64_STANDARD.encode(digest(&SHA256, STYLE.as_bytes()))));

/// What the pages need to know.
pub struct Page<'a> {
    /// Their language.
    pub locale: Locale,
    /// The product's name.
    pub product: &'a str,
}

/// A heading, a sentence, the words of a button.
struct Words {
    title: &'static str,
    text: &'static str,
    button: &'static str,
}

impl Page<'_> {
    /// Nothing was done.
    pub fn refused(&self) -> HttpResponse {
        let words = match self.locale {
            Locale::En => Words {
                title: "This link does not work",
                text: "You are not signed out. Go back to the app and try again.",
                button: "",
            },
            Locale::Ja => Words {
                title: "このリンクは使えません",
                text: "サインアウトしていません。アプリに戻って、もう一度お試しください。",
                button: "",
            },
        };
        self.answer(StatusCode::BAD_REQUEST, &words, "", "")
    }

    /// It is done, and there is nowhere to go.
    pub fn done(&self) -> HttpResponse {
        let words = match self.locale {
            Locale::En => Words { title: "You are signed out", text: "You can close this page.", button: "" },
            Locale::Ja => Words {
                title: "サインアウトしました", text: "このページを閉じてかまいません。", button: ""
            },
        };
        self.answer(StatusCode::OK, &words, "", "")
    }

    /// Whether to.
    pub fn question(&self, asked: &LogoutRequest, way_back: Option<&str>, token: &SecretString) -> HttpResponse {
        let words = match self.locale {
            Locale::En => Words {
                title: "Sign out?",
                text: "You will be signed out in this browser, and in the apps you opened with it.",
                button: "Sign out",
            },
            Locale::Ja => Words {
                title: "サインアウトしますか?",
                text: "このブラウザと、ここからサインインしたアプリからサインアウトします。",
                button: "サインアウト",
            },
        };
        let fields = [
            ("client_id", asked.client_id.as_deref()),
            ("post_logout_redirect_uri", way_back),
            ("state", asked.state.as_deref()),
            ("ui_locales", asked.ui_locales.as_deref()),
            ("confirmation", Some(token.expose_secret())),
        ];
        let hidden: String = fields
            .into_iter()
            .filter_map(|(name, value)| {
                Some(format!(r#"<input type="hidden" name="{name}" value="{}">"#, escaped(value?)))
            })
            .collect();
        let form = format!(
            r#"<form method="post" action="/oidc/logout">{hidden}<button>{}</button></form>"#,
            escaped(words.button)
        );
        // Browsers hold the redirect that follows the form against this, too.
        let target = way_back.and_then(|uri| Url::parse(uri).ok()).map(|uri| match uri.origin() {
            origin if origin.is_tuple() => format!(" {}", origin.ascii_serialization()),
            _ => format!(" {}:", uri.scheme()),
        });
        self.answer(StatusCode::OK, &words, &form, &target.unwrap_or_default())
    }

    fn answer(&self, status: StatusCode, words: &Words, form: &str, target: &str) -> HttpResponse {
        let (title, text, product) = (escaped(words.title), escaped(words.text), escaped(self.product));
        let policy = format!(
            "default-src 'none'; style-src {}; frame-ancestors 'none'; base-uri 'none'; form-action 'self'{target}",
            *STYLE_SOURCE
        );
        HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .insert_header(("content-security-policy", policy))
            .insert_header(("cache-control", "no-store"))
            .insert_header(("referrer-policy", "no-referrer"))
            .body(format!(
                r#"<!doctype html>
<html lang="{}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title} · {product}</title><style>{STYLE}</style></head>
<body><main><h1>{title}</h1><p>{text}</p>{form}</main></body></html>
"#,
                self.locale.tag()
            ))
    }
}

/// Text within markup or a quoted attribute.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(letter),
        }
    }
    out
}
