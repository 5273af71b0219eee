use crate::{Property, Schema, Variant};

/// What a plugin says of itself; written as JSON at compile time by [`export!`](crate::export).
#[derive(Debug, Clone, Copy)]
pub struct Description {
    /// What stands in `type:`.
    pub name: &'static str,
    /// The plugin's own version.
    pub version: &'static str,
    /// One line for lists.
    pub summary: &'static str,
    /// What it is as a home.
    pub home: Option<Part>,
    /// What it is as a store.
    pub store: Option<Part>,
    /// What it is as a transform.
    pub transform: Option<Part>,
    /// What it wants.
    pub grants: Grants,
    /// `exactly-once` or `at-least-once`.
    pub delivery: &'static str,
}

/// One interface that a plugin exports.
#[derive(Debug, Clone, Copy)]
pub struct Part {
    /// Its settings.
    pub config: Schema,
    /// The setting that names a path or table.
    pub location: Option<&'static str>,
    /// What it is able to.
    pub abilities: &'static [&'static str],
}

/// What a plugin wants to be granted. Wanting gives nothing: the operator does.
#[derive(Debug, Clone, Copy)]
pub struct Grants {
    /// Origins: `https://api.example.com`.
    pub http: &'static [&'static str],
    /// Names of secrets, each with the host that it is for.
    pub secrets: &'static [(&'static str, &'static str)],
    /// Folders to read.
    pub read: &'static [&'static str],
    /// Folders to write.
    pub write: &'static [&'static str],
    /// Environment variables.
    pub env: &'static [&'static str],
}

impl Grants {
    /// Nothing.
    pub const NONE: Self = Self {
        http: &[],
        secrets: &[],
        read: &[],
        write: &[],
        env: &[],
    };
}

impl Description {
    /// How long the JSON is.
    #[must_use]
    pub const fn size(&self) -> usize {
        let mut text = Text {
            bytes: [0; 0],
            at: 0,
        };
        text.description(self);
        text.at
    }

    /// The JSON, in an array of [`size`](Self::size) bytes.
    #[must_use]
    pub const fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut text = Text {
            bytes: [0; N],
            at: 0,
        };
        text.description(self);
        assert!(text.at == N, "the length is that of Description::size");
        text.bytes
    }

    /// Whether the host would take it; checked at compile time.
    #[must_use]
    pub const fn has_a_name(&self) -> bool {
        let name = self.name.as_bytes();
        if name.is_empty() || name.len() > 64 || !name[0].is_ascii_lowercase() {
            return false;
        }
        let mut at = 0;
        while at < name.len() {
            let each = name[at];
            if !(each.is_ascii_lowercase() || each.is_ascii_digit() || each == b'-' || each == b'_')
            {
                return false;
            }
            at += 1;
        }
        true
    }
}

/// JSON under construction, in a constant. What doesn't fit any more is only counted, so that a
/// first pass over an empty array says how long the second one has to be.
struct Text<const N: usize> {
    bytes: [u8; N],
    at: usize,
}

impl<const N: usize> Text<N> {
    const fn byte(&mut self, byte: u8) {
        if self.at < N {
            self.bytes[self.at] = byte;
        }
        self.at += 1;
    }

