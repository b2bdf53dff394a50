//! What each page shows; the markup is in `html/`.

use askama::Template;

use super::{Frame, Page, countries::Country};

/// What a form of a sign-in carries along.
pub struct FormKey {
    /// Which sign-in.
    pub flow: String,
    /// That the form is of our own making.
    pub token: String,
}

/// Asks who it is.
#[derive(Template)]
#[template(path = "identifier.html")]
pub struct Identifier {
    /// The frame.
    pub frame: Frame,
    /// Carried along.
    pub key: FormKey,
    /// Into which application.
    pub app: String,
    /// Whether it is worded for people who have no account.
    pub is_sign_up: bool,
    /// Whether it asks for a phone.
    pub is_phone: bool,
    /// What was typed.
    pub value: String,
    /// To choose from.
    pub countries: Vec<&'static Country>,
    /// Which is chosen.
    pub region: String,
    /// What is wrong with it.
    pub problem: Option<String>,
    /// The same page for the other kind of address.
    pub switch: Option<String>,
    /// The same page in the other wording.
    pub other_wording: Option<String>,
}

/// Asks for the code.
#[derive(Template)]
#[template(path = "code.html")]
pub struct CodePage {
    /// The frame.
    pub frame: Frame,
    /// Carried along.
    pub key: FormKey,
    /// Whether it went to a phone.
    pub is_phone: bool,
    /// What comes before the address.
    pub sent: String,
    /// Where it went.
    pub address: String,
    /// What to do with the link that was sent.
    pub link: Option<String>,
    /// Where the address can be changed, if somebody typed it.
    pub edit: Option<String>,
    /// How many digits it has.
    pub digits: u8,
    /// How long it works.
    pub hint: String,
    /// What is wrong with what was typed.
    pub problem: Option<String>,
    /// What else is wrong.
    pub warning: Option<String>,
    /// Whether there is no code that could be typed.
    pub is_over: bool,
    /// What to heed.
    pub never_share: String,
    /// What has happened.
    pub news: Option<&'static str>,
    /// Seconds until it can be sent again; 0 for now.
    pub wait: u128,
    /// The same in words.
    pub wait_text: String,
}

/// Asks for the password of a person who has proved something else.
#[derive(Template)]
#[template(path = "password.html")]
pub struct PasswordPage {
    /// The frame.
    pub frame: Frame,
    /// Carried along.
    pub key: FormKey,
    /// Why.
    pub lead: String,
    /// Whose, for people.
    pub shown: String,
    /// Whose, for programs that keep passwords.
    pub address: String,
    /// What is wrong with what was typed.
    pub problem: Option<String>,
    /// Where somebody else begins.
    pub other: String,
}

/// Asks for leave to send a code to an address that the person has not typed.
#[derive(Template)]
#[template(path = "send.html")]
pub struct SendPage {
    /// The frame.
    pub frame: Frame,
    /// Carried along.
    pub key: FormKey,
    /// Why.
    pub lead: String,
    /// Where to, in part.
    pub address: String,
    /// Why none was sent.
    pub problem: Option<String>,
    /// Where somebody else begins.
    pub other: String,
}

/// Asks a person who is signed in whether it is to be that account.
#[derive(Template)]
#[template(path = "choose.html")]
pub struct Choose {
    /// The frame.
    pub frame: Frame,
    /// Carried along.
    pub key: FormKey,
    /// Into which application.
    pub app: String,
    /// Who is signed in.
    pub name: String,
    /// Where somebody else signs in.
    pub other: String,
}

/// Takes a person back to the application. A page and not a redirect: browsers hold whatever follows upon a form to `form-action`,
/// and an application may redirect further than we know.
#[derive(Template)]
#[template(path = "leaving.html")]
pub struct Leaving {
    /// The frame.
    pub frame: Frame,
    /// What happened.
    pub title: &'static str,
    /// Where to.
    pub text: String,
    /// The redirect URI with its parameters.
    pub url: String,
}

/// Says something, and that is all.
#[derive(Template)]
#[template(path = "notice.html")]
pub struct Notice {
    /// The frame.
    pub frame: Frame,
    /// In large letters.
    pub title: &'static str,
    /// Below it.
    pub text: String,
    /// For developers.
    pub detail: Option<String>,
    /// Whether something is wrong.
    pub is_bad: bool,
}

/// Asks for one click.
#[derive(Template)]
#[template(path = "confirm.html")]
pub struct Confirm {
    /// The frame.
    pub frame: Frame,
    /// In large letters.
    pub title: String,
    /// Below it.
    pub text: String,
    /// Whose account it is about.
    pub subject: Option<String>,
    /// Where the form goes, a path of ours.
    pub action: String,
    /// What it carries along.
    pub fields: Vec<(String, String)>,
    /// On the button.
    pub button: String,
    /// What to heed.
    pub note: Option<String>,
}

macro_rules! pages {
    ($($name:ident)*) => { $(impl Page for $name {
        fn frame(&self) -> &Frame {
            &self.frame
        }
    })* };
}

pages!(Identifier CodePage PasswordPage SendPage Choose Leaving Notice Confirm);
