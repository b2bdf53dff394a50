//! English.

use super::{Separators, Words};
use crate::domain::message::Template;

/// `1,234.50`.
pub(super) const SEPARATORS: Separators = Separators { group: ",", decimal: "." };

/// The words of a message.
pub(super) const fn words(template: Template) -> Words {
    match template {
        Template::UserPermissionValidation => Words {
            subject: "{code} is your {product} verification code",
            text: "To confirm a change to your {product} account, enter this code:

{code}

It works once, within {minutes} minutes. Do not share it with anyone: {product} staff never ask for it.

If you did not ask for this code, somebody may be signed in to your account. Do not use the code, and change your password.",
            sms: "{code} is your {product} verification code. It works once, within {minutes} minutes. Do not share it.",
        },
        Template::BindNewIdentifier => Words {
            subject: "{code} is your {product} confirmation code",
            text: "To confirm that this address is yours and add it to a {product} account, enter this code:

{code}

It works once, within {minutes} minutes. Do not share it with anyone: {product} staff never ask for it.

If you did not ask for this code, ignore this message, and the address will not be added.",
            sms: "{code} is the code to add this number to a {product} account, within {minutes} minutes. Not you? Ignore this.",
        },
        Template::BindMfa => Words {
            subject: "{code} is your {product} verification code",
            text: "To change the two-step verification of your {product} account, enter this code:

{code}

It works once, within {minutes} minutes. Do not share it with anyone: {product} staff never ask for it.

If you did not ask for this code, somebody may be signed in to your account. Do not use the code, and change your password.",
            sms: "{code} is your {product} code to change two-step verification, within {minutes} minutes. Do not share it.",
        },
        Template::OperationConfirmation => Words {
            subject: "{code} is your {product} confirmation code",
            text: "{product} was asked to do this for you:

{display}

To agree to exactly this, enter this code:

{code}

It works once, within {minutes} minutes. Do not share it with anyone: {product} staff never ask for it.

If this is not what you want, do not use the code. If you did not ask for it, somebody may be signed in to your account: change your password.",
            sms: "{display}

{code} is your {product} code to agree to exactly this, within {minutes} minutes. Not you? Do not use it.",
        },
        Template::SignIn => Words {
            subject: "{code} is your {product} sign-in code",
            text: "To sign in to {application} with {product}, enter this code:

{code}

It works once, within {minutes} minutes. Enter it only where you asked for it, and do not share it with anyone: {product} staff never ask for it.

If you did not ask for this code, ignore this message. Nobody can sign in without it.",
            sms: "{code} is your {product} code to sign in to {application}. It works once, within {minutes} minutes. Do not share it.",
        },
        Template::SignInLink => Words {
            subject: "{code} is your {product} sign-in code",
            text: "To sign in to {application} with {product}, open this link:

{link}

Or enter this code where you asked for it:

{code}

Either works once, within {minutes} minutes. Do not share them with anyone: {product} staff never ask for them.

If you did not ask to sign in, ignore this message. Nobody can sign in without it.",
            sms: "{code} is your {product} code to sign in to {application}. It works once, within {minutes} minutes. Do not share it.",
        },
        Template::PasswordChanged => Words {
            subject: "Your {product} password was changed",
            text: "The password of your {product} account was changed on {time}.

If this was you, there is nothing to do.

If it was not you, somebody else can use your account. Reset your password at once and contact support.",
            sms: "Your {product} password was changed on {time}. If this was not you, reset it at once and contact support.",
        },
        Template::EmailChanged => Words {
            subject: "The e-mail address of your {product} account was changed",
            text: "The e-mail address of your {product} account was added, replaced or removed on {time}.

If this was you, there is nothing to do. Messages no longer go to a previous address.

If it was not you, somebody else can use your account. Change your password at once and contact support.",
            sms: "The e-mail address of your {product} account was changed on {time}. Not you? Contact support at once.",
        },
        Template::PhoneChanged => Words {
            subject: "The phone number of your {product} account was changed",
            text: "The phone number of your {product} account was added, replaced or removed on {time}.

If this was you, there is nothing to do. Messages no longer go to a previous number.

If it was not you, somebody else can use your account. Change your password at once and contact support.",
            sms: "The phone number of your {product} account was changed on {time}. Not you? Contact support at once.",
        },
    }
}
