//! The schema, on the database that `OWNERSHIP_TEST_STORE` chooses.
#![allow(clippy::disallowed_methods, reason = "a test names its own database")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on stops")]

mod columns;
mod constraints;
mod golden;
mod migrate;
mod support;
