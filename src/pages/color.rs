//! The operator's colour, made readable on light and on dark ground (WCAG 2.2, 1.4.3).

const WHITE: [u8; 3] = [255, 255, 255];
const BLACK: [u8; 3] = [0, 0, 0];
/// The darkest ground that text in the accent's colour stands on in the light theme, and the lightest one in the dark theme.
const LIGHT_GROUND: [u8; 3] = [0xf4, 0xf3, 0xef];
const DARK_GROUND: [u8; 3] = [0x22, 0x25, 0x2a];
/// What 1.4.3 asks for, and a little for rounding.
const LEAST: f64 = 4.6;

/// A colour for each theme, and what is written on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accent {
    light: [u8; 3],
    dark: [u8; 3],
}

impl Accent {
    /// As near to `rgb` as can be read.
    #[must_use]
    pub fn new(rgb: [u8; 3]) -> Self {
        Self { light: toward(rgb, 0.0, LIGHT_GROUND), dark: toward(rgb, 1.0, DARK_GROUND) }
    }

    /// The style sheet's variables.
    #[must_use]
    pub fn style(self) -> String {
        let of = |color: [u8; 3]| {
            let on = if contrast(color, WHITE) >= contrast(color, BLACK) { WHITE } else { [0x14, 0x16, 0x1a] };
            format!("--accent:{};--on-accent:{}", hex(color), hex(on))
        };
        format!(":root{{{}}}@media (prefers-color-scheme:dark){{:root{{{}}}}}", of(self.light), of(self.dark))
    }
}

fn hex([red, green, blue]: [u8; 3]) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

/// The same hue, lighter or darker step by step toward `end`, until it stands out from `ground`.
fn toward(rgb: [u8; 3], end: f64, ground: [u8; 3]) -> [u8; 3] {
    let (hue, saturation, lightness) = hsl(rgb);
    let stepped = |step: u8| {
        let share = f64::from(step) / 40.0;
        if step == 0 { rgb } else { of_hsl(hue, saturation, lightness + (end - lightness) * share) }
    };
    let found = (0..=40).map(stepped).find(|color| contrast(*color, ground) >= LEAST);
    found.unwrap_or(if end > 0.5 { WHITE } else { BLACK })
}

/// Hue in sixths of the circle, saturation and lightness from 0 to 1.
fn hsl([red, green, blue]: [u8; 3]) -> (f64, f64, f64) {
    let [red, green, blue] = [red, green, blue].map(|part| f64::from(part) / 255.0);
    let (most, least) = (red.max(green).max(blue), red.min(green).min(blue));
    let (range, lightness) = (most - least, f64::midpoint(most, least));
    if range < f64::EPSILON {
        return (0.0, 0.0, lightness);
    }
    let hue = if most <= red {
        ((green - blue) / range).rem_euclid(6.0)
    } else if most <= green {
        (blue - red) / range + 2.0
    } else {
        (red - green) / range + 4.0
    };
    (hue, range / (1.0 - (2.0 * lightness - 1.0).abs()), lightness)
}

fn of_hsl(hue: f64, saturation: f64, lightness: f64) -> [u8; 3] {
    let reach = saturation * lightness.min(1.0 - lightness);
    // CSS Color 4, 7.1, where the circle has twelve parts.
    [0.0, 8.0, 4.0].map(|offset| {
        let place = (offset + hue * 2.0).rem_euclid(12.0);
        let part = lightness - reach * (place - 3.0).min(9.0 - place).clamp(-1.0, 1.0);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 255")]
        let byte = (part * 255.0).round().clamp(0.0, 255.0) as u8;
        byte
    })
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let (one, other) = (luminance(one), luminance(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}

fn luminance([red, green, blue]: [u8; 3]) -> f64 {
    let linear = |part: u8| {
        let part = f64::from(part) / 255.0;
        if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
    };
    0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_readable_colour_stays_as_it_is() {
        assert_eq!(Accent::new([0x1f, 0x4e, 0x79]).light, [0x1f, 0x4e, 0x79]);
        assert!(contrast(WHITE, BLACK) > 20.9);
    }

    #[test]
    fn a_dark_colour_gets_lighter_and_keeps_its_hue() {
        let Accent { dark: [red, green, blue], .. } = Accent::new([0x1f, 0x4e, 0x79]);
        assert!(red < green && green < blue && blue > 0xb0, "{red} {green} {blue}");
        for rgb in [[0x1f, 0x4e, 0x79], [200, 30, 60], [10, 200, 30], [7, 7, 7], [255, 255, 0], [120, 0, 240]] {
            let (hue, saturation, lightness) = hsl(rgb);
            assert_eq!(of_hsl(hue, saturation, lightness), rgb);
        }
    }

    proptest! {
        #[test]
        fn every_colour_is_made_readable(rgb: [u8; 3]) {
            let accent = Accent::new(rgb);
            prop_assert!(contrast(accent.light, LIGHT_GROUND) >= 4.5);
            prop_assert!(contrast(accent.dark, DARK_GROUND) >= 4.5);
            for color in [accent.light, accent.dark] {
                let best = contrast(color, WHITE).max(contrast(color, [0x14, 0x16, 0x1a]));
                prop_assert!(best >= 4.5, "{color:?}");
            }
        }
    }
}
