//! What a test delivery has: the shape of the real thing, and nobody's data.

use serde_json::{Value, json};

use crate::domain::{
    hook::{Content, HookEvent},
    id::HookId,
    time::Timestamp,
};

/// The body of a test delivery.
#[must_use]
pub fn sample(hook: &HookId, event: HookEvent, now: Timestamp) -> Value {
    let own = match event.content() {
        Content::User => json!({ "data": {
            "id": "sample-user", "username": "sample", "primaryEmail": "sample@example.com", "primaryPhone": "15005550006",
            "name": "Sample User", "avatar": null, "customData": {}, "identities": {}, "lastSignInAt": now.0,
            "createdAt": now.0, "updatedAt": now.0, "profile": {}, "applicationId": "sample-application",
            "cimdClientId": null, "isSuspended": event == HookEvent::UserSuspensionStatusUpdated,
        } }),
        Content::Members if event == HookEvent::MessageRateLimited => {
            json!({ "action": "VerificationCodeSend", "recipient": "sample@example.com" })
        }
        Content::Members => json!({ "type": "userId", "value": "sample-user" }),
        Content::Fact => {
            json!({ "data": { "userId": "sample-user", "applicationId": "sample-application", "method": "password" } })
        }
    };
    let mut body = json!({
        "event": event, "createdAt": now.to_iso(), "hookId": hook, "ip": "192.0.2.1", "userAgent": "sample-user-agent",
    });
    if let (Value::Object(body), Value::Object(own)) = (&mut body, own) {
        body.extend(own);
    }
    body
}
