//! The derive of `hygge-sdk`. A schema at run time would be less code (schemars has it), but the
//! description of a plugin stands in its file, where the host reads it without running anything:
//! so the schema must be a constant. The derive only lists names, doc comments and types; what a
//! type looks like is said by its own `Config`.

mod attributes;

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::quote;
use syn::{Data, DeriveInput, Error, Fields, FieldsNamed, Result, parse_macro_input};

use attributes::{Container, Member, doc};

/// The JSON Schema of settings; see `hygge_sdk::Config`.
#[proc_macro_derive(Config, attributes(serde))]
pub fn config(input: TokenStream) -> TokenStream {
    let input = parse_macro_input!(input as DeriveInput);
    derive(&input)
        .unwrap_or_else(Error::into_compile_error)
        .into()
}

fn derive(input: &DeriveInput) -> Result<Tokens> {
    let container = Container::read(&input.attrs)?;
    let schema = match &input.data {
        Data::Struct(data) => {
            let Fields::Named(fields) = &data.fields else {
                return Err(Error::new_spanned(
                    &data.fields,
                    "settings are a struct with named fields",
                ));
            };
            if let Some(tag) = &container.tag {
                return Err(Error::new_spanned(tag, "a struct has no tag"));
            }
            let properties =
                properties(fields, container.rename_all.as_deref(), container.default)?;
            let closed = container.closed;
            quote! { ::hygge_sdk::Schema::Object { properties: &[#(#properties),*], closed: #closed } }
        }
        Data::Enum(data) => {
            let mut variants = Vec::new();
            for variant in &data.variants {
                let member = Member::read(&variant.attrs)?;
                if member.skip {
                    continue;
                }
                let name = member.name(&variant.ident, container.rename_all.as_deref(), true)?;
                let description = doc(&variant.attrs);
                let properties = match &variant.fields {
                    Fields::Unit if container.tag.is_some() && container.closed => {
                        return Err(Error::new_spanned(
                            variant,
                            "beside a variant without braces serde takes unknown keys; write `{}` after it",
                        ));
                    }
                    Fields::Unit => Vec::new(),
                    Fields::Named(fields) if container.tag.is_some() => {
                        // `rename_all` of an enum is about its variants, not about their fields.
                        properties(fields, member.rename_all.as_deref(), false)?
                    }
                    other => {
                        return Err(Error::new_spanned(
                            other,
                            "a variant is a word, or has named fields in an enum with #[serde(tag = \"…\")]",
                        ));
                    }
                };
                variants.push(quote! {
                    ::hygge_sdk::Variant { name: #name, description: #description, properties: &[#(#properties),*] }
                });
            }
            match &container.tag {
                Some(tag) => {
                    let closed = container.closed;
                    quote! { ::hygge_sdk::Schema::OneOf { tag: #tag, variants: &[#(#variants),*], closed: #closed } }
                }
                None => quote! { ::hygge_sdk::Schema::Words(&[#(#variants),*]) },
            }
        }
        Data::Union(_) => {
            return Err(Error::new_spanned(
                input,
                "settings are a struct or an enum",
            ));
        }
    };
    let name = &input.ident;
    if !input.generics.params.is_empty() {
        return Err(Error::new_spanned(
            &input.generics,
            "settings have no parameters",
        ));
    }
    Ok(quote! {
        #[automatically_derived]
        impl ::hygge_sdk::Config for #name {
            const SCHEMA: ::hygge_sdk::Schema = #schema;
        }
    })
}

fn properties(
    fields: &FieldsNamed,
    rename_all: Option<&str>,
    all_optional: bool,
) -> Result<Vec<Tokens>> {
    let mut properties = Vec::new();
    for field in &fields.named {
        let member = Member::read(&field.attrs)?;
        if member.skip {
            continue;
        }
        let Some(ident) = &field.ident else { continue };
        let name = member.name(ident, rename_all, false)?;
        let description = doc(&field.attrs);
        let optional = all_optional || member.default;
        let of = &field.ty;
        properties.push(quote! {
            ::hygge_sdk::Property {
                name: #name,
                description: #description,
                optional: #optional,
                schema: <#of as ::hygge_sdk::Config>::SCHEMA,
            }
        });
    }
    Ok(properties)
}
