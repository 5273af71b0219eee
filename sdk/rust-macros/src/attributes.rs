use syn::meta::ParseNestedMeta;
use syn::{Attribute, Expr, ExprLit, Ident, Lit, LitStr, Meta, Result};

/// What serde was told of a struct or an enum.
#[derive(Default)]
pub(crate) struct Container {
    pub(crate) rename_all: Option<String>,
    pub(crate) tag: Option<LitStr>,
    pub(crate) closed: bool,
    pub(crate) default: bool,
}

/// What serde was told of a field or a variant.
#[derive(Default)]
pub(crate) struct Member {
    rename: Option<String>,
    pub(crate) rename_all: Option<String>,
    pub(crate) default: bool,
    pub(crate) skip: bool,
}

impl Container {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename_all") {
                read.rename_all = Some(text(meta)?.value());
            } else if meta.path.is_ident("tag") {
                read.tag = Some(text(meta)?);
            } else if meta.path.is_ident("deny_unknown_fields") {
                read.closed = true;
            } else if meta.path.is_ident("default") {
                value_if_any(meta)?;
                read.default = true;
            } else {
                return Err(unknown(meta));
            }
            Ok(())
        })?;
        Ok(read)
    }
}

impl Member {
    pub(crate) fn read(attributes: &[Attribute]) -> Result<Self> {
        let mut read = Self::default();
        each(attributes, |meta| {
            if meta.path.is_ident("rename") {
                read.rename = Some(text(meta)?.value());
            } else if meta.path.is_ident("rename_all") {
                read.rename_all = Some(text(meta)?.value());
            } else if meta.path.is_ident("default") {
                value_if_any(meta)?;
                read.default = true;
            } else if meta.path.is_ident("skip") {
                read.skip = true;
            } else {
                return Err(unknown(meta));
            }
            Ok(())
        })?;
        Ok(read)
    }

    /// The name in JSON.
    pub(crate) fn name(&self, ident: &Ident, rule: Option<&str>, variant: bool) -> Result<String> {
        if let Some(name) = &self.rename {
            return Ok(name.clone());
        }
        let plain = ident.to_string();
        let plain = plain.strip_prefix("r#").unwrap_or(&plain);
        let Some(rule) = rule else {
            return Ok(plain.to_owned());
        };
        let words = if variant {
            capitals(plain)
        } else {
            plain.split('_').map(str::to_owned).collect()
        };
        let join = |with: &str| words.join(with).to_lowercase();
        Ok(match rule {
            "lowercase" if variant => join(""),
            "lowercase" => plain.to_lowercase(),
            "kebab-case" => join("-"),
            "snake_case" => join("_"),
            _ => {
                return Err(syn::Error::new_spanned(
                    ident,
                    "rename_all can be lowercase, kebab-case or snake_case here",
                ));
            }
        })
    }
}

/// The words of a variant: one begins at each capital letter.
fn capitals(name: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for letter in name.chars() {
        match words.last_mut() {
            Some(word) if !letter.is_uppercase() => word.push(letter),
            _ => words.push(letter.into()),
        }
    }
    words
}

fn each(
    attributes: &[Attribute],
    mut read: impl FnMut(&ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    for attribute in attributes {
        if attribute.path().is_ident("serde") {
            attribute.parse_nested_meta(|meta| read(&meta))?;
        }
    }
    Ok(())
}

fn text(meta: &ParseNestedMeta<'_>) -> Result<LitStr> {
    meta.value()?.parse()
}

fn value_if_any(meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.input.peek(syn::Token![=]) {
        text(meta)?;
    }
    Ok(())
}

fn unknown(meta: &ParseNestedMeta<'_>) -> syn::Error {
    meta.error(
        "the schema can't say what this does; implement `hygge_sdk::Config` by hand, or do without",
    )
}

/// The doc comment, one line a paragraph.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let mut paragraphs = vec![String::new()];
    for attribute in attributes {
        let Meta::NameValue(meta) = &attribute.meta else {
            continue;
        };
        if !meta.path.is_ident("doc") {
            continue;
        }
        let Expr::Lit(ExprLit {
            lit: Lit::Str(line),
            ..
        }) = &meta.value
        else {
            continue;
        };
        let line = line.value();
        let line = line.trim();
        match paragraphs.last_mut() {
            Some(paragraph) if line.is_empty() && !paragraph.is_empty() => {
                paragraphs.push(String::new());
            }
            Some(paragraph) => {
                if !paragraph.is_empty() {
                    paragraph.push(' ');
                }
                paragraph.push_str(line);
            }
            None => {}
        }
    }
    paragraphs.retain(|paragraph| !paragraph.is_empty());
    paragraphs.join("\n")
}
