//! The words of the service and its rules, as plain values: no I/O, no clock, no async.

pub mod actor;
pub mod attributes;
pub mod book;
pub mod caller;
pub mod change;
pub mod command;
pub mod eligibility;
pub mod fact;
pub mod ids;
pub mod intent;
pub mod lead;
pub mod member;
pub mod outcome;
pub mod overdue;
pub mod published;
pub mod sender;
pub mod settings;
pub mod time;
pub mod token;
