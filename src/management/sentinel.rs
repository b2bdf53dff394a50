//! Resetting locks and counters for a user (contract 1.7).

use actix_web::{HttpResponse, post, web::Data};
use serde::Deserialize;
use serde_json::json;

use super::auth::Manager;
use crate::{
    app::App,
    audit,
    crypto::digest::digest,
    domain::identifier::{E164, EmailAddress, PhoneNumber},
    error::Result,
    refusals,
    storage::{Session, guesses, sends, users},
    web::{fields::Text, json::Json},
};

/// Of what kind the targets are.
#[derive(Clone, Copy, Debug, Deserialize, utoipa::ToSchema)]
pub enum TargetType {
    /// Users, by id, username, e-mail address or phone.
    User,
    /// Applications: nothing is counted for them here.
    App,
}

/// Whose counters to reset.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SentinelTargets {
    target_type: TargetType,
    /// Ids, usernames, e-mail addresses or phone numbers.
    #[schema(value_type = Vec<String>, example = json!(["x1y2z3a4b5c6"]))]
    targets: Vec<Text<0, 256>>,
}

refusals!(Refused: [MANAGEMENT, BODY]);

/// Resets locks and counters
///
/// Ends every lock of the users that are named, and forgets what was sent to the addresses that are named.
#[utoipa::path(
    operation_id = "DeleteSentinelActivities", tag = "Users", security(("bearer" = [])),
    request_body = SentinelTargets,
    responses((status = 204, description = "They are reset; unknown targets are passed over."), Refused),
)]
#[post("/sentinel-activities/delete")]
pub async fn delete(app: Data<App>, manager: Manager, Json(body): Json<SentinelTargets>) -> Result<HttpResponse> {
    if matches!(body.target_type, TargetType::User) {
        let mut session = app.db.write().await?;
        for target in body.targets {
            reset(&app, &mut session, &manager, &String::from(target)).await?;
        }
        session.commit().await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

async fn reset(app: &App, session: &mut Session, manager: &Manager, target: &str) -> Result<()> {
    let email = EmailAddress::parse(target).ok().as_ref().map(EmailAddress::key);
    let phone = PhoneNumber::parse(target).ok().and_then(|number| number.normalized());
    let phone = phone.as_ref().map(E164::as_str);
    for recipient in [email.as_deref(), phone].into_iter().flatten() {
        sends::forget(session, &digest(recipient.as_bytes())).await?;
    }
    let named = users::find_named(session, phone.unwrap_or(target), email.as_deref().unwrap_or(target)).await?;
    for user in named {
        guesses::forget(session, &user).await?;
        audit::write(app, session, "verification.unlocked", manager.about(&user), json!({})).await?;
    }
    Ok(())
}
