//! Codes: sent to an address, then shown by whoever reads it there (contract 1.2, 1.3, 1.6).

use std::time::Duration;

use serde_json::json;

use super::{
    guesses::{self, Failed},
    opened::{self, Whole},
    records::Fresh,
    sends,
};
use crate::{
    app::App,
    audit,
    channels::SendError,
    crypto::digest::{part_key, record_key},
    domain::{
        id::{RecordId, RecordKey, pick},
        message::{Kind, Message, Payload, Template},
        method::{Method, Purpose},
        refusal::Code,
        time::Timestamp,
    },
    error::{Error, Result},
    post::{
        self,
        budgets::{self, Counted},
    },
    storage::{outbox, records, sends as send_rows},
    texts::{self, Values},
    web::{caller::Caller, client::Languages},
};

/// The number of the try that whoever stores a message makes.
const FIRST_TRY: i64 = 0;

/// Digits of a code.
const DIGITS: usize = 6;

/// Where a code goes, in canonical form.
#[derive(Clone, Debug)]
pub struct Target {
    /// E-mail or phone.
    pub method: Method,
    /// What two spellings of the same address share: the e-mail key, or E.164 digits.
    pub key: String,
    /// Where the message is sent: the address as it was given, or `+` and digits.
    pub to: String,
    /// For the audit log.
    pub masked: String,
}

impl Target {
    /// As the contract writes it: phones without the plus sign.
    pub(super) fn given(&self) -> &str {
        self.to.trim_start_matches('+')
    }

    fn kind(&self) -> Kind {
        if self.method == Method::PhoneCode { Kind::Sms } else { Kind::Email }
    }
}

/// What a code is for.
#[derive(Clone, Copy)]
pub struct For<'a> {
    /// What the record is to be good for.
    pub purpose: Purpose,
    /// The opened record that is to collect it.
    pub whole: Option<&'a Whole>,
}

/// Sends a code and stores the record it can verify. Waits for the channel's answer: when it refuses there is no record, and nothing
/// was counted.
pub async fn send(
    app: &App,
    caller: &Caller,
    target: &Target,
    wanted: For<'_>,
    languages: &Languages,
) -> Result<Fresh> {
    let sent = try_send(app, caller, target, wanted, languages).await;
    if let Err(Error::Refused(refusal)) = &sent
        && refusal.code == Code::MessageRateLimited
    {
        sends::tell_limited(app, caller, target).await?;
    }
    sent
}

async fn try_send(
    app: &App,
    caller: &Caller,
    target: &Target,
    wanted: For<'_>,
    languages: &Languages,
) -> Result<Fresh> {
    post::require_channel(app, target.kind())?;
    if target.kind() == Kind::Sms {
        budgets::require_served(app, &target.key)?;
    }
    let For { purpose, whole } = wanted;
    let record = Fresh::new_or_part(app, whole, target.method);
    let policy = caller.settings.sign_in_experience.verification_code_policy;
    let life = Duration::from_secs(u64::from(policy.expiration_duration));
    let code = pick(&*app.random, b"0123456789", DIGITS);
    let life_of_both = life.min(record.expires_at.since(record.created_at));
    let message = compose(app, caller, target, wanted, languages, &code, life_of_both)?;

    let mut session = app.db.write().await?;
    let send = sends::count(app, &mut session, &caller.user.id, &target.key, record.created_at).await?;
    let row = records::NewRecord {
        key: &record.key,
        holder: caller.holder(),
        method: target.method.name(),
        purpose: purpose.name(),
        identifier: Some(&target.key),
        code: Some((app.codes.mac(&record.key, &code).to_vec(), record.created_at.plus(life))),
        created_at: record.created_at,
        expires_at: record.expires_at,
        verified_at: None,
        part_of: record.part_of.as_ref(),
    };
    record.store(&mut session, row).await?;
    let useless_at = record.created_at.plus(life_of_both);
    post::store(app, &mut session, &message, Some(&caller.user.id), useless_at, true).await?;
    let client = caller.client.network_text();
    let counted = budgets::count(app, &mut session, target.kind(), &target.key, &client, record.created_at).await?;
    let data = json!({ "method": target.method.name(), "purpose": purpose.name(), "to": target.masked });
    audit::write(app, &mut session, "verification.code_sent", caller, data).await?;
    session.commit().await?;

    match post::hand_over(app, &message).await {
        Ok(()) => {
            let mut session = app.db.write().await?;
            outbox::set_delivered(&mut session, &message.id, FIRST_TRY, app.now()).await?;
            session.commit().await?;
            Ok(record)
        }
        Err(error) => {
            let what = Undone { record: &record.key, message: &message.id, send: &send, counted: &counted };
            let is_ours = take_back(app, caller, target, &what, &error).await?;
            if is_ours { Err(error.refusal().into()) } else { Ok(record) }
        }
    }
}

/// What a message left that no channel took.
struct Undone<'a> {
    record: &'a RecordKey,
    message: &'a str,
    send: &'a str,
    counted: &'a Counted,
}

