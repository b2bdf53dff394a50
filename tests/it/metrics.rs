//! What `/metrics` shows is what the list says, and the list is what the documentation says.

use std::{collections::BTreeSet, fs, path::Path};

use countersign::server::metrics::{ALL, Kind, Metric};

use crate::harness::{TestApp, sources};

/// The labels of a line, and its name.
fn parts(line: &str) -> (&str, Vec<&str>) {
    let (series, _value) = line.rsplit_once(' ').unwrap();
    let Some((name, labels)) = series.split_once('{') else { return (series, Vec::new()) };
    let labels = labels.trim_end_matches('}').split("\",").filter_map(|label| label.split_once("=\""));
    (name, labels.map(|(name, _)| name).collect())
}

fn metric(name: &str) -> &'static Metric {
    let base = name.strip_suffix("_sum").or_else(|| name.strip_suffix("_count")).unwrap_or(name);
    ALL.iter().find(|metric| metric.name == base).unwrap_or_else(|| panic!("{name} is not in the list"))
}

#[test]
fn every_metric_is_listed_and_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documented = fs::read_to_string(root.join("docs/metrics.md")).unwrap();
    for Metric { name, kind, labels, meaning } in ALL {
        let labels: Vec<_> = labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "–".to_owned() } else { labels.join(", ") };
        let line = format!("| `{name}` | {} | {labels} | {meaning} |", kind.name());
        assert!(documented.contains(&line), "docs/metrics.md lacks: {line}");
    }
    assert_eq!(documented.lines().filter(|line| line.starts_with("| `")).count(), ALL.len());
    let listed: BTreeSet<String> = ALL.iter().map(|metric| metric.name.to_owned()).collect();
    assert_eq!(listed.len(), ALL.len());
    let mut counted = BTreeSet::new();
    for path in sources("src").into_iter().filter(|path| !path.ends_with("server/metrics.rs")) {
        let text = fs::read_to_string(path).unwrap();
        let names = text.split('"').filter(|word| word.starts_with("countersign_"));
        counted
            .extend(names.filter(|word| word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')).map(str::to_owned));
    }
    assert_eq!(counted, listed);
}

#[tokio::test]
async fn a_scrape_tells_what_the_list_promises() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.verify_password().await;
    user.try_password("wrong").await.expect("422 session.invalid_credentials");
    user.verify_code("email", &user.email).await;
    let text = app.http.get(app.url("/metrics")).send().await.unwrap().text().await.unwrap();
    let mut seen = BTreeSet::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            assert_eq!(metric(name).kind.name(), kind, "{line}");
        } else if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            assert_eq!(metric(name).meaning, help, "{line}");
        } else {
            let (name, labels) = parts(line);
            let metric = metric(name);
            let is_quantile = |label: &&str| metric.kind == Kind::Summary && *label == "quantile";
            let labels: Vec<&str> = labels.into_iter().filter(|label| !is_quantile(label)).collect();
            assert_eq!(labels, metric.labels, "{line}");
            seen.insert(metric.name);
        }
    }
    for name in [
        "countersign_http_requests_total",
        "countersign_http_request_seconds",
        "countersign_refusals_total",
        "countersign_hashing_queue_length",
        "countersign_hashing_wait_seconds",
        "countersign_messages_total",
    ] {
        assert!(seen.contains(name), "{name} of {seen:?}");
    }
    assert!(!text.contains(user.id.as_str()) && !text.contains(&user.email), "nothing of a user's: {text}");
}
