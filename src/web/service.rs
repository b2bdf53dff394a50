//! Registering handlers with the server, and telling of each what it documents to whoever wants to know.
//!
//! `utoipa-actix-web` has a `ServiceConfig` of its own that always puts the whole OpenAPI document together: some ten megabytes for
//! each worker that starts, thrown away at once. Here the workers only register; the list of paths and the document are made from the
//! same functions when they are asked for.

use actix_web::{
    Route, Scope,
    dev::HttpServiceFactory,
    web::{self, ServiceConfig as Actix},
};
use utoipa::openapi::HttpMethod;
use utoipa_actix_web::OpenApiFactory;

/// A handler that says what it answers to.
pub trait Documented: OpenApiFactory {
    /// The path, below that of its scope.
    fn documented_path(&self) -> String;
    /// Its methods.
    fn documented_methods(&self) -> Vec<HttpMethod>;
}

impl<T: OpenApiFactory + utoipa::Path> Documented for T {
    fn documented_path(&self) -> String {
        <T as utoipa::Path>::path()
    }
    fn documented_methods(&self) -> Vec<HttpMethod> {
        <T as utoipa::Path>::methods()
    }
}

/// Told of each documented handler: the path of its scope, and the handler.
pub type Note<'a> = &'a mut dyn FnMut(&str, &dyn Documented);

/// Where routes are registered.
pub struct ServiceConfig<'a> {
    actix: &'a mut Actix,
    scope: &'static str,
    note: Note<'a>,
}

impl<'a> ServiceConfig<'a> {
    /// Registers with `actix`, and tells `note`.
    pub fn new(actix: &'a mut Actix, note: Note<'a>) -> Self {
        Self { actix, scope: "", note }
    }

    /// A documented handler.
    pub fn service<H: HttpServiceFactory + Documented + 'static>(&mut self, handler: H) -> &mut Self {
        (self.note)(self.scope, &handler);
        self.actix.service(handler);
        self
    }

    /// What is in no document.
    pub fn route(&mut self, path: &str, route: Route) -> &mut Self {
        self.actix.route(path, route);
        self
    }

    /// More of them.
    pub fn configure(&mut self, routes: impl FnOnce(&mut ServiceConfig<'_>)) -> &mut Self {
        routes(self);
        self
    }

    /// Routes below a path; `guard` wraps them.
    pub fn scope<S: HttpServiceFactory + 'static>(
        &mut self,
        path: &'static str,
        guard: impl FnOnce(Scope) -> S,
        routes: impl FnOnce(&mut ServiceConfig<'_>),
    ) -> &mut Self {
        let note = &mut *self.note;
        let scope = web::scope(path).configure(|actix| routes(&mut ServiceConfig { actix, scope: path, note }));
        self.actix.service(guard(scope));
        self
    }
}
