//! The methods of the contract, read from its own descriptors.

use prost::Message;
use prost_types::FileDescriptorSet;

/// A method.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Method {
    /// `OwnershipService`
    pub service: String,
    /// `Assign`
    pub name: String,
    /// `/leadflip.ownership.v1.OwnershipService/Assign`
    pub path: String,
}

/// Every method of every service of our package.
pub fn methods() -> Vec<Method> {
    let set = FileDescriptorSet::decode(ownership_proto::FILE_DESCRIPTOR_SET).expect("the descriptor set");
    let ours = set.file.into_iter().filter(|file| file.package() == "leadflip.ownership.v1");
    let services = ours.flat_map(|file| file.service);
    let methods = services.flat_map(|service| {
        let name = service.name().to_owned();
        service.method.into_iter().map(move |method| Method {
            service: name.clone(),
            name: method.name().to_owned(),
            path: format!("/leadflip.ownership.v1.{name}/{}", method.name()),
        })
    });
    methods.collect()
}

/// The names of all services of our package.
pub fn services() -> Vec<String> {
    let mut services: Vec<_> = methods().into_iter().map(|method| method.service).collect();
    services.dedup();
    services
}
