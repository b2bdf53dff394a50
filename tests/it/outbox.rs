//! Messages wait in the outbox until somebody has taken them: any node delivers them, at least once, as they are.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use countersign::{
    channels::{Channel, Channels, SendError, mailbox::Mailbox},
    domain::message::{Kind, Locale, Message, Payload, Template},
    post,
    texts::{Templates, Values, render},
};
use serde_json::Value;
use tokio::sync::Semaphore;

use crate::harness::TestApp;

/// Longer than a lease lasts with the default timeouts.
const LEASE: u64 = 60;

/// A channel that holds what comes first until it is let go; whatever comes after that goes to the mailbox.
struct Held {
    seen: Mutex<Vec<Message>>,
    hold: usize,
    release: Semaphore,
    outcome: Result<(), SendError>,
    mailbox: Arc<Mailbox>,
}

impl Held {
    fn new(hold: usize, outcome: Result<(), SendError>, mailbox: &Arc<Mailbox>) -> Arc<Self> {
        let mailbox = mailbox.clone();
        Arc::new(Self { seen: Mutex::default(), hold, release: Semaphore::new(0), outcome, mailbox })
    }

    async fn wait(&self) -> Message {
        for _ in 0..500 {
            if let Some(message) = self.seen.lock().unwrap().first() {
                return message.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nothing came");
    }
}

#[async_trait]
impl Channel for Held {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let number = {
            let mut seen = self.seen.lock().unwrap();
            seen.push(message.clone());
            seen.len()
        };
        if number > self.hold {
            return self.mailbox.send(message).await;
        }
        self.release.acquire().await.unwrap().forget();
        self.outcome.clone()
    }

    async fn check(&self) -> Result<String, SendError> {
        Ok(String::new())
    }
}

/// A channel that breaks down over some messages.
struct Breaks(Arc<Mailbox>);

#[async_trait]
impl Channel for Breaks {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        assert!(!message.to.starts_with("poison"), "this one is too much");
        self.0.send(message).await
    }

    async fn check(&self) -> Result<String, SendError> {
        Ok(String::new())
    }
}

/// A node whose e-mail goes to `channel`.
async fn start(channel: impl FnOnce(&Arc<Mailbox>) -> Arc<dyn Channel>) -> TestApp {
    TestApp::start_with_options(|options| {
        let (_, mailbox) = options.mailbox.take().unwrap();
        let channels = Channels { email: Some(channel(&mailbox)), sms: Some(mailbox.clone()) };
        options.mailbox = Some((channels, mailbox));
    })
    .await
}

fn notice(app: &TestApp, kind: Kind, to: &str) -> Message {
    let templates = Templates::built_in("Countersign", None);
    let values = Values { time: Some(app.now()), ..Values::default() };
    Message {
        id: post::new_id(app.app()),
        created_at: app.now(),
        kind,
        to: to.to_owned(),
        template: Template::PasswordChanged,
        rendered: render(&templates, Template::PasswordChanged, kind, Locale::En, &values),
        payload: Payload { code: None, locale: Locale::En, ui_locales: None, application: None, user: None },
        ip: None,
    }
}

/// Notices that nobody tries before a lease has run out.
pub async fn leave_waiting(app: &TestApp, count: usize) -> Vec<String> {
    let user = app.user().await;
    let mut session = app.write().await;
    let mut ids = Vec::new();
    for number in 0..count {
        let message = notice(app, Kind::Email, &format!("a{number}@example.com"));
        let end = app.now().plus(Duration::from_secs(3600));
        post::store(app.app(), &mut session, &message, Some(&user.id), end, true).await.unwrap();
        ids.push(message.id);
    }
    session.commit().await.unwrap();
    ids
}

/// Waits until these, and everything else, were delivered.
pub async fn settle_delivered(app: &TestApp, ids: &[String]) {
    settle(&[app], WAITING, 0).await;
    let messages = app.mailbox.messages();
    assert!(ids.iter().all(|id| messages.iter().any(|message| message.id == *id)), "one is lost");
}

async fn store(app: &TestApp, messages: &[Message]) {
    let user = app.user().await;
    let mut session = app.write().await;
    for message in messages {
        let end = app.now().plus(Duration::from_secs(3600));
        post::store(app.app(), &mut session, message, Some(&user.id), end, false).await.unwrap();
    }
    session.commit().await.unwrap();
    app.app().outbox.notify_waiters();
}

