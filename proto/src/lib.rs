//! The gRPC contract of the ownership service: the messages, clients and servers of package `leadflip.ownership.v1`,
//! the rules of its fields, and its descriptors.
//!
//! The `.proto` files beside this crate are the source of everything here, and the manual. Building needs no protoc.
//!
//! ```
//! use ownership_proto::{Validate, v1};
//!
//! let request = v1::GetOwnerRequest { account_id: "acme".into(), ..Default::default() };
//! let [violation] = &request.violations()[..] else { panic!("the lead id is missing") };
//! assert_eq!(violation.field, "lead_id");
//! ```

mod encoded;
mod validate;

pub use encoded::{Encoded, EncodedCodec, EncodedEncoder};
pub use validate::{MAX_VIOLATIONS, Validate, Violation};

/// Package `leadflip.ownership.v1`, as prost and tonic generate it, but for the answers of servers, which are [`Encoded`]. Maps are ordered, so equal messages have equal
/// encodings.
#[allow(missing_docs, clippy::all, clippy::pedantic, reason = "generated")]
pub mod v1 {
    tonic::include_proto!("leadflip.ownership.v1");
}

/// The encoded `google.protobuf.FileDescriptorSet` of the package and all it imports, options included: what server
/// reflection serves.
pub const FILE_DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));
