//! What is read in one way only, and what is refused.

use proptest::prelude::*;
use rstest::rstest;

use super::*;

#[rstest]
#[case("/", "/")]
#[case("/transfers/1/execute", "/transfers/1/execute")]
#[case("/transfers/", "/transfers/")]
#[case("/%7Euser/%61", "/~user/a")]
#[case("/a%2db", "/a-b")]
#[case("/caf%c3%a9", "/caf%C3%A9")]
#[case("/a%20b", "/a%20b")]
#[case("/a%2cb", "/a%2Cb")]
#[case("/a,b", "/a,b")]
#[case("/100%25", "/100%25")]
#[case("/100%25/x", "/100%25/x")]
#[case("/100%25zz", "/100%25zz")]
#[case("/.../..a/a..", "/.../..a/a..")]
#[case("/.well-known/x", "/.well-known/x")]
#[case("/a:b@c!$&'()*+,=", "/a:b@c!$&'()*+,=")]
#[case("/%E3%83%9A%E3%82%A4", "/%E3%83%9A%E3%82%A4")]
fn paths_have_one_spelling(#[case] sent: &str, #[case] read: &str) {
    assert_eq!(read_path(sent.as_bytes()).as_deref(), Ok(read));
}

#[rstest]
#[case(b"", TargetProblem::Form)]
#[case(b"*", TargetProblem::Form)]
#[case(b"transfers", TargetProblem::Form)]
#[case(b"http://bank.example/transfers", TargetProblem::Form)]
#[case(b"//", TargetProblem::EmptySegment)]
#[case(b"//bank.example/transfers", TargetProblem::EmptySegment)]
#[case(b"/a//b", TargetProblem::EmptySegment)]
#[case(b"/a//", TargetProblem::EmptySegment)]
#[case(b"/.", TargetProblem::DotSegment)]
#[case(b"/a/./b", TargetProblem::DotSegment)]
#[case(b"/a/../b", TargetProblem::DotSegment)]
#[case(b"/..", TargetProblem::DotSegment)]
#[case(b"/a/%2e/b", TargetProblem::DotSegment)]
#[case(b"/a/%2E%2e/b", TargetProblem::DotSegment)]
#[case(b"/a/.%2e/b", TargetProblem::DotSegment)]
#[case(b"/a/%2e.", TargetProblem::DotSegment)]
#[case(b"/a%2fb", TargetProblem::EncodedDelimiter)]
#[case(b"/a%2Fb", TargetProblem::EncodedDelimiter)]
#[case(b"/..%2f", TargetProblem::EncodedDelimiter)]
#[case(b"/a%5cb", TargetProblem::EncodedDelimiter)]
#[case(b"/a%3bb", TargetProblem::EncodedDelimiter)]
#[case(b"/a%3Fb", TargetProblem::EncodedDelimiter)]
#[case(b"/a%23b", TargetProblem::EncodedDelimiter)]
#[case(b"/a%00", TargetProblem::EncodedDelimiter)]
#[case(b"/a%0d%0ab", TargetProblem::EncodedDelimiter)]
#[case(b"/a%7f", TargetProblem::EncodedDelimiter)]
#[case(b"/a%C2%85", TargetProblem::EncodedDelimiter)]
#[case(b"/a%252fb", TargetProblem::EncodedTwice)]
#[case(b"/a%252e%252e/b", TargetProblem::EncodedTwice)]
#[case(b"/%2541", TargetProblem::EncodedTwice)]
#[case(b"/%25%34%31", TargetProblem::EncodedTwice)]
#[case(b"/%25%32%66", TargetProblem::EncodedTwice)]
#[case(b"/a;b", TargetProblem::PathParameter)]
#[case(b"/a;jsessionid=1/b", TargetProblem::PathParameter)]
#[case(b"/a/..;/b", TargetProblem::PathParameter)]
#[case(b"/a%", TargetProblem::Encoding)]
#[case(b"/a%2", TargetProblem::Encoding)]
#[case(b"/a%zz", TargetProblem::Encoding)]
#[case(b"/a%u002f", TargetProblem::Encoding)]
#[case(b"/a%+1", TargetProblem::Encoding)]
#[case(b"/a%ff", TargetProblem::Encoding)]
#[case(b"/a%c0%af", TargetProblem::Encoding)]
#[case(b"/a%c0%ae%c0%ae/b", TargetProblem::Encoding)]
#[case(b"/a%ed%a0%80", TargetProblem::Encoding)]
#[case(b"/a\\b", TargetProblem::Character)]
#[case(b"/a#b", TargetProblem::Character)]
#[case(b"/a b", TargetProblem::Character)]
#[case(b"/a\tb", TargetProblem::Character)]
#[case(b"/a\0b", TargetProblem::Character)]
#[case(b"/a\xc3\xa9", TargetProblem::Character)]
#[case(b"/a\xff", TargetProblem::Character)]
#[case(b"/<a>", TargetProblem::Character)]
#[case(b"/a|b", TargetProblem::Character)]
fn what_can_be_read_in_two_ways_is_refused(#[case] path: &[u8], #[case] problem: TargetProblem) {
    assert_eq!(read_path(path), Err(problem), "{}", path.escape_ascii());
}

