//! `/account`: the account page. What it shows it asks of the API, as any front end would.

use actix_web::{HttpRequest, HttpResponse, web::Data};

use crate::{
    app::App,
    domain::message::Locale,
    pages,
    signin::hosted::forms::{self, Fields},
};

/// `GET /account`
pub async fn show(app: Data<App>, request: HttpRequest) -> HttpResponse {
    let chosen = Locale::parse(Fields::of_query(&request).get("language"));
    pages::account::answer(&app, forms::locale(&request, chosen, None), forms::accepted(&request))
}
