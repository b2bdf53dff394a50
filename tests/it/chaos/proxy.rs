//! A way to a server that can be made bad.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
};

/// What becomes of what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// It arrives.
    Open,
    /// It arrives late.
    Slow(Duration),
    /// It is taken, and never arrives; new connections are taken, too.
    Silent,
    /// Every connection is cut, and no new one lasts.
    Cut,
}

pub struct Proxy {
    pub port: u16,
    server: Arc<AtomicU16>,
    way: Arc<watch::Sender<Way>>,
}

impl Proxy {
    pub async fn to(port: u16) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let own = listener.local_addr().unwrap().port();
        let way = Arc::new(watch::channel(Way::Open).0);
        let server = Arc::new(AtomicU16::new(port));
        let (told, aimed) = (way.clone(), server.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(carry(client, aimed.load(Ordering::SeqCst), told.subscribe()));
            }
        });
        Self { port: own, server, way }
    }

    /// Where new connections go from now on.
    pub fn aim(&self, port: u16) {
        self.server.store(port, Ordering::SeqCst);
    }

    pub fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn carry(client: TcpStream, port: u16, way: watch::Receiver<Way>) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    let is_lost = AtomicBool::new(*way.borrow() == Way::Silent);
    let there = pump(from_client, to_server, &way, &is_lost);
    let back = pump(from_server, to_client, &way, &is_lost);
    let mut silence = way.clone();
    let listen = async {
        let _ = silence.wait_for(|way| *way == Way::Silent).await;
        is_lost.store(true, Ordering::SeqCst);
        std::future::pending::<()>().await;
    };
    let mut end = way.clone();
    tokio::select! {
        () = there => {}
        () = back => {}
        () = listen => {}
        _ = end.wait_for(|way| *way == Way::Cut) => {}
    }
}

/// Once the way was silent, nothing of this connection arrives any more, its end included.
async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    way: &watch::Receiver<Way>,
    is_lost: &AtomicBool,
) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = from.read(&mut buffer).await {
        let now = *way.borrow();
        if let Way::Slow(delay) = now {
            tokio::time::sleep(delay).await;
        }
        let is_lost = is_lost.load(Ordering::SeqCst) || now == Way::Silent;
        if !is_lost && to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
    if is_lost.load(Ordering::SeqCst) {
        std::future::pending::<()>().await;
    }
}
