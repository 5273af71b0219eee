/// Makes a plugin of a crate: exports the interfaces that are named, and writes the description
/// into the section that the host reads without running anything.
///
/// ```
/// # use hygge_sdk::{Config, Grants, Home, Reader, Result, Split, SplitPlan, SplitRequest, Entity, Batches};
/// # #[derive(serde::Deserialize, Config)]
/// # struct Crm {}
/// # impl Home for Crm {
/// #     type Reader = Batches;
/// #     fn splits(&self, _: &Entity, _: &SplitRequest) -> Result<SplitPlan> { unimplemented!() }
/// #     fn open(&self, _: &Entity, _: &Split, _: Option<&str>) -> Result<Batches> { unimplemented!() }
/// # }
/// hygge_sdk::export! {
///     name: "crm",
///     summary: "Contacts and deals",
///     grants: Grants { http: &["https://api.example.com"], ..Grants::NONE },
///     home: Crm,
/// }
/// ```
///
/// In this order; `name` and at least one of `home`, `store` and `transform` must be there. The
/// version is that of the crate. `delivery: "at-least-once"` says that committing twice isn't
/// committing once.
///
/// The description is also a constant, `HYGGE_DESCRIPTION`, for tests.
#[macro_export]
macro_rules! export {
    (
        name: $name:expr
        $(, summary: $summary:expr)?
        $(, grants: $grants:expr)?
        $(, delivery: $delivery:expr)?
        $(, home: $home:ident)?
        $(, store: $store:ident)?
        $(, transform: $transform:ident)?
        $(,)?
    ) => {
        /// What this plugin says of itself, as JSON.
        pub const HYGGE_DESCRIPTION: &str = {
            const DESCRIPTION: $crate::Description = {
                #[allow(unused_mut, reason = "not every plugin says everything")]
                let mut all = $crate::Description {
                    name: $name,
                    version: env!("CARGO_PKG_VERSION"),
                    summary: "",
                    home: None,
                    store: None,
                    transform: None,
                    grants: $crate::Grants::NONE,
                    delivery: "exactly-once",
                };
                $(all.summary = $summary;)?
                $(all.grants = $grants;)?
                $(all.delivery = $delivery;)?
                $(all.home = Some($crate::Part {
                    config: <$home as $crate::Config>::SCHEMA,
                    location: <$home as $crate::Home>::LOCATION,
                    abilities: <$home as $crate::Home>::ABILITIES,
                });)?
                $(all.store = Some($crate::Part {
                    config: <$store as $crate::Config>::SCHEMA,
                    location: <$store as $crate::Store>::LOCATION,
                    abilities: <$store as $crate::Store>::ABILITIES,
                });)?
                $(all.transform = Some($crate::Part {
                    config: <$transform as $crate::Config>::SCHEMA,
                    location: None,
                    abilities: <$transform as $crate::Transform>::ABILITIES,
                });)?
                all
            };
            const {
                assert!(
                    DESCRIPTION.has_a_name(),
                    "the name of a plugin is lower-case letters, digits, `-` and `_`, beginning with a letter"
                );
            }
            const BYTES: [u8; DESCRIPTION.size()] = DESCRIPTION.bytes();
            #[cfg(target_family = "wasm")]
            #[unsafe(link_section = "hygge:describe")]
            #[used]
            static SECTION: [u8; DESCRIPTION.size()] = BYTES;
            match str::from_utf8(&BYTES) {
                Ok(text) => text,
                Err(_) => panic!("made of texts"),
            }
        };

        // Natively a plugin is a library to be tested; two of them may be in one program.
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Describes;
            impl $crate::bindings::base::exports::hygge::plugin::describe::Guest for Describes {
                fn describe() -> String {
                    HYGGE_DESCRIPTION.to_owned()
                }
            }
            $crate::bindings::base::export_describe!(Describes with_types_in $crate::bindings::base);
            $(
                type ExportedHome = $crate::glue::HomeGuest<$home>;
                $crate::bindings::home::export_home!(ExportedHome with_types_in $crate::bindings::home);
            )?
            $(
                type ExportedStore = $crate::glue::StoreGuest<$store>;
                $crate::bindings::store::export_store!(ExportedStore with_types_in $crate::bindings::store);
            )?
            $(
                type ExportedTransform = $crate::glue::TransformGuest<$transform>;
                $crate::bindings::transform::export_transform!(ExportedTransform with_types_in $crate::bindings::transform);
            )?
        };
    };
}