    const fn raw(&mut self, text: &str) {
        let bytes = text.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            self.byte(bytes[at]);
            at += 1;
        }
    }

    const fn string(&mut self, text: &str) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let bytes = text.as_bytes();
        self.byte(b'"');
        let mut at = 0;
        while at < bytes.len() {
            let byte = bytes[at];
            match byte {
                b'"' | b'\\' => {
                    self.byte(b'\\');
                    self.byte(byte);
                }
                b'\n' => self.raw("\\n"),
                0..0x20 => {
                    self.raw("\\u00");
                    self.byte(HEX[(byte >> 4) as usize]);
                    self.byte(HEX[(byte & 15) as usize]);
                }
                _ => self.byte(byte),
            }
            at += 1;
        }
        self.byte(b'"');
    }

    const fn key(&mut self, name: &str) {
        self.string(name);
        self.byte(b':');
    }

    /// A comma, unless it is the first of its list or object.
    const fn next(&mut self, first: &mut bool) {
        if !*first {
            self.byte(b',');
        }
        *first = false;
    }

    const fn strings(&mut self, all: &[&str]) {
        self.byte(b'[');
        let mut at = 0;
        while at < all.len() {
            if at > 0 {
                self.byte(b',');
            }
            self.string(all[at]);
            at += 1;
        }
        self.byte(b']');
    }

    const fn integer(&mut self, value: i128) {
        let mut digits = [0_u8; 40];
        let mut count = 0;
        let mut rest = value.unsigned_abs();
        if value < 0 {
            self.byte(b'-');
        }
        loop {
            let digit = (rest % 10) as u8;
            digits[count] = b'0' + digit;
            count += 1;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        while count > 0 {
            count -= 1;
            self.byte(digits[count]);
        }
    }

    const fn description(&mut self, of: &Description) {
        self.raw("{\"describe\":1,\"name\":");
        self.string(of.name);
        self.raw(",\"version\":");
        self.string(of.version);
        self.raw(",\"summary\":");
        self.string(of.summary);
        self.part("home", &of.home);
        self.part("store", &of.store);
        self.part("transform", &of.transform);
        self.raw(",\"grants\":{");
        let grants = &of.grants;
        let mut first = true;
        self.wanted("http", grants.http, &mut first);
        if !grants.secrets.is_empty() {
            self.next(&mut first);
            self.raw("\"secrets\":{");
            let mut at = 0;
            while at < grants.secrets.len() {
                if at > 0 {
                    self.byte(b',');
                }
                self.key(grants.secrets[at].0);
                self.string(grants.secrets[at].1);
                at += 1;
            }
            self.byte(b'}');
        }
        self.wanted("read", grants.read, &mut first);
        self.wanted("write", grants.write, &mut first);
        self.wanted("env", grants.env, &mut first);
        self.raw("},\"delivery\":");
        self.string(of.delivery);
        self.byte(b'}');
    }

    const fn wanted(&mut self, name: &str, all: &[&str], first: &mut bool) {
        if !all.is_empty() {
            self.next(first);
            self.key(name);
            self.strings(all);
        }
    }

    const fn part(&mut self, name: &str, part: &Option<Part>) {
        if let Some(part) = part {
            self.byte(b',');
            self.key(name);
            self.raw("{\"config\":");
            self.schema(&part.config, "", false, true);
            if let Some(location) = part.location {
                self.raw(",\"location\":");
                self.string(location);
            }
            self.raw(",\"abilities\":");
            self.strings(part.abilities);
            self.byte(b'}');
        }
    }

    const fn kind(&mut self, name: &str, nullable: bool) {
        self.raw("\"type\":");
        if nullable {
            self.byte(b'[');
            self.string(name);
            self.raw(",\"null\"]");
        } else {
            self.string(name);
        }
    }

    const fn schema(&mut self, schema: &Schema, description: &str, nullable: bool, root: bool) {
        if let Schema::Nullable(inner) = schema {
            return self.schema(inner, description, true, root);
        }
        self.byte(b'{');
        let mut first = true;
        if root {
            self.next(&mut first);
            self.raw("\"$schema\":\"https://json-schema.org/draft/2020-12/schema\"");
        }
        if !description.is_empty() {
            self.next(&mut first);
            self.raw("\"description\":");
            self.string(description);
        }
        if !matches!(schema, Schema::Any) {
            self.next(&mut first);
        }
        match schema {
            Schema::Any | Schema::Nullable(_) => {}
            Schema::Bool => self.kind("boolean", nullable),
            Schema::Number => self.kind("number", nullable),
            Schema::Text => self.kind("string", nullable),
            Schema::Secret => {
                self.kind("string", nullable);
                self.raw(",\"format\":\"password\"");
            }
            Schema::Integer { least, greatest } => {
                self.kind("integer", nullable);
                self.raw(",\"minimum\":");
                self.integer(*least);
                self.raw(",\"maximum\":");
                self.integer(*greatest);
            }
            Schema::List(items) => {
                self.kind("array", nullable);
                self.raw(",\"items\":");
                self.schema(items, "", false, false);
            }
            Schema::Map(values) => {
                self.kind("object", nullable);
                self.raw(",\"additionalProperties\":");
                self.schema(values, "", false, false);
            }
            Schema::Object { properties, closed } => {
                self.kind("object", nullable);
                self.properties(None, properties, *closed);
            }
            Schema::Words(words) => self.words(words, nullable),
            Schema::OneOf {
                tag,
                variants,
                closed,
            } => self.one_of(tag, variants, *closed, nullable),
        }
        self.byte(b'}');
    }

    const fn words(&mut self, words: &[Variant], nullable: bool) {
        self.raw("\"oneOf\":[");
        let mut at = 0;
        while at < words.len() {
            if at > 0 {
                self.byte(b',');
            }
            self.raw("{\"const\":");
            self.string(words[at].name);
            if !words[at].description.is_empty() {
                self.raw(",\"description\":");
                self.string(words[at].description);
            }
            self.byte(b'}');
            at += 1;
        }
        if nullable {
            self.raw(",{\"type\":\"null\"}");
        }
        self.byte(b']');
    }

    const fn one_of(&mut self, tag: &str, variants: &[Variant], closed: bool, nullable: bool) {
        self.raw("\"oneOf\":[");
        let mut at = 0;
        while at < variants.len() {
            if at > 0 {
                self.byte(b',');
            }
            let variant = &variants[at];
            self.raw("{\"type\":\"object\"");
            if !variant.description.is_empty() {
                self.raw(",\"description\":");
                self.string(variant.description);
            }
            self.properties(Some((tag, variant.name)), variant.properties, closed);
            self.byte(b'}');
            at += 1;
        }
        if nullable {
            self.raw(",{\"type\":\"null\"}");
        }
        self.byte(b']');
    }

    const fn properties(&mut self, tag: Option<(&str, &str)>, all: &[Property], closed: bool) {
        self.raw(",\"properties\":{");
        let mut first = true;
        if let Some((key, word)) = tag {
            self.next(&mut first);
            self.key(key);
            self.raw("{\"const\":");
            self.string(word);
            self.byte(b'}');
        }
        let mut at = 0;
        while at < all.len() {
            self.next(&mut first);
            self.key(all[at].name);
            self.schema(&all[at].schema, all[at].description, false, false);
            at += 1;
        }
        self.raw("},\"required\":[");
        let mut first = true;
        if let Some((key, _)) = tag {
            self.next(&mut first);
            self.string(key);
        }
        let mut at = 0;
        while at < all.len() {
            if !(all[at].optional || all[at].schema.may_be_missing()) {
                self.next(&mut first);
                self.string(all[at].name);
            }
            at += 1;
        }
        self.byte(b']');
        if closed {
            self.raw(",\"additionalProperties\":false");
        }
    }
}
