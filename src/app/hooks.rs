//! Which webhooks are enabled. Kept by the mark that every change of them leaves, so that events nobody asked for cost nothing more.

use std::sync::{Arc, PoisonError, RwLock};

use crate::{
    domain::{hook::HookEvent, id::HookId},
    error::Result,
    storage::{Session, hooks},
};

/// The list, as this process read it last.
#[derive(Default)]
pub struct Hooks(RwLock<Arc<Enabled>>);

/// Enabled hooks, and the mark under which they were read.
#[derive(Default)]
struct Enabled {
    mark: String,
    hooks: Vec<(HookId, Vec<HookEvent>)>,
}

impl Hooks {
    /// Hooks that asked for `event`, when `mark` is the one of this moment: kept ones when it is known, else read again.
    ///
    /// The mark is read before the hooks are: the list is as new as the mark, or newer.
    pub async fn asking_for(&self, session: &mut Session, mark: &str, event: HookEvent) -> Result<Vec<HookId>> {
        if mark.is_empty() {
            // There never were any.
            return Ok(Vec::new());
        }
        let mut enabled = Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner));
        if enabled.mark != mark {
            enabled = Arc::new(Enabled { mark: mark.to_owned(), hooks: read(session).await? });
            *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&enabled);
        }
        let asking = enabled.hooks.iter().filter(|(_, events)| events.contains(&event));
        Ok(asking.map(|(id, _)| id.clone()).collect())
    }
}

async fn read(session: &mut Session) -> Result<Vec<(HookId, Vec<HookEvent>)>> {
    let rows = hooks::enabled(session).await?.into_iter();
    Ok(rows.map(|(id, events)| (id, HookEvent::list(&events))).collect())
}
