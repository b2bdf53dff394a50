//! Nobody reaches through us what only we can reach.

use serde_json::json;

use super::{GIVEN_UP, Receiver, create_user, given_up, register, settle, started};
use crate::harness::{TestApp, stand_in::Answer};

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_leads_to_this_machine_is_not_called() {
    let app = TestApp::start().await;
    let receiver = Receiver::start();
    let url = receiver.base.replace("127.0.0.1", "localhost");
    let hook = register(&app, &url, &["User.Created"]).await;
    create_user(&app, "one").await;
    settle(&[&app], GIVEN_UP, 1).await;
    assert_eq!(given_up(&app).await, ("address_not_allowed".to_owned(), 1), "and not tried again");
    let path = format!("/api/hooks/{}/test", hook["id"].as_str().unwrap());
    let trial = json!({ "events": ["User.Created"], "config": { "url": url } });
    app.manager().await.post(&path, trial).await.expect("422 hook.address_not_allowed");
    receiver.wait(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_is_no_longer_allowed_is_not_called() {
    use countersign::hooks::config::{HookConfig, seal_config};
    let app = TestApp::start().await;
    let receiver = Receiver::start();
    register(&app, "https://example.com/", &["User.Created"]).await;
    // As it was stored by a node whose configuration allowed it.
    let config: HookConfig = serde_json::from_value(json!({ "url": receiver.base })).unwrap();
    let mut session = app.write().await;
    let (id,): (countersign::domain::id::HookId,) = session.fetch_one("select id from hooks", ()).await.unwrap();
    let sealed = seal_config(&app.app().sealer, &id, &config).unwrap();
    session.execute("update hooks set config = $1", (sealed,)).await.unwrap();
    session.commit().await.unwrap();
    create_user(&app, "one").await;
    settle(&[&app], GIVEN_UP, 1).await;
    assert_eq!(given_up(&app).await, ("address_not_allowed".to_owned(), 1));
    receiver.wait(0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere() {
    let inside = Receiver::start();
    let to = inside.base.clone();
    for (status, location) in
        [(301, to.clone()), (302, to.clone()), (307, to.clone()), (308, to.replace("127.0.0.1", "localhost"))]
    {
        let app = started().await;
        let outside = Receiver::answering(
            (0..9).map(|_| Answer { headers: vec![("location", location.clone())], ..Answer::new(status, "") }),
        );
        let hook = register(&app, &outside.base, &["User.Created"]).await;
        create_user(&app, "one").await;
        outside.wait(1).await;
        settle(&[&app], "select failures from outbox where kind = 'hook'", 1).await;
        let path = format!("/api/hooks/{}/test", hook["id"].as_str().unwrap());
        let trial = json!({ "events": ["User.Created"], "config": { "url": outside.base } });
        app.manager().await.post(&path, trial).await.expect("422 hook.endpoint_responded_with_error");
    }
    inside.wait(0).await;
}
