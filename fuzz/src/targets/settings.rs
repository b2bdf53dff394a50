//! What operators write: configuration, templates.

use std::{fs, path::PathBuf, sync::LazyLock};

use countersign::{
    config::{Config, messages::MessagesConfig},
    domain::message::{Kind, Locale, Template},
    texts::{self, Templates, Values},
};

use super::choice;

static FOLDER: LazyLock<PathBuf> = LazyLock::new(|| tempfile::tempdir().unwrap().keep());

/// A file as TOML when it begins with `#`, else one `SECTION__KEY=value` a line: used, or refused in words.
pub fn configuration(data: &[u8]) {
    let loaded = if data.first() == Some(&b'#') {
        let file = FOLDER.join("countersign.toml");
        fs::write(&file, data).unwrap();
        Config::load_with(Some(&file), [])
    } else {
        let text = String::from_utf8_lossy(data).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        Config::load_with(None, pairs.map(|(name, value)| (format!("COUNTERSIGN_{name}"), value.to_owned())))
    };
    match loaded {
        Ok(config) => {
            assert!(config.problems().is_empty());
            let _ = config.missing_for_production();
            // A limit of nought where none is meant would be no limit.
            assert!(config.limits.body_bytes > 0 && config.limits.connections > 0);
        }
        Err(error) => assert!(!format!("{error:#}").is_empty()),
    }
}

/// A template is used as it is meant, or refused in words: whoever names themselves in markup writes none.
pub fn templates(data: &[u8]) {
    const ENDINGS: [&str; 4] = ["subject.txt", "text.txt", "html", "sms.txt"];
    let (number, text) = choice(data);
    let template = Template::ALL[number % Template::ALL.len()];
    let ending = ENDINGS[number / Template::ALL.len() % ENDINGS.len()];
    let folder = FOLDER.join("templates");
    let file = folder.join("en").join(format!("{}.{ending}", template.name()));
    fs::create_dir_all(folder.join("en")).unwrap();
    fs::write(&file, text).unwrap();
    let config = MessagesConfig { templates_dir: Some(folder), ..MessagesConfig::default() };
    let loaded = Templates::load(&config, None);
    fs::remove_file(file).unwrap();
    let Ok(templates) = loaded else { return };
    let code = template.carries_code().then_some("481516");
    let display = template.carries_display().then_some("Pay <q1q> 108.00 EUR");
    let values =
        Values { code, display, minutes: 10, user: Some("<q1q>\r\nBcc: {code}"), time: None, ..Values::default() };
    let kind = if ending == "sms.txt" { Kind::Sms } else { Kind::Email };
    let message = texts::render(&templates, template, kind, Locale::En, &values);
    assert!(code.is_none_or(|code| message.text.contains(code)), "no code in {:?}", message.text);
    assert!(display.is_none_or(|display| message.text.contains(display)), "nothing is agreed to in {:?}", message.text);
    assert!(message.subject.is_none_or(|subject| !subject.contains(['\r', '\n'])), "a subject of two lines");
    if let Some(html) = message.html {
        let own = String::from_utf8_lossy(text);
        assert!(!html.contains("<q1q>") || own.contains("<q1q>"), "a name becomes markup: {html}");
        assert!(code.is_none_or(|code| html.contains(code)));
    }
}
