//! Every way the service says no: one line each, with its stable code, HTTP status and sentence.
//!
//! The same table is `docs/errors.md` (checked by a test) and the error responses of the OpenAPI document.

use std::time::Duration;

use serde_json::Value;

macro_rules! refusals {
    ($($name:ident $status:literal $code:literal $sentence:literal)*) => {
        /// A stable reason. Clients decide by [`Code::code`] and [`Code::status`], never by the sentence.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", stringify!($status), " ", $code, "`: ", $sentence)] $name,)*
        }

        impl Code {
            /// The whole table, in its order.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// The code of the error body.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// The HTTP status.
            #[must_use]
            pub const fn status(self) -> u16 {
                match self { $(Self::$name => $status,)* }
            }

            /// The sentence of the error body, for people.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

refusals! {
    // The request itself
    InvalidInput 400 "guard.invalid_input" "The request does not have the expected shape; `data.issues` lists what to mend."
    InvalidPagination 400 "guard.invalid_pagination" "`page` must be 1 or more and `page_size` between 1 and 100."
    MalformedJson 400 "request.malformed_json" "The body is not a JSON object."
    InvalidRequest 400 "request.invalid" "The request could not be read."
    NotFound 404 "request.not_found" "There is nothing at this path."
    MethodNotAllowed 405 "request.method_not_allowed" "This path does not take this method; the Allow header lists those it takes."
    RequestTimeout 408 "request.timeout" "The request did not arrive in time."
    BodyTooLarge 413 "request.body_too_large" "The body is larger than this service accepts."
    UriTooLong 414 "request.uri_too_long" "The address of the request is longer than this service accepts."
    UnsupportedMediaType 415 "request.unsupported_media_type" "Send the body as application/json or application/x-www-form-urlencoded."
    MessageRateLimited 429 "request.message_rate_limited" "Too many messages were sent; try again later."
    RateLimited 429 "request.rate_limited" "Too many requests; try again later."
    HeadersTooLarge 431 "request.headers_too_large" "The headers of the request are larger than this service accepts."
    Internal 500 "request.internal_error" "Something went wrong on our side; the request id helps to find it."
    Unavailable 503 "request.service_unavailable" "The service cannot answer safely at the moment; try again shortly."

    // Who is asking
    AuthorizationHeaderMissing 401 "auth.authorization_header_missing" "The Authorization header is missing."
    AuthorizationTokenType 401 "auth.authorization_token_type_not_supported" "Only bearer tokens are accepted."
    Unauthorized 401 "auth.unauthorized" "The access token is not valid, or no longer."
    DpopNonce 401 "auth.use_dpop_nonce" "The DPoP proof needs the nonce of the DPoP-Nonce header."
    DpopProof 401 "auth.invalid_dpop_proof" "The DPoP proof does not fit this request and its access token."
    ClientUnknown 401 "auth.invalid_client" "The application is unknown, or its credentials are wrong."
    SubjectMissing 401 "auth.jwt_sub_missing" "The access token names no subject."
    ScopeMissing 400 "auth.unauthorized" "The access token was not granted the scope this needs."
    Forbidden 403 "auth.forbidden" "The access token does not allow this."
    ForwardRefused 403 "forward_auth.refused" "This request is not let through; `data.reason` says why."
    ThirdPartyForbidden 403 "auth.third_party_application_forbidden" "Third-party applications may not do this."
    UserSuspended 401 "user.suspended" "This account is suspended."

    // Proof
    VerificationRequired 401 "verification_record.permission_denied" "This needs a fresh verification by the owner of the account."
    RecordNotFound 400 "verification_record.not_found" "There is no such verification record, or it has expired."
    InvalidCredentials 422 "session.invalid_credentials" "The password is not right."
    TooManyAttempts 400 "session.verification_blocked_too_many_attempts" "Too many failed attempts; this method is locked for a while."
    CodeNotFound 400 "verification_code.not_found" "There is no code waiting; it may have been used already."
    CodePhoneMismatch 400 "verification_code.phone_mismatch" "The code was sent to another phone number."
    CodeEmailMismatch 400 "verification_code.email_mismatch" "The code was sent to another e-mail address."
    CodeExpired 400 "verification_code.expired" "The code has expired; ask for a new one."
    CodeExceedMaxTry 400 "verification_code.exceed_max_try" "The code was tried too often; ask for a new one."
    AddressNotOwn 422 "verification_record.address_not_own" "Only the account's own addresses prove anything to a record that was opened."
    UnknownRecord 404 "verification_record.not_found" "There is no such verification record for you and this operation."
    RecordExpired 409 "verification_record.expired" "The verification record has expired."
    RecordRevoked 409 "verification_record.revoked" "The verification record was revoked."
    NotSatisfied 409 "verification_record.not_satisfied" "The operation demands more than was proved; `data.missing` has what."
    PayloadMismatch 409 "verification_record.payload_mismatch" "The owner consented to another payload; the verification record is dead."
    AlreadyRedeemed 409 "verification_record.already_redeemed" "The verification record was redeemed before."
    RecordReserved 409 "verification_record.reserved" "The verification record is reserved at the moment."
    ReservationLost 409 "verification_record.reservation_lost" "The reservation has ended, or another took its place."
    OperationNotFound 404 "operation.not_found" "There is no such operation for you."
    EnrolmentRequired 403 "operation.enrolment_required" "The user lacks the methods this operation demands; `data.missing` has which."
    PayloadRequired 400 "operation.payload_required" "This operation is bound to a payload; send it."
    PayloadUnexpected 400 "operation.payload_unexpected" "This operation is not bound to a payload; leave it out."
    PayloadUnfit 422 "operation.payload_unfit" "The payload cannot be shown to its owner as the operation's message demands; `data.issues` has why."
    IdempotencyKeyReused 422 "request.idempotency_key_reused" "This Idempotency-Key was used for another request."
    TooManySignIns 429 "sign_in.too_many_attempts" "Too many wrong codes for this address; try again later."
    CodeMismatch 400 "verification_code.code_mismatch" "The code is not right."

    // The account centre
    AccountCenterNotEnabled 400 "account_center.not_enabled" "The account centre is switched off."
    FieldNotEditable 400 "account_center.field_not_editable" "The settings do not let users change this field."
    FieldNotEnabled 400 "account_center.field_not_enabled" "The settings do not let users see this field."

    // What an account may be
    LastSignInMethod 400 "user.last_sign_in_method_required" "An account needs at least one way to sign in."
    UsernameInUse 422 "user.username_already_in_use" "This username belongs to another account."
    EmailInUse 422 "user.email_already_in_use" "This e-mail address belongs to another account."
    PhoneInUse 422 "user.phone_already_in_use" "This phone number belongs to another account."
    ExternalIdInUse 422 "user.external_id_already_in_use" "This external id belongs to another account."
    InvalidPhone 422 "user.invalid_phone" "This is not a phone number that can be called."
    SamePassword 422 "user.same_password" "The new password is the same as the current one."
    PasswordRejected 422 "password.rejected" "The password does not meet the policy; `data` lists why."
    PasswordAndDigest 400 "user.password_and_digest" "Give either a password or a password digest, not both."
    PasswordAlgorithmRequired 400 "user.password_algorithm_required" "A password digest needs its algorithm."
    InvalidPasswordDigest 422 "user.invalid_password_digest" "The password digest cannot be read as that algorithm."
    UsernameRequired 422 "user.username_required" "A username is required."
    UsernameStartsWithNumber 422 "user.username_starts_with_number" "A username may not start with a number."
    UsernameInvalidCharset 422 "user.username_invalid_charset_hard" "A username takes letters, numbers and underscores."
    UsernameTooShort 422 "user.username_too_short" "The username is too short."
    UsernameTooLong 422 "user.username_too_long" "The username is too long."
    UsernameUppercase 422 "user.username_uppercase_not_allowed" "Upper-case letters are not allowed in usernames here."
    UsernameLowercase 422 "user.username_lowercase_not_allowed" "Lower-case letters are not allowed in usernames here."
    UsernameNumbers 422 "user.username_numbers_not_allowed" "Numbers are not allowed in usernames here."
    UsernameUnderscore 422 "user.username_underscore_not_allowed" "Underscores are not allowed in usernames here."
    BlocklistInvalidEmail 400 "session.email_blocklist.invalid_email" "The e-mail address has no domain."
    BlocklistSubaddressing 422 "session.email_blocklist.email_subaddressing_not_allowed" "Addresses with a plus sign are not accepted here."
    BlocklistEmail 422 "session.email_blocklist.email_not_allowed" "This e-mail address is not accepted here."

    // Sessions
    SessionNotFound 404 "oidc.session_not_found" "There is no such session, or it is over."
    GrantNotFound 404 "oidc.invalid_grant" "There is no such grant."

    // Rows
    EntityNotFound 404 "entity.not_found" "There is no such thing, or no longer."
    EntityRelationNotFound 404 "entity.relation_foreign_key_not_found" "What this refers to does not exist."
    EntityInvalidInput 422 "entity.invalid_input" "There is nothing to change in the request."
    EntityValueTooLong 422 "entity.value_too_long" "A value is longer than it may be."
    UsernameCaseConflicts 409 "sign_in_experiences.username_policy_case_conflicts_exist" "Some usernames differ only in letter case; rename them first."
    ThirdPartyTokenExchange 422 "application.third_party_application_cannot_enable_token_exchange" "Third-party applications may not exchange tokens."
    SecretNameInUse 422 "application.secret_name_exists" "The application has a secret of this name already."
    TooManySecrets 422 "application.too_many_secrets" "An application has two secrets at most; delete one first."
    PublicApplicationSecret 422 "application.public_application_keeps_no_secret" "Applications of this type cannot keep a secret."
    BuiltInApplication 422 "application.built_in_application_cannot_be_deleted" "This application is part of the service; it cannot be deleted."
    HookMissingEvents 400 "hook.missing_events" "A webhook needs at least one event."
    HookAddressNotAllowed 422 "hook.address_not_allowed" "Webhooks do not go to this address: it is not public, and not in `webhooks.allowed_networks`."
    HookRespondedWithError 422 "hook.endpoint_responded_with_error" "The webhook's endpoint did not answer with success; `data` has what it answered."
    HookTestFailed 422 "hook.send_test_payload_failed" "The webhook's endpoint could not be reached, or did not answer in time."

    // Messages
    MessageCountryNotServed 422 "request.message_country_not_served" "Text messages are not sent to numbers of this country."
    ConnectorNotFound 501 "connector.not_found" "No channel is configured for this kind of message."
    ConnectorGeneral 400 "connector.general" "The message could not be handed over."
    ConnectorInvalidConfig 400 "connector.invalid_config" "The channel's configuration was refused."
    ConnectorInvalidRequest 400 "connector.invalid_request_parameters" "The channel refused the recipient or the message."
    ConnectorInvalidResponse 400 "connector.invalid_response" "The channel's answer could not be understood."
    ConnectorTemplateNotFound 400 "connector.template_not_found" "There is no template for this message."
    ConnectorAuthorizationFailed 401 "connector.authorization_failed" "The channel refused our credentials."
    ConnectorRateLimited 429 "connector.rate_limit_exceeded" "The channel asked us to slow down."
}

impl Code {
    /// A refusal for this reason alone.
    #[must_use]
    pub fn refuse(self) -> Refusal {
        Refusal { code: self, data: None, details: None, retry_after: None }
    }

    /// A refusal with the `data` member of the error body.
    #[must_use]
    pub fn with(self, data: Value) -> Refusal {
        Refusal { data: Some(data), ..self.refuse() }
    }
}

/// One refusal: the reason and what the client needs to act on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    /// The reason.
    pub code: Code,
    /// The `data` member of the body; absent when `None`.
    pub data: Option<Value>,
    /// The `details` member: only for bodies that failed validation (contract 0.2).
    pub details: Option<String>,
    /// The `Retry-After` header, rounded up to whole seconds.
    pub retry_after: Option<Duration>,
}

impl Refusal {
    /// The same, asking to come back after `wait`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Self {
        self.retry_after = Some(wait);
        self
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}", self.code.status(), self.code.code())
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        code.refuse()
    }
}
