//! Work on the database without serving.

use crate::{
    app::App,
    channels::Channels,
    config::Config,
    error::Error,
    server::{Options, build_app},
    storage,
};

/// The app without signing keys and channels, the database brought up to date: usable before the first start.
pub async fn app(config: Config) -> anyhow::Result<Box<App>> {
    app_with(config, Options::default()).await
}

/// The same with other master keys.
pub async fn app_with(mut config: Config, options: Options) -> anyhow::Result<Box<App>> {
    // Nobody waits for an answer here, and some work goes in large batches.
    config.database.timeout_ms = config.database.timeout_ms.max(60_000);
    let address = config.server.bind;
    let key_file = config.keys.master_key_file.as_ref();
    let has_master_key = options.master_key.is_some() || key_file.is_some_and(|file| file.exists());
    // On the heap: it is large, and every command would carry it about.
    let app = Box::new(Box::pin(build_app(config, address, &mut Options { is_offline: true, ..options })).await?);
    if !has_master_key {
        let hooks = storage::hooks::count(&mut app.db.read().await?).await?;
        anyhow::ensure!(
            hooks == 0,
            "keys.master_key_file: webhooks are to be told of changes, and what waits for them is sealed under the master key; \
             write where the key is, such as master_key_file = \"countersign.key\" in [keys]"
        );
    }
    Ok(app)
}

/// The same with the signing keys, for work that signs; sends nothing.
pub async fn app_with_keys(config: Config) -> anyhow::Result<Box<App>> {
    let address = config.server.bind;
    let mailbox = Some(Channels::to_mailbox(1));
    Ok(Box::new(Box::pin(build_app(config, address, &mut Options { mailbox, ..Options::default() })).await?))
}

/// A refusal in words, with its code and what it lists.
pub fn told(error: Error) -> anyhow::Error {
    match error {
        Error::Refused(refusal) => {
            let data = refusal.data.as_ref().map(|data| format!(" {data}")).unwrap_or_default();
            anyhow::anyhow!("{} ({}{data})", refusal.code.sentence(), refusal.code.code())
        }
        Error::Failed(error) => error,
    }
}
