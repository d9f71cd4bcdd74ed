//! How a test reaches a server: over what, and as whom.

use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{self, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

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
