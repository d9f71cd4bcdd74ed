use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000004_create_fact", sql };

// The key is the order in which an account is read and written, so on SQLite the table is the key.
fn sql(dialect: &Dialect) -> String {
    let Dialect { id, bigint, integer, .. } = dialect;
    let options = dialect.pick("STRICT, WITHOUT ROWID", "");
    format!(
        "CREATE TABLE fact (
    account_id        {id} NOT NULL,
    revision          {bigint} NOT NULL,
    ordinal           {integer} NOT NULL,
    kind              text NOT NULL,
    lead_id           {id},
    previous_owner_id {id},
    owner_id          {id},
    occurred_at       {bigint} NOT NULL,
    caller_id         {id} NOT NULL,
    actor_member_id   {id},
    source            text NOT NULL,
    reason            text NOT NULL,
    batch_id          {id},
    request_id        {id},
    payload           text,
    CONSTRAINT fact_pk PRIMARY KEY (account_id, revision, ordinal),
    CONSTRAINT fact_revision_check CHECK (revision >= 1),
    CONSTRAINT fact_ordinal_check CHECK (ordinal >= 0),
    CONSTRAINT fact_kind_check CHECK (kind IN ('registered', 'assigned', 'reassigned', 'unassigned',
        'forgotten', 'lead_updated', 'member_upserted', 'settings_updated')),
    CONSTRAINT fact_source_check CHECK (source IN ('ui', 'api', 'import', 'form', 'automation',
        'rotation', 'offboarding', 'system')),
    CONSTRAINT fact_lead_check CHECK (
        (kind IN ('member_upserted', 'settings_updated')) = (lead_id IS NULL)),
    CONSTRAINT fact_owners_check CHECK (CASE kind
        WHEN 'registered' THEN previous_owner_id IS NULL
        WHEN 'assigned' THEN previous_owner_id IS NULL AND owner_id IS NOT NULL
        WHEN 'reassigned' THEN previous_owner_id IS NOT NULL AND owner_id IS NOT NULL AND previous_owner_id <> owner_id
        WHEN 'unassigned' THEN previous_owner_id IS NOT NULL AND owner_id IS NULL
        WHEN 'forgotten' THEN owner_id IS NULL
        ELSE previous_owner_id IS NULL AND owner_id IS NULL END),
    CONSTRAINT fact_payload_check CHECK (
        (kind IN ('registered', 'lead_updated', 'member_upserted', 'settings_updated')) = (payload IS NOT NULL))
) {options};
CREATE INDEX fact_by_lead ON fact (account_id, lead_id, revision) WHERE lead_id IS NOT NULL"
    )
}
