//! What binding and removing an address share, be it an e-mail address or a phone number (contract 3.4).

use actix_web::HttpResponse;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::{
    app::App,
    crypto::digest::record_key,
    domain::{id::RecordId, message::Template, method::Method, refusal::Code, settings::Field, user::User},
    error::Result,
    post::{self, Address},
    stepup::{
        gate::{Opened, Operation},
        records::fact_changed,
    },
    storage::records,
    web::caller::Caller,
};

/// One kind of address.
pub struct AddressKind {
    /// The account centre's switch.
    field: Field,
    /// The scope that shows and changes it.
    scope: &'static str,
    /// What proves it.
    method: Method,
    /// What its previous holder is told.
    notice: Template,
    /// The user's own.
    of: fn(&User) -> Option<Address<'_>>,
}

/// The primary e-mail address.
pub const EMAIL: AddressKind = AddressKind {
    field: Field::Email,
    scope: "email",
    method: Method::EmailCode,
    notice: Template::EmailChanged,
    of: |user| user.primary_email.as_deref().map(Address::Email),
};

/// The primary phone.
pub const PHONE: AddressKind = AddressKind {
    field: Field::Phone,
    scope: "phone",
    method: Method::PhoneCode,
    notice: Template::PhoneChanged,
    of: |user| user.primary_phone.as_deref().map(Address::Phone),
};

impl AddressKind {
    /// NE, U400, FP: the checks of rows 9 to 12 behind the gate.
    pub fn require(&self, caller: &Caller) -> Result<()> {
        caller.settings.account_center.require_edit(self.field)?;
        caller.require_scope(self.scope)?;
        caller.require_first_party()
    }

    /// Spends the record that proves the new address, given in canonical form; every shortcoming is `verification_record.not_found`.
    pub async fn prove<O: Operation>(&self, opened: &mut Opened<O>, record: &SecretString, key: &str) -> Result<()> {
        let record = RecordId::parse(record.expose_secret()).map(|id| record_key(&id)).ok_or(Code::RecordNotFound)?;
        let (caller, now) = (opened.caller().clone(), opened.now());
        let is_proved =
            records::spend_for_binding(opened, &record, caller.holder(), self.method.name(), key, now).await?;
        if is_proved { Ok(()) } else { Err(Code::RecordNotFound.into()) }
    }

    /// One identifier must remain ("LAST").
    pub fn require_another_way_in(&self, user: &User) -> Result<()> {
        let is_last = (self.of)(user).is_some() && user.sign_in_identifiers() <= 1;
        if is_last { Err(Code::LastSignInMethod.into()) } else { Ok(()) }
    }

    /// Old facts die, the previous address is told (contract D12, D15); commits.
    pub async fn finish<O: Operation>(&self, app: &App, mut opened: Opened<O>, data: Value) -> Result<HttpResponse> {
        let (user, caller) = (opened.user().clone(), opened.caller().clone());
        let (policy, own) = (caller.settings.sign_in_experience.session_policy, caller.session.as_ref());
        fact_changed(app, &mut opened, (&caller).into(), self.method, policy, own).await?;
        post::notify(app, &mut opened, &user, self.notice, (self.of)(&user)).await?;
        opened.commit(app, data).await?;
        Ok(HttpResponse::NoContent().finish())
    }
}
