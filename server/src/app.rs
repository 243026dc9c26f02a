//! What a running server has: its settings, its database, its secrets.

use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use rustls::ServerConfig;

use crate::auth::{PreloginSecret, SetupCode, Throttle};
use crate::bundles::Bundles;
use crate::config::{Config, ConfigError};
use crate::data::DirectoryLock;
use crate::metrics::Metrics;
use crate::store::{ClockOffset, Store};
use crate::tls::Tls;
use crate::watch::Watch;
use crate::{data, random};

pub(crate) use crate::config::Signup;

/// A server, ready to serve. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    store: Store,
    signup: Signup,
    proxied: bool,
    trusted_proxies: Vec<IpNet>,
    setup_code: SetupCode,
    prelogin_secret: PreloginSecret,
    throttle: Throttle,
    bundles: Bundles,
    watch: Watch,
    metrics: Metrics,
    tls: Option<Tls>,
    #[expect(dead_code, reason = "held for as long as the server runs")]
    lock: Option<DirectoryLock>,
}

impl App {
    /// Makes the data directory, opens the database, brings it up to date.
    ///
    /// `clock` is [`ClockOffset::default`], except in tests.
    pub async fn open(config: &Config, clock: ClockOffset) -> Result<Self, ConfigError> {
        config.check()?;
        let tls = config.tls.clone().map(Tls::load).transpose()?;
        // Also beside PostgreSQL: the setup code is in it.
        data::prepare(&config.data)?;
        let (store, lock) = open_store(config, clock).await?;
        let mut tx = store.begin().await?;
        let prelogin_secret = PreloginSecret::new(tx.prelogin_secret(&random::bytes()).await?);
        let has_org = tx.has_org().await?;
        tx.commit().await?;
        let wanted = config.signup == Signup::First && !has_org;
        let setup_code = setup_code(&config.data, wanted.then_some(&prelogin_secret))?;
        let metrics = Metrics::new(&store);
        Ok(Self(Arc::new(Inner {
            store,
            signup: config.signup,
            proxied: config.public_url.is_some() || !config.trusted_proxies.is_empty(),
            trusted_proxies: config.trusted_proxies.clone(),
            setup_code,
            prelogin_secret,
            throttle: Throttle::default(),
            bundles: Bundles::default(),
            watch: Watch::default(),
            metrics,
            tls,
            lock,
        })))
    }

    /// The database.
    pub fn store(&self) -> &Store {
        &self.0.store
    }

    /// The one-time code that the first sign-up asks for, if one is waiting.
    pub fn setup_code(&self) -> &SetupCode {
        &self.0.setup_code
    }

    /// Notes that an organisation exists: the setup code is not asked for from here on.
    pub(crate) fn setup_code_is_used(&self) {
        if let Err(error) = self.0.setup_code.use_up() {
            tracing::warn!(cause = %error.kind(), "the used setup code could not be removed from the data directory");
        }
    }

    /// Reads certificate and key anew, for connections from now on. If they cannot be used, the former ones stay in use.
    pub fn reload_tls(&self) {
        let Some(tls) = &self.0.tls else {
            tracing::info!("there is no certificate to read anew");
            return;
        };
        match tls.reload() {
            Ok(()) => tracing::info!("certificate and key were read anew"),
            Err(error) => {
                let error = error.to_string();
                tracing::error!(error, "certificate and key are not changed: the new ones cannot be used");
            }
        }
    }

    pub(crate) fn signup(&self) -> Signup {
        self.0.signup
    }

    /// Whether the operator says that a proxy is in front of the server.
    pub(crate) fn is_proxied(&self) -> bool {
        self.0.proxied
    }

    pub(crate) fn trusted_proxies(&self) -> &[IpNet] {
        &self.0.trusted_proxies
    }

    pub(crate) fn prelogin_secret(&self) -> &PreloginSecret {
        &self.0.prelogin_secret
    }

    pub(crate) fn throttle(&self) -> &Throttle {
        &self.0.throttle
    }

    pub(crate) fn bundles(&self) -> &Bundles {
        &self.0.bundles
    }

    pub(crate) fn watch(&self) -> &Watch {
        &self.0.watch
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// The TLS settings as of now: a reload changes them.
    pub(crate) fn tls(&self) -> Option<Arc<ServerConfig>> {
        self.0.tls.as_ref().map(Tls::current)
    }
}

/// Opens the configured database and brings its schema up to date.
///
/// With SQLite, the data directory is made, and belongs to this process alone while the lock is held; PostgreSQL may be shared,
/// and needs no directory.
pub async fn open_store(
    config: &Config,
    clock: ClockOffset,
) -> Result<(Store, Option<DirectoryLock>), ConfigError> {
    if let Some(url) = &config.database_url {
        return Ok((Store::open_postgres(url, clock).await?, None));
    }
    data::prepare(&config.data)?;
    let lock = data::lock(&config.data)?;
    let file = config.data.join(SQLITE_FILE);
    data::private_file(&file)?;
    Ok((Store::open_sqlite(&file, clock).await?, Some(lock)))
}

/// Opens the configured database to read it, whoever else uses it. Nothing is made that is not there.
pub async fn read_store(config: &Config) -> Result<Store, ConfigError> {
    if let Some(url) = &config.database_url {
        return Ok(Store::read_postgres(url).await?);
    }
    let file = config.data.join(SQLITE_FILE);
    if let Err(error) = file.metadata() {
        return Err(ConfigError::File { path: file, error });
    }
    Ok(Store::read_sqlite(&file).await?)
}

/// The database's name in the data directory.
const SQLITE_FILE: &str = "keyward.sqlite3";

fn setup_code(dir: &Path, of: Option<&PreloginSecret>) -> Result<SetupCode, ConfigError> {
    let file = dir.join("setup-code");
    let code = match of {
        Some(secret) => SetupCode::of(secret, &file),
        None => crate::auth::remove_setup_code(&file).map(|()| SetupCode::none()),
    };
    code.map_err(|error| ConfigError::File { path: file, error })
}
