//! Which requests at other back ends are guarded: patterns of targets, in order, the first that fits counts.

use std::collections::BTreeSet;

use super::target::{self, Target};

/// Requests of one method, host and pattern of paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// As [`target::read_method`] reads it; `None` for all methods.
    pub method: Option<String>,
    /// As [`target::read_host`] reads it.
    pub host: String,
    /// The paths.
    pub path: Pattern,
    /// The operation such a request is.
    pub operation: String,
    /// Whether a request must say what its body is (`Content-Digest`, RFC 9530).
    pub needs_content_digest: bool,
}

/// Paths such as `/transfers/{id}/execute`: `{id}` is one segment, `{*rest}` whatever follows, which may be nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    segments: Vec<Segment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Segment {
    Literal(String),
    One,
    Rest,
}

/// How a target fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fit {
    /// It does.
    Exactly,
    /// To a back end that looks at neither letter case nor a slash at the end.
    Nearly,
    /// It does not.
    Not,
}

/// What the routes say about a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict<'a> {
    /// It is guarded.
    Guarded(&'a Route),
    /// The back end may take it for one that is guarded: never to be passed.
    Doubtful,
    /// No route knows it.
    Unknown,
    /// No route knows its host: most back ends answer to any name, so one that is not known is no way round.
    Elsewhere,
}

/// The first route that fits a target decides, exactly or nearly: a later one is never reached past a doubt.
#[must_use]
pub fn judge<'a>(routes: &'a [Route], target: &Target) -> Verdict<'a> {
    let segments: Vec<String> = target.segments().collect();
    if !routes.iter().any(|route| route.host == target.host) {
        return Verdict::Elsewhere;
    }
    let alike = routes.iter().filter(|route| route.host == target.host && route.takes_method(&target.method));
    for route in alike {
        match route.path.fit(&segments) {
            Fit::Exactly => return Verdict::Guarded(route),
            Fit::Nearly => return Verdict::Doubtful,
            Fit::Not => {}
        }
    }
    Verdict::Unknown
}

impl Route {
    /// HEAD runs what GET runs.
    fn takes_method(&self, method: &str) -> bool {
        self.method.as_deref().is_none_or(|own| own == method || (own == "GET" && method == "HEAD"))
    }

    /// Whether every target that fits `later` fits this one, so that `later` would never be reached.
    #[must_use]
    pub fn covers(&self, later: &Self) -> bool {
        let takes = later.method.as_deref().map_or(self.method.is_none(), |method| self.takes_method(method));
        takes && self.host == later.host && self.path.covers(&later.path)
    }
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// What is wrong, and what to write.
    pub fn parse(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix('/').ok_or("it does not begin with a slash; write \"/transfers/{id}\"")?;
        let mut names = BTreeSet::new();
        let parts: Vec<&str> = rest.split('/').collect();
        let mut segments = Vec::with_capacity(parts.len());
        let mut literals = String::new();
        for (at, part) in parts.iter().enumerate() {
            let segment = if let Some(name) = part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
                let (name, segment) = name.strip_prefix('*').map_or((name, Segment::One), |name| (name, Segment::Rest));
                if !is_name(name) {
                    return Err(format!(
                        "\"{part}\" has no name of small letters and underscores; write {{id}} or {{*rest}}"
                    ));
                }
                if !names.insert(name) {
                    return Err(format!("the name \"{name}\" stands twice; give each place a name of its own"));
                }
                if segment == Segment::Rest && at + 1 < parts.len() {
                    return Err(format!("something follows \"{part}\"; it can only be the end"));
                }
                literals.push_str("/x");
                segment
            } else if part.contains(['{', '}', '*']) {
                return Err(format!(
                    "\"{part}\" has a brace or a star inside a segment; a segment is text, {{id}} or {{*rest}}"
                ));
            } else {
                literals.push('/');
                literals.push_str(part);
                Segment::Literal(target::decoded_segments(&format!("/{part}")).collect())
            };
            segments.push(segment);
        }
        // Whatever is refused in a request could never fit.
        target::read_path(literals.as_bytes()).map_err(|problem| format!("{problem}; no request would fit"))?;
        Ok(Self { segments })
    }

    /// How the decoded segments of a path fit.
    #[must_use]
    pub fn fit(&self, path: &[String]) -> Fit {
        if fits(&self.segments, path, |own, other| own == other) {
            return Fit::Exactly;
        }
        let alike = |own: &str, other: &str| folded(own) == folded(other);
        if fits(without_slash(&self.segments, Segment::is_empty), without_slash(path, String::is_empty), alike) {
            return Fit::Nearly;
        }
        Fit::Not
    }

    fn covers(&self, later: &Self) -> bool {
        let mut others = later.segments.iter();
        for own in &self.segments {
            if *own == Segment::Rest {
                return true;
            }
            let is_covered = match (own, others.next()) {
                (Segment::One, Some(other)) => {
                    *other == Segment::One || matches!(other, Segment::Literal(text) if !text.is_empty())
                }
                (own, Some(other)) => own == other,
                (_, None) => false,
            };
            if !is_covered {
                return false;
            }
        }
        others.next().is_none()
    }
}

