//! Makes a component of a core module that says its own world, as `wasm-tools component new` does:
//! `wrap MODULE COMPONENT`.

use std::error::Error;

use wit_component::ComponentEncoder;

fn main() -> Result<(), Box<dyn Error>> {
    let [module, component] = [1, 2].map(|n| std::env::args_os().nth(n));
    let (Some(module), Some(component)) = (module, component) else {
        return Err("wrap MODULE COMPONENT".into());
    };
    let module = std::fs::read(module)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    std::fs::write(component, encoder.encode()?)?;
    Ok(())
}
