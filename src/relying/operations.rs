//! The operations there are, and what the user can do about them.

use actix_web::{HttpRequest, HttpResponse, get, web::Data};
use serde::Serialize;

use super::{opening::RequirementBody, party::Party};
use crate::{
    app::App,
    domain::{id::RecordKey, policy::Policy},
    error::Result,
    refusals,
    stepup::gate::{names, presented},
    storage::{Session, openings},
    web::caller::Caller,
};

/// An operation.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct OperationBody {
    /// `area.action`.
    #[schema(example = "payments.transfer")]
    name: String,
    /// What it demands.
    requirement: RequirementBody,
    /// For a user: the sets of methods the user owns whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = json!([["password", "email_code"]]))]
    available: Option<Vec<Vec<&'static str>>>,
    /// With a `Verification-Id`: whether that record satisfies the operation now, its payload aside.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    is_satisfied: Option<bool>,
}

impl OperationBody {
    fn of(policy: &Policy, party: &Party) -> Self {
        let available = |caller: &Caller| {
            let own = caller.user.methods();
            let sets = policy.methods.iter().filter(|set| set.iter().all(|method| own.contains(method)));
            sets.map(|set| names(set)).collect()
        };
        Self {
            name: policy.operation.clone(),
            requirement: policy.into(),
            available: match party {
                Party::User(caller) => Some(available(caller)),
                Party::Service(_) => None,
            },
            is_satisfied: None,
        }
    }
}

refusals!(ListRefused: [USER], ClientUnknown);

/// Lists operations
///
/// What each demands, and with which of their methods the user can satisfy it. A service sees those it redeems.
#[utoipa::path(
    operation_id = "ListOperations", tag = "Operations", security(("bearer" = []), ("client" = [])),
    responses((status = 200, description = "The operations, by name.", body = Vec<OperationBody>), ListRefused),
)]
#[get("")]
pub async fn list(app: Data<App>, party: Party) -> HttpResponse {
    let seen = app.policies.iter().filter(|policy| party.policy(&app, &policy.operation).is_ok());
    HttpResponse::Ok().json(seen.map(|policy| OperationBody::of(policy, &party)).collect::<Vec<_>>())
}

refusals!(GetRefused: [USER], ClientUnknown, OperationNotFound);

/// Shows an operation
///
/// With a record in `Verification-Id`, also whether that satisfies it now.
#[utoipa::path(
    operation_id = "GetOperation", tag = "Operations", security(("bearer" = []), ("client" = [])),
    params(
        ("name" = String, Path, description = "`area.action`.", max_length = 64, example = "account.email.update"),
        crate::operations::VerificationHeaders,
    ),
    responses((status = 200, description = "The operation.", body = OperationBody), GetRefused),
)]
#[get("/{name}")]
pub async fn get(app: Data<App>, request: HttpRequest, party: Party) -> Result<HttpResponse> {
    let name = request.match_info().query("name");
    let policy = party.policy(&app, name)?;
    let mut body = OperationBody::of(policy, &party);
    if let Some(key) = presented(&request) {
        body.is_satisfied = Some(is_satisfied(&app, &mut app.db.read().await?, &party, policy, &key).await?);
    }
    Ok(HttpResponse::Ok().json(body))
}

async fn is_satisfied(
    app: &App,
    session: &mut Session,
    party: &Party,
    policy: &Policy,
    key: &RecordKey,
) -> Result<bool> {
    let now = app.now();
    let Some(standing) = openings::find(session, key).await? else { return Ok(false) };
    if !(party.may_see(&standing) && standing.is_for(policy) && standing.is_alive(now)) {
        return Ok(false);
    }
    let proofs = standing.proofs(session, key, now).await?;
    Ok(policy.judge(&proofs, now).is_ok())
}
