CREATE TABLE account_head (
    account_id    text NOT NULL,
    revision      integer NOT NULL,
    changed_at    integer NOT NULL,
    facts_floor   integer NOT NULL,
    history_floor integer NOT NULL, overdue_at integer,
    CONSTRAINT account_head_pk PRIMARY KEY (account_id),
    CONSTRAINT account_head_facts_floor_check CHECK (facts_floor BETWEEN 0 AND revision),
    CONSTRAINT account_head_history_floor_check CHECK (history_floor BETWEEN 0 AND revision)
) STRICT, WITHOUT ROWID;

CREATE INDEX account_head_by_overdue ON account_head (overdue_at) WHERE overdue_at IS NOT NULL;

CREATE TABLE account_settings (
    account_id           text NOT NULL,
    default_sender_name  text,
    default_sender_email text,
    revision             integer NOT NULL, notices_revision integer NOT NULL DEFAULT 0, notify_new_owner integer NOT NULL DEFAULT false
    CONSTRAINT account_settings_notify_new_owner_check CHECK (notify_new_owner IN (false, true)), overdue_after integer, overdue_from integer,
    CONSTRAINT account_settings_pk PRIMARY KEY (account_id),
    CONSTRAINT account_settings_revision_check CHECK (revision >= 1),
    CONSTRAINT account_settings_default_sender_check CHECK (
        (default_sender_name IS NULL) = (default_sender_email IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE fact (
    account_id        text NOT NULL,
    revision          integer NOT NULL,
    ordinal           integer NOT NULL,
    kind              text NOT NULL,
    lead_id           text,
    previous_owner_id text,
    owner_id          text,
    occurred_at       integer NOT NULL,
    caller_id         text NOT NULL,
    actor_member_id   text,
    source            text NOT NULL,
    reason            text NOT NULL,
    batch_id          text,
    request_id        text,
    payload           text, notice text
    CONSTRAINT fact_notice_check CHECK (notice IN ('new_owner', 'overdue')),
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
) STRICT, WITHOUT ROWID;

CREATE INDEX fact_by_lead ON fact (account_id, lead_id, revision) WHERE lead_id IS NOT NULL;

CREATE TRIGGER fact_is_immutable BEFORE UPDATE ON fact
BEGIN
    SELECT RAISE(ABORT, 'fact_is_immutable');
END;

CREATE TABLE lead (
    account_id       text NOT NULL,
    lead_id          text NOT NULL,
    owner_id         text,
    owner_since      integer NOT NULL,
    revision         integer NOT NULL,
    stage            text NOT NULL,
    stage_entered_at integer NOT NULL,
    closed           integer NOT NULL,
    created_at       integer NOT NULL,
    source           text NOT NULL,
    attributes       text NOT NULL,
    observed_at      integer NOT NULL, overdue_revision integer NOT NULL DEFAULT 0,
    CONSTRAINT lead_pk PRIMARY KEY (account_id, lead_id),
    CONSTRAINT lead_revision_check CHECK (revision >= 1),
    CONSTRAINT lead_closed_check CHECK (closed IN (false, true))
) STRICT, WITHOUT ROWID;

CREATE TABLE member (
    account_id   text NOT NULL,
    member_id    text NOT NULL,
    display_name text NOT NULL,
    initials     text NOT NULL,
    email        text NOT NULL,
    avatar_url   text NOT NULL,
    manager_id   text,
    standing     text NOT NULL,
    capacity     integer,
    observed_at  integer NOT NULL,
    CONSTRAINT member_pk PRIMARY KEY (account_id, member_id),
    CONSTRAINT member_standing_check CHECK (standing IN ('active', 'leaving', 'inactive')),
    CONSTRAINT member_capacity_check CHECK (capacity >= 0)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    account_id text NOT NULL,
    revision   integer NOT NULL,
    since      integer NOT NULL,
    CONSTRAINT outbox_pk PRIMARY KEY (account_id),
    CONSTRAINT outbox_revision_check CHECK (revision >= 1)
) STRICT, WITHOUT ROWID;

CREATE TABLE published (
    account_id   text NOT NULL,
    revision     integer NOT NULL,
    incarnation  integer NOT NULL,
    sequence     integer NOT NULL,
    published_at integer NOT NULL,
    CONSTRAINT published_pk PRIMARY KEY (account_id),
    CONSTRAINT published_revision_check CHECK (revision >= 1),
    CONSTRAINT published_sequence_check CHECK (sequence >= 1)
) STRICT, WITHOUT ROWID;

CREATE INDEX published_by_sequence ON published (incarnation, sequence);

CREATE TABLE request (
    account_id  text NOT NULL,
    caller_id   text NOT NULL,
    request_id  text NOT NULL,
    method      text NOT NULL,
    fingerprint blob NOT NULL,
    revision    integer NOT NULL,
    answer      text NOT NULL,
    created_at  integer NOT NULL,
    CONSTRAINT request_pk PRIMARY KEY (account_id, caller_id, request_id),
    CONSTRAINT request_fingerprint_check CHECK (length(fingerprint) = 32),
    CONSTRAINT request_revision_check CHECK (revision >= 0)
) STRICT;

CREATE INDEX request_by_age ON request (created_at);

CREATE TABLE "seaql_migrations" ( "version" varchar NOT NULL PRIMARY KEY, "applied_at" integer NOT NULL );

CREATE TABLE store_meta (
    key   text NOT NULL,
    value text NOT NULL,
    CONSTRAINT store_meta_pk PRIMARY KEY (key)
) STRICT, WITHOUT ROWID;
