//! Writes the services: clients as tonic has them, and servers whose answers are encoded already.

use prost_build::{Service, ServiceGenerator};
use tonic_prost_build::configure;

/// Writes clients and servers.
pub(crate) struct Services {
    clients: Box<dyn ServiceGenerator>,
    servers: Box<dyn ServiceGenerator>,
}

impl Default for Services {
    fn default() -> Self {
        Self {
            clients: configure().build_server(false).service_generator(),
            servers: configure().build_client(false).codec_path("crate::EncodedCodec").service_generator(),
        }
    }
}

impl ServiceGenerator for Services {
    fn generate(&mut self, mut service: Service, code: &mut String) {
        self.clients.generate(service.clone(), code);
        for method in &mut service.methods {
            // What begins with `crate::` is taken over as it is.
            method.output_type = format!("crate::Encoded<super::{}>", method.output_type);
        }
        self.servers.generate(service, code);
    }

    fn finalize(&mut self, code: &mut String) {
        self.clients.finalize(code);
        self.servers.finalize(code);
    }
}
