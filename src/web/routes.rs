//! Which paths there are and which methods each takes: read from the OpenAPI document, so that the two cannot differ.

use std::{collections::HashMap, sync::Arc};

use actix_web::{dev::ResourceDef, http::Method};

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
    /// From a document and paths outside it.
    #[must_use]
    pub fn new(document: &utoipa::openapi::OpenApi, more: &[(&str, &[Method])]) -> Self {
        let mut routes = Self::default();
        for (path, item) in &document.paths.paths {
            let operations = [
                (&item.get, Method::GET),
                (&item.put, Method::PUT),
                (&item.post, Method::POST),
                (&item.delete, Method::DELETE),
                (&item.patch, Method::PATCH),
            ];
            let methods = operations.into_iter().filter(|(operation, _)| operation.is_some()).map(|(_, method)| method);
            routes.add(path, methods.collect());
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
