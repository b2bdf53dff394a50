//! What stands in a URL: ids in paths, pages of lists.

use std::future::{Ready, ready};

use actix_web::{
    FromRequest, HttpRequest, HttpResponse,
    dev::Payload,
    http::header::{self, HeaderName, HeaderValue},
    web::Data,
};
use serde::Serialize;
use url::form_urlencoded;

use super::explain;
use crate::{
    app::App,
    domain::refusal::Code,
    error::{Error, Result},
};

/// The one id in a path. What cannot be an id of ours is `404 entity.not_found` without asking the database.
pub struct PathId(pub String);

impl FromRequest for PathId {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let text = request.match_info().iter().next().map_or("", |(_, value)| value);
        let is_id = !text.is_empty() && text.len() <= 64 && text.bytes().all(is_id_letter);
        ready(if is_id { Ok(Self(text.to_owned())) } else { Err(Code::EntityNotFound.into()) })
    }
}

fn is_id_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'
}

/// A parameter of the query, the first of its name; `guard.invalid_input` when it could not be stored anywhere.
pub fn parameter(request: &HttpRequest, name: &str, most: usize) -> Result<Option<String>> {
    let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
    let Some((_, value)) = pairs.find(|(key, _)| key == name) else { return Ok(None) };
    if value.contains('\0') || value.chars().count() > most {
        return Err(explain::one("query", name, "The value is not acceptable.").into());
    }
    Ok(Some(value.into_owned()))
}

/// The highest page: far beyond any list, and small enough to count with.
const LAST_PAGE: u32 = 1_000_000_000;

/// Which page of a list (contract 3.9): `page` from 1, `page_size` of 1 to 100, 20 unless said.
#[derive(Clone, Copy, Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
pub struct Page {
    /// Which page; the first is 1.
    #[param(required = false, minimum = 1, maximum = 1_000_000_000, default = 1)]
    page: u32,
    /// How many on a page.
    #[param(required = false, minimum = 1, maximum = 100, default = 20)]
    page_size: u32,
}

impl FromRequest for Page {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let number = |name: &str, most: u32, otherwise: u32| -> Result<u32> {
            let mut pairs = form_urlencoded::parse(request.query_string().as_bytes());
            let Some((_, value)) = pairs.find(|(key, _)| key == name) else { return Ok(otherwise) };
            let value = value.parse().ok().filter(|number| (1..=most).contains(number));
            Ok(value.ok_or(Code::InvalidPagination)?)
        };
        let page = number("page", LAST_PAGE, 1);
        ready(page.and_then(|page| Ok(Self { page, page_size: number("page_size", 100, 20)? })))
    }
}

impl Page {
    /// The most rows to read.
    #[must_use]
    pub fn limit(self) -> i64 {
        i64::from(self.page_size)
    }

    /// The rows to pass over.
    #[must_use]
    pub fn offset(self) -> i64 {
        i64::from(self.page - 1) * self.limit()
    }

    /// The page as an answer, with `Total-Number` and `Link` (RFC 8288).
    pub fn answer(self, app: &Data<App>, request: &HttpRequest, total: i64, items: &impl Serialize) -> HttpResponse {
        let last = u32::try_from((total - 1) / self.limit() + 1).unwrap_or(LAST_PAGE).max(1);
        let mut links = vec![(1, "first"), (last, "last")];
        if self.page > 1 {
            links.push(((self.page - 1).min(last), "prev"));
        }
        if self.page < last {
            links.push((self.page + 1, "next"));
        }
        let links: Vec<String> = links
            .into_iter()
            .map(|(page, relation)| {
                let query = self.query(request, page);
                format!("<{}{}?{query}>; rel=\"{relation}\"", app.urls.root, request.path())
            })
            .collect();
        let mut response = HttpResponse::Ok();
        response.insert_header((HeaderName::from_static("total-number"), total.to_string()));
        if let Ok(value) = HeaderValue::from_str(&links.join(", ")) {
            response.insert_header((header::LINK, value));
        }
        response.json(items)
    }

    /// The request's query with another page.
    fn query(self, request: &HttpRequest, page: u32) -> String {
        let pairs = form_urlencoded::parse(request.query_string().as_bytes());
        let others = pairs.filter(|(name, _)| name != "page" && name != "page_size");
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(others)
            .append_pair("page", &page.to_string())
            .append_pair("page_size", &self.page_size.to_string())
            .finish()
    }
}
