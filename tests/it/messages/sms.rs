//! Text messages against a stand-in that judges requests as Twilio documents its Messages resource.

use std::{collections::HashMap, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use countersign::{
    channels::Channels,
    config::{email::EmailConfig, sms::SmsConfig},
    domain::{
        message::{Kind, Locale, Message, Template},
        refusal::Code,
    },
};
use rstest::rstest;
use serde_json::json;

use super::{Seen, channels, message};
use crate::harness::stand_in::{Answer, Request, start};

const ACCOUNT: &str = "AC00000000000000000000000000000001";
const TOKEN: &str = "not-so-secret";
const FROM: &str = "+15005550006";

fn error(status: u16, code: u64, message: &str) -> Answer {
    let more = format!("https://www.twilio.com/docs/errors/{code}");
    let body = json!({ "code": code, "message": message, "more_info": more, "status": status });
    Answer::new(status, body.to_string())
}

fn is_e164(number: &str) -> bool {
    let digits = number.strip_prefix('+').unwrap_or_default();
    (7..=15).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0')
}

/// Judges in the order of the real one: account and token, path, method, form, recipient, sender, body.
fn judge(request: &Request, seen: &Seen<HashMap<String, String>>) -> Answer {
    let login = BASE64_STANDARD.encode(format!("{ACCOUNT}:{TOKEN}"));
    if request.header("authorization") != Some(&format!("Basic {login}")) {
        return error(401, 20003, "Authenticate");
    }
    let account = format!("/2010-04-01/Accounts/{ACCOUNT}");
    if request.path == format!("{account}.json") && request.method == "GET" {
        return Answer::new(200, json!({ "sid": ACCOUNT, "status": "active", "friendly_name": "Test" }).to_string());
    }
    if request.path != format!("{account}/Messages.json") {
        return error(404, 20404, "The requested resource was not found");
    }
    if request.method != "POST" {
        return error(405, 20004, "Method not allowed");
    }
    let is_form = request.header("content-type") == Some("application/x-www-form-urlencoded");
    let form: HashMap<String, String> = serde_urlencoded::from_bytes(&request.body).unwrap_or_default();
    let field = |name: &str| form.get(name).filter(|_| is_form).map(String::as_str).filter(|text| !text.is_empty());
    match (field("To"), field("From").or(field("MessagingServiceSid")), field("Body")) {
        (None, ..) => return error(400, 21604, "A 'To' phone number is required."),
        (Some(to), ..) if !is_e164(to) => return error(400, 21211, &format!("Invalid 'To' Phone Number: {to}")),
        (_, None, _) => return error(400, 21603, "A 'From' phone number is required."),
        (.., None) => return error(400, 21602, "Message body is required."),
        (.., Some(body)) if body.chars().count() > 1600 => return error(400, 21617, "The message body is too long."),
        _ => {}
    }
    // Magic numbers as the real one documents them for test credentials, and two for its moods.
    let answer = match (field("To"), field("From")) {
        (Some("+15005550001"), _) => return error(400, 21211, "Invalid 'To' Phone Number: +15005550001"),
        (Some("+15005550009"), _) => return error(400, 21614, "+15005550009 is not a mobile number"),
        (Some("+15005550429"), _) => {
            let mut answer = error(429, 20429, "Too Many Requests");
            answer.headers.push(("retry-after", "7".to_owned()));
            return answer;
        }
        (Some("+15005550503"), _) => return Answer::new(503, "upstream connect error"),
        (Some("+15005550200"), _) => return Answer::new(200, "<html>welcome to the hotel</html>"),
        (_, Some("+15005550007")) => return error(400, 21606, "The 'From' phone number is not a valid sender"),
        (_, Some("+15005550008")) => return error(429, 21611, "The 'From' number has exceeded its queue"),
        (Some(to), _) => json!({
            "account_sid": ACCOUNT, "sid": "SM00000000000000000000000000000001", "status": "queued", "to": to,
            "from": field("From"), "body": field("Body"), "direction": "outbound-api", "error_code": null,
            "error_message": null, "num_segments": "1", "price": null, "price_unit": "USD",
        }),
        (None, _) => json!(null),
    };
    seen.lock().unwrap().push(form);
    Answer::new(201, answer.to_string())
}

fn service() -> (SmsConfig, Seen<HashMap<String, String>>) {
    let seen = Seen::default();
    let inside = Arc::clone(&seen);
    let config = SmsConfig {
        from: Some(FROM.into()),
        twilio_url: Some(start(move |request| judge(request, &inside))),
        account_sid: Some(ACCOUNT.into()),
        auth_token: Some(TOKEN.into()),
        ..SmsConfig::default()
    };
    (config, seen)
}

fn ready(config: &SmsConfig) -> Channels {
    channels(&EmailConfig::default(), config)
}

fn sms(to: &str) -> Message {
    message(Template::UserPermissionValidation, Kind::Sms, Locale::Ja, to)
}

#[tokio::test]
async fn a_text_arrives_with_its_last_line() {
    let (config, seen) = service();
    ready(&config).send(&sms("818012345678")).await.unwrap();
    ready(&config).send(&sms("+818012345678")).await.unwrap();
    let seen = seen.lock().unwrap();
    for form in seen.iter() {
        assert_eq!((form["To"].as_str(), form["From"].as_str()), ("+818012345678", FROM));
        assert_eq!(form["Body"].lines().last(), Some("@login.example.com #042137"));
        assert!(form["Body"].starts_with("Countersign の確認コードは 042137 です"), "{form:?}");
        assert_eq!(form.len(), 3);
    }
    assert_eq!(seen.len(), 2);
}

#[tokio::test]
async fn a_messaging_service_may_send() {
    let (config, seen) = service();
    let service = "MG00000000000000000000000000000001";
    ready(&SmsConfig { from: Some(service.into()), ..config }).send(&sms("818012345678")).await.unwrap();
    assert_eq!(seen.lock().unwrap()[0]["MessagingServiceSid"], service);
}

#[rstest]
#[case("15005550001", FROM, Code::ConnectorInvalidRequest, true)]
#[case("15005550009", FROM, Code::ConnectorInvalidRequest, true)]
#[case("0123", FROM, Code::ConnectorInvalidRequest, true)]
#[case("15005550429", FROM, Code::ConnectorRateLimited, false)]
#[case("15005550503", FROM, Code::ConnectorGeneral, false)]
#[case("15005550200", FROM, Code::ConnectorInvalidResponse, false)]
#[case("15005550010", "+15005550007", Code::ConnectorInvalidConfig, false)]
#[case("15005550010", "+15005550008", Code::ConnectorRateLimited, false)]
#[tokio::test]
async fn refusals_are_the_contracts(#[case] to: &str, #[case] from: &str, #[case] code: Code, #[case] is_final: bool) {
    let (config, seen) = service();
    let error = ready(&SmsConfig { from: Some(from.into()), ..config }).send(&sms(to)).await.unwrap_err();
    assert_eq!((error.refusal().code, error.is_final()), (code, is_final), "{error}");
    assert!(!error.to_string().contains(to), "{error}");
    let wait = error.refusal().retry_after.map(|wait| wait.as_secs());
    assert_eq!(wait, (to == "15005550429").then_some(7));
    assert!(seen.lock().unwrap().is_empty());
}

#[tokio::test]
async fn wrong_credentials_are_told_to_doctor_too() {
    let (config, _) = service();
    assert!(ready(&config).check().await.remove(0).1.unwrap().contains("knows the account"));
    let wrong = ready(&SmsConfig { auth_token: Some("wrong-token".into()), ..config });
    for error in [wrong.send(&sms("818012345678")).await.unwrap_err(), wrong.check().await.remove(0).1.unwrap_err()] {
        assert_eq!((error.refusal().code, error.is_final()), (Code::ConnectorAuthorizationFailed, false));
        assert!(error.to_string().contains("20003") && !error.to_string().contains("wrong-token"), "{error}");
    }
}

#[tokio::test]
async fn a_wrong_base_is_told() {
    let (config, _) = service();
    let base = format!("{}/v2", config.twilio_url.clone().unwrap());
    let error = ready(&SmsConfig { twilio_url: Some(base), ..config }).send(&sms("818012345678")).await.unwrap_err();
    assert_eq!(error.refusal().code, Code::ConnectorInvalidConfig);
    assert!(error.to_string().contains("sms.twilio_url"), "{error}");
}
