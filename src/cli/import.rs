//! `countersign users import`: a file of JSON lines, in batches of one transaction each.
//!
//! Nothing is remembered beside the database: a line whose identifiers all belong to one account is there already and is passed over,
//! so a run that was broken off is simply run again.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::{ConfigFile, offline, output};
use crate::{
    app::App,
    audit::Actor,
    domain::{
        identifier::{EmailAddress, Username},
        refusal::{Code, Refusal},
        user::User,
        username::UsernamePolicy,
    },
    error::{Error, Result},
    management::users::{self, NewUser, Prepared},
    storage::{
        Session,
        directory::{self, Exact, Filter},
        settings,
    },
    web::json::{Kind, parse},
};

/// Lines a transaction.
const BATCH: usize = 200;
/// The most bytes of a line.
const LONGEST_LINE: u64 = 64 * 1024;

#[derive(Default)]
struct Counts {
    imported: u64,
    existing: u64,
    refused: u64,
}

struct Line {
    number: u64,
    bytes: Vec<u8>,
    is_too_long: bool,
}

/// What a line asks for, ready to be stored.
struct Candidate {
    number: u64,
    identifiers: Identifiers,
    prepared: Prepared,
}

/// What makes an account the one it is: each unique, in the form that is compared.
#[derive(Clone, Default, PartialEq, Eq)]
struct Identifiers {
    username: Option<String>,
    email: Option<String>,
    phone: Option<String>,
    external_id: Option<String>,
}

impl Identifiers {
    fn of_new(new: &NewUser, policy: &UsernamePolicy) -> Result<Self> {
        let phone = new.primary_phone.as_ref().map(|phone| phone.normalized().ok_or(Code::InvalidPhone)).transpose()?;
        Ok(Self {
            username: new.username.as_ref().map(|name| policy.key(name)),
            email: new.primary_email.as_ref().map(EmailAddress::key),
            phone: phone.map(|phone| phone.as_str().to_owned()),
            external_id: new.external_id.as_ref().map(|id| id.as_str().to_owned()),
        })
    }

    fn of_user(user: &User, policy: &UsernamePolicy) -> Self {
        Self {
            username: user
                .username
                .as_deref()
                .and_then(|name| Username::parse(name).ok())
                .map(|name| policy.key(&name)),
            email: user
                .primary_email
                .as_deref()
                .and_then(|text| EmailAddress::parse(text).ok())
                .map(|email| email.key()),
            phone: user.primary_phone.clone(),
            external_id: user.external_id.clone(),
        }
    }

    /// The accounts that hold one of these; there are four at most.
    async fn holders(&self, session: &mut Session, policy: &UsernamePolicy) -> Result<Vec<Self>> {
        let Self { username, email, phone, external_id } = self.clone();
        let exact = Exact { id: None, username_key: username, email_key: email, phone, external_id };
        let users = directory::list(session, &Filter::Exact(Box::new(exact)), 4, 0).await?;
        Ok(users.iter().map(|user| Self::of_user(user, policy)).collect())
    }
}

struct Import<'a> {
    app: &'a App,
    policy: UsernamePolicy,
    report: BufWriter<File>,
    counts: Counts,
}

/// Imports the whole file; fails in the end when lines were refused.
pub async fn run(config: &ConfigFile, file: &Path, report: Option<PathBuf>, as_json: bool) -> anyhow::Result<ExitCode> {
    let source = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    let bar = ProgressBar::new(source.metadata().map_or(0, |metadata| metadata.len()));
    let style = "{bar:30} {percent}% {bytes_per_sec} {msg} {eta} left";
    bar.set_style(ProgressStyle::with_template(style).unwrap_or_else(|_| ProgressStyle::default_bar()));
    let report_path = report.unwrap_or_else(|| {
        let mut name = file.as_os_str().to_owned();
        name.push(".refused.jsonl");
        PathBuf::from(name)
    });
    let report = File::create(&report_path).with_context(|| format!("cannot write {}", report_path.display()))?;
    let app = offline::app(config.load()?).await?;
    let policy = settings::find(&mut app.db.read().await?).await?.sign_in_experience.username_policy;
    let mut import = Import { app: &app, policy, report: BufWriter::new(report), counts: Counts::default() };
    let mut lines = Lines { source: BufReader::new(source), number: 0 };
    loop {
        let batch = lines.take(BATCH).with_context(|| format!("cannot read {}", file.display()))?;
        if batch.is_empty() {
            break;
        }
        bar.inc(batch.iter().map(|line| line.bytes.len() as u64 + 1).sum());
        import.batch(batch).await.map_err(offline::told).context("the import broke off; run it again to go on")?;
        bar.set_message(format!("{} users", import.counts.imported));
    }
    bar.finish_and_clear();
    app.db.close().await;
    let Counts { imported, existing, refused } = import.counts;
    if as_json {
        output::print_json(&json!({
            "imported": imported, "existing": existing, "refused": refused, "report": report_path.to_string_lossy(),
        }));
    } else {
        output::print(format_args!("{imported} imported, {existing} there already, {refused} refused"));
    }
    if refused == 0 {
        let _ = std::fs::remove_file(&report_path);
        return Ok(ExitCode::SUCCESS);
    }
    output::tell(format_args!("{} has the refused lines by number, with the reason", report_path.display()));
    Ok(ExitCode::FAILURE)
}

