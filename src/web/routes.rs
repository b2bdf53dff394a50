//! Which paths there are and which methods each takes: read from the OpenAPI document, so that the two cannot differ.

use std::collections::HashMap;

use actix_web::{dev::ResourceDef, http::Method};

/// The table.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    exact: HashMap<String, Vec<Method>>,
    patterns: Vec<(ResourceDef, Vec<Method>)>,
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
        if path.contains('{') {
            self.patterns.push((ResourceDef::new(path), methods));
        } else {
            self.exact.insert(path.to_owned(), methods);
        }
    }

    /// The methods of a path; `None` when there is no such path.
    #[must_use]
    pub fn methods(&self, path: &str) -> Option<&[Method]> {
        if let Some(methods) = self.exact.get(path) {
            return Some(methods);
        }
        self.patterns.iter().find(|(pattern, _)| pattern.is_match(path)).map(|(_, methods)| methods.as_slice())
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
