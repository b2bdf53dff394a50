//! Where one is signed in, as the account API shows it: rows 27 to 30 of contract 3.

use countersign::{
    crypto::digest::digest,
    domain::{
        id::{ApplicationId, SessionId},
        settings::{Field, FieldControl},
    },
    signin::entering::{self, Entry},
    storage::{applications, sessions},
    web::client::Client,
};
use serde_json::{Value, json};

use crate::harness::{TestApp, User};

const SESSIONS: &str = "/api/my-account/sessions";
const GRANTS: &str = "/api/my-account/grants";

/// A browser's session, and one of an application below it.
async fn browser(user: &User<'_>, application: &ApplicationId) -> [SessionId; 2] {
    let app = user.app.app();
    let mut session = user.app.write().await;
    let application = applications::find(&mut session, application).await.unwrap().unwrap();
    let proof = entering::proof_of(countersign::domain::application::Connection::Email, user.app.now());
    let client = Client { ip: Some("203.0.113.9".parse().unwrap()), request_id: String::new(), user_agent: None };
    let hash = digest(user.id.as_str().as_bytes());
    let entry = Entry {
        user: &user.id,
        application: None,
        parent: None,
        browser_hash: Some(&hash),
        scope: None,
        proof: &proof,
        client: &client,
        user_agent: Some("A browser"),
    };
    let above = entering::open(app, &mut session, entry).await.unwrap();
    let entry = Entry {
        application: Some(&application),
        parent: Some(&above),
        browser_hash: None,
        scope: Some("openid email"),
        ..entry
    };
    let below = entering::open(app, &mut session, entry).await.unwrap();
    session.commit().await.unwrap();
    [above, below]
}

async fn is_alive(app: &TestApp, id: &SessionId) -> bool {
    let now = app.now();
    sessions::find(&mut app.app().db.read().await.unwrap(), id, now).await.unwrap().is_some()
}

#[tokio::test]
async fn sessions_show_where_one_is_signed_in_and_which_is_this_one() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.advance(1);
    let [above, below] = browser(&user, &app.application).await;
    let record = user.verify_password().await;
    let list = user.call("GET", SESSIONS, &record, Value::Null).await.expect("200").json();
    let list = list["sessions"].as_array().unwrap();
    assert_eq!(list.len(), 2, "what came in by a browser is not a session of its own: {list:?}");
    assert_eq!(list[0]["payload"]["uid"], above.as_str());
    assert_eq!((&list[0]["isCurrent"], &list[1]["isCurrent"]), (&json!(false), &json!(true)));
    assert_eq!(list[0]["userAgent"], "A browser");
    assert_eq!(list[0]["ip"], "203.0.113.9");
    assert_eq!(list[0]["clientId"], Value::Null);
    assert_eq!(list[0]["lastSubmission"]["methods"], json!(["email_code"]));
    assert_eq!(list[1]["clientId"], app.application.as_str());
    assert_eq!(list[1]["payload"]["kind"], "Session");
    let grants = user.call("GET", GRANTS, &record, Value::Null).await.expect("200").json();
    let ids: Vec<&str> = grants["grants"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 2);
    assert!(ids.contains(&below.as_str()));
    assert_eq!(grants["grants"][0]["application"]["name"], "first-party");
}

#[tokio::test]
async fn an_ended_session_is_dead_at_once_on_every_node_with_all_that_came_in_by_it() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    let [above, below] = browser(&user, &app.application).await;
    let other = user.with_token(user.new_token(&app.application, &["openid", "profile"]).await);
    other.on(&second).get("/api/my-account").await.expect("200");
    let record = user.verify_password().await;
    let path = |id: &str| format!("{SESSIONS}/{id}?revokeGrantsTarget=all");
    let list = user.call("GET", SESSIONS, &record, Value::Null).await.json();
    let found = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["isCurrent"] == false && one["payload"]["uid"] != above.as_str());
    let uid = found.unwrap()["payload"]["uid"].as_str().unwrap().to_owned();
    user.call("DELETE", &path(&uid), &record, Value::Null).await.expect("204");
    other.on(&second).get("/api/my-account").await.expect("401 auth.unauthorized");
    other.get("/api/my-account").await.expect("401 auth.unauthorized");
    user.call("DELETE", &path(above.as_str()), &record, Value::Null).await.expect("204");
    assert!(!is_alive(&app, &above).await && !is_alive(&app, &below).await);
    // Over, unknown, another's, one below another, and no id at all: the same answer.
    let stranger = app.user().await;
    let [foreign, _] = browser(&stranger, &app.application).await;
    for id in [above.as_str(), "000000000000000000000", foreign.as_str(), "%20"] {
        user.call("DELETE", &path(id), &record, Value::Null).await.expect("404 oidc.session_not_found");
    }
    assert!(is_alive(&app, &foreign).await);
    assert_eq!(app.number("select count(*) from audit_events where type = 'account.session.end'").await, 2);
}

#[tokio::test]
async fn an_application_is_shut_out_and_the_browser_stays() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let third = app.third_party().await;
    let [above, below] = browser(&user, &third).await;
    let record = user.verify_password().await;
    for (query, count) in [("", 2), ("?appType=firstParty", 1), ("?appType=thirdParty", 1)] {
        let list = user.call("GET", &format!("{GRANTS}{query}"), &record, Value::Null).await.expect("200").json();
        assert_eq!(list["grants"].as_array().unwrap().len(), count, "{query}");
    }
    let odd = user.call("GET", &format!("{GRANTS}?appType=none"), &record, Value::Null).await;
    odd.expect("400 guard.invalid_input");
    let path = format!("{GRANTS}/{below}");
    let stranger = app.user().await;
    let theirs = stranger.verify_password().await;
    stranger.call("DELETE", &path, &theirs, Value::Null).await.expect("404 oidc.invalid_grant");
    user.call("DELETE", &format!("{GRANTS}/{above}"), &record, Value::Null).await.expect("404 oidc.invalid_grant");
    for _ in 0..2 {
        user.call("DELETE", &path, &record, Value::Null).await.expect("204");
    }
    assert!(is_alive(&app, &above).await && !is_alive(&app, &below).await);
}

#[tokio::test]
async fn settings_scopes_and_third_parties_are_heeded_in_the_contracts_order() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let plain = user.with_token(user.new_token(&app.application, &["openid", "profile"]).await);
    let third = app.third_party().await;
    let foreign = user.with_token(user.new_token(&third, &["openid", "urn:logto:scope:sessions"]).await);
    let one = format!("{SESSIONS}/000000000000000000000");
    for (method, path) in [("GET", SESSIONS), ("GET", GRANTS), ("DELETE", &one)] {
        plain.call(method, path, &record, Value::Null).await.expect("401 auth.unauthorized");
    }
    foreign.call("GET", SESSIONS, &record, Value::Null).await.expect("200");
    foreign.call("DELETE", &one, &record, Value::Null).await.expect("403 auth.third_party_application_forbidden");
    for (control, read, write) in [
        (FieldControl::ReadOnly, "200", "400 account_center.field_not_editable"),
        (FieldControl::Off, "400 account_center.field_not_enabled", "400 account_center.field_not_editable"),
    ] {
        app.change_settings(|settings| {
            settings.account_center.fields.insert(Field::Session, control);
        })
        .await;
        user.call("GET", SESSIONS, &record, Value::Null).await.expect(read);
        user.call("DELETE", &one, &record, Value::Null).await.expect(write);
    }
}
