//! The operator's own texts: a folder of files, judged as a whole before the first message.

use std::{collections::HashMap, fs, path::Path};

use super::{
    Part,
    fill::{Piece, pieces, placeholders},
};
use crate::domain::message::{Locale, Template};

/// The largest file taken, in bytes.
const LARGEST: u64 = 64 * 1024;

const ENDINGS: &[(&str, Part)] =
    &[(".subject.txt", Part::Subject), (".text.txt", Part::Text), (".html", Part::Html), (".sms.txt", Part::Sms)];

type Files = HashMap<(Locale, Template, Part), String>;

/// Reads `<folder>/<locale>/<Template><ending>`. Names beginning with a dot are left alone.
///
/// # Errors
/// Every problem, one sentence each, with the file, what is wrong and what to write.
pub(super) fn load(folder: &Path) -> Result<Files, Vec<String>> {
    let mut files = Files::new();
    let mut problems = Vec::new();
    let languages = Locale::ALL.iter().map(|locale| locale.tag()).collect::<Vec<_>>().join(" or ");
    for (name, path) in list(folder, "messages.templates_dir: ", &mut problems) {
        match Locale::ALL.iter().find(|locale| locale.tag() == name) {
            Some(locale) if path.is_dir() => load_language(*locale, &path, &mut files, &mut problems),
            _ => problems.push(format!(
                "{}: this is not a folder of a language: name it {languages}, or take it away",
                path.display()
            )),
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn load_language(locale: Locale, folder: &Path, files: &mut Files, problems: &mut Vec<String>) {
    for (name, path) in list(folder, "", problems) {
        let known =
            ENDINGS.iter().find_map(|(ending, part)| Some((Template::parse(name.strip_suffix(ending)?)?, *part)));
        let Some((template, part)) = known else {
            let names = Template::ALL.iter().map(|template| template.name()).collect::<Vec<_>>().join(", ");
            problems.push(format!(
                "{}: no message has this file: name it <Template>.subject.txt, .text.txt, .html or .sms.txt, where <Template> is \
                 one of {names}",
                path.display()
            ));
            continue;
        };
        match read(&path).and_then(|text| judge(&text, template, part).map(|()| text)) {
            Ok(text) => {
                files.insert((locale, template, part), text);
            }
            Err(problem) => problems.push(format!("{}: {problem}", path.display())),
        }
    }
}

/// The entries of a folder by name, in order.
fn list(folder: &Path, prefix: &str, problems: &mut Vec<String>) -> Vec<(String, std::path::PathBuf)> {
    let entries = fs::read_dir(folder).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    match entries {
        Ok(entries) => {
            let named =
                entries.into_iter().map(|entry| (entry.file_name().to_string_lossy().into_owned(), entry.path()));
            let mut named: Vec<_> = named.filter(|(name, _)| !name.starts_with('.')).collect();
            named.sort();
            named
        }
        Err(error) => {
            problems.push(format!("{prefix}{}: the folder cannot be read ({error})", folder.display()));
            Vec::new()
        }
    }
}

/// A file's text with plain line ends and without empty lines at its end.
fn read(path: &Path) -> Result<String, String> {
    let size = fs::metadata(path).map_err(|error| format!("the file cannot be read ({error})"))?.len();
    if size > LARGEST {
        return Err(format!("the file has {size} bytes: make it at most {LARGEST}"));
    }
    let text = fs::read_to_string(path).map_err(|error| format!("the file cannot be read as UTF-8 text ({error})"))?;
    Ok(text.trim_start_matches('\u{FEFF}').replace("\r\n", "\n").trim_end().to_owned())
}

fn judge(text: &str, template: Template, part: Part) -> Result<(), String> {
    let known = placeholders(template);
    let choice = known.iter().map(|name| format!("{{{name}}}")).collect::<Vec<_>>().join(", ");
    if text.trim().is_empty() {
        return Err("the file is empty: write the text, or take the file away to use the built-in one".to_owned());
    }
    if text.contains("{{") {
        return Err(format!("double braces are no placeholder: write single ones; this message has {choice}"));
    }
    if part == Part::Subject && text.contains('\n') {
        return Err("a subject is one line: take the other lines away".to_owned());
    }
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        return Err("the text has control characters: take them away".to_owned());
    }
    let used: Vec<_> = pieces(text)
        .into_iter()
        .filter_map(|piece| match piece {
            Piece::Placeholder(name) => Some(name),
            Piece::Plain(_) => None,
        })
        .collect();
    if let Some(unknown) = used.iter().find(|name| !known.contains(name)) {
        return Err(format!("the placeholder {{{unknown}}} is not known here: this message has {choice}"));
    }
    if template.carries_code() && part != Part::Subject && !used.contains(&"code") {
        return Err("the text never shows the code: put {code} where it belongs, best alone on its line".to_owned());
    }
    if template.carries_display() && part != Part::Subject && !used.contains(&"display") {
        return Err(
            "the text never shows what the code agrees to: put {display} before the code, best alone on its line"
                .to_owned(),
        );
    }
    if template.carries_link() && matches!(part, Part::Text | Part::Html) && !used.contains(&"link") {
        return Err("the text never shows the link: put {link} where it belongs, best alone on its line".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        folder
    }

    #[test]
    fn good_files_are_taken() {
        let folder = folder(&[
            ("en/BindMfa.subject.txt", "Code {code}\r\n"),
            ("en/BindMfa.html", "<style>p{color:red}</style>{code}"),
            ("ja/PasswordChanged.sms.txt", "{product} {time} {user}"),
            ("en/.keep", ""),
        ]);
        let files = load(folder.path()).unwrap();
        assert_eq!(files.len(), 3);
        assert_eq!(files[&(Locale::En, Template::BindMfa, Part::Subject)], "Code {code}");
    }

    #[rstest]
    #[case("en/BindMfa.sms.txt", "no code here", "never shows the code")]
    #[case("en/BindMfa.html", "<p>{code} {kode}</p>", "{kode} is not known")]
    #[case("en/SignInLink.html", "{code}", "never shows the link")]
    #[case("en/OperationConfirmation.sms.txt", "{code}", "never shows what the code agrees to")]
    #[case("en/BindMfa.text.txt", "{code} {display}", "{display} is not known")]
    #[case("en/SignIn.sms.txt", "{code} {user}", "{user} is not known")]
    #[case("en/BindMfa.text.txt", "{ code }", "{ code } is not known")]
    #[case("en/BindMfa.text.txt", "{{code}}", "double braces")]
    #[case("en/BindNewIdentifier.text.txt", "{code} {user}", "{user} is not known")]
    #[case("en/PasswordChanged.text.txt", "{code}", "{code} is not known")]
    #[case("en/BindMfa.subject.txt", "a\nb", "one line")]
    #[case("en/BindMfa.text.txt", " \n", "empty")]
    #[case("en/BindMfa.txt", "{code}", "no message has this file")]
    #[case("en/Bindmfa.html", "{code}", "no message has this file")]
    #[case("fr/BindMfa.html", "{code}", "folder of a language")]
    fn bad_files_are_told(#[case] name: &str, #[case] text: &str, #[case] expected: &str) {
        let folder = folder(&[(name, text)]);
        let problems = load(folder.path()).unwrap_err();
        let file = name.split('/').next().unwrap();
        assert!(problems.len() == 1 && problems[0].contains(expected) && problems[0].contains(file), "{problems:?}");
    }

    #[test]
    fn a_missing_folder_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let problems = load(&folder.path().join("none")).unwrap_err();
        assert!(problems[0].starts_with("messages.templates_dir: "), "{problems:?}");
    }
}
