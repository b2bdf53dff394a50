use super::*;
use crate::domain::time::Timestamp;

fn values(template: Template) -> Values<'static> {
    Values {
        code: template.carries_code().then_some("042137"),
        minutes: 10,
        user: Some("Ada"),
        time: Some(Timestamp(1_763_640_000_000)),
        application: Some("Notes"),
        display: template.carries_display().then_some("Pay 1,120.50 EUR to ACME GmbH"),
        link: Some("https://login.example.com/passwordless/verify_redirect?link=a-b_c"),
    }
}

fn every() -> impl Iterator<Item = (Locale, Template)> {
    Locale::ALL.iter().flat_map(|locale| Template::ALL.iter().map(|template| (*locale, *template)))
}

#[test]
fn every_message_reads_well() {
    let templates = Templates::built_in("Countersign", Some("login.example.com"));
    for (locale, template) in every() {
        let email = render(&templates, template, Kind::Email, locale, &values(template));
        let sms = render(&templates, template, Kind::Sms, locale, &values(template));
        let shown = format!(
            "Subject: {}\n\n{}\n\n--- html\n{}\n--- sms\n{}\n",
            email.subject.unwrap(),
            email.text,
            email.html.unwrap(),
            sms.text
        );
        insta::assert_snapshot!(format!("{}_{}", locale.tag(), template.name()), shown);
    }
}

#[test]
fn a_code_stands_in_the_subject_and_alone_on_a_line() {
    let templates = Templates::built_in("Countersign", Some("login.example.com"));
    for (locale, template) in every().filter(|(_, template)| template.carries_code()) {
        let email = render(&templates, template, Kind::Email, locale, &values(template));
        assert!(email.subject.unwrap().contains("042137"));
        assert_eq!(email.text.lines().filter(|line| *line == "042137").count(), 1);
        assert!(email.html.unwrap().contains(">042137</p>"));
        let sms = render(&templates, template, Kind::Sms, locale, &values(template));
        assert_eq!(sms.text.lines().last().unwrap(), "@login.example.com #042137");
    }
}

#[test]
fn what_a_code_agrees_to_stands_whole_before_it_and_stays_text() {
    let templates = Templates::built_in("Countersign", None);
    let display = format!("Pay 1,120.50 EUR to <a href=\"https://x.example\">{{code}} & {}</a>", "é".repeat(250));
    let values = Values { display: Some(&display), ..values(Template::OperationConfirmation) };
    for locale in Locale::ALL {
        let email = render(&templates, Template::OperationConfirmation, Kind::Email, *locale, &values);
        let sms = render(&templates, Template::OperationConfirmation, Kind::Sms, *locale, &values).text;
        for text in [&email.text, &sms] {
            let place = text.lines().position(|line| line == display).unwrap();
            assert!(text.lines().position(|line| line.contains("042137")).unwrap() > place, "{text}");
        }
        let html = email.html.unwrap();
        let wanted = format!(">{}</p>", fill::escape(&display));
        assert!(html.contains(&wanted) && !html.contains("<a"), "{html}");
        assert!(!email.subject.unwrap().contains("EUR"));
    }
}

#[test]
fn languages_use_the_same_placeholders() {
    for template in Template::ALL {
        let used = |locale| {
            let words = built_in(locale, *template);
            [words.subject, words.text, words.sms].map(|text| {
                let names = fill::pieces(text).into_iter().filter_map(|piece| match piece {
                    fill::Piece::Placeholder(name) => Some(name),
                    fill::Piece::Plain(_) => None,
                });
                let names: std::collections::BTreeSet<_> = names.collect();
                assert!(
                    names.iter().all(|name| fill::placeholders(*template).contains(name)),
                    "{template:?}: {names:?}"
                );
                names
            })
        };
        assert_eq!(used(Locale::En), used(Locale::Ja), "{template:?}");
    }
}

#[test]
fn text_messages_are_short() {
    let templates = Templates::built_in("Countersign", None);
    for (locale, template) in every() {
        let sms = render(&templates, template, Kind::Sms, locale, &values(template)).text;
        let (fits, most) = match locale {
            Locale::En => (sms.is_ascii(), 160),
            Locale::Ja => (true, 2 * 67),
        };
        assert!(fits && sms.chars().count() <= most, "{} characters: {sms}", sms.chars().count());
    }
}

#[test]
fn the_operators_words_win_and_values_are_escaped() {
    let folder = tempfile::tempdir().unwrap();
    let en = folder.path().join("en");
    std::fs::create_dir(&en).unwrap();
    std::fs::write(en.join("BindMfa.html"), "<p>{user}: {code}</p>").unwrap();
    std::fs::write(en.join("BindMfa.subject.txt"), "Hi {user}").unwrap();
    std::fs::write(en.join("UserPermissionValidation.text.txt"), "For <you>:\n\n{code}\n").unwrap();
    let config = MessagesConfig { templates_dir: Some(folder.path().into()), ..MessagesConfig::default() };
    let templates = Templates::load(&config, None).unwrap();
    let values = Values { user: Some("<i>Eve\r\nBcc: x</i>"), ..values(Template::BindMfa) };
    let email = render(&templates, Template::BindMfa, Kind::Email, Locale::En, &values);
    assert_eq!(email.html.unwrap(), "<p>&lt;i&gt;EveBcc: x&lt;/i&gt;: 042137</p>");
    assert_eq!(email.subject.unwrap(), "Hi <i>EveBcc: x</i>");
    let email = render(&templates, Template::UserPermissionValidation, Kind::Email, Locale::En, &values);
    let html = email.html.unwrap();
    assert!(html.contains("<p>For &lt;you&gt;:</p>") && html.contains(">042137</p>"), "{html}");
}

#[test]
fn problems_of_section_and_files_come_together() {
    let config = MessagesConfig { product: " ".into(), templates_dir: Some("/nonexistent".into()) };
    let problems = Templates::load(&config, None).err().unwrap();
    assert_eq!(problems.len(), 2);
}

#[test]
fn rendered_survives_the_outbox_and_debug_shows_nothing() {
    let templates = Templates::built_in("Countersign", None);
    let rendered = render(&templates, Template::BindMfa, Kind::Email, Locale::Ja, &values(Template::BindMfa));
    let stored = serde_json::to_vec(&rendered).unwrap();
    assert_eq!(serde_json::from_slice::<Rendered>(&stored).unwrap(), rendered);
    assert!(!format!("{rendered:?}").contains("042137"));
}
