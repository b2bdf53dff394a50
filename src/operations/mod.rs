//! Protected account operations: one file each, one line here. Route, OpenAPI, audit action and the gate matrix of the tests follow.

mod account;
mod activity;
mod address;
mod email;
mod password;
mod phone;
pub mod profile;
mod sessions;
mod username;

use crate::web::service::ServiceConfig;

use crate::{
    config::{Config, operations},
    domain::{
        policy::{Policies, Policy},
        requirement::Requirement,
    },
    stepup::gate::Operation,
};

/// Routes below `/api/my-account`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .service(account::get)
        .service(account::update)
        .service(activity::list)
        .service(profile::update)
        .service(password::update)
        .service(email::update)
        .service(email::remove)
        .service(phone::update)
        .service(phone::remove)
        .service(sessions::list)
        .service(sessions::end)
        .service(sessions::list_grants)
        .service(sessions::revoke);
}

/// A protected operation as the tests see it.
#[derive(Clone, Copy, Debug)]
pub struct Listed {
    /// `area.action`.
    pub name: &'static str,
    /// How it is called.
    pub method: &'static str,
    /// Where, as the OpenAPI document writes it.
    pub path: &'static str,
    /// What it demands.
    pub requirement: Requirement,
}

const fn listed<O: Operation>(method: &'static str, path: &'static str) -> Listed {
    Listed { name: O::NAME, method, path, requirement: O::REQUIREMENT }
}

/// Every operation behind a gate.
pub const ALL: &[Listed] = &[
    listed::<username::UpdateUsername>("PATCH", "/api/my-account"),
    listed::<password::UpdatePassword>("POST", "/api/my-account/password"),
    listed::<email::UpdateEmail>("POST", "/api/my-account/primary-email"),
    listed::<email::DeleteEmail>("DELETE", "/api/my-account/primary-email"),
    listed::<phone::UpdatePhone>("POST", "/api/my-account/primary-phone"),
    listed::<phone::DeletePhone>("DELETE", "/api/my-account/primary-phone"),
    listed::<sessions::ListSessions>("GET", "/api/my-account/sessions"),
    listed::<sessions::EndSession>("DELETE", "/api/my-account/sessions/{sessionId}"),
    listed::<sessions::ListGrants>("GET", "/api/my-account/grants"),
    listed::<sessions::RevokeGrant>("DELETE", "/api/my-account/grants/{grantId}"),
];

/// What every operation demands: the built-in ones as they stand here or in the configuration, and the configuration's own.
///
/// # Errors
/// Every problem, one sentence each: the key, and the fix.
pub fn policies(config: &Config) -> Result<Policies, Vec<String>> {
    let configured = operations::policies(&config.operations)?;
    // A look leaves no trace, and so spends nothing.
    let looks = configured.iter().filter(|policy| {
        policy.is_single_use && ALL.iter().any(|listed| listed.method == "GET" && listed.name == policy.operation)
    });
    let problems: Vec<String> = looks
        .map(|policy| {
            format!("operations (\"{}\").use: this operation changes nothing, so nothing is spent: write use = \"until_expiry\"", policy.operation)
        })
        .collect();
    if !problems.is_empty() {
        return Err(problems);
    }
    Policies::new(ALL.iter().map(|listed| Policy::built_in(listed.name, &listed.requirement)), configured)
}

/// The two verification headers as OpenAPI parameters.
pub struct VerificationHeaders;

impl utoipa::IntoParams for VerificationHeaders {
    fn into_params(
        _: impl Fn() -> Option<utoipa::openapi::path::ParameterIn>,
    ) -> Vec<utoipa::openapi::path::Parameter> {
        use utoipa::openapi::{
            Object, Required,
            path::{ParameterBuilder, ParameterIn},
            schema::{SchemaType, Type},
        };
        let parameter = |name: &str, text: &str| {
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(text))
                .schema(Some(Object::with_type(SchemaType::Type(Type::String))))
                .build()
        };
        vec![
            parameter("Verification-Id", "The id of a verified record of the caller's own."),
            parameter(
                "logto-verification-id",
                "Another name of `Verification-Id`; both present and different count as none.",
            ),
        ]
    }
}
