//! The command line: `serve` and its like run the service, the client verbs call it as any other caller would.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

pub mod doctor;
pub mod import;
pub mod migrate;
pub mod serve;

mod advice;
mod assign;
mod bulk;
mod client;
mod configured;
mod count;
mod credentials;
mod error;
mod filter;
mod healthcheck;
mod history;
mod json;
mod lead;
mod lines;
mod list;
mod member;
mod names;
mod output;
mod senders;
mod settings;
mod unassign;
mod values;
mod watch;
mod write;

use client::Client;
use error::Error;
use output::Format;

/// What `ownership --help` ends with.
const EXAMPLES: &str = "\
Examples:
  ownership serve --demo                             try it: 8,800 leads, nothing to set up
  ownership import leads.csv --account acme          make the leads of a CRM export known
  ownership list --account acme --unassigned         who waits for an owner, oldest first
  ownership assign LEAD-1 --to anna --account acme   give a lead to a member
  ownership watch --account acme                     see every change as it happens

OWNERSHIP_ACCOUNT, OWNERSHIP_SERVER and OWNERSHIP_TOKEN_FILE stand in for --account, --server and --token-file.

Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 some items were refused and the others applied.";

/// Who owns which lead: the ownership service of the Leadflip CRM, and its command line.
#[derive(Parser, Debug)]
#[command(name = "ownership", version, about, after_help = EXAMPLES)]
#[command(arg_required_else_help = true, max_term_width = 110)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// A subcommand.
#[derive(Subcommand, Debug)]
pub enum Command {
    /// Run the service
    Serve(serve::Args),
    /// Bring the database up to date, then exit
    Migrate(migrate::Args),
    /// Check configuration, database and server, and say what is wrong
    Doctor(doctor::Args),
    /// Ask a server whether it takes calls; exit 0 only if it does
    Healthcheck(healthcheck::Args),

    /// Register, show or forget leads
    Lead(Client<lead::Args>),
    /// Register the leads of a CSV file, as CRM systems export them
    Import(Client<import::Args>),
    /// Add, list or deactivate the members who can own leads
    Member(Client<member::Args>),

    /// Make a member the owner of a lead
    Assign(Client<assign::Args>),
    /// Take the owner from a lead
    Unassign(Client<unassign::Args>),
    /// Assign or unassign many leads at once
    BulkAssign(Client<bulk::Args>),

    /// List the leads of one owner, of nobody, or all
    List(Client<list::Args>),
    /// Count leads by owner and stage
    Count(Client<count::Args>),
    /// Show the timeline of a lead, or who owned it at a time
    History(Client<history::Args>),
    /// Follow the owner changes of an account
    Watch(Client<watch::Args>),
    /// Resolve in whose name messages to leads are sent
    Senders(Client<senders::Args>),
    /// Show or change the settings of an account
    Settings(Client<settings::Args>),
}

/// How a command that did not fail has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// Everything was done.
    Fully,
    /// Some items were refused, the others are done.
    Partly,
}

/// Runs a command to its end and prints what there is to say.
///
/// The exit code is 0 when done, 1 when refused or failed, 2 for wrong usage, 3 when some items were refused.
pub async fn run(command: Command) -> ExitCode {
    match command {
        Command::Serve(args) => finish(serve::run(args).await),
        Command::Migrate(args) => finish(migrate::run(args).await),
        Command::Doctor(args) => finish(doctor::run(args).await),
        Command::Healthcheck(args) => exit_code(args.server.output, healthcheck::run(&args).await),
        Command::Lead(call) => call.run().await,
        Command::Import(call) => call.run().await,
        Command::Member(call) => call.run().await,
        Command::Assign(call) => call.run().await,
        Command::Unassign(call) => call.run().await,
        Command::BulkAssign(call) => call.run().await,
        Command::List(call) => call.run().await,
        Command::Count(call) => call.run().await,
        Command::History(call) => call.run().await,
        Command::Watch(call) => call.run().await,
        Command::Senders(call) => call.run().await,
        Command::Settings(call) => call.run().await,
    }
}

/// Ends a command that runs the service itself.
fn finish(outcome: anyhow::Result<()>) -> ExitCode {
    exit_code(Format::Table, outcome.map(|()| Done::Fully).map_err(Error::Local))
}

/// Ends any command: prints the error, if there is one, and names the exit code.
fn exit_code(format: Format, outcome: Result<Done, Error>) -> ExitCode {
    match outcome {
        Ok(Done::Fully) => ExitCode::SUCCESS,
        Ok(Done::Partly) => ExitCode::from(3),
        Err(error) if error.is_closed_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            output::print_error(format, &error);
            ExitCode::from(error.exit_code())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_tree_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_and_argument_has_a_help_text() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} says nothing about itself", command.get_name());
            for argument in command.get_arguments() {
                assert!(argument.get_help().is_some(), "{} {} has no help", command.get_name(), argument.get_id());
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn examples_fit_a_terminal_of_100_columns() {
        fn check(command: &clap::Command) {
            let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            let examples = help.lines().filter(|line| line.starts_with(' '));
            assert_eq!(examples.filter(|line| line.len() > 99).collect::<Vec<_>>(), Vec::<&str>::new());
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn account_and_server_can_follow_a_nested_verb() {
        let line = ["ownership", "lead", "get", "L-1", "--account", "acme", "--server", "http://[::1]:1"];
        let cli = Cli::try_parse_from(line).unwrap();
        let Command::Lead(call) = cli.command else { panic!("not a lead command") };
        assert_eq!(call.client.account.as_deref(), Some("acme"));
        assert_eq!(call.client.server.server, "http://[::1]:1");
    }
}
