use super::*;
use proptest::prelude::*;
use rstest::rstest;

const SHA1: &str = "cbfdac6008f9cab4083784cbd1874f76618d2a97";

fn reason(algorithm: PasswordAlgorithm, digest: &str) -> Option<String> {
    let refusal = validate_digest(algorithm, digest).err()?;
    assert_eq!(refusal.code, Code::InvalidPasswordDigest);
    Some(refusal.data.unwrap()["reason"].as_str().unwrap().to_owned())
}

#[rstest]
#[case(
    PasswordAlgorithm::Argon2id,
    "$argon2i$v=19$m=64,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI",
    "it says argon2i"
)]
#[case(
    PasswordAlgorithm::Argon2i,
    "$argon2i$v=19$m=4194304,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI",
    "too costly"
)]
#[case(
    PasswordAlgorithm::Argon2i,
    "$argon2i$v=19$m=131072,t=9,p=2$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI",
    "too costly"
)]
#[case(
    PasswordAlgorithm::Argon2i,
    "$argon2i$v=19$m=64,t=4294967295,p=2$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI",
    "too costly"
)]
#[case(
    PasswordAlgorithm::Argon2i,
    "$argon2i$v=19$m=64,t=3,p=2,keyid=Zm9v$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI",
    "secret key"
)]
#[case(PasswordAlgorithm::Argon2i, "$argon2i$v=19$m=64,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg", "digest is missing")]
#[case(PasswordAlgorithm::Argon2i, "$argon2i$v=19$m=64,t=3,p=2", "salt is missing")]
#[case(PasswordAlgorithm::Argon2i, "", "not a PHC string")]
#[case(PasswordAlgorithm::Bcrypt, "$2b$15$36UfceYfSLGk.jLFD/nz/.dGe1yWucQQ.fpj59R2JQv2RkCvgUPXi", "between 4 and 14")]
#[case(PasswordAlgorithm::Bcrypt, "$2b$03$36UfceYfSLGk.jLFD/nz/.dGe1yWucQQ.fpj59R2JQv2RkCvgUPXi", "between 4 and 14")]
#[case(PasswordAlgorithm::Bcrypt, "$2x$04$36UfceYfSLGk.jLFD/nz/.dGe1yWucQQ.fpj59R2JQv2RkCvgUPXi", "versions")]
#[case(PasswordAlgorithm::Bcrypt, "$2b$04$", "not a Bcrypt digest")]
#[case(PasswordAlgorithm::MD5, SHA1, "20 bytes instead of 16")]
#[case(PasswordAlgorithm::SHA1, "zz", "not hexadecimal")]
#[case(PasswordAlgorithm::SHA256, "abc", "not hexadecimal")]
#[case(PasswordAlgorithm::Legacy, "{}", "not a JSON array")]
#[case(PasswordAlgorithm::Legacy, r#"["sha1", ["salt"], "00"]"#, "password would not matter")]
#[case(PasswordAlgorithm::Legacy, r#"["sha1", ["@", null], "00"]"#, "not all texts")]
#[case(PasswordAlgorithm::Legacy, r#"["whirlpool", ["@"], "00"]"#, "not supported")]
#[case(PasswordAlgorithm::Legacy, r#"["firebase-scrypt", ["@"], "00"]"#, "set a new password")]
#[case(PasswordAlgorithm::Legacy, r#"["pbkdf2", ["@"], "00"]"#, "salt, rounds, length, hash")]
#[case(
    PasswordAlgorithm::Legacy,
    r#"["pbkdf2", ["s", "0", "20", "sha1", "@"], "cbfdac6008f9cab4083784cbd1874f76618d2a97"]"#,
    "not a number"
)]
#[case(
    PasswordAlgorithm::Legacy,
    r#"["pbkdf2", ["s", "9", "19", "sha1", "@"], "cbfdac6008f9cab4083784cbd1874f76618d2a97"]"#,
    "20 bytes"
)]
#[case(PasswordAlgorithm::Legacy, r#"["pbkdf2", ["s", "9", "2", "sha1", "@"], "cbfd"]"#, "fewer than 10")]
#[case(
    PasswordAlgorithm::Legacy,
    r#"["pbkdf2", ["s", "9", "20", "md4", "@"], "cbfdac6008f9cab4083784cbd1874f76618d2a97"]"#,
    "is supported with"
)]
#[case(
    PasswordAlgorithm::Legacy,
    r#"["pbkdf2", ["s", "4000000000", "20", "sha1", "@"], "cbfdac6008f9cab4083784cbd1874f76618d2a97"]"#,
    "too costly"
)]
fn wrong_digests_are_refused_with_the_reason(
    #[case] algorithm: PasswordAlgorithm,
    #[case] digest: &str,
    #[case] expected: &str,
) {
    let told = reason(algorithm, digest).unwrap();
    assert!(told.contains(expected), "{told}");
}

#[test]
fn an_endless_digest_is_refused() {
    assert!(reason(PasswordAlgorithm::SHA1, &"0".repeat(5000)).unwrap().contains("at most"));
}

fn any_algorithm() -> impl Strategy<Value = PasswordAlgorithm> {
    proptest::sample::select(PasswordAlgorithm::ALL)
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(algorithm in any_algorithm(), digest in "\\PC*") {
        let _ = validate_digest(algorithm, &digest);
    }

    #[test]
    fn digest_like_text_never_breaks(
        algorithm in any_algorithm(),
        digest in r#"(\$argon2(i|d|id)(\$v=[0-9]{1,10})?\$m=[0-9]{0,12},t=[0-9]{0,4},p=[0-9]{0,9}(,(keyid|data)=[A-Za-z0-9+/]{0,20})?\$[A-Za-z0-9+/]{0,40}\$[A-Za-z0-9+/]{0,90})|(\$2[abxyé]\$[0-9+]{2}\$[./A-Za-z0-9]{50,54})|(\["(sha1|md5|pbkdf2)", \["s?", "?[0-9]{0,12}"?, "[0-9]{1,3}", "sha(1|256)", "@"\], "[0-9a-fé]{0,80}"\])"#,
    ) {
        let _ = validate_digest(algorithm, &digest);
    }
}
