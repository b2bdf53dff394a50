use super::*;

const NOW: Timestamp = Timestamp(1_000_000_000);

/// Every subset of `items`, the empty one first.
fn subsets<T: Clone>(items: &[T]) -> Vec<Vec<T>> {
    let chosen = |bits: usize| items.iter().enumerate().filter(move |(at, _)| bits >> at & 1 == 1);
    (0..1 << items.len()).map(|bits| chosen(bits).map(|(_, item)| item.clone()).collect()).collect()
}

fn policy(methods: Vec<Vec<Method>>) -> Policy {
    Policy {
        operation: "bank.pay".to_owned(),
        methods,
        max_age: Duration::from_secs(300),
        is_single_use: true,
        binds_payload: false,
        statement: None,
        redeemers: Vec::new(),
        exempts_users_without_methods: false,
    }
}

/// Every policy over the methods there are, against every combination of absent, fresh and stale proofs. What counts is stated the other
/// way round than the code does: some set has no method without a fresh proof.
#[test]
fn the_truth_table_of_every_policy_and_every_combination_of_methods() {
    let sets: Vec<Vec<Method>> = subsets(Method::ALL).into_iter().filter(|set| !set.is_empty()).collect();
    let mut judged = 0;
    for sets in subsets(&sets).into_iter().filter(|sets| !sets.is_empty()) {
        let policy = policy(sets.clone());
        for state in 0..3_usize.pow(Method::ALL.len().try_into().unwrap()) {
            let age = |at: usize| [None, Some(100), Some(301)][state / 3_usize.pow(at.try_into().unwrap()) % 3];
            let proofs: Vec<Proof> = Method::ALL
                .iter()
                .enumerate()
                .filter_map(|(at, method)| {
                    let at = NOW.minus(Duration::from_secs(age(at)?));
                    Some(Proof { method: *method, at })
                })
                .collect();
            let is_fresh = |method: &Method| {
                Method::ALL.iter().position(|other| other == method).and_then(age).is_some_and(|age| age == 100)
            };
            let expected = sets.iter().any(|set| !set.iter().any(|method| !is_fresh(method)));
            match policy.judge(&proofs, NOW) {
                Ok(met) => {
                    assert!(expected, "{sets:?} {proofs:?}");
                    assert!(sets.contains(&met.methods) && met.methods.iter().all(is_fresh));
                    let best = sets.iter().filter(|set| set.iter().all(is_fresh)).map(|set| Acr::of(set)).max();
                    assert_eq!(Some(Acr::of(&met.methods)), best);
                }
                Err(missing) => {
                    assert!(!expected, "{sets:?} {proofs:?}");
                    assert!(missing.len() == sets.len() && missing.iter().all(|set| !set.is_empty()));
                    assert!(missing.iter().flatten().all(|method| !is_fresh(method)));
                }
            }
            judged += 1;
        }
    }
    assert_eq!(judged, (2_usize.pow(7) - 1) * 27);
}

#[test]
fn the_oldest_proof_of_a_set_is_its_age_and_the_newest_of_a_method_counts() {
    let policy = policy(vec![vec![Method::Password, Method::EmailCode]]);
    let proof = |method, age| Proof { method, at: NOW.minus(Duration::from_secs(age)) };
    let proofs = [proof(Method::Password, 200), proof(Method::EmailCode, 299), proof(Method::EmailCode, 10)];
    assert_eq!(policy.judge(&proofs, NOW).unwrap().auth_time, NOW.minus(Duration::from_secs(200)));
    assert_eq!(policy.judge(&proofs, NOW.plus(Duration::from_secs(101))), Err(vec![vec![Method::Password]]));
}

#[test]
fn two_methods_of_one_category_are_one_factor() {
    use Method::{EmailCode, Password, PhoneCode};
    let two: Vec<Vec<Method>> =
        subsets(Method::ALL).into_iter().filter(|set| Acr::of(set) == Acr::TwoFactors).collect();
    assert_eq!(two, [vec![Password, PhoneCode], vec![Password, EmailCode, PhoneCode]]);
    assert_eq!(amr(&[Password, PhoneCode]), ["mfa", "pwd", "sms"]);
    assert_eq!(amr(&[Password, EmailCode]), ["pwd", "otp"]);
}

#[test]
fn a_user_without_a_whole_set_is_not_enrolled_and_there_is_no_downgrade() {
    use Method::{EmailCode, Password, PhoneCode};
    let policy = policy(vec![vec![Password, PhoneCode], vec![EmailCode, PhoneCode]]);
    assert_eq!(policy.require_enrolled(&[Password, EmailCode]), Err(vec![vec![PhoneCode], vec![PhoneCode]]));
    assert_eq!(policy.require_enrolled(&[EmailCode, PhoneCode]), Ok(()));
    assert!(policy.require_enrolled(&[]).is_err());
}

#[test]
fn a_built_in_operation_is_overridden_by_name_and_no_other_may_take_its_area() {
    let built_in = || {
        [Policy::built_in("account.x", &Requirement { exempts_users_without_methods: true, ..Requirement::ACCOUNT })]
    };
    let named = |operation: &str| Policy { operation: operation.to_owned(), ..policy(vec![vec![Method::PhoneCode]]) };
    let policies = Policies::new(built_in(), vec![named("account.x"), named("bank.pay")]).unwrap();
    let overridden = policies.find("account.x").unwrap();
    assert_eq!(overridden.methods, [[Method::PhoneCode]]);
    assert!(overridden.exempts_users_without_methods, "nobody is locked out of setting a first password");
    assert_eq!(policies.iter().count(), 2);
    let problems = Policies::new(built_in(), vec![named("account.y")]).unwrap_err();
    assert!(problems.len() == 1 && problems[0].contains("account.x"), "{problems:?}");
}
