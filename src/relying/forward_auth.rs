//! `/forward-auth`: a reverse proxy asks whether a request may reach the back end behind it (contract `operations.md`).
//!
//! The answer is 200, 401 with a challenge, 403, or 5xx. 200 spends the record where the policy says once: a proxy asks once for each
//! request that it lets through, and one that asks again after a lost answer is told 401.

use actix_web::{
    HttpRequest, HttpResponse, ResponseError,
    http::header::HeaderName,
    web::{self, Data},
};
use anyhow::Context;
use serde_json::{Value, json};

use super::{original, redeem};
use crate::{
    app::App,
    config::forward_auth::Unrouted,
    crypto::digest::payload_digest,
    domain::{
        id::ApplicationId,
        payload::{Payload, Problem},
        policy::Policy,
        refusal::Code,
        target::Target,
        target_route::{self, Route, Verdict},
    },
    error::{Error, Result},
    stepup::{
        gate,
        redemption::{Action, Redeemer},
    },
    web::{
        caller::{self, Caller},
        dpop, forwarded,
        service::ServiceConfig,
    },
};

/// What a passed request carries to the back end.
const SAID: [&str; 4] =
    ["x-countersign-subject", "x-countersign-operation", "x-countersign-amr", "x-countersign-assertion"];

/// The longest `Content-Digest`, in bytes: room for several algorithms.
const LONGEST_DIGEST: usize = 512;

/// The route, for every method.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .route(forwarded::PATH, web::route().to(answer))
        .route(&format!("{}/{{target:.*}}", forwarded::PATH), web::route().to(answer));
}

/// Never an error of the framework: whatever goes wrong is an answer here.
async fn answer(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let judged = judge(&app, &request).await;
    let label = match &judged {
        Ok(Some(_)) => "redeemed",
        Ok(None) => "passed",
        Err(error) => error.code().code(),
    };
    metrics::counter!("countersign_forward_auth_total", "result" => label).increment(1);
    let mut response = match judged {
        Ok(passed) => pass(passed),
        Err(error) => error.error_response(),
    };
    if dpop::is_used(request.headers()) {
        dpop::dress(&app, response.headers_mut());
    }
    response
}

/// What the back end is told of a request whose record was redeemed.
pub struct Passed {
    subject: String,
    operation: String,
    amr: String,
    assertion: String,
}

/// All four headers, empty when there is nothing to say: some proxies would let the client's own stand where ours is missing.
fn pass(passed: Option<Passed>) -> HttpResponse {
    let values =
        passed.map_or_else(Default::default, |passed| [passed.subject, passed.operation, passed.amr, passed.assertion]);
    let mut response = HttpResponse::Ok();
    for (name, value) in SAID.into_iter().zip(values) {
        response.insert_header((HeaderName::from_static(name), value));
    }
    response.finish()
}

/// `None` where nothing guards the target and the configuration lets it pass.
async fn judge(app: &App, request: &HttpRequest) -> Result<Option<Passed>> {
    let config = &app.config.forward_auth;
    if !request.peer_addr().is_some_and(|peer| config.may_ask(peer.ip())) {
        return Err(refused("this address may not ask; forward_auth.proxies lists those that may"));
    }
    let target = original::read(request).map_err(|problem| refused(problem.sentence()))?;
    match target_route::judge(&app.forward_routes, &target) {
        Verdict::Guarded(route) => guarded(app, request, &target, route).await.map(Some),
        Verdict::Doubtful => Err(refused("the back end may take this for a guarded path spelled otherwise")),
        Verdict::Elsewhere => Err(refused("no route of forward_auth.routes has this host")),
        Verdict::Unknown if config.default == Unrouted::Pass => Ok(None),
        Verdict::Unknown => Err(refused("no route of forward_auth.routes fits")),
    }
}

fn refused(reason: &'static str) -> Error {
    tracing::info!(reason, "forward auth refused");
    Code::ForwardRefused.with(json!({ "reason": reason })).into()
}

async fn guarded(app: &App, request: &HttpRequest, target: &Target, route: &Route) -> Result<Passed> {
    let content_digest = content_digest(request).ok_or_else(|| refused("Content-Digest cannot be read"))?;
    if route.needs_content_digest && content_digest.is_none() {
        return Err(refused("this needs a Content-Digest (RFC 9530)"));
    }
    let caller = caller::forwarded(app, request, target).await?;
    let policy = app.policies.find(&route.operation).context("the operation of a route")?;
    let payload = payload(target, content_digest);
    redeem(app, request, &caller, Place { target, policy, payload: &payload }).await
}

