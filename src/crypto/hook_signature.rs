//! How receivers of webhooks know that we sent them: the signature of contract 6.5, and that of Standard Webhooks beside it.
//!
//! One key serves both: `whsec_` and 32 random bytes in base64. The contract's signature takes the text as it is, Standard Webhooks
//! the bytes it stands for.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::digest::hex;
use crate::domain::id::Random;

const PREFIX: &str = "whsec_";

/// A new key.
pub fn new_key(random: &dyn Random) -> String {
    let mut bytes = Zeroizing::new([0; 32]);
    random.fill(&mut *bytes);
    format!("{PREFIX}{}", STANDARD.encode(*bytes))
}

/// `logto-signature-sha-256`: hexadecimal HMAC-SHA-256 over the body.
#[must_use]
pub fn contract(key: &str, body: &str) -> String {
    hex(hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes()), body.as_bytes()).as_ref())
}

/// `webhook-signature`: over id, moment (seconds since 1970) and body.
#[must_use]
pub fn standard(key: &str, id: &str, seconds: i64, body: &str) -> String {
    let text = key.strip_prefix(PREFIX).unwrap_or(key);
    // What is no base64 can be no key of ours; its bytes are as good as any.
    let bytes = Zeroizing::new(STANDARD.decode(text).unwrap_or_else(|_| text.as_bytes().to_vec()));
    let signed = format!("{id}.{seconds}.{body}");
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &bytes), signed.as_bytes());
    format!("v1,{}", STANDARD.encode(tag))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::crypto::random::SystemRandom;

    #[test]
    fn the_example_of_standard_webhooks_holds() {
        let key = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let body = r#"{"test": 2432232314}"#;
        let signature = standard(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, body);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn keys_are_whsec_and_32_bytes_each_another() {
        let (one, other) = (new_key(&SystemRandom), new_key(&SystemRandom));
        assert_ne!(one, other);
        assert_eq!(STANDARD.decode(one.strip_prefix("whsec_").unwrap()).unwrap().len(), 32);
    }
}
