//! What the mail server took.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, mpsc::channel},
    time::Duration,
};

use crate::harness::MailServer;

/// The server, and what it told.
pub struct Mail {
    taken: Arc<Mutex<Taken>>,
    _server: MailServer,
}

#[derive(Default)]
struct Taken {
    /// The codes that went to each address.
    codes: BTreeMap<String, BTreeSet<String>>,
    ids: BTreeSet<String>,
    mails: usize,
}

impl Taken {
    fn add(&mut self, to: &str, data: &str) {
        let line = |name: &str| data.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
        let id = line("Message-ID: <").split('@').next().unwrap().to_owned();
        let first = line("Subject: ").split(' ').next().unwrap().to_owned();
        self.mails += 1;
        self.ids.insert(id);
        if first.len() == 6 && first.bytes().all(|byte| byte.is_ascii_digit()) {
            self.codes.entry(to.to_owned()).or_default().insert(first);
        }
    }
}

impl Mail {
    /// Reads along with the server.
    pub fn of(mut server: MailServer) -> Self {
        let taken = Arc::<Mutex<Taken>>::default();
        let (listening, events) = (taken.clone(), std::mem::replace(&mut server.events, channel().1));
        std::thread::spawn(move || {
            while let Ok(event) = events.recv() {
                if event["event"] == "message" {
                    let (to, data) = (&event["recipients"][0], &event["data"]);
                    listening.lock().unwrap().add(to.as_str().unwrap(), data.as_str().unwrap());
                }
            }
        });
        Self { taken, _server: server }
    }

    /// The code that went to an address.
    pub async fn code(&self, to: &str) -> String {
        for _ in 0..500 {
            if let Some(codes) = self.taken.lock().unwrap().codes.get(to) {
                return codes.first().unwrap().clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the mail server said that it took the code for {to}, but has none");
    }

    pub fn has_code_for(&self, to: &str) -> bool {
        self.taken.lock().unwrap().codes.contains_key(to)
    }

    pub fn has(&self, id: &str) -> bool {
        self.taken.lock().unwrap().ids.contains(id)
    }

    /// Addresses to which different codes went; every address is used for one record.
    pub fn with_two_codes(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.codes.iter().filter(|(_, codes)| codes.len() > 1).map(|(to, _)| to.clone()).collect()
    }

    /// How many came, and how many of them more than once.
    pub fn counts(&self) -> (usize, usize) {
        let taken = self.taken.lock().unwrap();
        (taken.mails, taken.mails - taken.ids.len())
    }
}