/// Waits until a number from the database is `wanted`, waking the nodes meanwhile.
pub async fn settle(nodes: &[&TestApp], sql: &'static str, wanted: i64) {
    let mut found = -1;
    for _ in 0..500 {
        for node in nodes {
            node.app().outbox.notify_waiters();
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        found = nodes[0].number(sql).await;
        if found == wanted {
            return;
        }
    }
    panic!("{sql}: {found} instead of {wanted}");
}

const DELIVERED: &str = "select count(*) from outbox where delivered_at is not null and length(sealed) = 0";
const GIVEN_UP: &str = "select count(*) from outbox where given_up_at is not null and length(sealed) = 0";
const WAITING: &str = "select count(*) from outbox where given_up_at is null and delivered_at is null";
const GIVEN_UP_EVENTS: &str = "select count(*) from audit_events where type = 'message.given_up'";

#[tokio::test(flavor = "multi_thread")]
async fn a_code_whose_sender_is_gone_is_delivered_by_another_node_as_it_is() {
    let held = Mutex::new(None);
    let app = start(|mailbox| {
        let channel = Held::new(1, Ok(()), mailbox);
        *held.lock().unwrap() = Some(channel.clone());
        channel
    })
    .await;
    let held = held.into_inner().unwrap().unwrap();
    let second = app.second_node().await;
    let user = app.user().await;
    let sending = user.send_code("email", &user.email);
    tokio::pin!(sending);
    let first = tokio::select! {
        answer = &mut sending => panic!("{answer:?}"),
        first = held.wait() => first,
    };
    // The row is stored and leased; the first try is under way, or its process is dead: from outside that is the same.
    second.app().outbox.notify_waiters();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(app.mailbox.messages().is_empty(), "nobody else tries while the lease lasts");
    app.advance(LEASE);
    settle(&[&second, &app], DELIVERED, 1).await;
    let messages = app.mailbox.messages();
    assert_eq!(messages.len(), 1);
    assert_eq!((&messages[0].id, &messages[0].payload.code), (&first.id, &first.payload.code));

    // The first comes back late: it took the message after all, and finds it marked by the other.
    let marked = app.number("select delivered_at from outbox").await;
    app.advance(1);
    held.release.add_permits(1);
    let record = sending.await.expect("201").record();
    assert_eq!(app.number("select delivered_at from outbox").await, marked);
    let code = first.payload.code.unwrap();
    user.try_code("email", &user.email, &record, &code).await.expect("200");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_refusal_does_not_take_back_what_another_delivered() {
    let held = Mutex::new(None);
    let refused = Err(SendError::Refused("no".to_owned()));
    let app = start(|mailbox| {
        let channel = Held::new(1, refused, mailbox);
        *held.lock().unwrap() = Some(channel.clone());
        channel
    })
    .await;
    let held = held.into_inner().unwrap().unwrap();
    let user = app.user().await;
    let sending = user.send_code("email", &user.email);
    tokio::pin!(sending);
    tokio::select! {
        answer = &mut sending => panic!("{answer:?}"),
        _ = held.wait() => {}
    };
    app.advance(LEASE);
    settle(&[&app], DELIVERED, 1).await;
    held.release.add_permits(1);
    let record = sending.await.expect("201").record();
    user.try_code("email", &user.email, &record, &app.code_for(&user.email)).await.expect("200");
    assert_eq!(app.number("select count(*) from sends").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_given_up_with_its_life_and_that_is_told() {
    let held = Mutex::new(None);
    let app = start(|mailbox| {
        let channel = Held::new(1, Err(SendError::Refused("no".to_owned())), mailbox);
        *held.lock().unwrap() = Some(channel.clone());
        channel
    })
    .await;
    let held = held.into_inner().unwrap().unwrap();
    app.change_settings(|settings| settings.sign_in_experience.verification_code_policy.expiration_duration = 120)
        .await;
    let user = app.user().await;
    let sending = user.send_code("email", &user.email);
    tokio::pin!(sending);
    tokio::select! {
        answer = &mut sending => panic!("{answer:?}"),
        _ = held.wait() => {}
    };
    // The code lives for two minutes, the record for ten.
    app.advance(121);
    settle(&[&app], GIVEN_UP, 1).await;
    assert!(app.mailbox.messages().is_empty());
    let sql = "select user_id, data from audit_events where type = 'message.given_up'";
    let event: (String, sqlx::types::Json<Value>) =
        app.app().db.read().await.unwrap().fetch_one(sql, ()).await.unwrap();
    assert_eq!(event.0, user.id.0);
    assert_eq!((&event.1["reason"], &event.1["template"]), (&"expired".into(), &"UserPermissionValidation".into()));
    held.release.add_permits(1);
    sending.await;
    assert_eq!(app.number(GIVEN_UP_EVENTS).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_server_that_hangs_delays_no_text_message() {
    let app = start(|mailbox| Held::new(usize::MAX, Ok(()), mailbox)).await;
    let mut messages: Vec<_> =
        (0..20).map(|number| notice(&app, Kind::Email, &format!("a{number}@example.com"))).collect();
    messages.push(notice(&app, Kind::Sms, "+15005550006"));
    store(&app, &messages).await;
    app.wait_for_message(|message| message.kind == Kind::Sms).await;
    let leased = "select count(*) from outbox where kind = 'email' and attempts > 0";
    settle(&[&app], leased, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_deliver_many_messages_once_each() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let messages: Vec<_> =
        (0..200).map(|number| notice(&app, Kind::Email, &format!("a{number}@example.com"))).collect();
    store(&app, &messages).await;
    settle(&[&app, &second], DELIVERED, 200).await;
    let delivered: Vec<_> = app.mailbox.messages().into_iter().map(|message| message.id).collect();
    assert_eq!(delivered.len(), 200, "none is sent twice");
    let wanted: BTreeSet<_> = messages.into_iter().map(|message| message.id).collect();
    assert_eq!(delivered.into_iter().collect::<BTreeSet<_>>(), wanted);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_or_breaks_its_channel_holds_up_nothing_else() {
    let app = start(|mailbox| Arc::new(Breaks(mailbox.clone()))).await;
    let mut messages: Vec<_> =
        (0..10).map(|number| notice(&app, Kind::Email, &format!("poison{number}@example.com"))).collect();
    messages.extend((0..10).map(|number| notice(&app, Kind::Email, &format!("a{number}@example.com"))));
    store(&app, &messages).await;
    let unreadable = leave_waiting(&app, 1).await.remove(0);
    let mut session = app.write().await;
    let sql = "update outbox set sealed = $1, next_attempt_at = 0 where id = $2";
    session.execute(sql, (vec![1_u8; 40], &unreadable)).await.unwrap();
    session.commit().await.unwrap();
    settle(&[&app], DELIVERED, 10).await;
    settle(&[&app], "select count(*) from outbox where delivered_at is null and attempts > 0", 11).await;
    assert_eq!(app.number(WAITING).await, 11);
    // Tried again and again, then given up, each with an event.
    for _ in 0..70 {
        app.advance(60);
        app.app().outbox.notify_waiters();
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    settle(&[&app], WAITING, 0).await;
    assert_eq!(app.number(GIVEN_UP_EVENTS).await, 11);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_was_refused_for_now_comes_later() {
    let busy = SendError::RateLimited { detail: "busy".to_owned(), retry_after: Some(Duration::from_secs(300)) };
    let app = start(|mailbox| {
        let channel = Held::new(1, Err(busy), mailbox);
        channel.release.add_permits(1);
        channel
    })
    .await;
    store(&app, &[notice(&app, Kind::Email, "a@example.com")]).await;
    settle(&[&app], "select next_attempt_at from outbox", app.now().plus(Duration::from_secs(300)).0).await;
    app.advance(299);
    app.app().outbox.notify_waiters();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(app.mailbox.messages().is_empty());
    app.advance(1);
    settle(&[&app], DELIVERED, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_finishes_the_message_at_hand() {
    let held = Mutex::new(None);
    let app = start(|mailbox| {
        let channel = Held::new(1, Ok(()), mailbox);
        *held.lock().unwrap() = Some(channel.clone());
        channel
    })
    .await;
    let held = held.into_inner().unwrap().unwrap();
    let second = app.second_node().await;
    store(&app, &[notice(&app, Kind::Email, "a@example.com")]).await;
    held.wait().await;
    tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(300)).await;
        held.release.add_permits(1);
    });
    app.running.stop().await;
    assert_eq!(second.number(DELIVERED).await, 1);
    assert!(second.mailbox.messages().is_empty(), "nobody else sent it");
}
