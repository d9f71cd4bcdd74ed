CREATE TABLE account_head (
    account_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    changed_at bigint NOT NULL,
    facts_floor bigint NOT NULL,
    history_floor bigint NOT NULL,
    overdue_at bigint,
    CONSTRAINT account_head_pk PRIMARY KEY (account_id),
    CONSTRAINT account_head_facts_floor_check CHECK (((facts_floor >= 0) AND (facts_floor <= revision))),
    CONSTRAINT account_head_history_floor_check CHECK (((history_floor >= 0) AND (history_floor <= revision)))
) WITH (fillfactor=50);

CREATE INDEX account_head_by_overdue ON public.account_head USING btree (overdue_at) WHERE (overdue_at IS NOT NULL);

CREATE TABLE account_settings (
    account_id text COLLATE "C" NOT NULL,
    default_sender_name text,
    default_sender_email text,
    revision bigint NOT NULL,
    notices_revision bigint NOT NULL DEFAULT 0,
    notify_new_owner boolean NOT NULL DEFAULT false,
    overdue_after bigint,
    overdue_from bigint,
    CONSTRAINT account_settings_pk PRIMARY KEY (account_id),
    CONSTRAINT account_settings_default_sender_check CHECK (((default_sender_name IS NULL) = (default_sender_email IS NULL))),
    CONSTRAINT account_settings_notify_new_owner_check CHECK ((notify_new_owner = ANY (ARRAY[false, true]))),
    CONSTRAINT account_settings_revision_check CHECK ((revision >= 1))
);

CREATE TABLE fact (
    account_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    ordinal integer NOT NULL,
    kind text NOT NULL,
    lead_id text COLLATE "C",
    previous_owner_id text COLLATE "C",
    owner_id text COLLATE "C",
    occurred_at bigint NOT NULL,
    caller_id text COLLATE "C" NOT NULL,
    actor_member_id text COLLATE "C",
    source text NOT NULL,
    reason text NOT NULL,
    batch_id text COLLATE "C",
    request_id text COLLATE "C",
    payload text,
    notice text,
    CONSTRAINT fact_pk PRIMARY KEY (account_id, revision, ordinal),
    CONSTRAINT fact_kind_check CHECK ((kind = ANY (ARRAY['registered'::text, 'assigned'::text, 'reassigned'::text, 'unassigned'::text, 'forgotten'::text, 'lead_updated'::text, 'member_upserted'::text, 'settings_updated'::text]))),
    CONSTRAINT fact_lead_check CHECK (((kind = ANY (ARRAY['member_upserted'::text, 'settings_updated'::text])) = (lead_id IS NULL))),
    CONSTRAINT fact_notice_check CHECK ((notice = ANY (ARRAY['new_owner'::text, 'overdue'::text]))),
    CONSTRAINT fact_ordinal_check CHECK ((ordinal >= 0)),
    CONSTRAINT fact_owners_check CHECK (
CASE kind
    WHEN 'registered'::text THEN (previous_owner_id IS NULL)
    WHEN 'assigned'::text THEN ((previous_owner_id IS NULL) AND (owner_id IS NOT NULL))
    WHEN 'reassigned'::text THEN ((previous_owner_id IS NOT NULL) AND (owner_id IS NOT NULL) AND (previous_owner_id <> owner_id))
    WHEN 'unassigned'::text THEN ((previous_owner_id IS NOT NULL) AND (owner_id IS NULL))
    WHEN 'forgotten'::text THEN (owner_id IS NULL)
    ELSE ((previous_owner_id IS NULL) AND (owner_id IS NULL))
END),
    CONSTRAINT fact_payload_check CHECK (((kind = ANY (ARRAY['registered'::text, 'lead_updated'::text, 'member_upserted'::text, 'settings_updated'::text])) = (payload IS NOT NULL))),
    CONSTRAINT fact_revision_check CHECK ((revision >= 1)),
    CONSTRAINT fact_source_check CHECK ((source = ANY (ARRAY['ui'::text, 'api'::text, 'import'::text, 'form'::text, 'automation'::text, 'rotation'::text, 'offboarding'::text, 'system'::text])))
);

