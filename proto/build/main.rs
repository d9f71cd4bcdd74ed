//! Generates the Rust code of the contract, without protoc.

mod messages;
mod patterns;
mod rules;
mod services;

use std::{env, error::Error, fs, path::PathBuf};

use prost_build::Config;
use prost_types::FileDescriptorSet;
use protox::Compiler;
use services::Services;

const PACKAGE: &str = "leadflip.ownership.v1";
const RULES_PACKAGE: &str = "buf.validate";
const PACKAGE_DIR: &str = "leadflip/ownership/v1";

type Result<T, E = Box<dyn Error>> = std::result::Result<T, E>;

#[allow(clippy::print_stdout, reason = "how a build script talks to cargo")]
fn main() -> Result<()> {
    for input in ["build", "leadflip", "vendor"] {
        println!("cargo::rerun-if-changed={input}");
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = compile()?;
    // Comments would make it four times as large.
    compiler.include_source_info(false);
    fs::write(out.join("descriptors.bin"), compiler.encode_file_descriptor_set())?;
    let validation = messages::implementations(&compiler.descriptor_pool())?;
    fs::write(out.join("validate.rs"), validation)?;
    compiler.include_source_info(true);
    generate_types(compiler.file_descriptor_set())
}

fn compile() -> Result<Compiler> {
    let mut files =
        fs::read_dir(PACKAGE_DIR)?.map(|entry| entry.map(|entry| entry.path())).collect::<Result<Vec<_>, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "proto"));
    files.sort();
    let mut compiler = Compiler::new([".", "vendor"])?;
    compiler.include_imports(true).open_files(files)?;
    Ok(compiler)
}

fn generate_types(mut descriptors: FileDescriptorSet) -> Result<()> {
    // Options leave no trace in the types, so nothing generated needs the types of the rules.
    descriptors.file.retain(|file| file.package() != RULES_PACKAGE);
    // Encodings are fingerprinted, so maps have to have one order.
    Ok(Config::new().btree_map(["."]).service_generator(Box::new(Services::default())).compile_fds(descriptors)?)
}