/// What a request does, and what that demands.
#[derive(Clone, Copy)]
struct Place<'a> {
    target: &'a Target,
    policy: &'a Policy,
    payload: &'a Value,
}

/// What the record must be bound to.
fn payload(target: &Target, content_digest: Option<&str>) -> Value {
    let mut payload = json!(target);
    if let (Some(members), Some(digest)) = (payload.as_object_mut(), content_digest) {
        members.insert("contentDigest".to_owned(), digest.into());
    }
    payload
}

/// `Content-Digest` as the client sent it; `None` when it is no header value of that kind. Nobody here sees the body: the back end, or
/// the proxy, holds it against the digest.
fn content_digest(request: &HttpRequest) -> Option<Option<&str>> {
    let Some(value) = request.headers().get("content-digest") else { return Some(None) };
    let text = value.to_str().ok()?;
    let is_member = |member: &str| {
        let (name, value) = member.trim().split_once('=')?;
        let value = value.strip_prefix(':')?.strip_suffix(':')?;
        let is_name = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        let is_base64 =
            !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/=".contains(&byte));
        (is_name && is_base64).then_some(())
    };
    let fits = text.len() <= LONGEST_DIGEST && text.split(',').all(|member| is_member(member).is_some());
    fits.then_some(Some(text))
}

/// Redeems the record that the request shows, or that its step-up token carries, in the transaction that judges it. What was refused is
/// in the log, and the client is told to open another.
async fn redeem(app: &App, request: &HttpRequest, caller: &Caller, at: Place<'_>) -> Result<Passed> {
    let Place { target, policy, payload } = at;
    let Some(key) = gate::shown(request, caller) else { return Err(challenge(policy, caller, payload, None)) };
    let digest = if policy.binds_payload { Some(payload_digest(&read(payload)?)) } else { None };
    // What the record is redeemed by, and the assertion is for.
    let host = ApplicationId(target.host.clone());
    let redeemer = Redeemer { service: &host, client: &caller.client, key };
    let action = Action { subject: &caller.user.id, operation: &policy.operation, payload_digest: digest };
    let mut session = app.db.write().await?;
    let admitted = match redeemer.admit_under(app, &mut session, policy, action).await {
        Ok(Ok(admitted)) => admitted,
        Ok(Err(refused)) => {
            session.commit().await?;
            return Err(challenge(policy, caller, payload, Some(refused.refusal.code)));
        }
        Err(Error::Refused(refusal)) => return Err(challenge(policy, caller, payload, Some(refusal.code))),
        Err(failed) => return Err(failed),
    };
    if !admitted.standing.is_of(caller.holder()) {
        return Err(challenge(policy, caller, payload, Some(Code::UnknownRecord)));
    }
    let redemption = redeem::consume(app, &mut session, &redeemer, &admitted).await?;
    session.commit().await?;
    Ok(Passed {
        subject: redemption.subject.0,
        operation: redemption.operation,
        amr: redemption.amr.join(" "),
        assertion: redemption.assertion,
    })
}

fn read(payload: &Value) -> Result<Payload> {
    let problem = |problem: Problem| anyhow::anyhow!("a target as a payload: {problem}");
    Ok(Payload::parse(&payload.to_string()).map_err(problem)?)
}

/// 401 with what to open; or 403, where the user owns no methods that would do.
fn challenge(policy: &Policy, caller: &Caller, payload: &Value, reason: Option<Code>) -> Error {
    let mut data = gate::challenge(policy, &caller.user);
    let mut say = |name: &str, value: Value| {
        if let Some(members) = data.as_object_mut() {
            members.insert(name.to_owned(), value);
        }
    };
    if let Err(missing) = policy.require_enrolled(&caller.user.methods()) {
        say("missing", json!(gate::sets(&missing)));
        return Code::EnrolmentRequired.with(data).into();
    }
    if policy.binds_payload {
        say("payload", payload.clone());
    }
    if let Some(reason) = reason {
        say("reason", reason.code().into());
    }
    Code::VerificationRequired.with(data).into()
}
