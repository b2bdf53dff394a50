//! HTTP servers for a test: each on a port and a thread of its own.

use std::{sync::Arc, time::Duration};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub method: String,
    pub path: String,
    /// Path and query, byte for byte.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What to answer, and after how long.
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
    pub after: Duration,
}

impl Answer {
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), after: Duration::ZERO }
    }
}

type Judge = dyn Fn(&Request) -> Answer + Send + Sync;

/// Starts a server that answers as `judge` says; its base URL.
pub fn start(judge: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> String {
    let judge: Arc<Judge> = Arc::new(judge);
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        actix_web::rt::System::new().block_on(async {
            let app = move || App::new().app_data(web::Data::from(judge.clone())).default_service(web::to(answer));
            HttpServer::new(app).workers(1).disable_signals().listen(listener).unwrap().run().await
        })
    });
    base
}

async fn answer(judge: web::Data<Judge>, request: HttpRequest, body: web::Bytes) -> HttpResponse {
    let headers = request.headers().iter();
    let request = Request {
        method: request.method().to_string(),
        path: request.path().to_owned(),
        target: request.uri().to_string(),
        headers: headers.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect(),
        body: body.to_vec(),
    };
    let answer = judge(&request);
    actix_web::rt::time::sleep(answer.after).await;
    let mut response = HttpResponse::build(answer.status.try_into().unwrap());
    for header in answer.headers {
        response.append_header(header);
    }
    response.body(answer.body)
}
