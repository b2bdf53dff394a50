//! Starting and stopping.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::Arc,
    time::{Duration, Instant},
};

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, map_config};
use actix_web::{
    App as ActixApp,
    dev::{AppConfig, Server, ServerHandle, fn_service},
    middleware::from_fn,
    web::{self, Data},
};
use anyhow::Context;
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::{
    net::{TcpSocket, TcpStream},
    sync::watch,
    task::JoinHandle,
};

use super::{documents, metrics::recorder, patient::Patient, routes};
use crate::{
    app::{App, Parts, Urls, keys},
    channels::{Channels, mailbox::Mailbox, webhook::Webhooks},
    clock::{Clock, WatchedClock},
    config::Config,
    crypto::{
        digest::{CodeKey, DerivedCodes, Successors},
        dpop::Nonces,
        hasher::Hasher,
        issuers::TrustedIssuers,
        master_key::MasterKey,
        random::SystemRandom,
        sealer::Sealer,
        signing::SigningKey,
    },
    domain::{id::Random, time::Timestamp},
    jobs,
    management::applications::built_in,
    operations,
    storage::{self, Db, PoolLimits},
    texts::Templates,
    web::{edge::edge, floods::Floods, pace::Pace, routes::Routes, service::ServiceConfig},
};

/// What may be put in place of the real things.
#[derive(Default)]
pub struct Options {
    /// Instead of the system's clock.
    pub clock: Option<Arc<dyn Clock>>,
    /// Instead of the system's randomness.
    pub random: Option<Arc<dyn Random>>,
    /// Instead of the configured master key file.
    pub master_key: Option<MasterKey>,
    /// Instead of the configured files of further master keys, together with `master_key`.
    pub older_master_keys: Vec<MasterKey>,
    /// Signing keys for a database that has none of their algorithms, instead of fresh ones: making one for RS256 takes a while.
    pub first_keys: Vec<SigningKey>,
    /// Instead of the configured channels: messages are kept here, and shown at `/mailbox`.
    pub mailbox: Option<(Channels, Arc<Mailbox>)>,
    /// Start although the database has events that are later than the clock.
    pub trusts_clock: bool,
    /// For commands that only work on the database: neither the master key nor signing keys need to be there yet, and no
    /// message is sent.
    pub is_offline: bool,
}

/// A running service.
pub struct Running {
    /// What it holds.
    pub app: Data<App>,
    /// Where it listens.
    pub address: SocketAddr,
    handle: ServerHandle,
    server: JoinHandle<std::io::Result<()>>,
    stop_jobs: watch::Sender<bool>,
    jobs: JoinHandle<()>,
    tidying: JoinHandle<()>,
}

impl Running {
    /// `http://` and the address.
    #[must_use]
    pub fn url(&self) -> String {
        // "Any address" is one to listen on, not one to go to.
        let ip = match self.address.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
            IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
            ip => ip,
        };
        format!("http://{}", SocketAddr::new(ip, self.address.port()))
    }

    /// Stops accepting, lets running requests finish (within `server.shutdown_seconds`), finishes the messages at hand, closes the
    /// database.
    pub async fn stop(self) {
        let deadline = Instant::now() + Duration::from_secs(self.app.config.server.shutdown_seconds);
        self.handle.stop(true).await;
        let _ = self.server.await;
        self.tidying.abort();
        let _ = self.stop_jobs.send(true);
        // What is not sent by then waits in the outbox for the next start.
        let rest = deadline.saturating_duration_since(Instant::now()).max(Duration::from_secs(1));
        let _ = tokio::time::timeout(rest, self.jobs).await;
        let _ = tokio::time::timeout(Duration::from_secs(1), self.app.db.close()).await;
    }

    /// Returns when the server has ended by itself, which it does only when something is badly wrong.
    pub async fn ended(&mut self) -> std::io::Result<()> {
        (&mut self.server).await.unwrap_or_else(|error| Err(std::io::Error::other(error)))
    }
}

