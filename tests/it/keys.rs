//! Keys change while the service runs: on every node, without a restart, without one refused token, without a lost message.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use countersign::{
    crypto::{master_key::MasterKey, sealer::Sealer},
    jobs::{
        resealing::reseal,
        rotation::{self, Start, rotate},
    },
    server::Options,
    storage::sealed,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Answer, Redeemer, Service, TestApp, User, with_operations};

fn master(byte: u8) -> MasterKey {
    MasterKey::from_bytes([byte; 32])
}

/// The keys of access tokens; those of ID tokens take turns in the same way.
async fn published(app: &TestApp) -> Vec<String> {
    let jwks: Value = app.http.get(app.url("/oidc/jwks")).send().await.unwrap().json().await.unwrap();
    let keys = jwks["keys"].as_array().unwrap().iter().filter(|key| key["alg"] == "ES256");
    keys.map(|key| key["kid"].as_str().unwrap().to_owned()).collect()
}

fn kid(token: &str) -> String {
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let header = URL_SAFE_NO_PAD.decode(token.split('.').next().unwrap()).unwrap();
    serde_json::from_slice::<Value>(&header).unwrap()["kid"].as_str().unwrap().to_owned()
}

/// What a user has proved is redeemed on one node; the assertion holds on the other, whose published keys have its own.
async fn redeem_and_check(record: &str, user: &User<'_>, here: &Redeemer<'_>, there: &Redeemer<'_>) {
    let redeemed = here.redeem(record, "bank.view", Value::Null, user).await.expect("200").json();
    let assertion = redeemed["assertion"].as_str().unwrap();
    let request = there.app.http.post(there.app.url("/api/verifications/introspect")).form(&[("token", assertion)]);
    let judged = Answer::of(request.basic_auth(&there.id, Some(&there.secret))).await.expect("200").json();
    assert_eq!((&judged["active"], &judged["jti"]), (&true.into(), &redeemed["redemptionId"]), "{judged}");
    assert!(published(there.app).await.contains(&kid(assertion)), "nobody could check it offline");
}