/// The channel refused: neither record nor count remain; the audit log keeps the attempt. False when that took so long that
/// another has taken the message over: the code is on its way, and the record stays.
async fn take_back(app: &App, caller: &Caller, target: &Target, what: &Undone<'_>, error: &SendError) -> Result<bool> {
    let mut session = app.db.write().await?;
    if !outbox::delete(&mut session, what.message, FIRST_TRY).await? {
        return Ok(false);
    }
    records::delete(&mut session, what.record).await?;
    send_rows::delete(&mut session, what.send).await?;
    budgets::take_back(&mut session, what.counted).await?;
    let data = json!({ "method": target.method.name(), "to": target.masked, "reason": error.refusal().code.code() });
    audit::write(app, &mut session, "verification.code_not_sent", caller, data).await?;
    session.commit().await?;
    Ok(true)
}

fn compose(
    app: &App,
    caller: &Caller,
    target: &Target,
    wanted: For<'_>,
    languages: &Languages,
    code: &str,
    life: Duration,
) -> Result<Message> {
    let locale = languages.negotiate(&caller.settings.sign_in_experience.language_info);
    let kind = target.kind();
    let user = &caller.user;
    let display = wanted.whole.map(|whole| opened::display(app, &whole.standing, locale)).transpose()?.flatten();
    let template = if display.is_some() { Template::OperationConfirmation } else { wanted.purpose.into() };
    let values = Values {
        display: display.as_deref(),
        code: Some(code),
        minutes: life.as_secs().div_ceil(60),
        user: user.name.as_deref(),
        ..Values::default()
    };
    let is_email = kind == Kind::Email;
    let about_user = json!({
        "id": user.id, "avatar": user.avatar, "name": user.name, "primaryEmail": user.primary_email,
        "primaryPhone": user.primary_phone, "username": user.username, "profile": *user.profile,
    });
    Ok(Message {
        id: post::new_id(app),
        created_at: app.now(),
        kind,
        to: target.to.clone(),
        template,
        rendered: texts::render(&app.templates, template, kind, locale, &values),
        payload: Payload {
            code: Some(code.to_owned()),
            locale,
            ui_locales: languages.ui_locales.clone(),
            application: caller.application.as_ref().filter(|_| is_email).map(|id| json!({ "id": id })),
            user: is_email.then_some(about_user),
        },
        ip: None,
    })
}

/// Judges a code against the caller's own record. Counting, judging and marking are one transaction, and the answer waits for its
/// commit: a crash gives no free try, and of any number of right submissions one wins.
pub async fn verify(app: &App, caller: &Caller, record: &str, target: &Target, code: &str) -> Result<()> {
    let now = app.now();
    let user = &caller.user.id;
    let mut session = app.db.write().await?;
    let guard = guesses::admit(&mut session, user, target.method, now).await?;
    let key = RecordId::parse(record).map(|id| record_key(&id)).ok_or(Code::RecordNotFound)?;
    let keys = [&key, &part_key(&key, target.method)];
    let challenge = records::count_guess(&mut session, keys, caller.holder(), target.method.name(), &target.key, now);
    let challenge = challenge.await?.ok_or(Code::RecordNotFound)?;
    let whole = (challenge.id_hash != key).then_some(key);
    let key = challenge.id_hash;
    let most = i64::from(caller.settings.sign_in_experience.verification_code_policy.max_retry_attempts);
    let verdict = judge(&challenge, target, now, most, |mac| app.codes.verify(&key, code, mac), code);
    match verdict {
        Err(Code::CodeNotFound) => Err(Code::CodeNotFound.into()),
        Err(reason) => {
            let failed = Failed { reason, address: Some(target.given()) };
            let refusal = guesses::count_failure(app, &mut session, caller, target.method, guard, failed).await?;
            session.commit().await?;
            Err(refusal.into())
        }
        Ok(()) => {
            if !records::set_verified(&mut session, &key, now).await? {
                return Err(Code::CodeNotFound.into());
            }
            guesses::count_success(&mut session, user, target.method, guard).await?;
            let data = json!({ "method": target.method.name(), "identifier": target.masked });
            audit::write(app, &mut session, "verification.succeeded", caller, data).await?;
            if let Some(whole) = &whole {
                opened::collect(app, &mut session, caller, whole).await?;
            }
            Ok(session.commit().await?)
        }
    }
}

/// The order of contract 1.6.
fn judge(
    challenge: &records::Challenge,
    target: &Target,
    now: Timestamp,
    most: i64,
    is_right: impl FnOnce(&[u8]) -> bool,
    code: &str,
) -> Result<(), Code> {
    let Some(mac) = challenge.code_mac.as_deref().filter(|_| !code.is_empty()) else {
        return Err(Code::CodeNotFound);
    };
    if challenge.identifier.as_deref() != Some(&target.key) {
        return Err(if target.method == Method::PhoneCode { Code::CodePhoneMismatch } else { Code::CodeEmailMismatch });
    }
    if challenge.code_expires_at.is_none_or(|expires_at| expires_at <= now) {
        return Err(Code::CodeExpired);
    }
    if challenge.guesses > most {
        return Err(Code::CodeExceedMaxTry);
    }
    if is_right(mac) { Ok(()) } else { Err(Code::CodeMismatch) }
}
