//! The sign-in experience, as far as verification goes: policies and languages.

use actix_web::{HttpResponse, get, patch, web::Data};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::error::DatabaseError;

use crate::{
    app::App,
    audit,
    domain::{
        blocklist::EmailBlocklistPolicy,
        identifier::Username,
        password_policy::PasswordPolicy,
        refusal::Code,
        settings::{LanguageInfo, SentinelPolicy, SessionPolicy, SignInExperience, VerificationCodePolicy},
        username::UsernamePolicy,
    },
    error::Result,
    management::auth::Manager,
    refusals,
    storage::{Session, directory, settings},
    web::json::Json,
};

/// How many usernames are looked at together.
const AT_A_TIME: i64 = 1000;

/// The sign-in experience.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInExpView {
    #[schema(example = "default")]
    tenant_id: &'static str,
    #[schema(example = "default")]
    id: &'static str,
    #[serde(flatten)]
    experience: SignInExperience,
}

fn answer(experience: SignInExperience) -> HttpResponse {
    HttpResponse::Ok().json(SignInExpView { tenant_id: "default", id: "default", experience })
}

/// What to change; members that are absent stay as they are. A policy is replaced as a whole: what it leaves out takes its default.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInExpChanges {
    verification_code_policy: Option<VerificationCodePolicy>,
    sentinel_policy: Option<SentinelPolicy>,
    password_policy: Option<PasswordPolicy>,
    email_blocklist_policy: Option<EmailBlocklistPolicy>,
    username_policy: Option<UsernamePolicy>,
    session_policy: Option<SessionPolicy>,
    language_info: Option<LanguageInfo>,
}

impl SignInExpChanges {
    /// Applies what is given; names it.
    fn apply(self, experience: &mut SignInExperience) -> Vec<&'static str> {
        fn put<T>(given: Option<T>, place: &mut T, name: &'static str) -> Option<&'static str> {
            *place = given?;
            Some(name)
        }
        let names = [
            put(self.verification_code_policy, &mut experience.verification_code_policy, "verificationCodePolicy"),
            put(self.sentinel_policy, &mut experience.sentinel_policy, "sentinelPolicy"),
            put(self.password_policy, &mut experience.password_policy, "passwordPolicy"),
            put(self.email_blocklist_policy, &mut experience.email_blocklist_policy, "emailBlocklistPolicy"),
            put(self.username_policy, &mut experience.username_policy, "usernamePolicy"),
            put(self.session_policy, &mut experience.session_policy, "sessionPolicy"),
            put(self.language_info, &mut experience.language_info, "languageInfo"),
        ];
        names.into_iter().flatten().collect()
    }
}

refusals!(GetRefused: [MANAGEMENT]);

/// Shows the sign-in experience
#[utoipa::path(
    operation_id = "GetSignInExp", tag = "Sign-in experience", security(("bearer" = [])),
    responses((status = 200, description = "The policies.", body = SignInExpView), GetRefused),
)]
#[get("/sign-in-exp")]
pub async fn get(app: Data<App>, _manager: Manager) -> Result<HttpResponse> {
    Ok(answer(settings::find(&mut app.db.read().await?).await?.sign_in_experience))
}

refusals!(UpdateRefused: [MANAGEMENT, BODY], UsernameCaseConflicts);

/// Changes the sign-in experience
///
/// A username policy for which letter case does not matter is refused while two usernames differ only in it.
#[utoipa::path(
    operation_id = "UpdateSignInExp", tag = "Sign-in experience", security(("bearer" = [])),
    request_body = SignInExpChanges,
    responses((status = 200, description = "The policies as they are now.", body = SignInExpView), UpdateRefused),
)]
#[patch("/sign-in-exp")]
pub async fn update(app: Data<App>, manager: Manager, Json(changes): Json<SignInExpChanges>) -> Result<HttpResponse> {
    let mut session = app.db.write().await?;
    let mut all = settings::lock(&mut session).await?;
    let was_case_sensitive = all.sign_in_experience.username_policy.case_sensitive;
    let names = changes.apply(&mut all.sign_in_experience);
    let policy = &all.sign_in_experience.username_policy;
    if policy.case_sensitive != was_case_sensitive {
        rewrite_username_keys(&mut session, policy).await?;
    }
    settings::set(&mut session, &all).await?;
    let data = json!({ "fields": names });
    audit::write(&app, &mut session, "settings.sign_in_exp.updated", &manager, data).await?;
    session.commit().await?;
    Ok(answer(all.sign_in_experience))
}

/// Makes usernames unique as the new policy says. Nobody stores a username meanwhile: whoever does holds the settings.
async fn rewrite_username_keys(session: &mut Session, policy: &UsernamePolicy) -> Result<()> {
    let mut after = String::new();
    loop {
        let page = directory::usernames(session, &after, AT_A_TIME).await?;
        for named in &page {
            let Ok(username) = Username::parse(&named.username) else { continue };
            let key = policy.key(&username);
            if key == named.username_key {
                continue;
            }
            match directory::set_username_key(session, named, &key).await {
                Err(error) if error.as_database_error().is_some_and(DatabaseError::is_unique_violation) => {
                    return Err(Code::UsernameCaseConflicts.into());
                }
                outcome => outcome?,
            };
        }
        match page.last() {
            Some(last) => after.clone_from(&last.id.0),
            None => return Ok(()),
        }
    }
}
