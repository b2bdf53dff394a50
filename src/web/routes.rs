//! Which paths there are and which methods each takes: as the handlers document it, so that the two cannot differ.

use std::{collections::HashMap, sync::Arc};

use actix_web::{dev::ResourceDef, http::Method};
use utoipa::openapi::HttpMethod;

use super::service::Documented;

/// A path or a pattern of paths.
#[derive(Debug)]
pub struct Route {
    /// As it is documented.
    pub pattern: Arc<str>,
    /// What it takes.
    pub methods: Vec<Method>,
}

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    exact: HashMap<String, Arc<Route>>,
    patterns: Vec<(ResourceDef, Arc<Route>)>,
}

impl Routes {
    /// Of the handlers that were noted, and of paths that no document has.
    #[must_use]
    pub fn new(noted: &Noted, more: &[(&str, &[Method])]) -> Self {
        let mut routes = Self::default();
        for (path, methods) in &noted.0 {
            let known = [
                (HttpMethod::Get, Method::GET),
                (HttpMethod::Put, Method::PUT),
                (HttpMethod::Post, Method::POST),
                (HttpMethod::Delete, Method::DELETE),
                (HttpMethod::Patch, Method::PATCH),
            ];
            let taken = known.into_iter().filter(|(method, _)| methods.contains(method));
            routes.add(path, taken.map(|(_, method)| method).collect());
        }
        for (path, methods) in more {
            routes.add(path, methods.to_vec());
        }
        routes
    }

    fn add(&mut self, path: &str, methods: Vec<Method>) {
        let route = Arc::new(Route { pattern: path.into(), methods });
        if path.contains('{') {
            self.patterns.push((ResourceDef::new(path), route));
        } else {
            self.exact.insert(path.to_owned(), route);
        }
    }

    /// The route of a path; `None` when there is no such path.
    #[must_use]
    pub fn find(&self, path: &str) -> Option<&Arc<Route>> {
        let by_pattern = || self.patterns.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, route)| route);
        self.exact.get(path).or_else(by_pattern)
    }
}

/// Documented paths and their methods, in the order in which handlers are registered.
#[derive(Default)]
pub struct Noted(Vec<(String, Vec<HttpMethod>)>);

impl Noted {
    /// Takes note of a handler below the path of its scope.
    pub fn take(&mut self, scope: &str, handler: &dyn Documented) {
        let path = format!("{scope}{}", handler.documented_path());
        match self.0.iter_mut().find(|(known, _)| *known == path) {
            Some((_, methods)) => methods.extend(handler.documented_methods()),
            None => self.0.push((path, handler.documented_methods())),
        }
    }
}

/// The `Allow` header: HEAD goes wherever GET does.
#[must_use]
pub fn allow(methods: &[Method]) -> String {
    let mut names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if names.contains(&"GET") {
        names.push("HEAD");
    }
    names.push("OPTIONS");
    names.join(", ")
}
