//! Bodies whose errors have names of their own: read as they are, then taken apart.

use std::borrow::Cow;

use actix_web::{HttpRequest, web::Payload};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa::openapi::{
    RefOr,
    schema::{ObjectBuilder, Schema, Type},
};

use crate::{
    app::App,
    domain::refusal::Code,
    error::Error,
    web::{
        json::{self, Kind},
        oauth::OauthError,
    },
};

/// The members of a body, JSON or form.
#[derive(Deserialize)]
#[serde(transparent)]
pub struct Members(Map<String, Value>);

impl utoipa::PartialSchema for Members {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new().schema_type(Type::Object).into()
    }
}

impl utoipa::ToSchema for Members {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Members")
    }
}

/// A member that is no text.
#[derive(Debug)]
pub struct NoText;

impl Members {
    /// Of a request. `name` is the error of a body that cannot be read.
    pub async fn read(
        app: &App,
        request: &HttpRequest,
        payload: Payload,
        name: &'static str,
    ) -> Result<Self, OauthError> {
        let body = json::read(payload.into_inner(), &app.config.limits).await?;
        let kind = json::kind(request);
        if kind == Kind::Form && json::has_repeated(&body) {
            return Err(OauthError::new(name, "a parameter stands more than once"));
        }
        json::parse(&body, kind).map_err(|error| match error {
            Error::Refused(refusal) if matches!(refusal.code, Code::InvalidInput | Code::MalformedJson) => {
                OauthError::new(name, "the body is not a JSON object")
            }
            error => error.into(),
        })
    }

    /// Whether a member is there, be it null.
    pub fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Names that are not among `known`.
    pub fn unknown(&self, known: &[&str]) -> Vec<&str> {
        self.0.keys().map(String::as_str).filter(|name| !known.contains(name)).collect()
    }

    /// A member; null is as good as absent.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    /// A text; null is as good as absent.
    pub fn text(&mut self, name: &str) -> Result<Option<String>, NoText> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(NoText),
        }
    }

    /// The same, for nobody to see.
    pub fn secret(&mut self, name: &str) -> Result<Option<SecretString>, NoText> {
        Ok(self.text(name)?.map(SecretString::from))
    }
}
