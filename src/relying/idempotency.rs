//! `Idempotency-Key`: the same request of the same service is answered as it was the first time, byte for byte, for a day.
//!
//! Kept are answers that changed the state of a record: asking again could not give them. Any other refusal is judged anew.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{StatusCode, header},
};
use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    crypto::digest::{digest, hex},
    domain::{
        id::{ApplicationId, RecordKey},
        refusal::{Code, Refusal},
    },
    error::Result,
    storage::{
        Session,
        idempotent_answers::{self as rows, Given},
    },
    web::{answer::ErrorBody, explain},
};

/// The header.
pub const HEADER: &str = "idempotency-key";

/// How long an answer is kept.
const LIFE: Duration = Duration::from_secs(24 * 3600);

/// The longest key.
const LONGEST: usize = 255;

/// An answer as it went out.
#[derive(Serialize, Deserialize)]
pub struct Answer {
    status: u16,
    body: String,
}

impl Answer {
    /// A 200 with a JSON body.
    pub fn ok(body: &impl Serialize) -> Result<Self> {
        Ok(Self { status: 200, body: serde_json::to_string(body).context("an answer as JSON")? })
    }

    /// A refusal.
    pub fn refused(refusal: Refusal) -> Result<Self> {
        let status = refusal.code.status();
        let body = serde_json::to_string(&ErrorBody::from(refusal)).context("a refusal as JSON")?;
        Ok(Self { status, body })
    }

    /// On the wire.
    #[must_use]
    pub fn response(self) -> HttpResponse {
        HttpResponse::build(StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR))
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .content_type("application/json")
            .body(self.body)
    }
}

/// One key of one service, and the request it came with.
pub struct Key {
    id: String,
    request_hash: [u8; 32],
}

impl Key {
    /// The key of a request, if it has one. `asked` is what makes two requests the same, beside the record.
    ///
    /// # Errors
    /// `400 guard.invalid_input` for one that is no visible ASCII of 1 to 255 characters, or stands twice.
    pub fn of(
        request: &HttpRequest,
        service: &ApplicationId,
        record: &RecordKey,
        asked: &impl Serialize,
    ) -> Result<Option<Self>> {
        let mut lines = request.headers().get_all(HEADER);
        let Some(value) = lines.next() else { return Ok(None) };
        let text = value.to_str().unwrap_or_default();
        let is_fit =
            (1..=LONGEST).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if !is_fit || lines.next().is_some() {
            let sentence = "Expected one value of 1 to 255 characters of ASCII, such as a UUID.";
            return Err(explain::one("headers", "Idempotency-Key", sentence).into());
        }
        let asked = serde_json::to_vec(asked).context("a request as JSON")?;
        Ok(Some(Self {
            id: hex(&digest(&[service.as_str().as_bytes(), b"\0", text.as_bytes()].concat())),
            request_hash: digest(&[record.0.as_slice(), &asked].concat()),
        }))
    }

    /// The answer that was given before.
    ///
    /// # Errors
    /// `422 request.idempotency_key_reused` when it was given to another request.
    pub async fn find(&self, app: &App, session: &mut Session) -> Result<Option<Answer>> {
        let Some(given) = rows::find(session, &self.id, app.now()).await? else { return Ok(None) };
        if given.request_hash != self.request_hash {
            return Err(Code::IdempotencyKeyReused.into());
        }
        let text = app.sealer.open("idempotent_answers", &self.id, "answer", &given.answer)?;
        Ok(Some(serde_json::from_slice(&text).context("an answer that was kept")?))
    }

    /// Keeps the answer, in the transaction whose outcome it tells; false when the key was used meanwhile: then nothing is to be
    /// committed.
    pub async fn keep(&self, app: &App, session: &mut Session, answer: &Answer) -> Result<bool> {
        let text = serde_json::to_vec(answer).context("an answer as JSON")?;
        let answer = app.sealer.seal("idempotent_answers", &self.id, "answer", &text)?;
        let now = app.now();
        let given = Given { request_hash: self.request_hash.to_vec(), answer };
        Ok(rows::add(session, &self.id, &given, now, now.plus(LIFE)).await?)
    }
}

/// The answer that was given before to the same key, if there is one.
pub async fn given(app: &App, session: &mut Session, key: Option<&Key>) -> Result<Option<HttpResponse>> {
    let Some(key) = key else { return Ok(None) };
    Ok(key.find(app, session).await?.map(Answer::response))
}

/// Commits the transaction with its answer. When a twin of the request was quicker, its answer counts, and ours is undone.
pub async fn commit(app: &App, mut session: Session, key: Option<&Key>, answer: Answer) -> Result<HttpResponse> {
    if let Some(key) = key
        && !key.keep(app, &mut session, &answer).await?
    {
        drop(session);
        let twin = key.find(app, &mut app.db.read().await?).await?;
        return Ok(twin.ok_or(Code::Unavailable)?.response());
    }
    session.commit().await?;
    Ok(answer.response())
}
