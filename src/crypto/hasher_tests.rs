use super::*;
use crate::domain::password::PasswordAlgorithm::{self, *};
use proptest::prelude::*;
use rstest::rstest;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

const PASSWORD: &str = "password123";
const SHA1_HEX: &str = "cbfdac6008f9cab4083784cbd1874f76618d2a97";

/// Counts up, so that salts differ and tests repeat.
#[derive(Default)]
struct Counting(AtomicU8);

impl Random for Counting {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0.fetch_add(1, Ordering::Relaxed));
    }
}

fn cheap() -> HashingConfig {
    HashingConfig { memory_kib: 64, passes: 1, threads: 1, ..HashingConfig::default() }
}

fn pool(settings: &HashingConfig) -> Hasher {
    Hasher::start(settings, Arc::new(Counting::default())).unwrap()
}

fn stored(algorithm: PasswordAlgorithm, digest: &str) -> StoredPassword {
    StoredPassword { algorithm, digest: digest.to_owned() }
}

async fn check(hasher: &Hasher, password: &str, stored: impl Into<Option<StoredPassword>>) -> (bool, Option<String>) {
    let verdict = hasher.verify(password.into(), stored.into()).await.unwrap();
    (verdict.matches, verdict.rehash)
}

fn is_busy<T>(outcome: Result<T>) -> bool {
    matches!(outcome, Err(Error::Refused(refusal)) if refusal.code == Code::Unavailable && refusal.retry_after.is_some())
}

