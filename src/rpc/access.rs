//! Which role may call which method. What is not in the table is refused.

use crate::domain::caller::Role;

const Y: bool = true;
const N: bool = false;

/// A method, and whether it may be called by a service, an admin, a manager, a member.
type Row = (&'static str, [bool; 4]);

/// Members work with the leads of their account one by one, managers also in bulk. What feeds the account, sends in its name or
/// sets it up is for services and admins.
#[rustfmt::skip]
const TABLE: [Row; 21] = [
    //                                     service
    //                                     |  admin
    //                                     |  |  manager
    //                                     |  |  |  member
    ("OwnershipService/Assign",           [Y, Y, Y, Y]),
    ("OwnershipService/BulkAssign",       [Y, Y, Y, N]),
    ("OwnershipService/Unassign",         [Y, Y, Y, Y]),
    ("OwnershipService/ListByOwner",      [Y, Y, Y, Y]),
    ("OwnershipService/WatchOwnerChanges", [Y, Y, Y, Y]),
    ("OwnershipService/GetOwner",         [Y, Y, Y, Y]),
    ("OwnershipService/BatchGetOwners",   [Y, Y, Y, Y]),
    ("OwnershipService/ListOwnerChanges", [Y, Y, Y, Y]),
    ("OwnershipService/ResolveSenders",   [Y, Y, N, N]),
    ("OwnershipService/StreamSenders",    [Y, Y, N, N]),
    ("OwnershipService/CountByOwner",     [Y, Y, Y, Y]),
    ("LeadService/RegisterLeads",         [Y, Y, N, N]),
    ("LeadService/UpdateLeads",           [Y, Y, N, N]),
    ("LeadService/ForgetLeads",           [Y, Y, N, N]),
    ("LeadService/GetLead",               [Y, Y, Y, Y]),
    ("MemberService/UpsertMembers",       [Y, Y, N, N]),
    ("MemberService/GetMember",           [Y, Y, Y, Y]),
    ("MemberService/ListMembers",         [Y, Y, Y, Y]),
    ("MemberService/DeactivateMember",    [Y, Y, N, N]),
    ("AccountService/GetSettings",        [Y, Y, Y, Y]),
    ("AccountService/UpdateSettings",     [N, Y, N, N]),
];

/// Where the methods of the table are found.
const PACKAGE: &str = "/leadflip.ownership.v1.";

/// What says whether the service lives, and what its contract is: no secret, and asked by those who have no identity yet.
const OPEN: [&str; 2] = ["/grpc.health.", "/grpc.reflection."];

/// Whether a path is for everybody.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.iter().any(|open| path.starts_with(open))
}

/// Whether a role may call the method at a path; nothing if there is no such method.
pub(super) fn may_call(role: Role, path: &str) -> Option<bool> {
    let method = path.strip_prefix(PACKAGE)?;
    let (_, allowed) = TABLE.iter().find(|(name, _)| *name == method)?;
    let [service, admin, manager, member] = *allowed;
    Some(match role {
        Role::Service => service,
        Role::Admin => admin,
        Role::Manager => manager,
        Role::Member => member,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ownership_proto::FILE_DESCRIPTOR_SET;
    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    #[test]
    fn every_method_of_the_contract_has_a_row_and_every_row_a_method() {
        let files = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).unwrap().file;
        let services = files.iter().flat_map(|file| file.service.iter().map(move |service| (file.package(), service)));
        let methods: BTreeSet<String> = services
            .flat_map(|(package, service)| {
                let path = move |method: &str| format!("/{package}.{}/{method}", service.name());
                service.method.iter().map(move |method| path(method.name()))
            })
            .collect();
        let rows: BTreeSet<String> = TABLE.iter().map(|(name, _)| format!("{PACKAGE}{name}")).collect();
        assert_eq!(rows, methods);
        assert_eq!(rows.len(), TABLE.len(), "a method stands twice");
    }

    #[test]
    fn what_has_no_row_may_be_called_by_nobody() {
        for path in [
            "",
            "/",
            "/leadflip.ownership.v1.OwnershipService/assign",
            "/leadflip.ownership.v2.OwnershipService/Assign",
        ] {
            assert!(Role::ALL.iter().all(|role| may_call(*role, path).is_none()), "{path}");
            assert!(!is_open(path), "{path}");
        }
    }
}
