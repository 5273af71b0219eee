use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A type that settings can have: what serde reads, and the JSON Schema of it, which is there at
/// compile time, so that the host can check a configuration without running the plugin.
///
/// Derived for structs with named fields, for enums of words, and for enums with
/// `#[serde(tag = "…")]`. Doc comments become descriptions. Of serde's attributes the derive
/// knows `rename`, `rename_all`, `default`, `deny_unknown_fields`, `tag` and `skip`; any other is
/// a compile error, since the schema wouldn't say what serde does:
///
/// ```compile_fail
/// #[derive(serde::Deserialize, hygge_sdk::Config)]
/// struct Settings {
///     #[serde(flatten)]
///     more: std::collections::BTreeMap<String, String>,
/// }
/// ```
pub trait Config: DeserializeOwned {
    /// What a value of this type looks like.
    const SCHEMA: Schema;
}

/// A JSON Schema, as a constant.
#[derive(Debug, Clone, Copy)]
pub enum Schema {
    /// Anything.
    Any,
    /// `true` or `false`.
    Bool,
    /// A whole number within bounds; beyond 64 bits they are left out.
    Integer {
        /// The least.
        least: i128,
        /// The greatest.
        greatest: i128,
    },
    /// Any number.
    Number,
    /// A text.
    Text,
    /// A text that must not be shown.
    Secret,
    /// The same, or null.
    Nullable(&'static Schema),
    /// A list.
    List(&'static Schema),
    /// An object whose values are all alike.
    Map(&'static Schema),
    /// An object with these keys.
    Object {
        /// The keys.
        properties: &'static [Property],
        /// Whether any others are refused.
        closed: bool,
    },
    /// One of these words.
    Words(&'static [Variant]),
    /// An object that is one of these, told apart by the word under `tag`.
    OneOf {
        /// The key of the word.
        tag: &'static str,
        /// What it can be.
        variants: &'static [Variant],
        /// Whether keys that none of them has are refused.
        closed: bool,
    },
}

/// A key of an object.
#[derive(Debug, Clone, Copy)]
pub struct Property {
    /// The key.
    pub name: &'static str,
    /// What it is, for people.
    pub description: &'static str,
    /// Whether it may be left out.
    pub optional: bool,
    /// What its value looks like.
    pub schema: Schema,
}

/// A word, and the keys that come with it.
#[derive(Debug, Clone, Copy)]
pub struct Variant {
    /// The word.
    pub name: &'static str,
    /// What it means, for people.
    pub description: &'static str,
    /// The keys beside it.
    pub properties: &'static [Property],
}

impl Schema {
    /// Whether a key with such a value may be left out without any `default`: serde takes a
    /// missing `Option` for none.
    #[must_use]
    pub const fn may_be_missing(&self) -> bool {
        matches!(self, Self::Nullable(_))
    }
}

/// A text that must not be shown: it prints as `***`, and the host keeps it out of messages,
/// logs and state.
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one call that needs it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

macro_rules! plain {
    ($($of:ty => $schema:expr),+ $(,)?) => {
        $(impl Config for $of {
            const SCHEMA: Schema = $schema;
        })+
    };
}

macro_rules! integers {
    ($($of:ty),+) => {
        plain!($($of => Schema::Integer { least: <$of>::MIN as i128, greatest: <$of>::MAX as i128 }),+);
    };
}

integers!(i8, i16, i32, i64, u8, u16, u32, u64);

plain! {
    bool => Schema::Bool,
    f32 => Schema::Number,
    f64 => Schema::Number,
    String => Schema::Text,
    Secret => Schema::Secret,
    serde_json::Value => Schema::Any,
}

impl<T: Config> Config for Option<T> {
    const SCHEMA: Schema = Schema::Nullable(&T::SCHEMA);
}

impl<T: Config> Config for Vec<T> {
    const SCHEMA: Schema = Schema::List(&T::SCHEMA);
}

impl<T: Config> Config for BTreeMap<String, T> {
    const SCHEMA: Schema = Schema::Map(&T::SCHEMA);
}

impl<T: Config> Config for Box<T> {
    const SCHEMA: Schema = T::SCHEMA;
}
