//! Whether two classes of times differ.

use crate::pairs::Pair;

/// So many standard deviations of chance are taken for a difference: chance alone gets there once in some 2,000 pairs.
const MOST: f64 = 3.5;
/// Random splits by which the difference of medians is judged.
const SPLITS: usize = 200;

/// Chance that is the same in every run (xorshift).
pub struct Chance(u64);

impl Chance {
    pub fn new() -> Self {
        Self(0x9e37_79b9_7f4a_7c15)
    }

    pub fn flip(&mut self) -> bool {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 & 1 == 1
    }
}

/// What was found of a pair.
pub struct Finding {
    medians: [f64; 2],
    /// What 95 of 100 random splits of the same times stay below.
    spread: f64,
    /// How often a request of the second class takes longer than one of the first (Mann-Whitney); a half when nothing differs.
    auc: f64,
    /// How far from a half chance brings it, 95 times of 100.
    noise: f64,
    /// Standard deviations from a half.
    deviations: f64,
}

/// Each pair of times was taken one after the other, in an order left to chance. So if the class makes no difference, exchanging the two
/// of a pair makes none either; the sum of the differences of their ranks is then 0 but for chance, of which the variance is known.
pub fn compare(times: &[[f64; 2]]) -> Finding {
    let ranks = ranks(times);
    let differences: Vec<f64> = ranks.iter().map(|[one, other]| other - one).collect();
    let sum: f64 = differences.iter().sum();
    let deviation = differences.iter().map(|difference| difference * difference).sum::<f64>().sqrt();
    let scale = 2.0 * count(times.len()) * count(times.len());
    let mut chance = Chance::new();
    let mut splits: Vec<f64> = (0..SPLITS)
        .map(|_| {
            let split: Vec<[f64; 2]> =
                times.iter().map(|[one, other]| if chance.flip() { [*one, *other] } else { [*other, *one] }).collect();
            let [one, other] = medians(&split);
            (one - other).abs()
        })
        .collect();
    splits.sort_by(f64::total_cmp);
    Finding {
        medians: medians(times),
        spread: *splits.get(SPLITS * 95 / 100).expect("as many as there are splits"),
        auc: 0.5 + sum / scale,
        noise: 1.96 * deviation / scale,
        deviations: sum / deviation.max(f64::MIN_POSITIVE),
    }
}

impl Finding {
    pub fn is_told_apart(&self) -> bool {
        self.deviations.abs() > MOST
    }

    pub fn print(&self, pair: &Pair) {
        let [one, other] = self.medians;
        let verdict = match (self.is_told_apart(), pair.is_different) {
            (false, false) => "alike",
            (true, true) => "differs, as it should",
            (true, false) => "DIFFERS",
            (false, true) => "ALIKE, BUT SHOULD DIFFER",
        };
        println!(
            "{:62} {one:9.1} {other:9.1} {:+7.1} ±{:5.1}  {:.3} ±{:.3} {:+5.1}  {verdict}",
            pair.name,
            other - one,
            self.spread,
            self.auc,
            self.noise,
            self.deviations,
        );
    }
}

pub fn head() {
    println!(
        "{:62} {:>9} {:>9} {:>7} {:>6}  {:>5} {:>6} {:>5}",
        "pair", "median", "median", "differ", "chance", "AUC", "chance", "sd"
    );
}

/// The rank of each time among all, ties shared.
fn ranks(times: &[[f64; 2]]) -> Vec<[f64; 2]> {
    let mut order: Vec<(f64, usize)> = times.iter().flatten().copied().zip(0..).collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    let mut ranks = vec![[0.0; 2]; times.len()];
    let mut rest = order.as_slice();
    let mut before = 0.0;
    while let Some((time, _)) = rest.first() {
        let equal = rest.iter().take_while(|(other, _)| other.total_cmp(time).is_eq()).count();
        let (these, others) = rest.split_at(equal);
        for (_, place) in these {
            *ranks.get_mut(place / 2).and_then(|both| both.get_mut(place % 2)).expect("a place") =
                before + f64::midpoint(count(equal), 1.0);
        }
        before += count(equal);
        rest = others;
    }
    ranks
}

fn medians(times: &[[f64; 2]]) -> [f64; 2] {
    [0, 1].map(|class| {
        let mut own: Vec<f64> = times.iter().filter_map(|both| both.get(class).copied()).collect();
        let middle = own.len() / 2;
        *own.select_nth_unstable_by(middle, f64::total_cmp).1
    })
}

fn count(number: usize) -> f64 {
    f64::from(u32::try_from(number).expect("not that many"))
}