impl Import<'_> {
    /// Stores a batch; when this returns its users are durable and its refusals are in the report.
    async fn batch(&mut self, lines: Vec<Line>) -> Result<()> {
        let mut candidates = Vec::with_capacity(lines.len());
        let mut session = self.app.db.read().await?;
        for line in lines {
            match self.consider(&mut session, &line).await {
                Ok(Some(candidate)) => candidates.push(candidate),
                Ok(None) => self.counts.existing += 1,
                Err(Error::Refused(refusal)) => self.refuse(line.number, &refusal)?,
                Err(failure) => return Err(failure),
            }
        }
        drop(session);
        let mut imported = 0;
        let mut session = self.app.db.write().await?;
        for Candidate { number, identifiers, prepared } in candidates {
            // Lines of this very batch may clash, so it is asked again.
            match judge(&identifiers, &identifiers.holders(&mut session, &self.policy).await?) {
                Ok(true) => {
                    let actor = Actor { user: None, application: None, client: None };
                    users::create(self.app, &mut session, prepared, actor).await?;
                    imported += 1;
                }
                Ok(false) => self.counts.existing += 1,
                Err(refusal) => self.refuse(number, &refusal)?,
            }
        }
        session.commit().await?;
        self.counts.imported += imported;
        self.report.flush().map_err(anyhow::Error::from)?;
        Ok(())
    }

    /// What a line asks for; `None` when it is there already. Costly work, such as hashing, comes last.
    async fn consider(&self, session: &mut Session, line: &Line) -> Result<Option<Candidate>> {
        if line.is_too_long {
            return Err(Code::BodyTooLarge.into());
        }
        let new: NewUser = parse(&line.bytes, Kind::Json)?;
        let identifiers = Identifiers::of_new(&new, &self.policy)?;
        if identifiers == Identifiers::default() {
            let mut refusal = Code::InvalidInput.refuse();
            refusal.details = Some("a line needs a username, primaryEmail, primaryPhone or externalId".to_owned());
            return Err(refusal.into());
        }
        if !judge(&identifiers, &identifiers.holders(session, &self.policy).await?)? {
            return Ok(None);
        }
        Ok(Some(Candidate { number: line.number, identifiers, prepared: new.prepare(self.app).await? }))
    }

    fn refuse(&mut self, line: u64, refusal: &Refusal) -> Result<()> {
        self.counts.refused += 1;
        let reason = refusal.details.clone().unwrap_or_else(|| refusal.code.sentence().to_owned());
        let entry = json!({ "line": line, "code": refusal.code.code(), "reason": reason, "data": refusal.data });
        writeln!(self.report, "{entry}").map_err(anyhow::Error::from)?;
        Ok(())
    }
}

type Part = fn(&Identifiers) -> &Option<String>;

/// Whether the account is to be created: false when it is there already. Refused when others hold a part of it.
fn judge(wanted: &Identifiers, holders: &[Identifiers]) -> Result<bool, Refusal> {
    let parts: [(Part, Code); 4] = [
        (|of| &of.username, Code::UsernameInUse),
        (|of| &of.email, Code::EmailInUse),
        (|of| &of.phone, Code::PhoneInUse),
        (|of| &of.external_id, Code::ExternalIdInUse),
    ];
    let given = || parts.iter().filter(|(part, _)| part(wanted).is_some());
    let holds = |holder: &Identifiers, part: Part| part(holder) == part(wanted);
    match holders {
        [] => Ok(true),
        [only] if given().all(|(part, _)| holds(only, *part)) => Ok(false),
        several => {
            let taken = given().find(|(part, _)| several.iter().any(|holder| holds(holder, *part)));
            Err(taken.map_or(Code::UsernameInUse, |(_, code)| *code).refuse())
        }
    }
}

struct Lines {
    source: BufReader<File>,
    number: u64,
}

impl Lines {
    /// The next `most` lines that are not empty.
    fn take(&mut self, most: usize) -> std::io::Result<Vec<Line>> {
        let mut lines = Vec::with_capacity(most);
        while lines.len() < most {
            let mut bytes = Vec::new();
            if (&mut self.source).take(LONGEST_LINE).read_until(b'\n', &mut bytes)? == 0 {
                break;
            }
            self.number += 1;
            let is_too_long = bytes.last() != Some(&b'\n') && bytes.len() as u64 == LONGEST_LINE;
            if is_too_long {
                self.source.skip_until(b'\n')?;
            }
            if !bytes.trim_ascii().is_empty() {
                lines.push(Line { number: self.number, bytes, is_too_long });
            }
        }
        Ok(lines)
    }
}
