//! The program: see `ownership --help`.

use std::process::ExitCode;

use clap::Parser;
use ownership::cli::{self, Cli};
use tikv_jemallocator::Jemalloc;

#[global_allocator]
static ALLOCATOR: Jemalloc = Jemalloc;

#[tokio::main]
async fn main() -> ExitCode {
    // With several libraries that bring TLS, each would have to guess which implementation to use. An error means that one is
    // installed already, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    cli::run(Cli::parse().command).await
}
