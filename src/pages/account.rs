//! The account page: what its script is given, and what it says.
//!
//! The page is the reference front end of the account API. It knows nothing that is not in the API: the server draws a frame, and the
//! scripts in `html/account/` do the rest. They are one module in eight files of one purpose each.

use actix_web::{HttpResponse, http::StatusCode};
use askama::Template;
use serde_json::{Map, Value, json};

use super::{Frame, Page, countries};
use crate::{app::App, domain::message::Locale};

const STYLE: &str = include_str!("html/account/style.css");
const SCRIPT: &str = concat!(
    include_str!("html/account/texts.js"),
    include_str!("html/account/session.js"),
    include_str!("html/account/api.js"),
    include_str!("html/account/dialog.js"),
    include_str!("html/account/proof.js"),
    include_str!("html/account/changes.js"),
    include_str!("html/account/sessions.js"),
    include_str!("html/account/page.js"),
);

#[derive(Template)]
#[template(path = "account.html")]
struct Account {
    frame: Frame,
    title: &'static str,
    loading: &'static str,
    no_script: &'static str,
    /// JSON that may stand in markup.
    setup: String,
}

impl Page for Account {
    fn frame(&self) -> &Frame {
        &self.frame
    }
}

/// The page, for a browser of these languages.
#[must_use]
pub fn answer(app: &App, locale: Locale, accepted: &str) -> HttpResponse {
    let mut frame = Frame::new(app, locale).with(STYLE, SCRIPT);
    frame.other_language = Some(format!("/account?language={}", frame.other_tag()));
    let texts: Map<String, Value> =
        TEXTS.iter().map(|line| (line.0.to_owned(), Value::from(text(line, locale)))).collect();
    let allowed = &app.config.sms.allowed_calling_codes;
    let countries = countries::served(allowed, locale).into_iter();
    let countries = countries.map(|one| json!([one.region, one.code, one.name(locale)])).collect::<Vec<_>>();
    let setup = json!({
        "root": app.urls.root, "locale": locale.tag(), "texts": texts,
        "countries": countries, "region": countries::first(allowed, accepted, locale),
    });
    let page = Account {
        title: named("title", locale),
        loading: named("loading", locale),
        no_script: named("no_script", locale),
        setup: setup.to_string().replace('<', "\\u003c"),
        frame,
    };
    page.answer(StatusCode::OK)
}

/// A text in English and Japanese.
type Line = (&'static str, &'static str, &'static str);

const fn text(line: &Line, locale: Locale) -> &'static str {
    match locale {
        Locale::En => line.1,
        Locale::Ja => line.2,
    }
}

fn named(name: &str, locale: Locale) -> &'static str {
    TEXTS.iter().find(|line| line.0 == name).map_or("", |line| text(line, locale))
}

