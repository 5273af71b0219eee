//! Exact numbers: up to 38 digits, of which some stand after the point (2.2.5.5.1.6).

use std::fmt;

/// An unscaled number and how many of its digits stand after the point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decimal {
    pub(crate) unscaled: i128,
    pub(crate) scale: u8,
}

pub(crate) const DIGITS: u8 = 38;

pub(crate) fn power(exponent: u8) -> i128 {
    10_i128.pow(u32::from(exponent))
}

/// Bytes that a precision takes on the wire, its sign included.
pub(crate) fn wire_length(precision: u8) -> u16 {
    match precision {
        0..=9 => 5,
        10..=19 => 9,
        20..=28 => 13,
        _ => 17,
    }
}

impl Decimal {
    pub(crate) fn new(unscaled: i128, scale: u8) -> Self {
        Self { unscaled, scale }
    }

    /// The same number with another count of digits after the point, half away from zero; `None`
    /// where it has more than 38 digits.
    pub(crate) fn rescale(self, scale: u8) -> Option<Self> {
        let unscaled = if scale >= self.scale {
            self.unscaled
                .checked_mul(10_i128.checked_pow(u32::from(scale - self.scale))?)?
        } else {
            let by = power(self.scale - scale);
            let (whole, rest) = (self.unscaled / by, self.unscaled % by);
            if rest.unsigned_abs() * 2 >= by.unsigned_abs() {
                whole + self.unscaled.signum()
            } else {
                whole
            }
        };
        (unscaled.unsigned_abs() < power(DIGITS).unsigned_abs()).then_some(Self { unscaled, scale })
    }

    pub(crate) fn fits(self, precision: u8) -> bool {
        self.unscaled.unsigned_abs() < power(precision.min(DIGITS)).unsigned_abs()
    }

    /// The part before the point.
    pub(crate) fn whole(self) -> i128 {
        self.unscaled / power(self.scale)
    }

    pub(crate) fn to_f64(self) -> f64 {
        // Through text: the nearest float, which a division of two rounded ones isn't.
        self.to_string().parse().unwrap_or(f64::NAN)
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let (negative, digits) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mut unscaled, mut scale, mut point, mut seen) = (0_i128, 0_u8, false, false);
        for byte in digits.bytes() {
            match byte {
                b'0'..=b'9' => {
                    seen = true;
                    if point && scale == DIGITS {
                        // More than can be kept after the point.
                        continue;
                    }
                    unscaled = unscaled
                        .checked_mul(10)?
                        .checked_add(i128::from(byte - b'0'))?;
                    scale += u8::from(point);
                }
                b'.' if !point => point = true,
                _ => return None,
            }
        }
        let number = Self {
            unscaled: if negative { -unscaled } else { unscaled },
            scale,
        };
        (seen && number.fits(DIGITS)).then_some(number)
    }

    /// Digits that the number has, before and after the point.
    pub(crate) fn precision(self) -> u8 {
        let digits = self
            .unscaled
            .unsigned_abs()
            .checked_ilog10()
            .map_or(1, |log| log + 1);
        u8::try_from(digits)
            .unwrap_or(DIGITS)
            .max(self.scale)
            .max(1)
    }

    /// In 32 bytes that compare as the numbers do, whatever their scales: the floor with its sign
    /// flipped, then the rest in units of 10^-38.
    pub(crate) fn sortable(self) -> [u8; 32] {
        let by = power(self.scale);
        let floor = self.unscaled.div_euclid(by);
        let rest = self.unscaled.rem_euclid(by) * power(DIGITS - self.scale);
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&(floor.cast_unsigned() ^ (1 << 127)).to_be_bytes());
        bytes[16..].copy_from_slice(&rest.to_be_bytes());
        bytes
    }

    /// From [`Self::sortable`], with as many digits after the point as asked; `None` for bytes that
    /// are something else, and where the number doesn't fit.
    pub(crate) fn from_sortable(bytes: &[u8], scale: u8) -> Option<Self> {
        let bytes: &[u8; 32] = bytes.try_into().ok()?;
        let floor = (u128::from_be_bytes(bytes[..16].try_into().ok()?) ^ (1 << 127)).cast_signed();
        let rest = i128::from_be_bytes(bytes[16..].try_into().ok()?);
        let mut own = DIGITS;
        let mut kept = rest;
        while own > 0 && kept % 10 == 0 {
            kept /= 10;
            own -= 1;
        }
        let number = floor.checked_mul(power(own))?.checked_add(kept)?;
        Self::new(number, own).rescale(scale)
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = format!(
            "{:0width$}",
            self.unscaled.unsigned_abs(),
            width = usize::from(self.scale) + 1
        );
        let (whole, rest) = digits.split_at(digits.len() - usize::from(self.scale));
        let sign = if self.unscaled < 0 { "-" } else { "" };
        if rest.is_empty() {
            write!(f, "{sign}{whole}")
        } else {
            write!(f, "{sign}{whole}.{rest}")
        }
    }
}
