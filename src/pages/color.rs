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
        Self { light: toward(rgb, BLACK, LIGHT_GROUND), dark: toward(rgb, WHITE, DARK_GROUND) }
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

/// Steps toward `end` until it stands out from `ground`.
fn toward(rgb: [u8; 3], end: [u8; 3], ground: [u8; 3]) -> [u8; 3] {
    let mixed = |step: u16| {
        let mix = |from: u8, to: u8| {
            let sum = u16::from(from) * (20 - step) + u16::from(to) * step;
            u8::try_from(sum / 20).unwrap_or(to)
        };
        std::array::from_fn(|at| rgb.get(at).zip(end.get(at)).map_or(0, |(from, to)| mix(*from, *to)))
    };
    (0..=20).map(mixed).find(|color| contrast(*color, ground) >= LEAST).unwrap_or(end)
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
