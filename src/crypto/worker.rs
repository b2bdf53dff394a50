//! What one hashing thread does with one password.

use std::sync::Arc;

use anyhow::Context as _;
use argon2::{Algorithm, Argon2, Block, KeyId, Params, ParamsBuilder, PasswordHash, Version};
use aws_lc_rs::digest as sha;
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;

use super::{
    hasher::Verdict,
    stored::{ArgonDigest, Digest},
};
use crate::config::HashingConfig;
use crate::domain::{id::Random, password::StoredPassword};

const SALT_BYTES: usize = 16;
const TAG_BYTES: usize = 32;

/// A server-side secret that goes into every digest; the id in the digest tells which.
struct Pepper {
    id: [u8; KeyId::MAX_LEN],
    secret: SecretString,
}

/// How digests are made now: shared by all threads.
pub(super) struct Recipe {
    params: Params,
    peppers: Vec<Pepper>,
    random: Arc<dyn Random>,
}

impl Recipe {
    /// Checks the settings and works out what follows from them.
    pub(super) fn new(settings: &HashingConfig, random: Arc<dyn Random>) -> anyhow::Result<Self> {
        let peppers = settings.peppers.iter().map(Pepper::new).collect::<anyhow::Result<Vec<_>>>()?;
        let mut builder = ParamsBuilder::new();
        builder.m_cost(settings.memory_kib).t_cost(settings.passes).p_cost(settings.lanes).output_len(TAG_BYTES);
        if let Some(pepper) = peppers.first() {
            builder.keyid(KeyId::new(&pepper.id)?);
        }
        let params = builder.build().context("the settings of password hashing")?;
        Ok(Self { params, peppers, random })
    }

    /// Whether a digest is what would be made today.
    fn made(&self, digest: &Digest) -> bool {
        matches!(digest, Digest::Argon2(ArgonDigest { algorithm: Algorithm::Argon2id, version: Version::V0x13, params, salt, .. })
            if *params == self.params && salt.len() == SALT_BYTES)
    }

    /// The secret a digest was made with, empty when there was none; `None` when it is not known any more.
    fn secret(&self, id: &[u8]) -> Option<&[u8]> {
        if id.is_empty() {
            return Some(&[]);
        }
        let pepper = self.peppers.iter().find(|pepper| pepper.id == id)?;
        Some(pepper.secret.expose_secret().as_bytes())
    }
}

impl Pepper {
    /// The shortest pepper: fewer bytes could be found from one digest of a known password.
    const MIN_BYTES: usize = 16;

    fn new(secret: &SecretString) -> anyhow::Result<Self> {
        let bytes = secret.expose_secret().as_bytes();
        anyhow::ensure!(bytes.len() >= Self::MIN_BYTES, "a pepper has at least {} bytes", Self::MIN_BYTES);
        let digest = sha::digest(&sha::SHA256, &[b"countersign pepper id\0", bytes].concat());
        let mut id = [0; KeyId::MAX_LEN];
        id.iter_mut().zip(digest.as_ref()).for_each(|(to, from)| *to = *from);
        Ok(Self { id, secret: secret.clone() })
    }
}

/// One thread's tools: the recipe and a block of memory that is kept, because fresh pages cost a third of a hash.
pub(super) struct Worker {
    recipe: Arc<Recipe>,
    memory: Vec<Block>,
}

impl Worker {
    pub(super) fn new(recipe: Arc<Recipe>) -> Self {
        let memory = vec![Block::new(); recipe.params.block_count()];
        Self { recipe, memory }
    }

    /// A new digest in the PHC string format.
    pub(super) fn hash(&mut self, password: &str) -> anyhow::Result<String> {
        let mut salt = [0; SALT_BYTES];
        self.recipe.random.fill(&mut salt);
        let tag = self.current(password, &salt)?;
        let made = PasswordHash {
            algorithm: Algorithm::Argon2id.ident(),
            version: Some(Version::V0x13.into()),
            params: (&self.recipe.params).try_into().context("the parameters of a digest")?,
            salt: Some(argon2::password_hash::phc::Salt::new(&salt).context("the salt of a digest")?),
            hash: Some(argon2::password_hash::phc::Output::new(&tag).context("the tag of a digest")?),
        };
        Ok(made.to_string())
    }

    /// Whether the password is the stored one. Whatever is stored, at least one hash of the current cost is worked out,
    /// so that the time tells neither whether there is a password nor whether it was imported with a quicker algorithm.
    pub(super) fn verify(&mut self, password: &str, stored: Option<&StoredPassword>) -> anyhow::Result<Verdict> {
        let digest = stored.map(Digest::of).transpose().unwrap_or_else(|reason| {
            tracing::warn!(reason, "a stored password digest cannot be read; it matches nothing");
            None
        });
        let matches =
            digest.as_ref().is_some_and(|digest| digest.matches(password, |digest| self.argon2(password, digest)));
        if digest.as_ref().is_some_and(|digest| self.recipe.made(digest)) {
            return Ok(Verdict { matches, rehash: None });
        }
        let rehash = self.hash(password)?;
        Ok(Verdict { matches, rehash: matches.then_some(rehash) })
    }

    fn current(&mut self, password: &str, salt: &[u8]) -> anyhow::Result<[u8; TAG_BYTES]> {
        let recipe = &self.recipe;
        let secret = recipe.secret(recipe.params.keyid()).context("the current pepper")?;
        let argon2 = Argon2::new_with_secret(secret, Algorithm::Argon2id, Version::V0x13, recipe.params.clone())?;
        let mut tag = [0; TAG_BYTES];
        argon2.hash_password_into_with_memory(password.as_bytes(), salt, &mut tag, &mut self.memory)?;
        Ok(tag)
    }

    fn argon2(&mut self, password: &str, digest: &ArgonDigest) -> bool {
        let Some(secret) = self.recipe.secret(digest.params.keyid()) else {
            tracing::warn!("a stored password digest needs a pepper that is not configured; it matches nothing");
            return false;
        };
        let Ok(argon2) = Argon2::new_with_secret(secret, digest.algorithm, digest.version, digest.params.clone())
        else {
            return false;
        };
        let mut tag = vec![0; digest.expected.len()];
        let blocks = digest.params.block_count();
        let outcome = if blocks <= self.memory.len() {
            argon2.hash_password_into_with_memory(password.as_bytes(), &digest.salt, &mut tag, &mut self.memory)
        } else {
            argon2.hash_password_into(password.as_bytes(), &digest.salt, &mut tag)
        };
        outcome.is_ok() && bool::from(tag.ct_eq(&digest.expected))
    }
}
