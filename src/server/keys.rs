//! The keys that sign tokens, as they come out of the database.

use std::sync::Arc;

use crate::{
    clock::Clock,
    crypto::{
        sealer::Sealer,
        signing::{KeyRing, SigningAlgorithm, SigningKey},
    },
    error::Result,
    storage::{self, Db, keys::StoredKey},
};

/// Reads the signing keys; on the very first start makes one, under the lock of the settings row, so that nodes agree.
pub async fn load(db: &Db, sealer: &Sealer, clock: &dyn Clock) -> Result<Arc<KeyRing>> {
    let mut stored = storage::keys::list(&mut db.read().await?).await?;
    if !stored.iter().any(|key| key.retired_at.is_none()) {
        let mut session = db.write().await?;
        storage::settings::add_default(&mut session).await?;
        storage::settings::lock(&mut session).await?;
        let fresh = SigningKey::generate(SigningAlgorithm::Es256, clock.now())?;
        let row = StoredKey {
            kid: fresh.kid().to_owned(),
            algorithm: fresh.algorithm().name().to_owned(),
            private_key: sealer.seal("signing_keys", fresh.kid(), "private_key", &fresh.to_pkcs8()?)?,
            created_at: fresh.created_at(),
            retired_at: None,
        };
        storage::keys::add_first(&mut session, &row).await?;
        stored = storage::keys::list(&mut session).await?;
        session.commit().await?;
    }
    let (mut active, mut others) = (Vec::new(), Vec::new());
    for row in &stored {
        let key = open(row, sealer)?;
        if row.retired_at.is_none() { active.push(key) } else { others.push(key) }
    }
    Ok(Arc::new(KeyRing::new(active, &others)?))
}

/// A stored key, unsealed.
pub fn open(row: &StoredKey, sealer: &Sealer) -> Result<SigningKey> {
    let algorithm = SigningAlgorithm::parse(&row.algorithm)
        .ok_or_else(|| anyhow::anyhow!("signing_keys: row {} has the unknown algorithm {}", row.kid, row.algorithm))?;
    let pkcs8 = sealer.open("signing_keys", &row.kid, "private_key", &row.private_key)?;
    SigningKey::from_pkcs8(algorithm, row.created_at, &pkcs8)
}

/// A key that lives as long as this process, for work that signs nothing; the settings row is made where it is missing.
pub async fn throw_away(db: &Db, clock: &dyn Clock) -> Result<Arc<KeyRing>> {
    let mut session = db.write().await?;
    storage::settings::add_default(&mut session).await?;
    session.commit().await?;
    Ok(Arc::new(KeyRing::new(vec![SigningKey::generate(SigningAlgorithm::Es256, clock.now())?], &[])?))
}
