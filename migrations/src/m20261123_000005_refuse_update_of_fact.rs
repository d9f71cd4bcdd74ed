use crate::change::Change;
use crate::dialect::Dialect;

pub(crate) const CHANGE: Change = Change { name: "m20261123_000005_refuse_update_of_fact", sql };

// What was written stays as it was written, whoever has the connection. Trimming deletes, so deleting is allowed.
fn sql(dialect: &Dialect) -> String {
    dialect.pick(SQLITE, POSTGRES).to_owned()
}

const SQLITE: &str = "CREATE TRIGGER fact_is_immutable BEFORE UPDATE ON fact
BEGIN
    SELECT RAISE(ABORT, 'fact_is_immutable');
END";

const POSTGRES: &str = "CREATE FUNCTION refuse_update_of_fact() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'fact_is_immutable'
        USING ERRCODE = 'restrict_violation', TABLE = 'fact', CONSTRAINT = 'fact_is_immutable';
END
$$;
CREATE TRIGGER fact_is_immutable BEFORE UPDATE ON fact
    FOR EACH ROW EXECUTE FUNCTION refuse_update_of_fact()";
