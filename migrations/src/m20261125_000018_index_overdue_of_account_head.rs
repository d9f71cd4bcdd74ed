use crate::index::Index;

/// Finds the accounts that are to be looked at.
pub(crate) const CHANGE: Index = Index {
    name: "m20261125_000018_index_overdue_of_account_head",
    index: "account_head_by_overdue",
    on: "account_head (overdue_at) WHERE overdue_at IS NOT NULL",
};