/// Fresh tokens of each node and kept ones are shown to both nodes, and codes are sent and verified, until told to stop; every answer
/// must be a success.
async fn load(nodes: [&TestApp; 2], users: &[User<'_>; 2], bank: &Redeemer<'_>, stop: &AtomicBool) -> usize {
    let banks = nodes.map(|node| bank.on(node));
    let mut rounds = 0;
    while !stop.load(Ordering::SeqCst) {
        for (here, there) in [(nodes[0], nodes[1]), (nodes[1], nodes[0])] {
            let token = Service::sign_in(here).await.token;
            for node in [here, there] {
                let answer = node.http.get(node.url("/api/users?page=1")).bearer_auth(&token).send().await.unwrap();
                assert_eq!(answer.status(), 200, "a fresh token");
            }
        }
        for user in users {
            user.on(nodes[0]).get("/api/my-account").await.expect("200");
            user.on(nodes[1]).get("/api/my-account").await.expect("200");
            let record = user.on(nodes[0]).send_code("email", &user.email).await.expect("201").record();
            let code = nodes[0].code_for(&user.email);
            user.on(nodes[1]).try_code("email", &user.email, &record, &code).await.expect("200");
            redeem_and_check(&record, user, &banks[0], &banks[1]).await;
            redeem_and_check(&record, user, &banks[1], &banks[0]).await;
        }
        rounds += 1;
    }
    rounds
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_keys_change_under_load_on_two_nodes_without_one_refused_token() {
    let app = TestApp::start_with(|config| {
        with_operations(config);
        config.limits.send_gap_seconds = 0;
        config.limits.sends_per_recipient = 100_000;
        config.limits.sends_per_user = 100_000;
    })
    .await;
    let second = app.second_node_as(with_operations, |_| {}).await;
    let users = [app.user().await, app.user().await];
    let bank = app.redeemer("bank-api").await;
    let stop = AtomicBool::new(false);
    let changes = async {
        for round in 0..6 {
            let node = if round % 2 == 0 { &app } else { &second };
            let start = if round % 3 == 2 { Start::Now } else { Start::AfterLead };
            rotate(node.app(), start, None).await.unwrap();
            for _ in 0..7 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                // Half an hour in all: the users' tokens must not expire.
                app.advance(40);
            }
        }
        stop.store(true, Ordering::SeqCst);
    };
    let (rounds, ()) = tokio::join!(load([&app, &second], &users, &bank, &stop), changes);
    assert!(rounds > 3, "{rounds}");
    assert!(published(&app).await.len() >= 3);
    assert_eq!(published(&app).await, published(&second).await);
}

#[tokio::test]
async fn a_new_key_is_published_first_signs_later_and_the_old_one_goes_after_its_last_token() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let old = kid(&Service::sign_in(&app).await.token);
    let successor = rotate(app.app(), Start::AfterLead, None).await.unwrap().remove(0);
    second.app().refresh_keys().await.unwrap();
    for node in [&app, &second] {
        node.app().refresh_keys().await.unwrap();
        assert_eq!(published(node).await, [old.clone(), successor.kid.clone()]);
    }
    // Asked again, the one that waits is the answer.
    assert_eq!(rotate(second.app(), Start::AfterLead, None).await.unwrap()[0].kid, successor.kid);
    app.advance(599);
    assert_eq!(kid(&Service::sign_in(&second).await.token), old);
    let user = app.user().await;
    assert_eq!(kid(&user.token), old);
    app.advance(1);
    for node in [&app, &second] {
        assert_eq!(kid(&Service::sign_in(node).await.token), successor.kid);
    }
    app.advance(3590);
    rotation::keep(app.app()).await.unwrap();
    user.on(&second).get("/api/my-account").await.expect("200");
    app.advance(700);
    rotation::keep(app.app()).await.unwrap();
    rotation::keep(second.app()).await.unwrap();
    for node in [&app, &second] {
        assert_eq!(published(node).await, std::slice::from_ref(&successor.kid));
    }
    let gone = "select count(*) from signing_keys where retired_at is not null and length(private_key) = 0 and public_key is not null";
    assert_eq!(app.number(gone).await, 2, "one of each algorithm");
    let events = "select count(*) from audit_events where type in ('signing_key.rotated', 'signing_key.retired')";
    assert_eq!(app.number(events).await, 6);
    // A node that starts now works with what is left.
    let third = app.second_node().await;
    assert_eq!(kid(&Service::sign_in(&third).await.token), successor.kid);
}

#[tokio::test]
async fn a_key_another_node_signs_with_at_once_is_honoured_here_at_once() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    rotate(app.app(), Start::Now, None).await.unwrap();
    app.app().refresh_keys().await.unwrap();
    let token = Service::sign_in(&app).await.token;
    // The first that `second` hears of it.
    let answer = second.http.get(second.url("/api/users")).bearer_auth(&token).send().await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn a_change_of_keys_is_published_by_every_node_with_the_next_request() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    let successor = rotate(app.app(), Start::AfterLead, None).await.unwrap().remove(0);
    user.on(&second).get("/api/my-account").await.expect("200");
    assert!(published(&second).await.contains(&successor.kid));
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_with_keys_of_their_own_are_refused_and_good_tokens_are_not() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (_, rest) = user.token.split_once('.').unwrap();
    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    let strange = |number: usize| {
        let header = json!({ "alg": "ES256", "typ": "at+jwt", "kid": format!("stranger-{number}") }).to_string();
        format!("{}.{rest}", URL_SAFE_NO_PAD.encode(header))
    };
    let requests = (0..100).map(|number| {
        let token = if number % 10 == 0 { user.token.clone() } else { strange(number) };
        let caller = user.with_token(token);
        async move { (number, caller.get("/api/my-account").await.status) }
    });
    for (number, status) in join_all(requests).await {
        assert_eq!(status, if number % 10 == 0 { 200 } else { 401 });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_take_turns_by_themselves_once_a_period_on_any_number_of_nodes() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    rotation::keep(app.app()).await.unwrap();
    assert_eq!(app.number("select count(*) from signing_keys").await, 2, "one of each algorithm");
    app.advance(90 * 24 * 3600);
    for _ in 0..3 {
        let (one, other) = tokio::join!(rotation::keep(app.app()), rotation::keep(second.app()));
        one.unwrap();
        other.unwrap();
    }
    assert_eq!(app.number("select count(*) from signing_keys").await, 4);
    app.advance(2 * 3600);
    rotation::keep(second.app()).await.unwrap();
    assert_eq!(published(&second).await.len(), 1);
}

