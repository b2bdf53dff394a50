//! What account pages read before anybody is signed in: public, in the shape of the contract (4, 8.5).

use actix_web::{HttpResponse, get, web::Data};
use serde::Serialize;
use serde_json::{Map, Value};

use super::account_center::{self as managed, AccountCenterView};
use crate::{
    app::App,
    domain::{
        application::Connection,
        password_policy::PasswordPolicy,
        settings::{LanguageInfo, SignInExperience},
        username::UsernamePolicy,
    },
    error::Result,
    refusals,
    storage::settings,
};

/// The sign-in experience, as far as pages need it. What an operator keeps to themselves (lockout, blocklist) is not in it.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PublicSignInExp {
    #[schema(example = "default")]
    tenant_id: &'static str,
    #[schema(example = "default")]
    id: &'static str,
    color: Color,
    #[schema(value_type = Object)]
    branding: Map<String, Value>,
    hide_logto_branding: bool,
    language_info: LanguageInfo,
    #[schema(required)]
    terms_of_use_url: Option<String>,
    #[schema(required)]
    privacy_policy_url: Option<String>,
    #[schema(example = "Automatic")]
    agree_to_terms_policy: &'static str,
    sign_in: SignIn,
    sign_up: SignUp,
    #[schema(value_type = Object)]
    social_sign_in: Map<String, Value>,
    social_sign_in_connector_targets: Vec<String>,
    /// `SignInAndRegister`, or `SignIn` where nobody can make an account.
    #[schema(example = "SignInAndRegister")]
    sign_in_mode: &'static str,
    #[schema(required)]
    custom_css: Option<String>,
    #[schema(value_type = Object)]
    custom_content: Map<String, Value>,
    #[schema(value_type = Object, required, nullable)]
    custom_ui_assets: Option<Map<String, Value>>,
    password_policy: PasswordPolicy,
    username_policy: UsernamePolicy,
    mfa: Mfa,
    single_sign_on_enabled: bool,
    #[schema(required)]
    support_email: Option<String>,
    #[schema(required)]
    support_website_url: Option<String>,
    #[schema(required)]
    unknown_session_redirect_url: Option<String>,
    #[schema(value_type = Vec<Object>)]
    social_connectors: Vec<Value>,
    #[schema(value_type = Vec<Object>)]
    sso_connectors: Vec<Value>,
    forgot_password: ForgotPassword,
    is_development_tenant: bool,
}

/// The operator's colour.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Color {
    #[schema(example = "#1f4e79")]
    primary_color: String,
    is_dark_mode_enabled: bool,
    dark_primary_color: String,
}

/// How people sign in.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignIn {
    methods: Vec<SignInMethod>,
}

/// One way to sign in.
#[derive(Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SignInMethod {
    #[schema(example = "email")]
    identifier: &'static str,
    password: bool,
    verification_code: bool,
    is_password_primary: bool,
}

/// What makes a new account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct SignUp {
    /// `email`, `phone`, or both.
    identifiers: Vec<&'static str>,
    password: bool,
    verify: bool,
}

/// Second factors: none beside the verification methods of the account API.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Mfa {
    #[schema(example = "NoPrompt")]
    policy: &'static str,
    factors: Vec<String>,
}

/// Whether a forgotten password can be set anew without signing in. People sign in by a code, and set it then.
#[derive(Serialize, utoipa::ToSchema)]
pub struct ForgotPassword {
    email: bool,
    phone: bool,
}

/// The contract's name of what a connection sends to.
const fn identifier(connection: Connection) -> &'static str {
    match connection {
        Connection::Email => "email",
        Connection::Sms => "phone",
    }
}

impl PublicSignInExp {
    fn new(app: &App, experience: SignInExperience) -> Self {
        let enabled = || Connection::ALL.iter().copied().filter(|one| app.config.sign_in.of(*one).enabled);
        let method = |connection| SignInMethod {
            identifier: identifier(connection),
            password: false,
            verification_code: true,
            is_password_primary: false,
        };
        let identifiers: Vec<&str> =
            enabled().filter(|one| app.config.sign_in.of(*one).sign_up).map(identifier).collect();
        let accent = &app.config.pages.accent;
        Self {
            tenant_id: "default",
            id: "default",
            color: Color {
                primary_color: accent.clone(),
                is_dark_mode_enabled: true,
                dark_primary_color: accent.clone(),
            },
            branding: Map::new(),
            hide_logto_branding: true,
            language_info: experience.language_info,
            terms_of_use_url: None,
            privacy_policy_url: None,
            agree_to_terms_policy: "Automatic",
            sign_in: SignIn { methods: enabled().map(method).collect() },
            sign_in_mode: if identifiers.is_empty() { "SignIn" } else { "SignInAndRegister" },
            sign_up: SignUp { identifiers, password: false, verify: true },
            social_sign_in: Map::new(),
            social_sign_in_connector_targets: Vec::new(),
            custom_css: None,
            custom_content: Map::new(),
            custom_ui_assets: None,
            password_policy: experience.password_policy,
            username_policy: experience.username_policy,
            mfa: Mfa { policy: "NoPrompt", factors: Vec::new() },
            single_sign_on_enabled: false,
            support_email: None,
            support_website_url: None,
            unknown_session_redirect_url: None,
            social_connectors: Vec::new(),
            sso_connectors: Vec::new(),
            forgot_password: ForgotPassword { email: false, phone: false },
            is_development_tenant: false,
        }
    }
}

refusals!(Refused: []);

/// Shows pages what users may see and change
#[utoipa::path(
    operation_id = "GetWellKnownAccountCenter", tag = "Account center",
    responses((status = 200, description = "The settings.", body = AccountCenterView), Refused),
)]
#[get("/api/.well-known/account-center")]
pub async fn account_center(app: Data<App>) -> Result<HttpResponse> {
    Ok(managed::answer(settings::find(&mut app.db.read().await?).await?.account_center))
}

/// Shows pages how people sign in, and what passwords must be like
///
/// Query parameters are ignored.
#[utoipa::path(
    operation_id = "GetSignInExperienceConfig", tag = "Sign-in experience",
    responses((status = 200, description = "The experience.", body = PublicSignInExp), Refused),
)]
#[get("/api/.well-known/sign-in-exp")]
pub async fn sign_in_exp(app: Data<App>) -> Result<HttpResponse> {
    let experience = settings::find(&mut app.db.read().await?).await?.sign_in_experience;
    Ok(HttpResponse::Ok().json(PublicSignInExp::new(&app, experience)))
}
