//! What wit-bindgen makes of the contract. One world an interface, so that a plugin exports any
//! of them; wit-component joins the worlds that a plugin was linked with.
//!
//! `../wit` is a link to the frozen folder of the repository; packing the crate follows it.

/// Imports, shared types and `describe`.
pub mod base {
    wit_bindgen::generate!({
        path: "wit/0.1.0",
        inline: "
            package hygge:sdk-base;
            world base {
                import hygge:plugin/types@0.1.0;
                import hygge:plugin/log@0.1.0;
                import hygge:plugin/control@0.1.0;
                import hygge:plugin/secrets@0.1.0;
                import hygge:plugin/state@0.1.0;
                export hygge:plugin/describe@0.1.0;
            }
        ",
        world: "hygge:sdk-base/base",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
        export_macro_name: "export_describe",
        default_bindings_module: "hygge_sdk::bindings::base",
    });
}

/// The exports of a home.
pub mod home {
    wit_bindgen::generate!({
        path: "wit/0.1.0",
        inline: "
            package hygge:sdk-home;
            world home {
                export hygge:plugin/home@0.1.0;
            }
        ",
        world: "hygge:sdk-home/home",
        with: { "hygge:plugin/types@0.1.0": crate::bindings::base::hygge::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_home",
        default_bindings_module: "hygge_sdk::bindings::home",
    });
}

/// The exports of a store.
pub mod store {
    wit_bindgen::generate!({
        path: "wit/0.1.0",
        inline: "
            package hygge:sdk-store;
            world store {
                export hygge:plugin/store@0.1.0;
            }
        ",
        world: "hygge:sdk-store/store",
        with: { "hygge:plugin/types@0.1.0": crate::bindings::base::hygge::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_store",
        default_bindings_module: "hygge_sdk::bindings::store",
    });
}

/// The exports of a transform.
pub mod transform {
    wit_bindgen::generate!({
        path: "wit/0.1.0",
        inline: "
            package hygge:sdk-transform;
            world transform {
                export hygge:plugin/transform@0.1.0;
            }
        ",
        world: "hygge:sdk-transform/transform",
        with: { "hygge:plugin/types@0.1.0": crate::bindings::base::hygge::plugin::types },
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_transform",
        default_bindings_module: "hygge_sdk::bindings::transform",
    });
}

pub use base::hygge::plugin::types;
