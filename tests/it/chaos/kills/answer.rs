//! A redemption whose answer nobody gets: the service is killed between the commit and the answer's arrival.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;

use super::{Mail, Office, connect, kill, place};
use crate::harness::{MailServer, TestDatabase};

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_lost_by_a_crash_is_given_by_its_idempotency_key() {
    let database = TestDatabase::new().await;
    let mail = MailServer::start(&[]);
    let place = place(&database.url(), &mail);
    let _mail = Mail::of(mail);
    let office = Office::open(&place);
    let service = place.serve();
    let manager = office.sign_in(&service).await.unwrap();
    let password = "correct horse battery staple";
    let body = json!({ "username": "anna", "password": password });
    let user = office.create_user(&service, &manager, body).await.unwrap();
    let token = office.user_token(&service, &manager, &user).await.unwrap();
    let consent = office.consent(&service, &token, &user, json!({ "amount": "120.50" }), password).await.unwrap();
    let db = connect(&database.url()).await;
    let redeemed = async || {
        let sql = "select count(*) from audit_events where type = 'operation.redeemed'";
        db.read().await.unwrap().fetch_value::<i64>(sql, ()).await.unwrap()
    };
    // Killed as soon as the database has it; what the service may have said by then is not listened to.
    let axe = async {
        let start = Instant::now();
        while redeemed().await == 0 {
            assert!(start.elapsed() < Duration::from_secs(20), "nothing is redeemed");
        }
        kill(service.child.id());
    };
    let (_unheard, ()) = tokio::join!(office.redeem(&service, &consent, "key-1"), axe);
    drop(service);

    let service = place.serve();
    let first = office.redeem(&service, &consent, "key-1").await.unwrap().expect("200");
    assert_eq!(office.redeem(&service, &consent, "key-1").await.unwrap().expect("200").text, first.text);
    let other = office.redeem(&service, &consent, "key-2").await.unwrap();
    assert_eq!(other.gist(), "409 verification_record.already_redeemed");
    assert_eq!(redeemed().await, 1);
    let manager = office.sign_in(&service).await.unwrap();
    let account = office.call(&service, &manager, Method::GET, &format!("/api/users/{user}"), json!({})).await;
    account.unwrap().expect("200");
    db.close().await;
}
