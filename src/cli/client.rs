//! How every client verb reaches the service: one place for addresses, deadlines and message sizes.

use std::process::ExitCode;
use std::time::Duration;

use ownership_proto::v1::account_service_client::AccountServiceClient;
use ownership_proto::v1::lead_service_client::LeadServiceClient;
use ownership_proto::v1::member_service_client::MemberServiceClient;
use ownership_proto::v1::ownership_service_client::OwnershipServiceClient;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Response, Status};

use super::credentials::{Bearer, Credentials};
use super::error::Error;
use super::output::{Format, Output};
use super::values;
use super::{Done, exit_code};

/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A page of 1,000 leads with all their attributes stays below this.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;
/// How often a call that may be repeated is repeated, and the first of the doubling pauses between.
const RETRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// Which server to call, and how to print its answers.
#[derive(clap::Args, Debug, Clone)]
pub struct ServerArgs {
    /// Address of the service
    #[arg(
        long,
        value_name = "URL",
        env = "OWNERSHIP_SERVER",
        hide_env_values = true,
        default_value = "http://127.0.0.1:50051"
    )]
    #[arg(global = true, help_heading = "Connection")]
    pub server: String,
    /// Longest wait for one answer
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::parse_wait)]
    #[arg(global = true, help_heading = "Connection")]
    pub timeout: Duration,
    /// Print a table for people, or JSON for scripts
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t = Format::Table)]
    #[arg(global = true, help_heading = "Connection")]
    pub output: Format,
    /// Who calls.
    #[command(flatten)]
    pub credentials: Credentials,
}

/// Which account of which server.
#[derive(clap::Args, Debug, Clone)]
pub struct ClientArgs {
    /// Account to work in
    #[arg(
        long,
        value_name = "ID",
        env = "OWNERSHIP_ACCOUNT",
        hide_env_values = true,
        global = true,
        help_heading = "Connection"
    )]
    pub account: Option<String>,
    /// The server.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// A verb together with the account and server it goes to.
#[derive(clap::Args, Debug)]
pub struct Client<V: clap::Args> {
    /// What to do.
    #[command(flatten)]
    pub verb: V,
    /// Where.
    #[command(flatten)]
    pub client: ClientArgs,
}

/// What a client verb does once it is connected.
pub trait Verb {
    /// Does it and prints the answer.
    fn run(self, session: &Session) -> impl Future<Output = Result<Done, Error>> + Send;
}

impl<V: clap::Args + Verb> Client<V> {
    /// Connects, runs the verb, and prints the error if there is one.
    pub async fn run(self) -> ExitCode {
        let format = self.client.server.output;
        let outcome = match Session::open(&self.client).await {
            Ok(session) => self.verb.run(&session).await,
            Err(error) => Err(error),
        };
        exit_code(format, outcome)
    }
}

/// What calls go over: a connection, with the token in each call.
pub(super) type Wire = InterceptedService<Channel, Bearer>;

/// A connection to one account of one server.
pub struct Session {
    wire: Wire,
    account: String,
    timeout: Duration,
    /// Where answers are printed.
    pub out: Output,
}

impl Session {
    /// Connects.
    pub async fn open(args: &ClientArgs) -> Result<Self, Error> {
        let missing = || Error::Usage("no account given: pass --account ID or set OWNERSHIP_ACCOUNT".into());
        let account = args.account.clone().ok_or_else(missing)?;
        let channel = connect(&args.server.server, &args.server.credentials).await?;
        let wire = InterceptedService::new(channel, args.server.credentials.bearer());
        let (timeout, out) = (args.server.timeout, Output::stdout(args.server.output));
        Ok(Self { wire, account, timeout, out })
    }

    /// The account all calls go to.
    pub fn account(&self) -> String {
        self.account.clone()
    }

    /// A request with the deadline of the session.
    pub fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(self.timeout);
        request
    }

    /// `OwnershipService`.
    pub fn ownership(&self) -> OwnershipServiceClient<Wire> {
        OwnershipServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// `LeadService`.
    pub fn leads(&self) -> LeadServiceClient<Wire> {
        LeadServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// `MemberService`.
    pub fn members(&self) -> MemberServiceClient<Wire> {
        MemberServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }

    /// `AccountService`.
    pub fn accounts(&self) -> AccountServiceClient<Wire> {
        AccountServiceClient::new(self.wire.clone()).max_decoding_message_size(MAX_ANSWER_BYTES)
    }
}

/// A channel to a server that answers on its port.
pub(super) async fn connect(server: &str, credentials: &Credentials) -> Result<Channel, Error> {
    let unreachable = |cause: tonic::transport::Error| Error::unreachable(server, &cause);
    endpoint(server, credentials)?.connect().await.map_err(unreachable)
}

fn endpoint(server: &str, credentials: &Credentials) -> Result<Endpoint, Error> {
    let address = if server.contains("://") { server.to_owned() } else { format!("http://{server}") };
    let is_encrypted = address.starts_with("https://");
    let no_address = |_| Error::Usage(format!("--server {server}: not an address like https://HOST:PORT"));
    let mut endpoint = Endpoint::from_shared(address).map_err(no_address)?;
    if let Some(authority) = credentials.authority() {
        let scheme = if is_encrypted { "https" } else { "http" };
        let no_name = |_| Error::Usage(format!("--authority {authority}: not a name like HOST"));
        endpoint = endpoint.origin(format!("{scheme}://{authority}").parse().map_err(no_name)?);
    }
    if is_encrypted {
        let unfit = |cause: tonic::transport::Error| Error::unreachable(server, &cause);
        endpoint = endpoint.tls_config(credentials.tls()?).map_err(unfit)?;
    }
    Ok(endpoint
        .connect_timeout(CONNECT_TIMEOUT)
        .tcp_nodelay(true)
        // A peer that vanished without a word is noticed within half a minute, also while a watch is silent.
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10)))
}

/// Repeats a call that failed for a passing reason. Only for calls that carry a request id, or change nothing.
pub(super) async fn retrying<T, F>(mut call: impl FnMut() -> F) -> Result<T, Status>
where
    F: Future<Output = Result<Response<T>, Status>>,
{
    let mut pause = FIRST_PAUSE;
    for _ in 0..RETRIES {
        match call().await {
            Err(status) if is_passing(&status) => tokio::time::sleep(pause).await,
            answer => return answer.map(Response::into_inner),
        }
        pause *= 2;
    }
    call().await.map(Response::into_inner)
}

/// Whether the same call may succeed a little later.
pub(super) fn is_passing(status: &Status) -> bool {
    let reason = super::error::reason(status);
    match (status.code(), reason.as_deref()) {
        (Code::Unavailable, _) => true,
        // A connection that breaks in the middle of an answer surfaces without a reason of the service.
        (Code::Unknown | Code::Internal, None) => true,
        (_, Some("OUTCOME_UNKNOWN" | "ACCOUNT_BUSY" | "WATCH_TOO_SLOW")) => true,
        _ => false,
    }
}