/// Opens the database, brings it up to date, reads or makes the keys, and puts the app together.
pub async fn build_app(config: Config, address: SocketAddr, options: &mut Options) -> anyhow::Result<App> {
    // Somebody else may have been quicker; one provider is as good as the other.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let clock: Arc<dyn Clock> = options.clock.take().unwrap_or_else(|| Arc::new(WatchedClock::start()));
    let random: Arc<dyn Random> = options.random.take().unwrap_or_else(|| Arc::new(SystemRandom));
    let (master, older) = master_keys(&config, options)?;
    let sealer = Sealer::new(&master, &older)?;
    let codes = CodeKey::new(&master, &older)?;
    let sign_in_codes = DerivedCodes::new(&master, &older)?;
    let successors = Successors::new(&master, &older)?;
    let dpop_nonces = Nonces::new(&master, &older)?;
    let limits = PoolLimits::of(&config.database, config.database.connections);
    let db = Db::connect(&config.database.url, limits).await?;
    db.migrate().await?;
    if options.trusts_clock {
        let mut session = db.write().await?;
        storage::chores::catch_up(&mut session, clock.now()).await?;
        session.commit().await?;
    } else if !options.is_offline {
        require_progress(&db, &*clock).await?;
    }
    let keys = if options.is_offline {
        keys::throw_away(&db, Arc::clone(&clock)).await?
    } else {
        keys::load(&db, &sealer, Arc::clone(&clock), std::mem::take(&mut options.first_keys)).await?
    };
    let settings = storage::settings::find(&mut db.read().await?).await?;
    let templates =
        Templates::load(&config.messages, config.sms.otp_host.as_deref()).map_err(|problems| listed(&problems))?;
    let channels = match &options.mailbox {
        Some((channels, _)) => channels.clone(),
        None if options.is_offline => Channels::default(),
        None => Channels::from_config(&config.email, &config.sms).map_err(|problems| listed(&problems))?,
    };
    let webhooks =
        Webhooks::new(&config.webhooks.allowed_networks).map_err(|problem| listed(std::slice::from_ref(&problem)))?;
    let forward_routes = config.forward_auth.table().map_err(|problems| listed(&problems))?;
    let public_url = config.server.public_url.clone().unwrap_or_else(|| format!("http://{address}"));
    let urls = Urls::new(&public_url);
    anyhow::ensure!(
        !config.trusted_issuers.iter().any(|entry| urls.issuers.contains(&entry.issuer)),
        "trusted_issuers.issuer: {public_url} is this service itself; leave it out"
    );
    let policies = operations::policies(&config).map_err(|problems| listed(&problems))?;
    let parts = Parts {
        urls,
        policies,
        hasher: Hasher::start(&config.hashing, Arc::clone(&random))?,
        issuers: TrustedIssuers::new(&config.trusted_issuers)?,
        keys,
        db,
        clock,
        random,
        sealer,
        codes,
        sign_in_codes,
        successors,
        dpop_nonces,
        channels,
        webhooks,
        templates,
        forward_routes,
        config,
    };
    Ok(App::new(parts, settings))
}

/// Refuses a clock that shows a time the database has seen pass: what has expired since would be good again.
async fn require_progress(db: &Db, clock: &dyn Clock) -> anyhow::Result<()> {
    let newest = storage::audit::newest(&mut db.read().await?).await?;
    let (newest, now) = (newest.unwrap_or(Timestamp(0)), clock.now());
    anyhow::ensure!(
        newest.since(now) <= Duration::from_secs(60),
        "the clock shows {}, but the audit log has an event of {}: set the clock right; or, if it was that event whose time was \
         wrong, start with `serve --trust-clock`, and know that what expired in between is good again",
        now.to_iso(),
        newest.to_iso()
    );
    Ok(())
}

/// The master key that seals, and those that only open.
fn master_keys(config: &Config, options: &mut Options) -> anyhow::Result<(MasterKey, Vec<MasterKey>)> {
    if let Some(key) = options.master_key.take() {
        return Ok((key, std::mem::take(&mut options.older_master_keys)));
    }
    let master = match &config.keys.master_key_file {
        file if options.is_offline && !file.as_ref().is_some_and(|file| file.exists()) => MasterKey::generate(),
        Some(file) => MasterKey::read_file(file)?,
        None => anyhow::bail!(
            "keys.master_key_file: there is no master key; write one with `countersign keys generate --master FILE` and set \
             [keys] master_key_file = \"FILE\""
        ),
    };
    let older = config.keys.older_master_key_files.iter().map(|file| MasterKey::read_file(file));
    Ok((master, older.collect::<Result<_, _>>()?))
}