#[tokio::test]
async fn a_password_is_recognised() {
    let hasher = pool(&HashingConfig { threads: 1, ..HashingConfig::default() });
    let digest = hasher.hash(PASSWORD.into()).await.unwrap();
    assert!(digest.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{digest}");
    assert_eq!(check(&hasher, PASSWORD, stored(Argon2id, &digest)).await, (true, None));
    assert_eq!(check(&hasher, "password124", stored(Argon2id, &digest)).await, (false, None));
    assert_eq!(check(&hasher, PASSWORD, None).await, (false, None));
    assert_ne!(hasher.hash(PASSWORD.into()).await.unwrap(), digest);
}

#[rstest]
#[case(Argon2i, "$argon2i$v=19$m=64,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$UbaYqFpEYOF3aJFH4l+XvpgsTbP7r+EidNs+hxxQzaI")]
#[case(Argon2i, "$argon2i$v=19$m=8192,t=8,p=1$MDEyMzQ1Njc4OWFiY2RlZg$0+RebAjZo2Hpk8VyIgqVGVJuQa5VaEN4ZfpQavQ0Ye8")]
#[case(Argon2i, "$argon2i$v=16$m=64,t=2,p=1$MDEyMzQ1Njc4OWFiY2RlZg$RZcjgADaDFKLHBFHPB/mi48UHgbEjXEo8son0GW6myI")]
#[case(Argon2d, "$argon2d$v=19$m=64,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$u8p+upNcK1UcWhjvdWlmdDjLLBRsI0Yeoxm1NBkcaWc")]
#[case(Argon2id, "$argon2id$v=19$m=64,t=3,p=2$MDEyMzQ1Njc4OWFiY2RlZg$9YUj0owOXVWP4kcummAnMe+SYi21l50pJ7O92HgTw6M")]
#[case(Bcrypt, "$2b$04$36UfceYfSLGk.jLFD/nz/.dGe1yWucQQ.fpj59R2JQv2RkCvgUPXi")]
#[case(Bcrypt, "$2y$04$36UfceYfSLGk.jLFD/nz/.dGe1yWucQQ.fpj59R2JQv2RkCvgUPXi")]
#[case(MD5, "482c811da5d5b4bc6d497ffa98491e38")]
#[case(SHA1, SHA1_HEX)]
#[case(SHA256, "EF92B778BAFE771E89245B89ECBC08A44A4E166C06659911881F383D4473E94F")]
#[case(Legacy, r#"["sha256", ["salt123", "@"], "c465f66c6ac481a7a17e9ed5b4e2e7e7288d892f12bf1c95c140901e9a70436e"]"#)]
#[case(Legacy, r#"["MD5", ["@", ":", "@"], "77309580c851b893b18218aa9cb9ffd8"]"#)]
#[case(Legacy, r#"["sha3-256", ["@"], "ab3fe4003f14e3ef573417f95e47d4985c482eadd139c08b3758eeae7cc60b9d"]"#)]
#[case(Legacy, r#"["sha512-256", ["@"], "2a444beff5bec5ae7bd970374b5a734baa7a2f05b693e8336eda752cafa1501e"]"#)]
#[case(Legacy, r#"["pbkdf2", ["salt", "1000", "20", "sha512", "@"], "0ecb3c32f57685303ff0878481d223bc1a16eb13"]"#)]
#[case(Legacy, r#"["pbkdf2", ["s", 1, 40, "sha256", "@"], "cbd1c1720129b0fbf6a85211da3403143ca768caf519e2a1559da986e90fe64579c128684ab18fe6"]"#)]
#[case(Legacy, r#"["pbkdf2", ["", "2", "20", "sha1", "@"], "4ee25d70f1f15b9891f77f6347cd5a150791255c"]"#)]
#[tokio::test]
async fn imported_digests_verify_and_are_upgraded(#[case] algorithm: PasswordAlgorithm, #[case] digest: &str) {
    let hasher = pool(&cheap());
    super::super::stored::validate_digest(algorithm, digest).unwrap();
    assert_eq!(check(&hasher, "password12", stored(algorithm, digest)).await, (false, None));
    assert_eq!(check(&hasher, "", stored(algorithm, digest)).await, (false, None));
    let (matches, rehash) = check(&hasher, PASSWORD, stored(algorithm, digest)).await;
    assert!(matches);
    assert_eq!(check(&hasher, PASSWORD, stored(Argon2id, &rehash.unwrap())).await, (true, None));
}

#[tokio::test]
async fn raised_costs_reach_a_digest_on_its_next_use() {
    let old = pool(&cheap()).hash(PASSWORD.into()).await.unwrap();
    let hasher = pool(&HashingConfig { passes: 2, ..cheap() });
    let (matches, rehash) = check(&hasher, PASSWORD, stored(Argon2id, &old)).await;
    assert!(matches && rehash.unwrap().starts_with("$argon2id$v=19$m=64,t=2,p=1$"));
    assert_eq!(check(&hasher, "wrong", stored(Argon2id, &old)).await, (false, None));
}

#[tokio::test]
async fn a_pepper_comes_in_and_is_changed_without_a_lost_password() {
    let (first, second) = ("the first pepper of all", "the second pepper of all");
    let peppered = |peppers: &[&str]| {
        pool(&HashingConfig { peppers: peppers.iter().map(|pepper| (*pepper).into()).collect(), ..cheap() })
    };
    let plain = pool(&cheap()).hash(PASSWORD.into()).await.unwrap();
    let with_first = check(&peppered(&[first]), PASSWORD, stored(Argon2id, &plain)).await.1.unwrap();
    assert!(with_first.contains(",keyid="), "{with_first}");
    assert_eq!(check(&peppered(&[first]), PASSWORD, stored(Argon2id, &with_first)).await, (true, None));
    let rotated = peppered(&[second, first]);
    let with_second = check(&rotated, PASSWORD, stored(Argon2id, &with_first)).await.1.unwrap();
    assert_eq!(check(&rotated, PASSWORD, stored(Argon2id, &with_second)).await, (true, None));
    assert_eq!(check(&peppered(&[first]), PASSWORD, stored(Argon2id, &with_second)).await, (false, None));
    assert_eq!(check(&pool(&cheap()), PASSWORD, stored(Argon2id, &with_second)).await, (false, None));
}

#[test]
fn senseless_settings_are_refused() {
    let start = |settings: &HashingConfig| Hasher::start(settings, Arc::new(Counting::default())).is_ok();
    assert!(!start(&HashingConfig { memory_kib: 1, ..cheap() }));
    assert!(!start(&HashingConfig { passes: 0, ..cheap() }));
    assert!(!start(&HashingConfig { peppers: vec!["short".into()], ..cheap() }));
}

#[tokio::test]
async fn a_missing_or_unreadable_password_costs_a_hash() {
    let random = Arc::new(Counting::default());
    let hasher = Hasher::start(&cheap(), random.clone()).unwrap();
    check(&hasher, PASSWORD, None).await;
    check(&hasher, PASSWORD, stored(SHA1, "garbage")).await;
    check(&hasher, "wrong", stored(SHA1, SHA1_HEX)).await;
    check(&hasher, PASSWORD, stored(SHA1, SHA1_HEX)).await;
    assert_eq!(random.0.load(Ordering::Relaxed), 4);
}

/// Keeps the only thread of a pool at work until the sender is dropped.
async fn occupy(pool: &Arc<Hasher>) -> std::sync::mpsc::Sender<()> {
    let (release, until) = std::sync::mpsc::channel::<()>();
    let (at_work, is_at_work) = oneshot::channel();
    let hasher = pool.clone();
    tokio::spawn(async move {
        let place = hasher.place().await.unwrap();
        place
            .run(move |_| {
                let _ = at_work.send(());
                let _ = until.recv();
                Ok(())
            })
            .await
    });
    is_at_work.await.unwrap();
    while pool.door.waiting() > 0 {
        tokio::task::yield_now().await;
    }
    release
}

#[tokio::test]
async fn a_full_waiting_list_answers_at_once() {
    let hasher = Arc::new(pool(&HashingConfig { queue: 1, ..cheap() }));
    let release = occupy(&hasher).await;
    let waiting = tokio::spawn({
        let hasher = hasher.clone();
        async move { hasher.hash(PASSWORD.into()).await }
    });
    while hasher.door.waiting() == 0 {
        tokio::task::yield_now().await;
    }
    assert!(is_busy(hasher.hash(PASSWORD.into()).await));
    drop(release);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn waiting_ends_at_the_deadline_and_leaves_its_place() {
    let hasher = Arc::new(pool(&HashingConfig { queue: 1, deadline_ms: 20, ..cheap() }));
    let release = occupy(&hasher).await;
    assert!(is_busy(hasher.hash(PASSWORD.into()).await));
    assert!(is_busy(hasher.hash(PASSWORD.into()).await));
    drop(release);
    assert!(hasher.hash(PASSWORD.into()).await.is_ok());
}

#[tokio::test]
async fn work_nobody_waits_for_is_skipped() {
    let hasher = Arc::new(pool(&cheap()));
    let release = occupy(&hasher).await;
    let runs = Arc::new(AtomicUsize::new(0));
    for _ in 0..3 {
        let runs = runs.clone();
        let asked = hasher.place().await.unwrap().run(move |_| {
            runs.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        assert!(tokio::time::timeout(Duration::from_millis(1), asked).await.is_err());
    }
    drop(release);
    hasher.hash(PASSWORD.into()).await.unwrap();
    assert_eq!(runs.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_panic_ends_the_job_and_not_the_thread() {
    let hasher = pool(&cheap());
    let outcome = hasher.place().await.unwrap().run(|_| -> anyhow::Result<()> { panic!("on purpose") }).await;
    assert!(matches!(outcome, Err(Error::Failed(_))));
    assert!(hasher.hash(PASSWORD.into()).await.is_ok());
}

#[tokio::test]
async fn a_stopping_pool_answers_those_who_wait() {
    let hasher = pool(&cheap());
    hasher.shared.lock().is_stopping = true;
    assert!(is_busy(hasher.hash(PASSWORD.into()).await));
}

fn digest_like() -> impl Strategy<Value = String> {
    let base64 = |length: usize| proptest::collection::vec(proptest::sample::select(b"ABab01+/".to_vec()), length);
    let argon2 = (1_u32..3, 8_u32..64, base64(22), base64(43)).prop_map(|(t, m, salt, tag)| {
        let (salt, tag) = (String::from_utf8_lossy(&salt).into_owned(), String::from_utf8_lossy(&tag).into_owned());
        format!("$argon2id$v=19$m={m},t={t},p=1${salt}${tag}")
    });
    let legacy = ("[a-zé]{0,4}", 1..50_u32, "[0-9a-f]{40}", "(1|256|384|512)").prop_map(|(salt, rounds, hex, sha)| {
        format!(r#"["pbkdf2", ["{salt}", {rounds}, 20, "sha{sha}", "@"], "{hex}"]"#)
    });
    prop_oneof![argon2, legacy, "[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}", "\\PC{0,80}"]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn no_digest_breaks_a_thread(
        algorithm in proptest::sample::select(PasswordAlgorithm::ALL),
        digest in digest_like(),
        password in "\\PC{0,20}",
    ) {
        let recipe = Arc::new(Recipe::new(&cheap(), Arc::new(Counting::default())).unwrap());
        let stored = stored(algorithm, &digest);
        prop_assert!(!Worker::new(recipe).verify(&password, Some(&stored)).unwrap().matches);
    }
}
