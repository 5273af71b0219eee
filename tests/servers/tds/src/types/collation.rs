//! Collations (2.2.5.1.2): which code page a narrow text has, and what counts as equal.

use std::cmp::Ordering;

use encoding_rs::Encoding;

/// LCID and flags, then the sort id, as five bytes on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Collation {
    bits: u32,
    sort: u8,
}

const IGNORE_CASE: u32 = 1 << 20;
const IGNORE_ACCENT: u32 = 1 << 21;
const IGNORE_KANA: u32 = 1 << 22;
const IGNORE_WIDTH: u32 = 1 << 23;
const BINARY: u32 = 1 << 24;
const BINARY2: u32 = 1 << 25;
const UTF8: u32 = 1 << 26;

/// What two texts are compared by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    IgnoreCase,
    Case,
    Binary,
}

impl Comparison {
    /// The name of the collation in `SQLite`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::IgnoreCase => "tsql_ci",
            Self::Case => "tsql_cs",
            Self::Binary => "tsql_bin",
        }
    }

    /// Trailing spaces count for nothing, as in SQL Server.
    pub(crate) fn compare(self, left: &str, right: &str) -> Ordering {
        let (left, right) = (left.trim_end_matches(' '), right.trim_end_matches(' '));
        match self {
            Self::IgnoreCase => folded(left).cmp(folded(right)),
            Self::Case => folded(left)
                .cmp(folded(right))
                .then_with(|| right.cmp(left)),
            Self::Binary => left.encode_utf16().cmp(right.encode_utf16()),
        }
    }
}

fn folded(text: &str) -> impl Iterator<Item = char> + '_ {
    text.chars().flat_map(char::to_lowercase)
}

/// Names that begin so, and their LCIDs.
const FAMILIES: [(&str, u32); 14] = [
    ("SQL_Latin1_General_", 0x0409),
    ("Latin1_General_", 0x0409),
    ("Cyrillic_General_", 0x0419),
    ("Japanese_", 0x0411),
    ("Chinese_PRC_", 0x0804),
    ("Chinese_Taiwan_Stroke_", 0x0404),
    ("Korean_Wansung_", 0x0412),
    ("Greek_", 0x0408),
    ("Turkish_", 0x041F),
    ("Hebrew_", 0x040D),
    ("Arabic_", 0x0401),
    ("Czech_", 0x0405),
    ("Polish_", 0x0415),
    ("Thai_", 0x041E),
];

impl Collation {
    /// `SQL_Latin1_General_CP1_CI_AS`: 09 04 D0 00 34.
    pub(crate) const DEFAULT: Self = Self {
        bits: 0x00D0_0409,
        sort: 52,
    };

    pub(crate) fn bytes(self) -> [u8; 5] {
        let [a, b, c, d] = self.bits.to_le_bytes();
        [a, b, c, d, self.sort]
    }

    pub(crate) fn from_bytes(bytes: [u8; 5]) -> Self {
        let [a, b, c, d, sort] = bytes;
        Self {
            bits: u32::from_le_bytes([a, b, c, d]),
            sort,
        }
    }

    /// The collation of a name, if this server knows it. Accents always count here: a collation
    /// that ignores them isn't known.
    pub(crate) fn named(name: &str) -> Option<Self> {
        if name.eq_ignore_ascii_case("database_default")
            || name.eq_ignore_ascii_case("SQL_Latin1_General_CP1_CI_AS")
        {
            return Some(Self::DEFAULT);
        }
        let upper = name.to_ascii_uppercase();
        let (prefix, lcid) = FAMILIES
            .iter()
            .find(|(prefix, _)| upper.starts_with(&prefix.to_ascii_uppercase()))?;
        let (mut bits, mut seen) = (lcid | IGNORE_KANA | IGNORE_WIDTH, false);
        for part in upper[prefix.len()..].split('_') {
            match part {
                "CI" => (bits, seen) = (bits | IGNORE_CASE, true),
                "CS" => seen = true,
                "AS" | "SC" | "CP1" | "90" => {}
                "100" => bits |= 2 << 28,
                "140" => bits |= 3 << 28,
                "KS" => bits &= !IGNORE_KANA,
                "WS" => bits &= !IGNORE_WIDTH,
                "BIN" => (bits, seen) = (lcid | BINARY, true),
                "BIN2" => (bits, seen) = ((bits & (0xF << 28)) | lcid | BINARY2, true),
                "UTF8" => bits |= UTF8,
                _ => return None,
            }
        }
        seen.then_some(Self { bits, sort: 0 })
    }

