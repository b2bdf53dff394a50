//! The state machine of records, guesses and locks against a model of it: whatever two people, their operators and the clock do, in
//! whatever order, answers, rows and events are those the model says.
//!
//! `PROPTEST_CASES=2000 cargo test --test it states` runs for longer than the suite does.

mod model;
mod play;

use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};

use self::{
    model::{Method, Tried},
    play::Stage,
};

/// One call. `who` is one of two people; a record is counted back from the newest, whoever made it.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    Password {
        who: usize,
        is_right: bool,
    },
    Send {
        who: usize,
        to: Address,
    },
    Guess {
        who: usize,
        record: usize,
        tried: Tried,
        is_elsewhere: bool,
    },
    Open {
        who: usize,
        record: usize,
        is_single_use: bool,
    },
    ChangePassword {
        who: usize,
        record: usize,
    },
    Bind {
        who: usize,
        record: usize,
        proof: usize,
        is_elsewhere: bool,
    },
    Remove {
        who: usize,
        record: usize,
        method: Method,
    },
    Suspend {
        who: usize,
        is_suspended: bool,
    },
    Reset {
        who: usize,
    },
    Wait {
        seconds: u64,
    },
    /// What every change begins with, so that most sequences come to something.
    Prove {
        who: usize,
        to: Address,
    },
}

#[derive(Clone, Copy, Debug)]
pub enum Address {
    OwnEmail,
    OwnPhone,
    /// Of nobody, or of whoever bound it first.
    Free(usize),
    FreePhone,
    Theirs,
}

fn who() -> impl Strategy<Value = usize> + Clone {
    prop_oneof![4 => Just(0_usize), 1 => Just(1)]
}

fn rarely() -> impl Strategy<Value = bool> {
    prop_oneof![7 => Just(false), 1 => Just(true)]
}

fn tried() -> impl Strategy<Value = Tried> {
    prop_oneof![6 => Just(Tried::Right), 5 => Just(Tried::Wrong), 1 => Just(Tried::Nothing)]
}

fn step() -> impl Strategy<Value = Step> {
    let record = || prop_oneof![4 => Just(0_usize), 2 => Just(1), 1 => 2..5_usize];
    let address = || {
        prop_oneof![
            4 => Just(Address::OwnEmail),
            2 => Just(Address::OwnPhone),
            2 => (0..2_usize).prop_map(Address::Free),
            1 => Just(Address::FreePhone),
            1 => Just(Address::Theirs),
        ]
    };
    let method = || prop_oneof![Just(Method::Email), Just(Method::Phone)];
    // Each side of every limit.
    let seconds = || {
        prop_oneof![
            4 => prop::sample::select(vec![1_u64, 29, 30, 31]),
            3 => prop::sample::select(vec![299, 300, 570, 599, 600]),
            2 => prop::sample::select(vec![899, 900, 1800, 3599, 3600, 3601]),
        ]
    };
    prop_oneof![
        3 => (who(), any::<bool>()).prop_map(|(who, is_right)| Step::Password { who, is_right }),
        3 => (who(), address()).prop_map(|(who, to)| Step::Send { who, to }),
        5 => (who(), address()).prop_map(|(who, to)| Step::Prove { who, to }),
        8 => (who(), record(), tried(), rarely()).prop_map(|(who, record, tried, is_elsewhere)| Step::Guess { who, record, tried, is_elsewhere }),
        4 => (who(), record(), any::<bool>()).prop_map(|(who, record, is_single_use)| Step::Open { who, record, is_single_use }),
        1 => (who(), record()).prop_map(|(who, record)| Step::ChangePassword { who, record }),
        3 => (who(), record(), record(), rarely()).prop_map(|(who, record, proof, is_elsewhere)| Step::Bind { who, record, proof, is_elsewhere }),
        1 => (who(), record(), method()).prop_map(|(who, record, method)| Step::Remove { who, record, method }),
        1 => (who(), rarely()).prop_map(|(who, is_suspended)| Step::Suspend { who, is_suspended: !is_suspended }),
        1 => who().prop_map(|who| Step::Suspend { who, is_suspended: false }),
        1 => who().prop_map(|who| Step::Reset { who }),
        4 => seconds().prop_map(|seconds| Step::Wait { seconds }),
    ]
}

/// What comes between a proof and the gate.
#[derive(Clone, Copy, Debug)]
enum Between {
    Nothing,
    Wait(u64),
    Suspension,
    NewPassword,
    NoEmail,
}

fn between() -> impl Strategy<Value = Between> {
    prop_oneof![
        3 => Just(Between::Nothing),
        3 => prop::sample::select(vec![1, 599, 600]).prop_map(Between::Wait),
        1 => Just(Between::Suspension),
        1 => Just(Between::NewPassword),
        1 => Just(Between::NoEmail),
    ]
}

