use Method::{EmailCode, Password, PhoneCode};

use super::*;

const ONE: &str = "urn:countersign:acr:1fa";
const TWO: &str = "urn:countersign:acr:2fa";
const BOTH_KNOWN: &str = "urn:countersign:acr:methods:password.email_code";

fn demand(acr_values: &str) -> Demand {
    Demand::parse(acr_values, None, Duration::from_secs(600)).unwrap()
}

#[test]
fn sets_are_asked_for_by_their_class_where_that_says_enough() {
    let of = |sets: &[&[Method]]| acr_values(&sets.iter().map(|set| set.to_vec()).collect::<Vec<_>>());
    assert_eq!(of(&[&[Password], &[EmailCode], &[PhoneCode]]), ONE);
    assert_eq!(of(&[&[Password, PhoneCode]]), TWO);
    assert_eq!(of(&[&[PhoneCode, Password]]), TWO);
    assert_eq!(of(&[&[Password, PhoneCode], &[Password, EmailCode]]), format!("{TWO} {BOTH_KNOWN}"));
    assert_eq!(of(&[&[Password]]), "urn:countersign:acr:methods:password");
    let all = "urn:countersign:acr:methods:password.email_code.phone_code";
    assert_eq!(of(&[&[Password, EmailCode, PhoneCode]]), all, "two factors would be too few");
}

/// Whatever sets there are, and whatever somebody owns and begins with: who follows the challenge ends with one of the sets, or is told at
/// once that they own none.
#[test]
fn whoever_proves_what_a_challenge_asks_for_has_proved_one_of_the_sets() {
    let subsets = |bits: usize| -> Vec<Method> {
        Method::ALL.iter().enumerate().filter(|(at, _)| bits >> at & 1 == 1).map(|(_, method)| *method).collect()
    };
    for choice in 1..1_usize << 7 {
        let sets: Vec<Vec<Method>> = (0..7).filter(|at| choice >> at & 1 == 1).map(|at| subsets(at + 1)).collect();
        let demand = demand(&acr_values(&sets));
        for owned in (1..8).map(subsets) {
            let is_met = |proved: &[Method]| sets.iter().any(|set| set.iter().all(|method| proved.contains(method)));
            for first in &owned {
                let mut proved = vec![*first];
                let end = loop {
                    match demand.next(&proved, &owned) {
                        Next::Prove(method) => {
                            assert!(!proved.contains(&method) && owned.contains(&method));
                            proved.push(method);
                        }
                        end => break end,
                    }
                };
                let expected = if is_met(&owned) { Next::Enough } else { Next::Unmet };
                assert_eq!(end, expected, "{sets:?} {owned:?}");
                assert_eq!(is_met(&proved), end == Next::Enough, "{sets:?} {owned:?} {proved:?}");
            }
        }
    }
}

#[test]
fn the_better_value_is_asked_for_unless_that_wastes_what_was_proved() {
    let all = &[Password, EmailCode, PhoneCode];
    let either = demand(&format!("{TWO} {ONE}"));
    assert_eq!(either.next(&[PhoneCode], all), Next::Prove(Password));
    assert_eq!(either.next(&[EmailCode], all), Next::Enough, "whoever came in by mail has not their phone at hand");
    assert_eq!(either.next(&[PhoneCode], &[PhoneCode]), Next::Enough, "the other value will do");
    assert!(either.rank(PhoneCode) < either.rank(EmailCode), "so the phone is offered first");
    assert_eq!(demand(ONE).rank(PhoneCode), demand(ONE).rank(EmailCode));
    let two = demand(TWO);
    assert_eq!(two.next(&[EmailCode], all), Next::Prove(Password));
    assert_eq!(two.next(&[EmailCode, Password], all), Next::Prove(PhoneCode));
    assert_eq!(two.next(&[EmailCode], &[Password, EmailCode]), Next::Unmet);
}

#[test]
fn values_that_nobody_knows_are_met_by_nothing_and_those_of_others_ask_for_nothing() {
    let parse = |values: &str| Demand::parse(values, None, Duration::from_secs(600));
    assert_eq!(parse("urn:example:gold"), None);
    assert_eq!(parse(""), None);
    for unknown in ["urn:countersign:acr:phr", "urn:countersign:acr:methods:", "urn:countersign:acr:methods:password.x"]
    {
        assert_eq!(demand(unknown).next(&[Password], Method::ALL), Next::Unmet, "{unknown}");
        assert_eq!(demand(unknown).within(Method::ALL), None);
    }
    assert!(demand(&format!("urn:example:gold {ONE}")).takes_any() && !demand(TWO).takes_any());
    assert_eq!(demand(TWO).within(&[Password, EmailCode]), None);
    assert!(demand(&format!("{TWO} {BOTH_KNOWN}")).within(&[Password, EmailCode]).is_some());
}

#[test]
fn a_proof_counts_as_long_as_was_asked_for_and_never_longer_than_a_record_lives() {
    let now = Timestamp(1_000_000_000);
    let proof = |seconds| Proof { method: Password, at: now.minus(Duration::from_secs(seconds)) };
    let counting = |max_age| {
        let demand = Demand::parse(ONE, max_age, Duration::from_secs(600)).unwrap();
        [100, 101, 600, 601].map(|age| demand.counting(&[proof(age)], now).len())
    };
    assert_eq!(counting(Some(100)), [1, 0, 0, 0]);
    for max_age in [None, Some(0), Some(600), Some(u64::MAX)] {
        assert_eq!(counting(max_age), [1, 1, 1, 0], "{max_age:?}");
    }
}
