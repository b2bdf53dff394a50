//! Japanese.

use super::{Separators, Words};
use crate::domain::message::Template;

/// `1,234.50`.
pub(super) const SEPARATORS: Separators = Separators { group: ",", decimal: "." };

/// The words of a message.
pub(super) const fn words(template: Template) -> Words {
    match template {
        Template::UserPermissionValidation => Words {
            subject: "{code} は {product} の確認コードです",
            text: "{product} アカウントの変更を続けるには、次のコードを入力してください。

{code}

このコードは {minutes} 分以内に一度だけ使えます。誰にも教えないでください。{product} の担当者がコードを尋ねることはありません。

お心当たりがない場合は、第三者があなたのアカウントにログインしているおそれがあります。コードを使わず、パスワードを変更してください。",
            sms: "{product} の確認コードは {code} です（{minutes} 分間有効）。誰にも教えないでください。",
        },
        Template::BindNewIdentifier => Words {
            subject: "{code} は {product} の確認コードです",
            text: "このアドレスがご本人のものであることを確認し、{product} アカウントに登録するには、次のコードを入力してください。

{code}

このコードは {minutes} 分以内に一度だけ使えます。誰にも教えないでください。{product} の担当者がコードを尋ねることはありません。

お心当たりがない場合は、このメッセージを無視してください。アドレスは登録されません。",
            sms: "{product} にこの番号を登録するコードは {code} です（{minutes} 分間有効）。お心当たりがなければ無視してください。",
        },
        Template::BindMfa => Words {
            subject: "{code} は {product} の確認コードです",
            text: "{product} アカウントの二段階認証を変更するには、次のコードを入力してください。

{code}

このコードは {minutes} 分以内に一度だけ使えます。誰にも教えないでください。{product} の担当者がコードを尋ねることはありません。

お心当たりがない場合は、第三者があなたのアカウントにログインしているおそれがあります。コードを使わず、パスワードを変更してください。",
            sms: "{product} の二段階認証を変更するコードは {code} です（{minutes} 分間有効）。誰にも教えないでください。",
        },
        Template::OperationConfirmation => Words {
            subject: "{code} は {product} の確認コードです",
            text: "{product} で次の操作が依頼されました。

{display}

この内容のとおりに承認するには、次のコードを入力してください。

{code}

このコードは {minutes} 分以内に一度だけ使えます。誰にも教えないでください。{product} の担当者がコードを尋ねることはありません。

内容に誤りがある場合は、コードを使わないでください。依頼にお心当たりがない場合は、第三者があなたのアカウントにログインしているおそれがあります。パスワードを変更してください。",
            sms: "{display}

上の内容を {product} で承認するコードは {code} です（{minutes} 分間有効）。誰にも教えないでください。",
        },
        Template::SignIn => Words {
            subject: "{code} は {product} のログインコードです",
            text: "{product} で {application} にログインするには、次のコードを入力してください。

{code}

このコードは {minutes} 分以内に一度だけ使えます。コードを依頼した画面にだけ入力し、誰にも教えないでください。{product} の担当者がコードを尋ねることはありません。

お心当たりがない場合は、このメッセージを無視してください。コードがなければ誰もログインできません。",
            sms: "{product} で {application} にログインするコードは {code} です（{minutes} 分間有効）。誰にも教えないでください。",
        },
        Template::SignInLink => Words {
            subject: "{code} は {product} のログインコードです",
            text: "{product} で {application} にログインするには、次のリンクを開いてください。

{link}

または、ログインを依頼した画面に次のコードを入力してください。

{code}

どちらも {minutes} 分以内に一度だけ使えます。誰にも教えないでください。{product} の担当者が尋ねることはありません。

お心当たりがない場合は、このメッセージを無視してください。このメッセージがなければ誰もログインできません。",
            sms: "{product} で {application} にログインするコードは {code} です（{minutes} 分間有効）。誰にも教えないでください。",
        },
        Template::PasswordChanged => Words {
            subject: "{product} のパスワードが変更されました",
            text: "{product} アカウントのパスワードが {time} に変更されました。

ご本人による変更であれば、何もする必要はありません。

お心当たりがない場合は、第三者がアカウントを使えるおそれがあります。すぐにパスワードを再設定し、サポートへご連絡ください。",
            sms: "{product} のパスワードが {time} に変更されました。お心当たりがなければ、すぐに再設定してください。",
        },
        Template::EmailChanged => Words {
            subject: "{product} のメールアドレスが変更されました",
            text: "{product} アカウントのメールアドレスが {time} に追加、変更または削除されました。

ご本人による変更であれば、何もする必要はありません。今後、以前のアドレスにお知らせは届きません。

お心当たりがない場合は、第三者がアカウントを使えるおそれがあります。すぐにパスワードを変更し、サポートへご連絡ください。",
            sms: "{product} のメールアドレスが {time} に変更されました。お心当たりがなければサポートへご連絡ください。",
        },
        Template::PhoneChanged => Words {
            subject: "{product} の電話番号が変更されました",
            text: "{product} アカウントの電話番号が {time} に追加、変更または削除されました。

ご本人による変更であれば、何もする必要はありません。今後、以前の番号にお知らせは届きません。

お心当たりがない場合は、第三者がアカウントを使えるおそれがあります。すぐにパスワードを変更し、サポートへご連絡ください。",
            sms: "{product} の電話番号が {time} に変更されました。お心当たりがなければサポートへご連絡ください。",
        },
    }
}
