//! The account's password (contract 1.1, D1).

use actix_web::{HttpResponse, post, web::Data};
use secrecy::SecretString;
use serde::{Deserialize, Deserializer, de::Error as _};
use serde_json::json;

use crate::{
    app::App,
    audit,
    crypto::hasher::Verdict,
    domain::{
        method::{Method, Purpose},
        password::PasswordAlgorithm,
        refusal::Code,
        user::User,
    },
    error::Result,
    refusals,
    stepup::{
        guesses::{Guess, Guesser},
        opened::{self, Whole},
        records::{Fresh, RecordCreated},
    },
    storage::{Session, records::NewRecord, users},
    web::{caller::Caller, fields, json::Json},
};

/// A password to be checked.
#[derive(Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PasswordBody {
    /// The user's current password.
    #[serde(deserialize_with = "present")]
    #[schema(value_type = String, min_length = 1, example = "correct horse battery staple")]
    password: SecretString,
    /// A record that was opened by `POST /api/verifications`: it collects the method, and none is created.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    verification_record_id: Option<SecretString>,
}

/// At least one character.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SecretString, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() { Err(D::Error::custom("at least one character")) } else { Ok(text.into()) }
}

refusals!(Refused: [USER, BODY], InvalidCredentials, TooManyAttempts, UserSuspended, ThirdPartyForbidden, RecordNotFound);

/// Verifies the user by password
///
/// Creates a verification record that is verified from the start, or adds the method to one that was opened. Show its id in the
/// `Verification-Id` header of the operation that needs it. Ten wrong passwords in an hour lock this method for a while; other methods stay open.
#[utoipa::path(
    operation_id = "CreateVerificationByPassword", tag = "Verifications", security(("bearer" = [])),
    request_body = PasswordBody,
    responses((status = 201, description = "The password is right.", body = RecordCreated), Refused),
)]
#[post("/password/verify")]
pub async fn verify(app: Data<App>, caller: Caller, Json(body): Json<PasswordBody>) -> Result<HttpResponse> {
    check(&app, &caller, body).await
}

/// Verifies the user by password (short path)
///
/// The same as `/api/verifications/password/verify`.
#[utoipa::path(
    operation_id = "CreateVerificationByPasswordShort", tag = "Verifications", security(("bearer" = [])),
    request_body = PasswordBody,
    responses((status = 201, description = "The password is right.", body = RecordCreated), Refused),
)]
#[post("/password")]
pub async fn create(app: Data<App>, caller: Caller, Json(body): Json<PasswordBody>) -> Result<HttpResponse> {
    check(&app, &caller, body).await
}

async fn check(app: &App, caller: &Caller, body: PasswordBody) -> Result<HttpResponse> {
    caller.require_first_party()?;
    let whole = Whole::named(app, caller, body.verification_record_id.as_ref()).await?;
    let record = Fresh::new_or_part(app, whole.as_ref(), Method::Password);
    let right = judge(app, caller, &caller.user, body.password).await?;
    let mut session = right.hold(app, caller, app.db.write().await?).await?;
    let row = NewRecord {
        key: &record.key,
        holder: caller.holder(),
        method: Method::Password.name(),
        purpose: Purpose::UserPermissionValidation.name(),
        identifier: None,
        code: None,
        created_at: record.created_at,
        expires_at: record.expires_at,
        verified_at: Some(record.created_at),
        part_of: record.part_of.as_ref(),
    };
    record.store(&mut session, row).await?;
    audit::write(app, &mut session, "verification.succeeded", caller, json!({ "method": Method::Password.name() }))
        .await?;
    if let Some(whole) = &record.part_of {
        opened::collect(app, &mut session, caller, whole).await?;
    }
    session.commit().await?;
    Ok(HttpResponse::Created().json(record.created()))
}

/// A password that was right when it was judged.
#[must_use]
pub struct Right<'a> {
    user: &'a User,
    guess: Guess,
    verdict: Verdict,
}

/// Counts a guess of the user's password and judges it.
///
/// # Errors
/// `422 session.invalid_credentials`, and the guess stays counted; `503` when it could not be judged, and it does not; else as for
/// [`Guess::take`].
pub async fn judge<'a>(
    app: &App,
    guesser: impl Into<Guesser<'_>>,
    user: &'a User,
    password: SecretString,
) -> Result<Right<'a>> {
    let guesser = guesser.into();
    let (guess, place) = Guess::take(app, guesser, Method::Password).await?;
    let verdict = match place.verify(password, user.stored_password()).await {
        Ok(verdict) => verdict,
        Err(error) => {
            guess.withdraw(app).await?;
            return Err(error);
        }
    };
    if verdict.matches {
        return Ok(Right { user, guess, verdict });
    }
    Err(guess.fail(app, guesser, Code::InvalidCredentials).await?.into())
}

impl Right<'_> {
    /// Asks whether what was judged still stands, forgives the guess, and gives the transaction back, which is to store what it earned: the
    /// user's row is held in it.
    ///
    /// # Errors
    /// As for [`judge`], when the password was changed meanwhile; `401 user.suspended`. The transaction is undone then.
    pub async fn hold(self, app: &App, guesser: impl Into<Guesser<'_>>, mut session: Session) -> Result<Session> {
        let standing = hold_password(&mut session, self.user, &self.verdict).await?;
        if let Err(reason) = standing {
            drop(session);
            return Err(self.guess.fail(app, guesser, reason).await?.into());
        }
        self.guess.forgive(&mut session, &self.user.id).await?;
        Ok(session)
    }
}

/// Whether what was judged still stands: the hash is the user's, and the user welcome. Holds the row until the record is in, and
/// upgrades the hash where that is due.
async fn hold_password(session: &mut Session, user: &User, verdict: &Verdict) -> Result<Result<(), Code>> {
    let Some(old) = &user.password_digest else { return Ok(Err(Code::InvalidCredentials)) };
    let (digest, algorithm) = match &verdict.rehash {
        Some(digest) => (digest.as_str(), PasswordAlgorithm::Argon2id.name()),
        None => (old.as_str(), user.password_algorithm.as_deref().unwrap_or_default()),
    };
    Ok(match users::upgrade_password(session, &user.id, old, digest, algorithm).await? {
        Some(false) => Ok(()),
        Some(true) => Err(Code::UserSuspended),
        None => Err(Code::InvalidCredentials),
    })
}
