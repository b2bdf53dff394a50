//! Codes signed in with a second, against the same statements and signatures without HTTP.

use std::sync::Arc;

use countersign::{
    app::App,
    domain::{application::Connection, id::ApplicationId},
    signin::{
        codes::{self, Address},
        entering::{self, Entry},
        issue::{self, Granted},
    },
    storage::{
        applications,
        sign_in_codes::{self, NewSignInCode},
    },
    web::client::Client,
};
use serde_json::{Map, json};
use tokio::runtime::Runtime;

use crate::{
    client,
    codes::timed,
    report,
    subject::{Subject, User},
};

/// Sign-ins of each user and round: each takes the code of an application of its own, as only the newest code of an address counts.
const CODES: usize = 24;
const SCOPE: &str = "openid profile email offline_access";

/// A code that was sent.
pub struct Sent {
    application: ApplicationId,
    email: String,
    code: String,
    request: Vec<u8>,
}

pub fn measure(clients: &Runtime, subject: &Subject) {
    let app = &subject.running.app;
    let pairs = report::rounds(|| {
        let sent = clients.block_on(arrange(app, &subject.users));
        let limit = timed(clients, sent, |own| sign_in(Arc::clone(app), own));
        let sent = clients.block_on(arrange(app, &subject.users));
        let address = subject.address();
        let reached = timed(clients, sent, |own| client::send_all(address, own.into_iter().map(|one| one.request)));
        (limit, reached)
    });
    report::ratio(&format!("sign-ins by code a second, {}", subject.database), &pairs, 0.40);
}

/// Codes of every user's address, as sending them would have left them.
async fn arrange(app: &App, users: &[User]) -> Vec<Vec<Sent>> {
    let mut all: Vec<Vec<Sent>> = users.iter().map(|_| Vec::new()).collect();
    let mut session = app.db.write().await.unwrap();
    for _ in 0..CODES {
        let application = crate::subject::application(app);
        applications::add(&mut session, &application).await.unwrap();
        for (number, (user, own)) in users.iter().zip(&mut all).enumerate() {
            let (now, id) = (app.now(), format!("{}{number:03}", application.id));
            let new = NewSignInCode {
                id: &id,
                handle_hash: None,
                application: &application.id,
                connection: Connection::Email.name(),
                identifier: &user.email,
                address: &user.email,
                link_hash: None,
                browser_hash: None,
                auth_params: Map::new(),
                guesses: 0,
                is_long: false,
                now,
                expires_at: now.plus(std::time::Duration::from_secs(300)),
            };
            sign_in_codes::add(&mut session, new).await.unwrap();
            let code = app.sign_in_codes.code(&id, app.config.sign_in.email.code_digits);
            let body = json!({
                "grant_type": "http://auth0.com/oauth/grant-type/passwordless/otp", "client_id": application.id,
                "realm": "email", "username": user.email, "otp": code, "scope": SCOPE,
            });
            let request = client::request("POST", "/oauth/token", None, Some(&body));
            own.push(Sent { application: application.id.clone(), email: user.email.clone(), code, request });
        }
    }
    session.commit().await.unwrap();
    all
}

/// What the grant does for a right code, and nothing else.
async fn sign_in(app: Arc<App>, own: Vec<Sent>) {
    let client = Client { ip: None, request_id: String::new(), user_agent: None };
    for Sent { application, email, code, .. } in own {
        let address = Address::parse(Connection::Email, &email).unwrap();
        let mut session = app.db.write().await.unwrap();
        let application = applications::find(&mut session, &application).await.unwrap().unwrap();
        let redeemed = codes::redeem_named(&app, &mut session, &address, &code, &application, &client).await.unwrap();
        let user = redeemed.unwrap_or_else(|_| unreachable!("the code is right"));
        let proof = entering::proof_of(Connection::Email, app.now());
        let entry = Entry {
            user: &user.id,
            application: Some(&application),
            parent: None,
            browser_hash: None,
            scope: Some(SCOPE),
            proof: &proof,
            client: &client,
            user_agent: None,
        };
        let sid = entering::open(&app, &mut session, entry).await.unwrap();
        let [issuer, _] = &app.urls.issuers;
        let granted = Granted {
            application: &application,
            user: &user,
            session: &sid,
            proof: Some(&proof),
            scope: SCOPE,
            audience: None,
            issuer,
            nonce: None,
            jkt: None,
            record: None,
        };
        issue::refresh_token(&app, &mut session, &granted).await.unwrap();
        session.commit().await.unwrap();
        issue::access_token(&app, &granted).unwrap();
        issue::id_token(&app, &granted).unwrap();
    }
}
