//! Delivering samples, so that an operator sees whether a webhook works.

use actix_web::{HttpResponse, post, web::Data};
use serde::Deserialize;
use serde_json::json;

use super::{Events, find};
use crate::{
    app::App,
    audit,
    channels::{SendError, webhook::Answer},
    domain::{
        hook::HookEvent,
        id::{HookId, random_text},
        refusal::Code,
    },
    error::Result,
    hooks::{
        config::{self, HookConfig},
        delivery, sample,
    },
    management::auth::Manager,
    refusals,
    web::{json::Json, query::PathId},
};

/// So much of an answer is shown, in characters.
const SHOWN: usize = 1024;

/// What to deliver, and where.
#[derive(Deserialize, utoipa::ToSchema)]
pub struct Trial {
    /// A sample of each is delivered.
    #[schema(value_type = Vec<HookEvent>, min_items = 1)]
    events: Events,
    /// Where to; nothing of it is stored.
    config: HookConfig,
}

refusals!(Refused: [MANAGEMENT, BODY], EntityNotFound, HookAddressNotAllowed, HookRespondedWithError, HookTestFailed);

/// Tests a webhook
///
/// Delivers samples of events at once, signed with the webhook's key; nothing is tried again.
#[utoipa::path(
    operation_id = "CreateHookTest", tag = "Hooks", security(("bearer" = [])),
    params(("id" = String, Path, description = "The webhook's id.")),
    request_body = Trial,
    responses((status = 204, description = "All were taken."), Refused),
)]
#[post("/hooks/{id}/test")]
pub async fn test(
    app: Data<App>,
    manager: Manager,
    PathId(id): PathId,
    Json(trial): Json<Trial>,
) -> Result<HttpResponse> {
    let Trial { events: Events(events), config } = trial;
    super::require_allowed(&app, &config)?;
    let hook = find(&mut app.db.read().await?, HookId(id)).await?;
    let (_, key) = config::unseal(&app.sealer, &hook)?;
    let mut session = app.db.write().await?;
    audit::write(&app, &mut session, "hook.tested", &manager, json!({ "id": hook.id, "events": events })).await?;
    session.commit().await?;
    // One after the other, none after a failure: whoever tests waits no longer than for one that does not answer.
    for event in events {
        let body = sample(&hook.id, event, app.now()).to_string();
        judge(delivery::send(&app, &config, &key, &random_text(&*app.random, 24), body).await)?;
    }
    Ok(HttpResponse::NoContent().finish())
}

fn judge(answer: Result<Answer, SendError>) -> Result<()> {
    match answer {
        Ok(answer) if answer.status.is_success() => Ok(()),
        Ok(answer) => {
            let body: String = String::from_utf8_lossy(&answer.body).chars().take(SHOWN).collect();
            let data = json!({ "responseStatus": answer.status.as_u16(), "responseBody": body });
            Err(Code::HookRespondedWithError.with(data).into())
        }
        Err(SendError::Refused(_)) => Err(Code::HookAddressNotAllowed.into()),
        Err(_) => Err(Code::HookTestFailed.into()),
    }
}