/// What seldom comes about by chance: the same again and again, and what follows a lock.
fn scene() -> impl Strategy<Value = Vec<Step>> {
    let wrong = |who| Step::Password { who, is_right: false };
    let mostly_wrong = || prop_oneof![3 => Just(Tried::Wrong), 1 => Just(Tried::Right)];
    let fill = |step: Step, times: usize| std::iter::repeat_n(step, times);
    let edge = |seconds: Vec<u64>| prop::sample::select(seconds);
    let to =
        || prop_oneof![Just(Address::OwnEmail), Just(Address::Theirs), Just(Address::Free(0)), Just(Address::OwnPhone)];
    prop_oneof![
        8 => step().prop_map(|step| vec![step]),
        2 => (who(), 2..6_usize).prop_map(move |(who, times)| fill(wrong(who), times).collect()),
        2 => (who(), to(), prop::collection::vec(mostly_wrong(), 2..6)).prop_map(move |(who, to, tries)| {
            let guesses = tries.into_iter().map(|tried| Step::Guess { who, record: 0, tried, is_elsewhere: false });
            std::iter::once(Step::Send { who, to }).chain(guesses).collect()
        }),
        2 => (to(), 2..10_usize, any::<bool>()).prop_map(move |(to, times, is_in_turns)| {
            let send = |number: usize| Step::Send { who: if is_in_turns { number % 2 } else { 0 }, to };
            (0..times).flat_map(|number| [send(number), Step::Wait { seconds: 30 }]).collect()
        }),
        // To one address after the other, up to the cap of their sender.
        1 => (8..11_usize, edge(vec![30, 400])).prop_map(move |(times, seconds)| {
            let all = [Address::OwnEmail, Address::OwnPhone, Address::Free(0), Address::Free(1), Address::FreePhone];
            let sends = all.into_iter().cycle().take(times).map(|to| Step::Send { who: 0, to });
            sends.flat_map(|send| [send, Step::Wait { seconds }]).collect()
        }),
        1 => (who(), edge(vec![1, 898, 899, 900]), edge(vec![1799, 1800])).prop_map(move |(who, first, second)| {
            let wait = |seconds| Step::Wait { seconds };
            fill(wrong(who), 4).chain([wait(first), wrong(who), wait(second), wrong(who)]).collect()
        }),
        5 => (who(), any::<bool>(), between(), any::<[bool; 2]>(), rarely()).prop_map(move |scene| {
            let (who, by_code, between, once, is_stolen) = scene;
            let to = Address::OwnEmail;
            let proof = if by_code { Step::Prove { who, to } } else { Step::Password { who, is_right: true } };
            let between = match between {
                Between::Nothing => vec![],
                Between::Wait(seconds) => vec![Step::Wait { seconds }],
                Between::Suspension => [true, false].map(|is_suspended| Step::Suspend { who, is_suspended }).into(),
                Between::NewPassword => vec![Step::ChangePassword { who, record: 0 }],
                Between::NoEmail => vec![Step::Remove { who, record: 0, method: Method::Email }],
            };
            let opener = if is_stolen { 1 - who } else { who };
            let open = once.map(|is_single_use| Step::Open { who: opener, record: 0, is_single_use });
            // Whatever was locked or sent before does not matter here.
            let before = [Step::Wait { seconds: 3600 }, Step::Reset { who }, proof];
            before.into_iter().chain(between).chain(open).collect()
        }),
        2 => (who(), to(), edge(vec![299, 300, 599, 600]), any::<bool>()).prop_map(move |(who, to, seconds, is_right)| {
            let wrong = Step::Guess { who, record: 0, tried: Tried::Wrong, is_elsewhere: false };
            let right = Step::Guess { who, record: 0, tried: Tried::Right, is_elsewhere: false };
            let tries = if is_right { vec![right] } else { vec![wrong, wrong, wrong, right] };
            let wait = Step::Wait { seconds: if is_right { seconds } else { 1 } };
            let open = Step::Open { who, record: 0, is_single_use: false };
            [Step::Send { who, to }, wait].into_iter().chain(tries).chain([open]).collect()
        }),
        1 => (who(), edge(vec![3599, 3600])).prop_map(move |(who, seconds)| {
            fill(wrong(who), 3).chain([Step::Wait { seconds }, wrong(who), wrong(who)]).collect()
        }),
        1 => (who(), any::<bool>()).prop_map(move |(who, is_proved)| {
            let prove = Step::Prove { who, to: Address::OwnEmail };
            let change = Step::ChangePassword { who, record: usize::from(!is_proved) };
            fill(wrong(who), 4).chain([prove, change, Step::Password { who, is_right: true }]).collect()
        }),
        4 => (who(), to(), prop::option::of(tried()), prop::bool::weighted(0.3)).prop_map(move |(who, to, tried, is_elsewhere)| {
            let guess = tried.map(|tried| Step::Guess { who, record: 0, tried, is_elsewhere: false });
            let bind = Step::Bind { who, record: 1, proof: 0, is_elsewhere };
            let steps = [Step::Password { who, is_right: true }, Step::Send { who, to }];
            steps.into_iter().chain(guess).chain([bind]).collect()
        }),
        1 => (who(), edge(vec![1, 3600])).prop_map(move |(who, seconds)| {
            let right = Step::Password { who, is_right: true };
            fill(wrong(who), 4).chain([Step::Wait { seconds: 900 }, right, wrong(who), Step::Wait { seconds }, wrong(who)]).collect()
        }),
    ]
}

#[test]
fn whatever_happens_in_whatever_order_is_what_the_model_says() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(32);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 500, ..Config::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let stage = runtime.block_on(Stage::set());
    let outcome = TestRunner::new(config)
        .run(&prop::collection::vec(scene(), 1..20), |scenes| runtime.block_on(stage.play(&scenes.concat())));
    if let Err(difference) = outcome {
        panic!("{difference}");
    }
}