#[rstest]
#[case("bank.example", Some("bank.example"))]
#[case("BANK.Example:443", Some("bank.example"))]
#[case("bank.example:80", Some("bank.example"))]
#[case("bank.example.", Some("bank.example"))]
#[case("bank.example.:8443", Some("bank.example:8443"))]
#[case("xn--bcher-kva.example", Some("xn--bcher-kva.example"))]
#[case("127.0.0.1:8080", Some("127.0.0.1:8080"))]
#[case("[::1]", Some("[::1]"))]
#[case("[0:0::1]:8443", Some("[::1]:8443"))]
#[case("", None)]
#[case(".", None)]
#[case("bank..example", None)]
#[case(".bank.example", None)]
#[case("bank.example..", None)]
#[case("bank.example:", None)]
#[case("bank.example:0", None)]
#[case("bank.example:0443", None)]
#[case("bank.example:+443", None)]
#[case("bank.example:65536", None)]
#[case("bank.example:443:443", None)]
#[case("user@bank.example", None)]
#[case("bank.example/path", None)]
#[case("bank.example, evil.example", None)]
#[case("bank example", None)]
#[case("bank%2eexample", None)]
#[case("bücher.example", None)]
#[case("::1", None)]
#[case("[::1", None)]
#[case("[::1]x", None)]
#[case("[fe80::1%25eth0]", None)]
fn hosts(#[case] sent: &str, #[case] read: Option<&str>) {
    assert_eq!(read_host(sent.as_bytes()).ok().as_deref(), read);
}

#[rstest]
#[case("GET", true)]
#[case("POST", true)]
#[case("VERSION-CONTROL", true)]
#[case("post", false)]
#[case("Post", false)]
#[case("", false)]
#[case("-", false)]
#[case("PO ST", false)]
#[case("POST,GET", false)]
#[case("ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", false)]
fn methods(#[case] method: &str, #[case] fits: bool) {
    assert_eq!(read_method(method.as_bytes()).is_ok(), fits);
}

#[test]
fn a_query_is_kept_as_it_is() {
    let read = |uri: &str| Target::read(b"GET", b"bank.example", uri.as_bytes()).map(|target| target.query);
    assert_eq!(read("/a?b=%2e%2E/../&c=;d=\\").as_deref(), Ok("b=%2e%2E/../&c=;d=\\"));
    assert_eq!(read("/a?b?c").as_deref(), Ok("b?c"));
    assert_eq!(read("/a?").as_deref(), Ok(""));
    assert_eq!(read("/a").as_deref(), Ok(""));
    assert_eq!(read("/a?b#c"), Err(TargetProblem::Character));
    assert_eq!(read("/a?b c"), Err(TargetProblem::Character));
    assert_eq!(read("/a?\u{e9}"), Err(TargetProblem::Character));
}

