//! What `/metrics` shows. Whatever is counted anywhere has its line here and in `docs/metrics.md`
//! (`tests/it/metrics.rs` holds both to it).

use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

/// How a metric is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only ever grows, from 0 at the start of the process.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Quantiles of the last minute or so, with the sum and the number of all.
    Summary,
}

impl Kind {
    /// As Prometheus calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Summary => "summary",
        }
    }
}

/// A metric.
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it is read.
    pub kind: Kind,
    /// Its labels.
    pub labels: &'static [&'static str],
    /// What it tells.
    pub meaning: &'static str,
}

const fn counter(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Counter, labels, meaning }
}

const fn gauge(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Gauge, labels, meaning }
}

const fn summary(name: &'static str, labels: &'static [&'static str], meaning: &'static str) -> Metric {
    Metric { name, kind: Kind::Summary, labels, meaning }
}

/// All of them.
pub const ALL: &[Metric] = &[
    counter("countersign_http_requests_total", &["method", "route", "status"], "Requests that were answered."),
    summary("countersign_http_request_seconds", &["method", "route", "status"], "How long that took, in seconds."),
    counter("countersign_refusals_total", &["code"], "Errors that were answered, by their code (docs/errors.md)."),
    counter(
        "countersign_requests_limited_total",
        &["kind"],
        "Requests refused because their client made too many (docs/floods.md).",
    ),
    gauge(
        "countersign_hashing_queue_length",
        &[],
        "Passwords that wait to be hashed; past `hashing.queue` more are refused.",
    ),
    summary("countersign_hashing_wait_seconds", &[], "How long those waited that were hashed, in seconds."),
    counter(
        "countersign_messages_total",
        &["kind", "result"],
        "Tries to hand a message to its channel: `sent`, `refused`.",
    ),
    counter("countersign_sends_refused_total", &["budget"], "Messages refused because a budget was used up."),
    counter(
        "countersign_send_budgets_reached_total",
        &["budget"],
        "Budgets that were used up and concern more than one user: somebody should look.",
    ),
    counter("countersign_hook_deliveries_total", &["result"], "Tries to deliver to a webhook: `delivered`, `failed`."),
    counter("countersign_operations_total", &["operation"], "Account operations that a verification opened."),
    counter("countersign_operations_opened_total", &["operation"], "Records opened for an operation of a back end."),
    counter("countersign_operations_satisfied_total", &["operation"], "Those whose policy was met."),
    counter("countersign_operations_redeemed_total", &["operation"], "Those that were redeemed."),
    counter(
        "countersign_operations_refused_total",
        &["operation", "reason"],
        "Redemptions that were refused, by the code of the refusal.",
    ),
    counter(
        "countersign_payload_mismatches_total",
        &["operation"],
        "Redemptions with another payload than the user agreed to: an attack, or a fault of the back end.",
    ),
    counter(
        "countersign_forward_auth_total",
        &["result"],
        "Answers to proxies: `passed` (not guarded), `redeemed`, or the code of the refusal.",
    ),
    gauge(
        "countersign_audit_chain_lag_seconds",
        &[],
        "Age of the oldest audit event without a place in the chain, in seconds: one or two; more, and the chain does not keep up.",
    ),
    counter("countersign_audit_chain_errors_total", &[], "Rounds of the chain that failed; the log says why."),
    counter("countersign_swept_total", &["table"], "Rows deleted because their time was over (docs/sweeping.md)."),
];

/// One recorder a process: several servers in one process (tests) share it.
pub(super) fn recorder() -> PrometheusHandle {
    static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();
    RECORDER
        .get_or_init(|| {
            let recorder = PrometheusBuilder::new().build_recorder();
            let handle = recorder.handle();
            let _ = metrics::set_global_recorder(recorder);
            ALL.iter().for_each(describe);
            handle
        })
        .clone()
}

fn describe(metric: &Metric) {
    match metric.kind {
        Kind::Counter => metrics::describe_counter!(metric.name, metric.meaning),
        Kind::Gauge => metrics::describe_gauge!(metric.name, metric.meaning),
        Kind::Summary => metrics::describe_histogram!(metric.name, metric.meaning),
    }
}
