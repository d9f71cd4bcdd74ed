//! `ownership healthcheck`.

use serde_json::json;
use tonic::Request;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus as Word;
use tonic_health::pb::health_client::HealthClient;

use super::Done;
use super::client::{self, ServerArgs};
use super::error::Error;
use super::output::Output;

/// Arguments of `healthcheck`.
#[derive(clap::Args, Debug)]
pub struct Args {
    /// Service to ask about; without, the server as a whole
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    service: String,
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// Asks once. Anything but SERVING is a failure.
pub(super) async fn run(args: &Args) -> Result<Done, Error> {
    let channel = client::connect(&args.server.server, &args.server.credentials).await?;
    let mut request = Request::new(HealthCheckRequest { service: args.service.clone() });
    request.set_timeout(args.server.timeout);
    let status = HealthClient::new(channel).check(request).await?.into_inner().status();
    if status != Word::Serving {
        return Err(Error::NotServing(status.as_str_name().to_owned()));
    }
    let word = status.as_str_name();
    Output::stdout(args.server.output).print(|| json!({"status": word}), || word.to_owned())?;
    Ok(Done::Fully)
}
