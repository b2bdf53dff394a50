//! Every type of event, with what webhooks are told of it. `docs/audit.md` lists the same; [`super::write`] takes no other.

use crate::domain::hook::HookEvent;

/// Who does what an event tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// The owner of the account: address and application are theirs.
    Owner,
    /// An operator or a back end, or the service itself: what it tells of them is not for the owner to see.
    Other,
}

/// A type of event.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// `area.fact`.
    pub name: &'static str,
    /// Who does it.
    pub by: By,
    /// The members its data may have.
    pub members: &'static [&'static str],
    /// The fact, in words.
    pub meaning: &'static str,
    /// What webhooks are told.
    pub told: &'static [HookEvent],
}

impl Kind {
    const fn tells(self, told: &'static [HookEvent]) -> Self {
        Self { told, ..self }
    }
}

const UPDATED: &[HookEvent] = &[HookEvent::UserDataUpdated];
const SUSPENSION: &[HookEvent] = &[HookEvent::UserSuspensionStatusUpdated];
const LOCKED: &[HookEvent] = &[HookEvent::IdentifierLockout, HookEvent::VerificationLocked];

const fn owner(name: &'static str, members: &'static [&'static str], meaning: &'static str) -> Kind {
    Kind { name, by: By::Owner, members, meaning, told: &[] }
}

const fn other(name: &'static str, members: &'static [&'static str], meaning: &'static str) -> Kind {
    Kind { name, by: By::Other, members, meaning, told: &[] }
}

/// All of them.
pub const ALL: &[Kind] = &[
    owner("verification.code_sent", &["method", "purpose", "to"], "A record was made and its code sent."),
    owner(
        "verification.code_not_sent",
        &["method", "to", "reason"],
        "The channel refused the code; the record is gone.",
    ),
    owner("verification.succeeded", &["method", "identifier"], "A password or code was right; the record is verified.")
        .tells(&[HookEvent::VerificationSucceeded]),
    owner("verification.failed", &["method", "reason"], "A password or code was judged and found wrong.")
        .tells(&[HookEvent::VerificationFailed]),
    owner("verification.locked", &["method", "lockedUntil"], "That failure was one too many: the method is locked.")
        .tells(LOCKED),
    owner("verification.disabled", &["method"], "A hundred failures in a row: the method is disabled.").tells(LOCKED),
    other(
        "verification.revoked",
        &["method", "records"],
        "Records that rested on something that changed were revoked: so many.",
    )
    .tells(&[HookEvent::VerificationRevoked]),
    owner(
        "operation.opened",
        &["operation", "record"],
        "A record was opened for an operation, by its owner or a service.",
    ),
    owner(
        "operation.satisfied",
        &["operation", "record", "methods", "acr"],
        "What the operation demands was proved to a record.",
    ),
    owner(
        "operation.redeemed",
        &["operation", "record", "redemption", "methods", "acr", "payloadDigest"],
        "A service redeemed a record for an operation.",
    ),
    owner("operation.reserved", &["operation", "record", "reservation", "fence"], "A service reserved a record."),
    owner("operation.released", &["operation", "record", "reservation"], "A service gave its reservation back."),
    owner(
        "operation.withdrawn",
        &["operation", "record"],
        "A record was revoked by its owner, or by the service that opened it.",
    ),
    other(
        "operation.refused",
        &["operation", "record", "reason"],
        "A service was refused: the record is not good, or no longer.",
    ),
    other(
        "operation.payload_mismatch",
        &["operation", "record", "payloadDigest", "shownDigest"],
        "A service showed another payload than the owner consented to: the record is dead. An attack, or a bug.",
    ),
    other("verification.unlocked", &[], "An operator took back locks and counters of a user."),
    owner("account.username.update", &["fields"], "The username was changed or removed, perhaps with other members.")
        .tells(UPDATED),
    owner("account.updated", &["fields"], "Name, picture or custom data were changed.").tells(UPDATED),
    owner("account.profile.updated", &["fields"], "The profile was changed.").tells(UPDATED),
    owner("account.password.update", &[], "The password was set; what rested on the old one is revoked.")
        .tells(UPDATED),
    owner("account.email.update", &["to"], "The primary e-mail address was set, its proof redeemed.").tells(UPDATED),
    owner("account.email.delete", &[], "The primary e-mail address was removed.").tells(UPDATED),
    owner("account.phone.update", &["to"], "The primary phone was set, its proof redeemed.").tells(UPDATED),
    owner("account.phone.delete", &[], "The primary phone was removed.").tells(UPDATED),
    owner("account.session.end", &["session"], "The user ended a session, and every application's below it."),
    owner("account.grant.revoke", &["grant"], "The user shut an application out."),
    other("user.created", &["algorithm"], "An account was made, or imported.").tells(&[HookEvent::UserCreated]),
    other("user.updated", &["fields"], "An operator changed an account.").tells(UPDATED),
    other("user.deleted", &[], "An account was deleted, with sessions and records.").tells(&[HookEvent::UserDeleted]),
    other("user.suspended", &["by"], "An account was suspended; its sessions and records ended.").tells(SUSPENSION),
    other("user.unsuspended", &["by"], "An account was welcomed again.").tells(SUSPENSION),
    other("user.password.updated", &[], "An operator set a password.").tells(UPDATED),
    other("user.password.verified", &["matches"], "An operator had a password checked."),
    other("subject_token.created", &[], "A ticket for a token of the user was handed out."),
    other("token.exchanged", &["scope"], "A subject token was redeemed for an access token; a session began."),
    owner("user.signed_up", &["connection"], "An address that had no account was proved: an account was made."),
    other(
        "sign_in.code_sent",
        &["connection", "to", "isLink", "isAgain", "isWithheld"],
        "A code to sign in was asked for; withheld where nobody may sign in with it.",
    ),
    other(
        "sign_in.code_checked",
        &["connection", "identifier"],
        "A code to sign in was shown and found right; it was not used.",
    ),
    other(
        "sign_in.failed",
        &["connection", "identifier", "reason"],
        "A code or link to sign in was judged and found wrong.",
    ),
    other(
        "sign_in.locked",
        &["connection", "identifier"],
        "That failure was one too many for the address, from that client.",
    ),
    other(
        "sign_in.guarded",
        &["connection", "identifier", "guardedUntil"],
        "So many codes were wrong that the next ones for the address are long.",
    ),
    other(
        "sign_in.ticket_issued",
        &["connection"],
        "A code was right on a page of the application's: its browser may sign in once.",
    ),
    owner("sign_in.succeeded", &["connection", "scope"], "The user signed in; a session began."),
    owner(
        "session.ended",
        &["by"],
        "A session of the user ended: at a sign-out, or because its application revoked a token of it.",
    ),
    other(
        "tokens.issued",
        &["grant", "scope"],
        "An application got tokens of the user, for an authorization code or a refresh token.",
    ),
    other(
        "tokens.reused",
        &["grant"],
        "An authorization code or refresh token was shown that had been used before; its session ended.",
    ),
    other("token.issued", &["scope"], "An application got a token of its own, with its credentials."),
    other("session.started", &["by"], "A session began without a subject token, on the command line."),
    other("application.created", &["id", "type", "isThirdParty", "isManagement"], "An application was registered."),
    other("application.updated", &["id", "isManagement", "allowTokenExchange"], "An application was changed."),
    other("application.deleted", &["id", "by"], "An application was deleted."),
    other("application.secret_created", &["id", "name"], "An application got another secret."),
    other("application.secret_deleted", &["id", "name"], "A secret of an application was deleted."),
    other("settings.account_center.updated", &["fields"], "What users may see and change was changed."),
    other("settings.sign_in_exp.updated", &["fields"], "Policies were changed."),
    other(
        "message.given_up",
        &["template", "attempts", "reason"],
        "A message was not delivered within its life, or never can be.",
    ),
    owner("message.rate_limited", &["to"], "More messages were asked for than may be sent; once in ten minutes.")
        .tells(&[HookEvent::MessageRateLimited]),
    other("hook.created", &["id", "events"], "A webhook was registered."),
    other("hook.updated", &["id", "fields"], "A webhook was changed."),
    other("hook.signing_key.updated", &["id"], "A webhook got another signing key."),
    other("hook.deleted", &["id"], "A webhook was deleted."),
    other("hook.tested", &["id", "events"], "An operator had samples delivered."),
    other(
        "hook.given_up",
        &["event", "attempts", "reason"],
        "A webhook did not take an event in all its tries, or never can.",
    ),
    other("signing_key.rotated", &["kid", "signsFrom"], "A new key is to sign tokens, from that moment on."),
    other("signing_key.retired", &["kid"], "A key signs no longer."),
    other("master_key.rotated", &["values"], "So many values at rest were sealed anew under the new master key."),
    other("audit.swept", &["through"], "Events up to that place were deleted, as the retention says."),
];

/// The type of that name.
#[must_use]
pub fn find(name: &str) -> Option<&'static Kind> {
    ALL.iter().find(|kind| kind.name == name)
}
