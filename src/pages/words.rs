//! What pages say, in every language: the compiler asks for each text in each of them. `{product}`, `{app}`, `{minutes}`, `{time}`,
//! `{digits}`, `{n}` and `{host}` are filled in.

use crate::domain::message::Locale;

macro_rules! words {
    ($($name:ident: $en:literal, $ja:literal;)*) => {
        /// The texts of one language.
        #[derive(Clone, Copy, Debug)]
        #[expect(missing_docs, reason = "the texts speak for themselves")]
        pub struct Words {
            $(pub $name: &'static str,)*
        }

        const EN: Words = Words { $($name: $en,)* };
        const JA: Words = Words { $($name: $ja,)* };

        #[cfg(test)]
        pub(super) const PAIRS: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $ja),)*];
    };
}

impl Words {
    /// Those of a language.
    #[must_use]
    pub const fn of(locale: Locale) -> &'static Self {
        match locale {
            Locale::En => &EN,
            Locale::Ja => &JA,
        }
    }
}

words! {
    // Who
    sign_in: "Sign in", "ログイン";
    sign_up: "Create your account", "アカウントを作成";
    to_continue: "to continue to {app}", "{app} に進みます";
    email: "E-mail address", "メールアドレス";
    email_hint: "We will send you a code. No password is needed.", "確認コードをお送りします。パスワードは不要です。";
    country: "Country or region", "国・地域";
    phone: "Phone number", "電話番号";
    phone_hint: "We will text you a code. Message rates may apply.", "確認コードを SMS でお送りします。通信料がかかる場合があります。";
    go_on: "Continue", "続ける";
    use_phone: "Use a phone number instead", "電話番号を使う";
    use_email: "Use an e-mail address instead", "メールアドレスを使う";
    new_here: "New here?", "はじめてご利用ですか？";
    to_sign_up: "Create an account", "アカウントを作成";
    known_here: "Already have an account?", "アカウントをお持ちですか？";
    to_sign_in: "Sign in", "ログイン";
    cancel: "Cancel", "キャンセル";
    return_to: "You will return to {host}", "このあと {host} に戻ります";

    // Code
    check_email: "Check your e-mail", "メールをご確認ください";
    check_phone: "Check your messages", "SMS をご確認ください";
    sent: "We sent a {digits}-digit code to", "{digits} 桁のコードを次の宛先に送信しました。";
    sent_if_known: "If there is an account for it, we sent a {digits}-digit code to", "アカウントがある場合は、{digits} 桁のコードを次の宛先に送信しました。";
    edit: "Edit", "変更";
    sent_link: "We sent a link to", "ログイン用のリンクを次の宛先に送信しました。";
    sent_link_if_known: "If there is an account for it, we sent a link to", "アカウントがある場合は、ログイン用のリンクを次の宛先に送信しました。";
    link_sent_text: "Open it in this browser. Or enter the {digits}-digit code from the same message.", "このブラウザーで開くか、同じメールに記載された {digits} 桁のコードを入力してください。";
    edit_email: "Edit the e-mail address", "メールアドレスを変更";
    edit_phone: "Edit the phone number", "電話番号を変更";
    code: "Code", "コード";
    code_hint: "It works once, within {minutes} minutes.", "{minutes} 分以内に一度だけ使えます。";
    code_auto: " It is checked as soon as the last digit is in.", "最後の桁を入力すると自動で確認します。";
    again: "Send the code again", "コードを再送する";
    anew: "Send a new code", "新しいコードを送る";
    again_in: "You can send it again in {time}", "{time} 後に再送できます";
    was_sent_again: "The message was sent again.", "メッセージを再送しました。";
    nothing_came: "Nothing came? Check the spam folder, and that the address is right.", "届かない場合は、迷惑メールフォルダーとアドレスをご確認ください。";
    nothing_came_phone: "Nothing came? It can take a minute. Check that the number is right.", "届くまで 1 分ほどかかることがあります。番号に間違いがないかもご確認ください。";
    never_share: "Never share this code. Nobody from {product} will ask for it.", "コードは誰にも教えないでください。{product} の担当者が尋ねることはありません。";

    // Another proof
    another_proof: "{app} asks for one more proof that it is you.", "{app} では、ご本人であることをもう一つの方法で確認する必要があります。";
    enter_password: "Enter your password", "パスワードを入力してください";
    password: "Password", "パスワード";
    another_code: "One more code", "もう一つのコード";
    another_code_to: "We will send it to", "次の宛先に送信します。";
    send_code: "Send the code", "コードを送信";

    // What went wrong
    problem: "Problem", "エラー";
    wrong_email: "That is not an e-mail address we can write to. It looks like name@example.com.", "メールアドレスの形式が正しくありません（例：name@example.com）。";
    wrong_phone: "That is not a phone number that can be called. Check the country as well.", "電話番号が正しくありません。国・地域もご確認ください。";
    not_served: "We cannot send text messages to this country.", "この国・地域には SMS を送信できません。";
    no_channel: "Messages cannot be sent at the moment. Please try again later.", "現在メッセージを送信できません。しばらくしてからお試しください。";
    wrong_code: "That code is not right. Check the newest message and try again.", "コードが正しくありません。最新のメッセージをご確認ください。";
    short_code: "The code has {digits} digits.", "コードは {digits} 桁です。";
    expired_code: "This code has expired. Send a new one.", "コードの有効期限が切れました。再送してください。";
    tried_too_often: "That code was tried too often, and works no more. Send a new one.", "試行回数が上限に達したため、このコードは無効になりました。再送してください。";
    no_password: "Enter your password.", "パスワードを入力してください。";
    wrong_password: "That password is not right.", "パスワードが正しくありません。";
    password_locked: "Wrong passwords were entered too often. You can try again in {time}.", "パスワードを間違えた回数が上限に達しました。{time} 後にもう一度お試しください。";
    password_disabled: "Wrong passwords were entered too often. This password works no more until you set a new one.", "パスワードを間違えた回数が上限に達したため、新しいパスワードを設定するまで使えません。";
    too_many_messages: "Too many messages were asked for. You can send another in {time}.", "送信回数が上限に達しました。{time} 後に再送できます。";
    just_sent: "A message was sent a moment ago. You can send another in {time}.", "送信したばかりです。{time} 後に再送できます。";
    too_many_title: "Too many requests", "リクエストが多すぎます";
    too_many_text: "Please wait {time}, and try again.", "{time} ほど待ってから、もう一度お試しください。";
    second: "1 second", "1 秒";
    seconds: "{n} seconds", "{n} 秒";
    minute: "1 minute", "1 分";
    some_minutes: "{n} minutes", "{n} 分";

    // Choosing
    welcome_back: "Welcome back", "おかえりなさい";
    signed_in_as: "You are signed in as", "次のアカウントでログインしています";
    go_on_as_this: "Continue with this account", "このアカウントで続ける";
    use_other: "Use another account", "別のアカウントを使う";

    // A link that was mailed
    link_title: "Sign in to {app}", "{app} にログイン";
    link_text: "Press the button to finish signing in as", "ボタンを押すと、次のアカウントでログインします。";
    link_note: "If you did not ask to sign in, close this page. Nothing happens until you press the button.", "お心当たりがない場合は、このページを閉じてください。ボタンを押すまで何も起こりません。";
    link_over: "This link does not work any more", "このリンクは使えません";
    link_over_text: "It was used already, has expired, or a newer one was sent. Please go back to the application and ask for another.", "使用済み、有効期限切れ、または新しいリンクが送信されています。アプリに戻って、もう一度お試しください。";
    link_elsewhere: "This link belongs to another browser", "このリンクは別のブラウザー用です";
    link_elsewhere_text: "Open it in the browser in which you began to sign in, or enter the code from the same message there. The link still works.", "ログインを始めたブラウザーで開くか、同じメールに記載されたコードをそのブラウザーで入力してください。リンクは引き続き使えます。";

    // Signing out
    sign_out_question: "Sign out?", "ログアウトしますか？";
    sign_out_text: "You will be signed out in this browser, and in the apps you opened with it.", "このブラウザーと、ここからログインしたアプリからログアウトします。";
    sign_out: "Sign out", "ログアウト";
    signed_out: "You are signed out", "ログアウトしました";
    signed_out_text: "You can close this page.", "このページを閉じてかまいません。";
    sign_out_refused: "This sign-out link does not work", "このログアウトリンクは使えません";
    sign_out_refused_text: "You are not signed out. Please go back to the application and try again.", "ログアウトしていません。アプリに戻って、もう一度お試しください。";

    // The way out
    leaving: "You are signed in", "ログインしました";
    cancelled: "Nothing has changed", "変更はありません";
    unmet: "Another proof is missing", "確認方法が足りません";
    unmet_text: "{app} asks for more than your account has, such as a password or a phone number. Nothing has changed. Taking you back.", "{app} に必要な確認方法（パスワードや電話番号など）がアカウントに登録されていません。変更はありません。アプリに戻ります。";
    leaving_text: "Taking you back to {app}.", "{app} に戻ります。";
    stalled: "If nothing happens:", "自動で切り替わらない場合：";
    finished: "This sign-in is complete", "このログインは完了しています";
    finished_text: "There is nothing more to do here. You can close this page, or go back to {app}.", "この画面での操作は完了しました。このページを閉じるか、{app} にお戻りください。";
    no_session: "We cannot go on from here", "この画面からは続けられません";
    no_session_text: "This page was opened in another browser, or too much time has passed. For your safety, please go back to the application and sign in from there.", "別のブラウザーで開いたか、時間が経過したため、続けられません。安全のため、アプリに戻って最初からログインしてください。";
    bad_request: "This sign-in link does not work", "このログインリンクは使えません";
    bad_request_text: "The application that sent you here made a request we cannot answer. Please tell its operator what stands below.", "アプリからの要求に誤りがあるため、続けられません。次の内容をアプリの運営者にお知らせください。";
    failed: "Something went wrong", "問題が発生しました";
    failed_text: "It is not your doing. Please try again in a moment.", "お客様の操作による問題ではありません。しばらくしてからもう一度お試しください。";
    language: "日本語", "English";
}

