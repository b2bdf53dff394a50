//! Signing in without a password: whether an address has an account, as who asks for a code and who guesses one may learn it.

use std::time::Duration;

use serde_json::json;

use crate::{
    pairs::{JSON, Pair, request},
    scene::{Leaves, Scene},
    subject,
};

const OTP: &str = "http://auth0.com/oauth/grant-type/passwordless/otp";
/// Until a message has been handed over: that is not the request's time.
const DELIVERED: Duration = Duration::from_millis(5);

/// Signing up is open by mail, and closed by text message.
pub async fn all(scene: &Scene) -> Vec<Pair> {
    let client = subject::add_application(&scene.subject.running.app).await;
    let known = &scene.user(2).email;
    let unknown = "userx@example.com";
    let start = |connection: &str, address: &str| {
        let member = if connection == "email" { "email" } else { "phone_number" };
        let body = json!({ "client_id": client.as_str(), "connection": connection, member: address, "send": "code" });
        request("POST /passwordless/start", JSON, &body.to_string())
    };
    let challenge = |address: &str| {
        let body = json!({ "client_id": client.as_str(), "connection": "sms", "phone_number": address });
        request("POST /otp/challenge", JSON, &body.to_string())
    };
    let guess = |realm: &str, address: &str| {
        let body = json!({
            "client_id": client.as_str(), "grant_type": OTP, "realm": realm, "username": address, "otp": "no code",
        });
        request("POST /oauth/token", JSON, &body.to_string())
    };
    let (phone, other) = ("+15550000002", "+15550009999");
    let pair = |name: &str, status: u16, requests| Pair {
        leaves: Leaves::SignIns,
        pause: DELIVERED,
        ..Pair::new(format!("sign-in: {name}"), status, requests)
    };
    let before =
        |name: &str, first: [Vec<u8>; 2], requests| Pair { first: first.to_vec(), ..pair(name, 403, requests) };
    vec![
        pair("start, known address, unknown one", 200, [start("email", known), start("email", unknown)]),
        pair("start, known phone, unknown one, sign-up closed", 200, [start("sms", phone), start("sms", other)]),
        pair("challenge, known phone, unknown one, sign-up closed", 200, [challenge(phone), challenge(other)]),
        pair(
            "code that was never sent, known address, unknown one",
            403,
            [guess("email", known), guess("email", unknown)],
        ),
        before(
            "wrong code, known address, unknown one",
            [start("email", known), start("email", unknown)],
            [guess("email", known), guess("email", unknown)],
        ),
        before(
            "wrong code, known phone, unknown one, sign-up closed",
            [start("sms", phone), start("sms", other)],
            [guess("sms", phone), guess("sms", other)],
        ),
    ]
}
