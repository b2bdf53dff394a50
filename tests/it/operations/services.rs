//! Who a relying service is: by secret or token of its own; what it sees; records it opens for its users.

use reqwest::Method;
use serde_json::{Value, json};

use super::payment;
use crate::harness::{Answer, TestApp, with_operations};

#[tokio::test]
async fn a_service_opens_a_record_for_a_user_who_then_consents() {
    let app = TestApp::start_with(with_operations).await;
    let (user, other) = (app.user().await, app.user().await);
    let (bank, batch) = (app.redeemer("bank-api").await, app.redeemer("bank-batch").await);
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0 });
    let record = bank.post("/api/verifications", body).await.expect("201").record();
    let path = format!("/api/verifications/{record}");
    for party in [bank.get(&path).await, batch.get(&path).await, user.get(&path).await] {
        assert_eq!(party.expect("200").json()["status"], "pending");
    }
    assert_eq!(other.add_password(&record).await.gist(), "400 verification_record.not_found");
    user.add_password(&record).await.expect("201");
    user.add_code(&record, "phone").await.expect("200");
    bank.redeem(&record, "bank.pay", payment(), &user).await.expect("200");

    // Only who opened it may withdraw it, and its owner.
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0 });
    let record = bank.post("/api/verifications", body).await.expect("201").record();
    let path = format!("/api/verifications/{record}");
    assert_eq!(batch.call(Method::DELETE, &path, &[], None).await.gist(), "404 verification_record.not_found");
    bank.call(Method::DELETE, &path, &[], None).await.expect("204");
    assert_eq!(user.add_password(&record).await.gist(), "400 verification_record.not_found");
}

#[tokio::test]
async fn a_service_knows_only_operations_it_redeems() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let clinic = app.redeemer("clinic-api").await;
    let names = |answer: Answer| -> Vec<String> {
        let listed = answer.expect("200").json();
        listed.as_array().unwrap().iter().map(|operation| operation["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names(clinic.get("/api/operations").await), ["clinic.prescribe"]);
    let body = json!({ "operation": "bank.view", "subject": user.id.0 });
    assert_eq!(clinic.post("/api/verifications", body).await.gist(), "404 operation.not_found");
    assert_eq!(clinic.get("/api/operations/bank.view").await.gist(), "404 operation.not_found");
    let body = json!({ "operation": "clinic.prescribe", "payload": {}, "subject": "nobody" });
    assert_eq!(clinic.post("/api/verifications", body).await.gist(), "404 entity.not_found");

    let all = names(user.get("/api/operations").await);
    assert!(all.contains(&"bank.pay".to_owned()) && all.contains(&"account.password.update".to_owned()), "{all:?}");
    let pay = user.get("/api/operations/bank.pay").await.expect("200").json();
    assert_eq!(pay["available"], json!([["password", "phone_code"], ["password", "email_code"]]));
    assert_eq!(
        pay["requirement"],
        json!({
            "methods": [["password", "phone_code"], ["password", "email_code"]], "maxAge": 300,
            "acrValues": "urn:countersign:acr:2fa urn:countersign:acr:methods:password.email_code", "isSingleUse": true, "bindsPayload": true,
        })
    );
    let record = user.verify_password().await;
    let with = async |operation: &str| {
        let answer = user.call("GET", &format!("/api/operations/{operation}"), &record, Value::Null).await;
        answer.expect("200").json()["isSatisfied"].clone()
    };
    assert_eq!((with("bank.view").await, with("bank.pay").await), (json!(true), json!(false)));
    assert_eq!(with("account.email.update").await, true);
}

#[tokio::test]
async fn a_service_may_come_with_a_token_of_its_own() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let bank = app.redeemer("bank-api").await;
    let resource = format!("{}/api/verifications", app.app().urls.root);
    let ask = async |id: &str, secret: &str| {
        let form = [("grant_type", "client_credentials"), ("resource", &resource)];
        Answer::of(app.http.post(app.url("/oidc/token")).form(&form).basic_auth(id, Some(secret))).await
    };
    let answer = ask(&bank.id, &bank.secret).await.expect("200").json();
    assert_eq!(answer["scope"], "redeem");
    let service = user.with_token(answer["access_token"].as_str().unwrap().to_owned());
    let record = user.consent(payment()).await;
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0 });
    service.post(&format!("/api/verifications/{record}/redeem"), body).await.expect("200");
    // Neither is it a user's token, nor a user's token a service's.
    assert_eq!(service.try_password(&user.password).await.gist(), "403 auth.forbidden");
    assert_eq!(service.get("/api/my-account").await.gist(), "401 auth.unauthorized");
    assert_eq!(service.get("/api/users").await.gist(), "401 auth.unauthorized");
    let body = json!({ "operation": "bank.pay", "payload": payment(), "subject": user.id.0 });
    assert_eq!(user.post(&format!("/api/verifications/{record}/redeem"), body).await.gist(), "403 auth.forbidden");
    let body = json!({ "token": record });
    assert_eq!(user.post("/api/verifications/introspect", body).await.gist(), "403 auth.forbidden");
    // Whoever redeems nothing gets no such token.
    assert_eq!(ask(app.application.as_str(), &app.management_secret).await.gist(), "400 oidc.unauthorized_client");
}

#[tokio::test]
async fn wrong_credentials_are_told_as_such() {
    let app = TestApp::start_with(with_operations).await;
    let bank = app.redeemer("bank-api").await;
    for (id, secret) in [("bank-api", "wrong"), ("nobody", bank.secret.as_str()), ("", "")] {
        let request = app.http.get(app.url("/api/operations")).basic_auth(id, Some(secret));
        let answer = Answer::of(request).await;
        assert_eq!(answer.gist(), "401 auth.invalid_client");
        assert_eq!(answer.header("www-authenticate"), Some(r#"Basic realm="countersign""#));
    }
}