#[test]
fn a_url_names_a_target_or_does_not() {
    let target = Target::read(b"POST", b"bank.example", b"/a%2db?c").unwrap();
    for same in ["https://bank.example/a-b", "HTTP://Bank.example:443/a%2Db?x#y"] {
        assert!(target.is_at(same), "{same}");
    }
    for other in [
        "https://bank.example/",
        "https://bank.example",
        "https://bank.example/a-b/",
        "https://bank.example/x/../a-b",
        "https://bank.example:8443/a-b",
        "https://me@bank.example/a-b",
        "https://shop.example/a-b",
        "ftp://bank.example/a-b",
        "bank.example/a-b",
        "/a-b",
        "",
    ] {
        assert!(!target.is_at(other), "{other}");
    }
    assert!(Target::read(b"GET", b"bank.example", b"/").unwrap().is_at("https://bank.example"));
}

#[test]
fn lengths_have_an_end() {
    let path = |length: usize| format!("/{}", "a".repeat(length - 1)).into_bytes();
    assert!(read_path(&path(LONGEST_PATH)).is_ok());
    assert_eq!(read_path(&path(LONGEST_PATH + 1)), Err(TargetProblem::TooLong));
    assert!(read_query(&path(LONGEST_QUERY)).is_ok());
    assert_eq!(read_query(&path(LONGEST_QUERY + 1)), Err(TargetProblem::TooLong));
    assert_eq!(read_host(&[b'a'; 64]), Err(TargetProblem::Host));
    assert_eq!(read_host("a.".repeat(127).as_bytes()).map(|host| host.len()), Ok(253));
    assert_eq!(read_host("a.".repeat(128).as_bytes()), Err(TargetProblem::Host));
}

/// Paths of what tricks are made of.
fn tricky() -> impl Strategy<Value = String> {
    const PARTS: [&str; 28] = [
        "/", "/", "a", "B", ".", "..", "%2e", "%2E", "%2f", "%5C", "\\", "%25", "25", "2e", "2f", "%", ";", "%3b", "~",
        "%7e", "%00", "%c3%a9", "%c0%ae", "?", "#", " ", "é", ",",
    ];
    prop::collection::vec(prop::sample::select(PARTS.to_vec()), 0..8).prop_map(|parts| format!("/{}", parts.concat()))
}

proptest! {
    #[test]
    fn reading_again_changes_nothing(uri in prop_oneof![tricky(), "/[ -~]{0,20}", "/\\PC{0,12}"]) {
        if let Ok(target) = Target::read(b"POST", b"Bank.Example:443", uri.as_bytes()) {
            let again = format!("{}?{}", target.path, target.query);
            prop_assert_eq!(Target::read(b"POST", target.host.as_bytes(), again.as_bytes()), Ok(target));
        }
    }

    #[test]
    fn nothing_that_divides_or_climbs_is_left(path in prop_oneof![tricky(), "/[ -~]{0,20}"]) {
        if let Ok(read) = read_path(path.as_bytes()) {
            let once = percent_decode(read.as_bytes()).decode_utf8().unwrap();
            let twice = percent_decode(once.as_bytes()).decode_utf8().unwrap();
            prop_assert_eq!(&once, &twice);
            for text in [&*read, &*once] {
                prop_assert!(!text.contains("//") && !text.contains(['\\', '?', '#', ';', '\0']), "{}", text);
                prop_assert!(!text.to_uppercase().contains("%2F") && !text.to_uppercase().contains("%2E"), "{}", text);
                prop_assert!(text.split('/').all(|segment| segment != "." && segment != ".."), "{}", text);
            }
            // No segment is made or lost by decoding.
            prop_assert_eq!(decoded_segments(&read).count(), once.split('/').count() - 1);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = Target::read(&bytes, &bytes, &bytes);
    }
}
