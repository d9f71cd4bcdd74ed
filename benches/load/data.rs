//! The leads that are measured with, and their names. A lead is a number in its account, and all about it follows from that.

/// Members of an account. Each owns as many leads as the others.
pub const OWNERS: usize = 200;
/// Where leads can stand.
pub const STAGES: [&str; 5] = ["Prospecting", "Qualified", "Demo", "Negotiation", "Won"];
/// When the first lead was created, in seconds of the epoch. Each of the others follows seven seconds after the one before.
pub const FIRST_CREATED: i64 = 1_700_000_000;
/// Seconds from the creation of one lead to that of the next.
pub const CREATED_EVERY: i64 = 7;
/// Leads stay in a stage before their own for up to 30 days.
pub const STAGE_ENTERED_WITHIN: i64 = 30 * 86_400;
/// Spreads neighbouring numbers over all ids, as random ids are.
pub const SCATTER: usize = 2_654_435_761;

/// How many accounts a database has, and how large they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    pub accounts: usize,
    /// Of each account.
    pub leads: usize,
}

impl Shape {
    /// The name of any account.
    pub fn any_account(self) -> String {
        account_id(any(self.accounts))
    }

    /// The id of any lead, of whichever account.
    pub fn any_lead(self) -> String {
        lead_id(any(self.leads))
    }

    /// Some different leads of an account, spread over it.
    pub fn some_leads(self, count: usize) -> Vec<String> {
        let (start, step) = (any(self.leads), (self.leads / count).max(1));
        (0..count).map(|index| lead_id((start + index * step) % self.leads)).collect()
    }
}

/// The name of an account.
pub fn account_id(account: usize) -> String {
    format!("bench{account}")
}

/// The name of a member, in every account.
pub fn member_id(member: usize) -> String {
    format!("member{member}")
}

/// The name of any member.
pub fn any_member() -> String {
    member_id(any(OWNERS))
}

/// The id of a lead: 36 characters. [`lead_id_sql`] makes the same.
pub fn lead_id(lead: usize) -> String {
    format!("{:08x}-0000-7000-8000-{lead:012x}", (lead * SCATTER) & 0xffff_ffff)
}

/// The id of lead `$lead` in SQL.
pub fn lead_id_sql(lead: &str) -> String {
    format!(
        "lpad(to_hex(({lead})::bigint * {SCATTER} & 4294967295), 8, '0') || '-0000-7000-8000-' \
         || lpad(to_hex(({lead})::bigint), 12, '0')"
    )
}

/// A number from 0, as likely as any other.
pub fn any(below: usize) -> usize {
    fastrand::usize(..below)
}

/// Owner, stage and whether it is closed, of a lead as it was filled in. Every owner has leads of each kind.
pub fn kind(lead: usize) -> (usize, usize, bool) {
    let (owner, rest) = (lead % OWNERS, lead / OWNERS);
    (owner, rest % STAGES.len(), (rest / STAGES.len()).is_multiple_of(4))
}

/// When a lead was created and when it entered its stage, in seconds of the epoch.
pub fn times(lead: usize) -> (i64, i64) {
    let number = i64::try_from(lead).unwrap_or_default();
    let created = FIRST_CREATED + number * CREATED_EVERY;
    (created, created + number * 7_919 % STAGE_ENTERED_WITHIN)
}