CREATE INDEX fact_by_lead ON public.fact USING btree (account_id, lead_id, revision) WHERE (lead_id IS NOT NULL);

CREATE TABLE lead (
    account_id text COLLATE "C" NOT NULL,
    lead_id text COLLATE "C" NOT NULL,
    owner_id text COLLATE "C",
    owner_since bigint NOT NULL,
    revision bigint NOT NULL,
    stage text NOT NULL,
    stage_entered_at bigint NOT NULL,
    closed boolean NOT NULL,
    created_at bigint NOT NULL,
    source text NOT NULL,
    attributes text NOT NULL,
    observed_at bigint NOT NULL,
    overdue_revision bigint NOT NULL DEFAULT 0,
    CONSTRAINT lead_pk PRIMARY KEY (account_id, lead_id),
    CONSTRAINT lead_closed_check CHECK ((closed = ANY (ARRAY[false, true]))),
    CONSTRAINT lead_revision_check CHECK ((revision >= 1))
) WITH (fillfactor=90);

CREATE TABLE member (
    account_id text COLLATE "C" NOT NULL,
    member_id text COLLATE "C" NOT NULL,
    display_name text NOT NULL,
    initials text NOT NULL,
    email text NOT NULL,
    avatar_url text NOT NULL,
    manager_id text COLLATE "C",
    standing text NOT NULL,
    capacity integer,
    observed_at bigint NOT NULL,
    CONSTRAINT member_pk PRIMARY KEY (account_id, member_id),
    CONSTRAINT member_capacity_check CHECK ((capacity >= 0)),
    CONSTRAINT member_standing_check CHECK ((standing = ANY (ARRAY['active'::text, 'leaving'::text, 'inactive'::text])))
);

CREATE TABLE outbox (
    account_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    since bigint NOT NULL,
    CONSTRAINT outbox_pk PRIMARY KEY (account_id),
    CONSTRAINT outbox_revision_check CHECK ((revision >= 1))
) WITH (fillfactor=50);

CREATE TABLE published (
    account_id text COLLATE "C" NOT NULL,
    revision bigint NOT NULL,
    incarnation bigint NOT NULL,
    sequence bigint NOT NULL,
    published_at bigint NOT NULL,
    CONSTRAINT published_pk PRIMARY KEY (account_id),
    CONSTRAINT published_revision_check CHECK ((revision >= 1)),
    CONSTRAINT published_sequence_check CHECK ((sequence >= 1))
);

CREATE INDEX published_by_sequence ON public.published USING btree (incarnation, sequence);

CREATE TABLE request (
    account_id text COLLATE "C" NOT NULL,
    caller_id text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    method text NOT NULL,
    fingerprint bytea NOT NULL,
    revision bigint NOT NULL,
    answer text NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT request_pk PRIMARY KEY (account_id, caller_id, request_id),
    CONSTRAINT request_fingerprint_check CHECK ((length(fingerprint) = 32)),
    CONSTRAINT request_revision_check CHECK ((revision >= 0))
);

CREATE INDEX request_by_age ON public.request USING btree (created_at);

CREATE TABLE seaql_migrations (
    version character varying NOT NULL,
    applied_at bigint NOT NULL,
    CONSTRAINT seaql_migrations_pkey PRIMARY KEY (version)
);

CREATE TABLE store_meta (
    key text COLLATE "C" NOT NULL,
    value text NOT NULL,
    CONSTRAINT store_meta_pk PRIMARY KEY (key)
);

CREATE OR REPLACE FUNCTION public.refuse_update_of_fact()
 RETURNS trigger
 LANGUAGE plpgsql
AS $function$
BEGIN
    RAISE EXCEPTION 'fact_is_immutable'
        USING ERRCODE = 'restrict_violation', TABLE = 'fact', CONSTRAINT = 'fact_is_immutable';
END
$function$
;

CREATE TRIGGER fact_is_immutable BEFORE UPDATE ON public.fact FOR EACH ROW EXECUTE FUNCTION refuse_update_of_fact();
