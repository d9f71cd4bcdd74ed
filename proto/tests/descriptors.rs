//! What a reader of the descriptor set relies on.

use ownership_proto::FILE_DESCRIPTOR_SET;
use prost::Message;
use prost_types::FileDescriptorSet;

#[test]
fn the_descriptor_set_is_complete_and_in_order_of_imports() {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap();
    let names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
    for (position, file) in set.file.iter().enumerate() {
        for import in &file.dependency {
            assert!(names[..position].contains(&import.as_str()), "{import} stands before {}", file.name());
        }
    }
    assert!(names.contains(&"leadflip/ownership/v1/errors.proto"));
    assert!(names.contains(&"buf/validate/validate.proto"));
}
