//! Pages served from the binary: markup, style and script in one answer, nothing from elsewhere.

use actix_web::HttpResponse;
use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, prelude::BASE64_STANDARD};

/// A page, put together once.
pub struct Page {
    body: String,
    policy: String,
}

impl Page {
    /// `markup` has `/*style*/` and `/*script*/` where they go.
    #[must_use]
    pub fn new(markup: &str, style: &str, script: &str) -> Self {
        let hash = |text: &str| BASE64_STANDARD.encode(digest(&SHA256, text.as_bytes()));
        // The browser runs these two texts and no other: a script that got into the page by way of its data would not match.
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{}'; script-src 'sha256-{}'; connect-src 'self'; frame-ancestors 'none'; \
             base-uri 'none'; form-action 'none'",
            hash(style),
            hash(script)
        );
        Self { body: markup.replacen("/*style*/", style, 1).replacen("/*script*/", script, 1), policy }
    }

    /// As an answer.
    pub fn answer(&self) -> HttpResponse {
        HttpResponse::Ok()
            .content_type("text/html; charset=utf-8")
            .insert_header(("content-security-policy", self.policy.as_str()))
            .insert_header(("referrer-policy", "no-referrer"))
            .body(self.body.clone())
    }
}