/// What an opened record and a redemption leave sealed.
async fn leave_consent(app: &TestApp, user: &crate::harness::User<'_>) {
    use countersign::storage::{
        idempotent_answers::{self, Given},
        openings::{self, NewOpening},
    };
    let (now, sealer) = (app.now(), &app.app().sealer);
    let value = |table, row, column| sealer.seal(table, row, column, b"{}").unwrap();
    let opening = NewOpening {
        key: &countersign::domain::id::RecordKey([9; 32]),
        holder: countersign::storage::records::Holder { user: &user.id, jkt: None },
        operation: Some("bank.pay"),
        payload_digest: None,
        handle: "a-handle",
        display: Some(&value("verification_records", "a-handle", "display")),
        opened_by: None,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(300)),
    };
    let mut session = app.write().await;
    openings::add(&mut session, opening).await.unwrap();
    let given = Given { request_hash: vec![1], answer: value("idempotent_answers", "an-id", "answer") };
    idempotent_answers::add(&mut session, "an-id", &given, now, now.plus(Duration::from_secs(300))).await.unwrap();
    session.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_master_key_changes_under_load_on_two_nodes_and_nothing_is_lost() {
    // Both nodes know the next key already, and seal under the last one.
    let app = TestApp::start_with_options(|options| {
        options.master_key = Some(master(1));
        options.older_master_keys = vec![master(2)];
    })
    .await;
    let second = app
        .second_node_with(|options| {
            options.master_key = Some(master(1));
            options.older_master_keys = vec![master(2)];
        })
        .await;
    let waiting = crate::outbox::leave_waiting(&app, 30).await;
    crate::hooks::register(&app, "https://example.com/", &["User.Deleted"]).await;
    let users = [app.user().await, app.user().await];
    leave_consent(&app, &users[0]).await;
    let stop = AtomicBool::new(false);
    let next = Sealer::new(&master(2), &[master(1)]).unwrap();
    let changes = async {
        let first = reseal(app.app(), &next).await.unwrap();
        assert!(first.values >= 33 && first.unreadable == 0, "{first:?}");
        rotate(second.app(), Start::Now, None).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        reseal(app.app(), &next).await.unwrap();
        stop.store(true, Ordering::SeqCst);
    };
    let load = async {
        while !stop.load(Ordering::SeqCst) {
            for user in &users {
                user.on(&app).verify_password().await;
                user.on(&second).get("/api/my-account").await.expect("200");
                let token = Service::sign_in(&app).await.token;
                let answer = second.http.get(second.url("/api/users")).bearer_auth(&token).send().await.unwrap();
                assert_eq!(answer.status(), 200);
            }
        }
    };
    tokio::join!(load, changes);
    let user = &users[0];
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);

    // The nodes are restarted with the keys swapped, then with the new one alone.
    let both = |options: &mut Options| {
        options.master_key = Some(master(2));
        options.older_master_keys = vec![master(1)];
    };
    let third = app.second_node_with(both).await;
    user.on(&third).try_code("email", &user.email, &record, &code).await.expect("200");
    assert_eq!(reseal(third.app(), &third.app().sealer).await.unwrap().unreadable, 0);
    let last = app.second_node_with(|options| options.master_key = Some(master(2))).await;
    user.on(&last).get("/api/my-account").await.expect("200");
    app.running.stop().await;
    second.running.stop().await;
    third.running.stop().await;
    let only = Sealer::new(&master(2), &[]).unwrap();
    for column in sealed::ALL {
        let values = column.list(&mut last.app().db.read().await.unwrap(), "", 1000).await.unwrap();
        assert!(!values.is_empty() && values.iter().all(|value| only.is_current(&value.value)), "{column:?}");
    }
    last.advance(101);
    crate::outbox::settle_delivered(&last, &waiting).await;
}
