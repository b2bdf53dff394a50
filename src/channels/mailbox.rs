//! The development mailbox: messages stay in memory, where their maker reads them. Never part of `serve`.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{Channel, SendError};
use crate::domain::message::Message;

/// Keeps the last messages.
pub struct Mailbox {
    capacity: usize,
    messages: Mutex<VecDeque<Message>>,
}

impl Mailbox {
    /// One that keeps `capacity` messages (at least one) and forgets the oldest beyond.
    #[must_use]
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), messages: Mutex::default() }
    }

    /// The messages, newest first.
    #[must_use]
    pub fn messages(&self) -> Vec<Message> {
        self.lock().iter().rev().cloned().collect()
    }

    /// The messages as JSON, newest first: `[{id, kind, to, type, locale, code, subject, text, html, createdAt}]`, where `code`
    /// is null in notices, `subject` and `html` in text messages.
    #[must_use]
    pub fn list(&self) -> Value {
        let shown = |message: &Message| {
            json!({
                "id": message.id,
                "kind": message.kind,
                "to": message.to,
                "type": message.template,
                "locale": message.payload.locale,
                "code": message.payload.code,
                "subject": message.rendered.subject,
                "text": message.rendered.text,
                "html": message.rendered.html,
                "createdAt": message.created_at.to_iso(),
            })
        };
        self.lock().iter().rev().map(shown).collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Message>> {
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Channel for Mailbox {
    async fn send(&self, message: &Message) -> Result<(), SendError> {
        let mut messages = self.lock();
        while messages.len() >= self.capacity {
            messages.pop_front();
        }
        messages.push_back(message.clone());
        Ok(())
    }

    async fn check(&self) -> Result<String, SendError> {
        Ok(format!("messages stay in this process: the last {} are kept", self.capacity))
    }
}