    /// The name that the catalogue shows.
    pub(crate) fn name(self) -> String {
        if self == Self::DEFAULT {
            return "SQL_Latin1_General_CP1_CI_AS".to_owned();
        }
        let family = FAMILIES
            .iter()
            .skip(1)
            .find(|(_, lcid)| *lcid == self.bits & 0xF_FFFF)
            .map_or("Latin1_General_", |(name, _)| name);
        let version = match self.bits >> 28 {
            2 => "100_",
            3 => "140_",
            _ => "",
        };
        let rest = if self.bits & BINARY2 != 0 {
            "BIN2"
        } else if self.bits & BINARY != 0 {
            "BIN"
        } else if self.bits & IGNORE_CASE != 0 {
            "CI_AS"
        } else {
            "CS_AS"
        };
        let kana = if self.bits & (IGNORE_KANA | BINARY | BINARY2) == 0 {
            "_KS"
        } else {
            ""
        };
        let width = if self.bits & (IGNORE_WIDTH | BINARY | BINARY2) == 0 {
            "_WS"
        } else {
            ""
        };
        let utf8 = if self.bits & UTF8 != 0 { "_UTF8" } else { "" };
        let supplementary = if !utf8.is_empty() && !rest.starts_with("BIN") {
            "_SC"
        } else {
            ""
        };
        format!("{family}{version}{rest}{kana}{width}{supplementary}{utf8}")
    }

    pub(crate) fn comparison(self) -> Comparison {
        if self.bits & (BINARY | BINARY2) != 0 {
            Comparison::Binary
        } else if self.bits & IGNORE_CASE != 0 {
            Comparison::IgnoreCase
        } else {
            Comparison::Case
        }
    }

    pub(crate) fn ignores_accents(self) -> bool {
        self.bits & IGNORE_ACCENT != 0
    }

    pub(crate) fn is_utf8(self) -> bool {
        self.bits & UTF8 != 0
    }

    /// How a narrow text is written.
    pub(crate) fn encoding(self) -> &'static Encoding {
        if self.is_utf8() {
            return encoding_rs::UTF_8;
        }
        match self.bits & 0xF_FFFF {
            0x0419 => encoding_rs::WINDOWS_1251,
            0x0411 => encoding_rs::SHIFT_JIS,
            0x0804 => encoding_rs::GBK,
            0x0404 => encoding_rs::BIG5,
            0x0412 => encoding_rs::EUC_KR,
            0x0408 => encoding_rs::WINDOWS_1253,
            0x041F => encoding_rs::WINDOWS_1254,
            0x040D => encoding_rs::WINDOWS_1255,
            0x0401 => encoding_rs::WINDOWS_1256,
            0x0405 | 0x0415 => encoding_rs::WINDOWS_1250,
            0x041E => encoding_rs::WINDOWS_874,
            _ => encoding_rs::WINDOWS_1252,
        }
    }

    /// The number of the code page, as `COLLATIONPROPERTY` tells it.
    pub(crate) fn code_page(self) -> i64 {
        match self.encoding().name() {
            "UTF-8" => 65001,
            "windows-1251" => 1251,
            "Shift_JIS" => 932,
            "GBK" => 936,
            "Big5" => 950,
            "EUC-KR" => 949,
            "windows-1253" => 1253,
            "windows-1254" => 1254,
            "windows-1255" => 1255,
            "windows-1256" => 1256,
            "windows-1250" => 1250,
            "windows-874" => 874,
            _ => 1252,
        }
    }
}