/// Names, and what they stand for. Errors go by the codes of the API, activity by the types of the audit log.
const TEXTS: &[Line] = &[
    ("title", "Account security", "アカウントのセキュリティ"),
    ("loading", "One moment…", "お待ちください…"),
    ("no_script", "This page needs JavaScript.", "このページを表示するには JavaScript が必要です。"),
    ("signed_in_as", "Signed in as", "ログイン中："),
    ("sign_in", "Sign in", "ログイン"),
    ("sign_out", "Sign out", "ログアウト"),
    ("signed_out", "You are signed out.", "ログアウトしました。"),
    ("not_signed_in", "You are not signed in.", "ログインしていません。"),
    ("over", "Your session is over. Please sign in again.", "セッションが終了しました。もう一度ログインしてください。"),
    (
        "stranded",
        "This sign-in could not be finished here. Please try again.",
        "ログインを完了できませんでした。もう一度お試しください。",
    ),
    ("insecure", "This page works over HTTPS only.", "このページは HTTPS でのみ利用できます。"),
    (
        "broken",
        "Something went wrong on this page. Please load it again.",
        "問題が発生しました。ページを再読み込みしてください。",
    ),
    // Methods
    ("methods", "How we know it is you", "本人確認の方法"),
    (
        "methods_text",
        "Before anything here is changed, you are asked for one of these.",
        "ここで変更を行う前に、次のいずれかで本人確認を行います。",
    ),
    ("password", "Password", "パスワード"),
    ("email", "E-mail address", "メールアドレス"),
    ("phone", "Phone", "電話番号"),
    ("is_set", "Set", "設定済み"),
    ("is_not_set", "Not set", "未設定"),
    ("none", "None", "なし"),
    ("change", "Change", "変更"),
    ("add", "Add", "追加"),
    ("remove", "Remove", "削除"),
    // Proof
    ("confirm", "Confirm that it is you", "本人確認"),
    ("confirm_password", "Enter your password to go on.", "続けるにはパスワードを入力してください。"),
    ("confirm_code", "We will send a code to {to}.", "{to} に確認コードを送信します。"),
    ("by_password", "Use your password instead", "パスワードを使う"),
    ("by_email", "Send a code to {to} instead", "{to} に確認コードを送る"),
    ("by_phone", "Send a code to {to} instead", "{to} に確認コードを送る"),
    ("send_code", "Send code", "コードを送信"),
    ("code", "Code", "確認コード"),
    ("code_sent", "Enter the code we sent to {to}.", "{to} に送信した確認コードを入力してください。"),
    ("again", "Send the code again", "コードを再送信"),
    ("sent_again", "The code was sent again.", "コードを再送信しました。"),
    ("go_on", "Continue", "続ける"),
    ("cancel", "Cancel", "キャンセル"),
    ("close", "Close", "閉じる"),
    ("save", "Save", "保存"),
    // Changes
    ("change_password", "Change your password", "パスワードの変更"),
    ("set_password", "Set a password", "パスワードの設定"),
    ("new_password", "New password", "新しいパスワード"),
    ("new_password_text", "You will be signed out everywhere else.", "ほかのすべての端末からログアウトされます。"),
    ("password_changed", "Your new password is set.", "新しいパスワードを設定しました。"),
    ("change_email", "Change your e-mail address", "メールアドレスの変更"),
    ("add_email", "Add an e-mail address", "メールアドレスの追加"),
    ("new_email", "New e-mail address", "新しいメールアドレス"),
    (
        "new_email_text",
        "We will send a code there, to see that it is yours.",
        "ご本人のアドレスであることを確認するため、コードを送信します。",
    ),
    ("email_changed", "Your new e-mail address is set.", "新しいメールアドレスを設定しました。"),
    ("change_phone", "Change your phone number", "電話番号の変更"),
    ("add_phone", "Add a phone number", "電話番号の追加"),
    ("new_phone", "New phone number", "新しい電話番号"),
    (
        "new_phone_text",
        "We will send a code there, to see that it is yours.",
        "ご本人の番号であることを確認するため、コードを送信します。",
    ),
    (
        "phone_hint",
        "As you dial it at home, or with a plus sign and the country code",
        "国内でかけるときの番号、または「+」と国番号から始まる番号",
    ),
    ("phone_changed", "Your new phone number is set.", "新しい電話番号を設定しました。"),
    ("country", "Country or region", "国・地域"),
    ("remove_email", "Remove your e-mail address", "メールアドレスの削除"),
    (
        "remove_email_text",
        "You will no longer sign in with {to}. Your phone remains.",
        "{to} ではログインできなくなります。電話番号は引き続き使えます。",
    ),
    ("email_removed", "Your e-mail address is removed.", "メールアドレスを削除しました。"),
    ("remove_phone", "Remove your phone number", "電話番号の削除"),
    (
        "remove_phone_text",
        "You will no longer sign in with {to}. Your e-mail address remains.",
        "{to} ではログインできなくなります。メールアドレスは引き続き使えます。",
    ),
    ("phone_removed", "Your phone number is removed.", "電話番号を削除しました。"),
    // Sessions
    ("sessions", "Where you are signed in", "ログイン中の端末"),
    ("sessions_text", "Confirm that it is you to see the list.", "一覧を表示するには本人確認が必要です。"),
    ("show_sessions", "Show the list", "一覧を表示"),
    ("sessions_shown", "The list is shown below.", "一覧を表示しました。"),
    ("grants", "Apps that are let in", "アクセスを許可したアプリ"),
    ("granted_at", "Since {time}", "許可：{time}"),
    ("shut_out", "Shut out", "取り消し"),
    ("grant_revoked", "That app is shut out.", "アプリのアクセスを取り消しました。"),
    ("unknown_program", "Unknown program", "不明なプログラム"),
    ("last_seen", "Last used {time}", "最終利用：{time}"),
    ("this_one", "This one", "この端末"),
    ("end", "Sign out", "ログアウト"),
    ("session_ended", "That session is signed out.", "その端末をログアウトしました。"),
    // Activity
    ("activity", "Recent activity", "最近のアクティビティ"),
    ("nothing_yet", "Nothing yet.", "まだありません。"),
    ("event.sign_in.succeeded", "Signed in", "ログイン"),
    ("event.session.ended", "Signed out", "ログアウト"),
    ("event.user.signed_up", "Account created", "アカウントの作成"),
    ("event.user.created", "Account created by the operator", "運営者によるアカウントの作成"),
    ("event.user.updated", "Account changed by the operator", "運営者によるアカウントの変更"),
    ("event.user.password.updated", "Password set by the operator", "運営者によるパスワードの設定"),
    ("event.verification.code_sent", "Code sent", "確認コードの送信"),
    ("event.verification.succeeded", "Identity confirmed", "本人確認の成功"),
    ("event.verification.failed", "Identity not confirmed", "本人確認の失敗"),
    ("event.verification.locked", "Too many failures: method locked", "失敗が多いため本人確認を一時停止"),
    ("event.verification.disabled", "Too many failures: method disabled", "失敗が多いため本人確認を停止"),
    ("event.account.password.update", "Password changed", "パスワードの変更"),
    ("event.account.email.update", "E-mail address changed", "メールアドレスの変更"),
    ("event.account.email.delete", "E-mail address removed", "メールアドレスの削除"),
    ("event.account.phone.update", "Phone number changed", "電話番号の変更"),
    ("event.account.phone.delete", "Phone number removed", "電話番号の削除"),
    ("event.account.username.update", "Username changed", "ユーザー名の変更"),
    ("event.account.updated", "Account details changed", "アカウント情報の変更"),
    ("event.account.profile.updated", "Profile changed", "プロフィールの変更"),
    ("event.account.session.end", "Another session signed out", "別の端末をログアウト"),
    ("event.account.grant.revoke", "Application shut out", "アプリのアクセスを取り消し"),
    // Refusals
    ("seconds", "{n} seconds", "{n} 秒"),
    ("minutes", "{n} minutes", "{n} 分"),
    (
        "failed",
        "That did not work ({code}). Please try again later.",
        "処理できませんでした（{code}）。しばらくしてからもう一度お試しください。",
    ),
    (
        "unreachable",
        "The service cannot be reached. Are you online?",
        "サービスに接続できません。通信環境をご確認ください。",
    ),
    (
        "auth.unauthorized",
        "Your session is over. Please sign in again.",
        "セッションが終了しました。もう一度ログインしてください。",
    ),
    ("user.suspended", "This account is suspended.", "このアカウントは停止されています。"),
    ("guard.invalid_input", "Please check what you typed.", "入力内容をご確認ください。"),
    (
        "verification_record.permission_denied",
        "This account has nothing to confirm it with.",
        "このアカウントには本人確認の方法がありません。",
    ),
    (
        "verification_record.not_found",
        "That took too long. Please begin again.",
        "時間が経過しました。最初からやり直してください。",
    ),
    ("session.invalid_credentials", "That password is not right.", "パスワードが正しくありません。"),
    (
        "session.verification_blocked_too_many_attempts",
        "Too many failures. Use another way, or wait a while.",
        "失敗が続いたため、一時的に利用できません。別の方法を使うか、しばらくお待ちください。",
    ),
    (
        "session.verification_blocked_too_many_attempts.wait",
        "Too many failures. Use another way, or wait {time}.",
        "失敗が続いたため、一時的に利用できません。別の方法を使うか、{time}お待ちください。",
    ),
    (
        "verification_code.not_found",
        "There is no code waiting. Please ask for a new one.",
        "有効なコードがありません。再送信してください。",
    ),
    ("verification_code.code_mismatch", "That code is not right.", "コードが正しくありません。"),
    (
        "verification_code.expired",
        "This code has expired. Please ask for a new one.",
        "コードの有効期限が切れました。再送信してください。",
    ),
    (
        "verification_code.exceed_max_try",
        "That code was tried too often. Please ask for a new one.",
        "入力回数の上限に達しました。コードを再送信してください。",
    ),
    (
        "request.message_rate_limited",
        "Too many messages were sent. Please try again later.",
        "送信回数の上限に達しました。しばらくしてからお試しください。",
    ),
    ("request.message_rate_limited.wait", "You can send another message in {time}.", "{time}後に再送信できます。"),
    (
        "request.rate_limited",
        "Too many requests. Please wait a moment.",
        "アクセスが集中しています。しばらくお待ちください。",
    ),
    (
        "request.message_country_not_served",
        "We send no text messages to this country.",
        "この国の番号にはSMSを送信できません。",
    ),
    (
        "user.invalid_phone",
        "That is not a phone number. Check the country as well.",
        "電話番号が正しくありません。国・地域もご確認ください。",
    ),
    (
        "user.email_already_in_use",
        "This e-mail address belongs to another account.",
        "このメールアドレスは別のアカウントで使われています。",
    ),
    (
        "user.phone_already_in_use",
        "This phone number belongs to another account.",
        "この電話番号は別のアカウントで使われています。",
    ),
    ("user.same_password", "That is the password you have.", "現在のパスワードと同じです。"),
    (
        "session.email_blocklist.invalid_email",
        "This e-mail address has no domain.",
        "メールアドレスにドメインがありません。",
    ),
    (
        "session.email_blocklist.email_subaddressing_not_allowed",
        "Addresses with a plus sign are not accepted here.",
        "「+」を含むアドレスは利用できません。",
    ),
    (
        "session.email_blocklist.email_not_allowed",
        "This e-mail address is not accepted here.",
        "このメールアドレスは利用できません。",
    ),
    ("account_center.not_enabled", "This page is switched off.", "このページは現在利用できません。"),
    ("account_center.field_not_editable", "This cannot be changed here.", "この項目は変更できません。"),
    ("password.rejected", "This password is too easy to guess.", "このパスワードは推測されやすいため使えません。"),
    ("password_rejected.too_short", "Use at least {min} characters.", "{min} 文字以上にしてください。"),
    ("password_rejected.too_long", "Use at most {max} characters.", "{max} 文字以内にしてください。"),
    (
        "password_rejected.unsupported_characters",
        "Some of these characters cannot be used.",
        "使用できない文字が含まれています。",
    ),
    (
        "password_rejected.character_types",
        "Mix at least {min} of: lower case, upper case, digits, symbols.",
        "英小文字・英大文字・数字・記号のうち {min} 種類以上を使ってください。",
    ),
    (
        "password_rejected.pwned",
        "This password is known to many. Choose another one.",
        "よく知られたパスワードです。別のものを選んでください。",
    ),
    ("password_rejected.restricted.repetition", "Do not repeat one character.", "同じ文字の繰り返しは使えません。"),
    (
        "password_rejected.restricted.sequence",
        "Do not use sequences such as 1234.",
        "「1234」のような連続した文字は使えません。",
    ),
    ("password_rejected.restricted.user_info", "Do not use your name or address.", "氏名やアドレスは使えません。"),
    ("password_rejected.restricted.words", "Some of its words cannot be used.", "使用できない語が含まれています。"),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{audit::kinds, domain::refusal::Code};

    fn names() -> BTreeSet<&'static str> {
        TEXTS.iter().map(|line| line.0).collect()
    }

    #[test]
    fn both_languages_have_the_same_placeholders_and_every_name_stands_once() {
        let placeholders = |text: &str| -> BTreeSet<String> {
            text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
        };
        for (name, en, ja) in TEXTS {
            assert_eq!(placeholders(en), placeholders(ja), "{name}");
            assert!(!en.is_empty() && !ja.is_empty(), "{name}");
        }
        assert_eq!(names().len(), TEXTS.len());
    }

    #[test]
    fn the_script_finds_every_text_it_asks_for() {
        let names = names();
        // Not the end of another name, such as `get('state')`.
        let calls = SCRIPT.match_indices("t('").filter(|(at, _)| {
            SCRIPT.get(..*at).is_some_and(|before| !before.ends_with(|last: char| last.is_ascii_alphanumeric()))
        });
        let quoted = calls.filter_map(|(at, _)| SCRIPT.get(at + 3..)?.split('\'').next());
        let notices = SCRIPT.split("notice('").skip(1).filter_map(|rest| rest.split('\'').next());
        let asked: BTreeSet<&str> = quoted.filter(|name| !name.is_empty()).chain(notices).collect();
        assert!(asked.len() > 30, "{asked:?}");
        let missing: Vec<_> = asked
            .iter()
            .filter(|name| name.chars().all(|c| c.is_ascii_lowercase() || c == '_') && !names.contains(*name))
            .collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn events_and_refusals_that_are_told_exist() {
        for name in names() {
            if let Some(kind) = name.strip_prefix("event.") {
                assert!(kinds::find(kind).is_some(), "{name}");
            } else if name.contains('.') && !name.starts_with("password_rejected.") {
                let code = name.strip_suffix(".wait").unwrap_or(name);
                assert!(Code::ALL.iter().any(|known| known.code() == code), "{name}");
            }
        }
    }
}