fn listed(problems: &[String]) -> anyhow::Error {
    anyhow::anyhow!("the configuration cannot be used:\n  - {}", problems.join("\n  - "))
}

/// Listens and serves until [`Running::stop`].
pub async fn start(config: Config, mut options: Options) -> anyhow::Result<Running> {
    let bind = config.server.bind;
    let listener = listen(bind).with_context(|| {
        format!("server.bind: cannot listen on {bind}; is it taken? Set another address, or port 0 for a free one")
    })?;
    let address = listener.local_addr()?;
    let app = Data::new(build_app(config, address, &mut options).await?);
    built_in::ensure(&app).await.context("the application of the account page cannot be stored")?;
    let table = Data::new(Arc::new(Routes::new(&documents::noted(), routes::UNDOCUMENTED)));
    let metrics = Data::new(recorder());
    let mailbox = options.mailbox.map(|(_, mailbox)| Data::from(mailbox));
    let floods = Data::new(Floods::new(&app.config.limits));
    let (limits, server_config) = (app.config.limits.clone(), app.config.server.clone());
    let workers = server_config.workers.unwrap_or_else(|| std::thread::available_parallelism().map_or(2, usize::from));
    let state = app.clone();
    let counted = floods.clone();
    let (head, rest) = (Duration::from_secs(limits.head_seconds), Duration::from_secs(limits.keep_alive_seconds));
    let builder = Server::build();
    let stopping = builder.graceful_shutdown_signal();
    let listening = builder
        .workers(workers)
        .max_concurrent_connections(limits.connections.div_ceil(workers))
        .shutdown_timeout(server_config.shutdown_seconds)
        .disable_signals();
    // By hand what `HttpServer` does, for the sake of `Patient`.
    let measured = metrics.clone();
    let listening = listening.listen("countersign", listener, move || {
        let service = ActixApp::new()
            .app_data(state.clone())
            .app_data(table.clone())
            .app_data(counted.clone())
            .app_data(measured.clone())
            .configure(|actix| routes::all(&mut ServiceConfig::new(actix, &mut |_, _| {})));
        let mailbox = mailbox.clone();
        let service = service
            .configure(move |service| {
                if let Some(mailbox) = mailbox {
                    service.app_data(mailbox).route("/mailbox", web::get().to(crate::server::mailbox::show));
                }
            })
            .wrap(from_fn(edge));
        let service =
            map_config(service.into_factory().map_err(|error| error.error_response()), |()| AppConfig::default());
        let stopping = stopping.clone();
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stopping = stopping.clone();
                async move { stopping.notified().await }
            })
            .client_request_timeout(head)
            .keep_alive(rest)
            .local_addr(address)
            .on_connect_ext(|stream: &Patient<TcpStream>, data| {
                data.insert(stream.pace());
            })
            .h1(service);
        fn_service(move |stream: TcpStream| async move {
            let _ = stream.set_nodelay(true);
            let peer = stream.peer_addr().ok();
            Ok((Patient::new(stream, Pace::new(head, rest)), peer))
        })
        .and_then(http)
    })?;
    let server = listening.run();
    let handle = server.handle();
    let server = tokio::spawn(server);
    let (stop_jobs, stop) = watch::channel(false);
    let jobs = tokio::spawn(jobs::run(app.clone(), stop));
    let tidying = tokio::spawn(tidy(floods, metrics));
    Ok(Running { app, address, handle, server, stop_jobs, jobs, tidying })
}

/// With a longer queue for those who knock at once than the standard library's 128.
fn listen(bind: SocketAddr) -> std::io::Result<std::net::TcpListener> {
    let socket = if bind.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(bind)?;
    socket.listen(1024)?.into_std()
}

/// Forgets clients that have gone, each minute, and sums up what was measured: the recorder keeps every single time until then, or
/// until somebody reads the metrics, which nobody may.
async fn tidy(floods: Data<Floods>, metrics: Data<PrometheusHandle>) {
    loop {
        for _ in 0..12 {
            tokio::time::sleep(Duration::from_secs(5)).await;
            metrics.run_upkeep();
        }
        floods.tidy();
    }
}