impl Segment {
    fn is_empty(&self) -> bool {
        matches!(self, Self::Literal(text) if text.is_empty())
    }
}

fn fits(pattern: &[Segment], path: &[String], is_alike: impl Fn(&str, &str) -> bool) -> bool {
    let mut path = path.iter();
    for segment in pattern {
        let fits = match (segment, path.next()) {
            (Segment::Rest, _) => return true,
            (Segment::One, Some(text)) => !text.is_empty(),
            (Segment::Literal(own), Some(text)) => is_alike(own, text),
            (_, None) => false,
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

/// Without the empty segment that a slash at the end makes.
fn without_slash<T>(segments: &[T], is_empty: impl Fn(&T) -> bool) -> &[T] {
    match segments.split_last() {
        Some((last, rest)) if is_empty(last) && !rest.is_empty() => rest,
        _ => segments,
    }
}

/// Both ways, for letters whose cases are no pairs, such as the long s.
fn folded(text: &str) -> String {
    text.to_uppercase().to_lowercase()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn route(method: &str, path: &str) -> Route {
        Route {
            method: (method != "*").then(|| method.to_owned()),
            host: "bank.example".to_owned(),
            path: Pattern::parse(path).unwrap(),
            operation: format!("{method} {path}"),
            needs_content_digest: false,
        }
    }

    fn verdict<'a>(routes: &'a [Route], method: &str, uri: &str) -> Verdict<'a> {
        judge(routes, &Target::read(method.as_bytes(), b"bank.example", uri.as_bytes()).unwrap())
    }

    #[rstest]
    #[case("/transfers/{id}/execute", "/transfers/1/execute", Fit::Exactly)]
    #[case("/transfers/{id}/execute", "/tr%61nsfers/%31/execute", Fit::Exactly)]
    #[case("/transfers/{id}/execute", "/transfers/a%20b/execute", Fit::Exactly)]
    #[case("/transfers/{id}/execute", "/transfers/1/execute/", Fit::Nearly)]
    #[case("/transfers/{id}/execute", "/Transfers/1/EXECUTE", Fit::Nearly)]
    #[case("/transfers/{id}/execute", "/tran%C5%BFfers/1/execute", Fit::Nearly)]
    #[case("/transfers/{id}/execute", "/transfers/execute", Fit::Not)]
    #[case("/transfers/{id}/execute", "/transfers/1/2/execute", Fit::Not)]
    #[case("/transfers/{id}/execute", "/transfers/1/execute/x", Fit::Not)]
    #[case("/transfers/{id}/execute", "/transfers/1/executes", Fit::Not)]
    #[case("/transfers/{id}/", "/transfers/1/", Fit::Exactly)]
    #[case("/transfers/{id}/", "/transfers/1", Fit::Nearly)]
    #[case("/transfers/{id}", "/transfers/", Fit::Not)]
    #[case("/a,b", "/a%2Cb", Fit::Exactly)]
    #[case("/a%2Cb", "/a,b", Fit::Exactly)]
    #[case("/", "/", Fit::Exactly)]
    #[case("/", "/a", Fit::Not)]
    #[case("/admin/{*rest}", "/admin/a/b", Fit::Exactly)]
    #[case("/admin/{*rest}", "/admin/", Fit::Exactly)]
    #[case("/admin/{*rest}", "/admin", Fit::Exactly)]
    #[case("/admin/{*rest}", "/ADMIN/a", Fit::Nearly)]
    #[case("/admin/{*rest}", "/administration", Fit::Not)]
    #[case("/{*rest}", "/", Fit::Exactly)]
    #[case("/{*rest}", "/a/b", Fit::Exactly)]
    fn fits(#[case] pattern: &str, #[case] path: &str, #[case] fit: Fit) {
        let target = Target::read(b"GET", b"bank.example", path.as_bytes()).unwrap();
        let segments: Vec<_> = target.segments().collect();
        assert_eq!(Pattern::parse(pattern).unwrap().fit(&segments), fit);
    }

    #[test]
    fn a_doubt_ends_the_search() {
        let routes = [route("POST", "/transfers/execute"), route("POST", "/transfers/{id}")];
        assert_eq!(verdict(&routes, "POST", "/transfers/execute"), Verdict::Guarded(&routes[0]));
        assert_eq!(verdict(&routes, "POST", "/transfers/1"), Verdict::Guarded(&routes[1]));
        assert_eq!(verdict(&routes, "POST", "/transfers/Execute"), Verdict::Doubtful);
        assert_eq!(verdict(&routes, "POST", "/transfers/execute/"), Verdict::Doubtful);
        assert_eq!(verdict(&routes, "POST", "/transfers"), Verdict::Unknown);
        assert_eq!(verdict(&routes, "GET", "/transfers/execute"), Verdict::Unknown);
    }

    #[test]
    fn methods_and_hosts() {
        let routes = [route("GET", "/payroll"), route("*", "/admin/{*rest}")];
        assert_eq!(verdict(&routes, "HEAD", "/payroll"), Verdict::Guarded(&routes[0]));
        assert_eq!(verdict(&routes, "POST", "/payroll"), Verdict::Unknown);
        assert_eq!(verdict(&routes, "PROPFIND", "/admin/x"), Verdict::Guarded(&routes[1]));
        let other = Target::read(b"GET", b"shop.example", b"/payroll").unwrap();
        assert_eq!(judge(&routes, &other), Verdict::Elsewhere);
    }

    #[rstest]
    #[case("/a/{id}", "/a/{name}", true)]
    #[case("/a/{id}", "/a/b", true)]
    #[case("/a/b", "/a/{id}", false)]
    #[case("/a/{id}", "/a/", false)]
    #[case("/a/{id}", "/a/b/", false)]
    #[case("/a/{*rest}", "/a", true)]
    #[case("/a/{*rest}", "/a/b/c", true)]
    #[case("/a/{*rest}", "/a/{*all}", true)]
    #[case("/a/{id}", "/a/{*all}", false)]
    #[case("/a/{*rest}", "/b", false)]
    #[case("/{x}/b", "/a/{y}", false)]
    fn what_covers_what(#[case] earlier: &str, #[case] later: &str, #[case] covers: bool) {
        assert_eq!(route("GET", earlier).covers(&route("GET", later)), covers);
        assert_eq!(route("*", earlier).covers(&route("POST", later)), covers);
        assert_eq!(route("GET", earlier).covers(&route("HEAD", later)), covers);
        assert!(!route("POST", earlier).covers(&route("GET", later)));
        assert!(!route("POST", earlier).covers(&route("*", later)));
    }

    #[rstest]
    #[case("transfers")]
    #[case("")]
    #[case("/a//b")]
    #[case("/a/../b")]
    #[case("/{id}/{id}")]
    #[case("/{}")]
    #[case("/{Id}")]
    #[case("/{*}")]
    #[case("/{*rest}/b")]
    #[case("/a{id}")]
    #[case("/a*")]
    #[case("/a?b=c")]
    #[case("/a b")]
    #[case("/a;b")]
    #[case("/a%2fb")]
    fn patterns_that_are_none(#[case] pattern: &str) {
        let problem = Pattern::parse(pattern).unwrap_err();
        assert!(problem.contains("; "), "no fix: {problem}");
    }
}
