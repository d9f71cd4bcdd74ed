//! How a test reaches a server: over what, and as whom.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{self, ClientTlsConfig, Endpoint, Uri};
use tonic::{Request, Status};
use tower::service_fn;

/// A connection with a token in each call.
pub type Channel = InterceptedService<transport::Channel, Bearer>;

/// A token, or none.
#[derive(Clone, Default)]
pub struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ok(request)
    }
}

/// What connections are made with.
#[derive(Clone, Default)]
pub struct Way {
    pub tls: Option<ClientTlsConfig>,
    pub token: Option<String>,
}

impl Way {
    /// The same with another token.
    pub fn with(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// A connection of its own, made when it is needed.
    pub fn to(&self, url: &str) -> Channel {
        let endpoint = Endpoint::from_shared(url.to_owned()).unwrap();
        let endpoint = match &self.tls {
            Some(tls) => endpoint.tls_config(tls.clone()).unwrap(),
            None => endpoint,
        };
        InterceptedService::new(endpoint.connect_lazy(), Bearer(self.token.clone()))
    }
}

/// A way to a server, and how many connections it has taken so far.
pub fn counted(url: &str) -> (Arc<AtomicUsize>, Channel) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let connect = service_fn(move |uri: Uri| {
        counter.fetch_add(1, Ordering::Relaxed);
        async move { TcpStream::connect(uri.authority().unwrap().as_str()).await.map(TokioIo::new) }
    });
    let channel = Endpoint::from_shared(url.to_owned()).unwrap().connect_with_connector_lazy(connect);
    (connections, InterceptedService::new(channel, Bearer::default()))
}