/// `{name}` replaced.
#[must_use]
pub fn fill(text: &str, values: &[(&str, &str)]) -> String {
    // One pass: what is filled in is not looked at again.
    let mut out = String::with_capacity(text.len() + 32);
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        out.push_str(before);
        let (name, tail) = after.split_once('}').unwrap_or((after, ""));
        out.push_str(values.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value));
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// A wait in words, rounded up: seconds below a minute and a half, then minutes.
#[must_use]
pub fn wait(words: &Words, length: std::time::Duration) -> String {
    let seconds = length.as_millis().div_ceil(1000).max(1);
    let (number, one, many) = if seconds < 90 {
        (seconds, words.second, words.seconds)
    } else {
        (seconds.div_ceil(60), words.minute, words.some_minutes)
    };
    if number == 1 { one.to_owned() } else { fill(many, &[("n", &number.to_string())]) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn both_languages_have_the_same_placeholders() {
        let placeholders = |text: &str| -> std::collections::BTreeSet<String> {
            text.split('{').skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned())).collect()
        };
        for (name, en, ja) in PAIRS {
            assert_eq!(placeholders(en), placeholders(ja), "{name}");
            assert!(!en.is_empty() && !ja.is_empty(), "{name}");
        }
    }

    #[test]
    fn waits_are_told_in_words() {
        let of = |seconds: u64| wait(Words::of(Locale::En), Duration::from_secs(seconds));
        assert_eq!((of(0), of(1), of(89)), ("1 second".into(), "1 second".into(), "89 seconds".into()));
        assert_eq!((of(90), of(121), of(600)), ("2 minutes".into(), "3 minutes".into(), "10 minutes".into()));
    }

    #[test]
    fn what_is_filled_in_is_not_looked_at_again() {
        assert_eq!(fill("to {app}, {x}", &[("app", "{host}"), ("host", "evil")]), "to {host}, ");
    }
}
