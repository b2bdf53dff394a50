//! One line a figure.

/// Names the columns.
pub fn head() {
    println!(
        "{:<44} {:>10} {:>10} {:>7}  {:<15} {:<9}",
        "figure", "limit", "reached", "ratio", "ratios, pairwise", "goal"
    );
}

/// The middle one.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Three pairs of limit and reached, after one that only opens connections and prepares statements.
pub fn rounds(mut pair: impl FnMut() -> (f64, f64)) -> Vec<(f64, f64)> {
    (0..4).map(|_| pair()).skip(1).collect()
}

/// Pairs of limit and reached, measured in turn. The ratio is that of the medians.
pub fn ratio(figure: &str, pairs: &[(f64, f64)], goal: f64) {
    let limit = median(pairs.iter().map(|pair| pair.0).collect());
    let reached = median(pairs.iter().map(|pair| pair.1).collect());
    let ratio = reached / limit;
    let is_met = if ratio >= goal { "met" } else { "MISSED" };
    line(figure, limit, reached, ratio, pairs, &format!(">= {goal:.2} {is_met}"));
}

/// Pairs of which the second may be at most `goal` times the first.
pub fn at_most(figure: &str, pairs: &[(f64, f64)], goal: f64) {
    let alone = median(pairs.iter().map(|pair| pair.0).collect());
    let loaded = median(pairs.iter().map(|pair| pair.1).collect());
    let is_met = if loaded / alone <= goal { "met" } else { "MISSED" };
    line(figure, alone, loaded, loaded / alone, pairs, &format!("<= {goal:.2} {is_met}"));
}

fn line(figure: &str, one: f64, other: f64, ratio: f64, pairs: &[(f64, f64)], verdict: &str) {
    let mut ratios: Vec<f64> = pairs.iter().map(|pair| pair.1 / pair.0).collect();
    ratios.sort_by(f64::total_cmp);
    let range = match (ratios.first(), ratios.last()) {
        (Some(least), Some(most)) => format!("{least:.2} to {most:.2}"),
        _ => String::new(),
    };
    println!("{figure:<44} {one:>10.2} {other:>10.2} {ratio:>7.3}  {range:<15} {verdict}");
}

/// A figure with a bound of its own.
pub fn bound(figure: &str, value: f64, most: f64) {
    let is_met = if value < most { "met" } else { "MISSED" };
    println!("{figure:<44} {most:>10.2} {value:>10.2} {:>7.3}  {:<15} < 1.00 {is_met}", value / most, "");
}
