//! Printing: tables for people, JSON for scripts, errors for both.

use std::io::{self, IsTerminal, Write};

use comfy_table::{CellAlignment, ContentArrangement, Row, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Value, json};

use super::error::{Error, Refusal};

/// How answers are printed.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// A table, or lines of text.
    Table,
    /// One JSON document; a watch prints one per line.
    Json,
}

/// Where answers go: standard output, in one of the formats.
pub struct Output {
    format: Format,
}

impl Output {
    /// Standard output.
    pub fn stdout(format: Format) -> Self {
        Self { format }
    }

    /// Prints one answer in the format the user asked for. Only that form is made.
    pub fn print(&self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        match self.format {
            Format::Json => writeln!(stdout, "{:#}", json())?,
            Format::Table => writeln!(stdout, "{}", text())?,
        }
        Ok(stdout.flush()?)
    }

    /// Prints one answer of many on a line of its own.
    pub fn print_line(&self, json: impl FnOnce() -> Value, text: impl FnOnce() -> String) -> Result<(), Error> {
        let mut stdout = io::stdout().lock();
        match self.format {
            Format::Json => writeln!(stdout, "{}", json())?,
            Format::Table => writeln!(stdout, "{}", text())?,
        }
        Ok(stdout.flush()?)
    }

    /// Whether a person is to read it.
    pub fn is_for_people(&self) -> bool {
        self.format == Format::Table
    }
}

/// A table: borders on a terminal, plain aligned columns elsewhere. Columns listed in `numbers` are aligned right.
pub(super) fn table<R: Into<Row>>(header: &[&str], numbers: &[usize], rows: impl IntoIterator<Item = R>) -> String {
    let mut table = Table::new();
    if io::stdout().is_terminal() {
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    } else {
        table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    }
    table.set_header(header.iter().copied()).add_rows(rows);
    for &number in numbers {
        if let Some(column) = table.column_mut(number) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    without_margin(&table.trim_fmt())
}

/// Plain tables carry the left padding of their first column: no use at the edge of a line.
fn without_margin(table: &str) -> String {
    let margin = table.lines().all(|line| line.is_empty() || line.starts_with(' '));
    let cut = |line: &str| {
        if margin { line.get(1..).unwrap_or_default().to_owned() } else { line.to_owned() }
    };
    table.lines().map(cut).collect::<Vec<_>>().join("\n")
}

/// A bar with rate and remaining time on standard error; nothing where that is no terminal, or not `shown`.
pub(super) fn progress(total: u64, unit: &str, shown: bool) -> ProgressBar {
    let target = if shown { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let template = format!("{{bar:40}} {{human_pos}}/{{human_len}} {unit}  {{rate}}  {{eta}} left");
    let style = ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar());
    let rate = |state: &ProgressState, text: &mut dyn std::fmt::Write| {
        // A failure to format leaves the rate out of one frame.
        let _ = write!(text, "{:.0}/s", state.per_sec());
    };
    let style = style.with_key("rate", rate);
    ProgressBar::with_draw_target(Some(total), target).with_style(style)
}

/// A sentence for people that must not disturb what scripts read: on standard error.
pub(super) fn note(text: &str) {
    // A closed standard error leaves nowhere to complain to.
    let _ = writeln!(io::stderr(), "{text}");
}

/// Prints why a command failed and what to do about it, on standard error.
pub(super) fn print_error(format: Format, error: &Error) {
    match format {
        Format::Json => note(&format!("{:#}", error_json(error))),
        Format::Table => note(error_text(error).trim_end()),
    }
}

fn error_json(error: &Error) -> Value {
    let refusal = error.refusal();
    let details = refusal.map(|refusal| refusal.details.as_slice()).unwrap_or_default();
    let details: Vec<Value> = details.iter().map(|(field, why)| json!({"field": field, "description": why})).collect();
    json!({"error": {
        "message": error.to_string(),
        "code": refusal.map(|refusal| code_name(refusal.code)),
        "reason": refusal.and_then(|refusal| refusal.reason.as_deref()),
        "metadata": refusal.map(|refusal| &refusal.metadata),
        "details": details,
        "advice": error.advice(),
    }})
}

fn error_text(error: &Error) -> String {
    let mut text = format!("error: {error}\n");
    if let Some(refusal) = error.refusal() {
        text.push_str(&refusal_text(refusal));
    }
    if let Some(advice) = error.advice() {
        text.push_str(&format!("help: {advice}\n"));
    }
    text
}

/// How many of the offending fields are listed for a person.
const DETAILS_SHOWN: usize = 20;

fn refusal_text(refusal: &Refusal) -> String {
    let mut text = String::new();
    for (field, why) in refusal.details.iter().take(DETAILS_SHOWN) {
        text.push_str(&format!("  {field}: {why}\n"));
    }
    if refusal.details.len() > DETAILS_SHOWN {
        text.push_str(&format!("  and {} more\n", refusal.details.len() - DETAILS_SHOWN));
    }
    let facts: Vec<String> = refusal.metadata.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let name = refusal.reason.as_deref().unwrap_or(code_name(refusal.code));
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    text + &format!("reason: {name}{facts}\n")
}

/// The name of a gRPC code as the gRPC documentation writes it.
fn code_name(code: tonic::Code) -> &'static str {
    use tonic::Code as C;
    match code {
        C::Ok => "OK",
        C::Cancelled => "CANCELLED",
        C::Unknown => "UNKNOWN",
        C::InvalidArgument => "INVALID_ARGUMENT",
        C::DeadlineExceeded => "DEADLINE_EXCEEDED",
        C::NotFound => "NOT_FOUND",
        C::AlreadyExists => "ALREADY_EXISTS",
        C::PermissionDenied => "PERMISSION_DENIED",
        C::ResourceExhausted => "RESOURCE_EXHAUSTED",
        C::FailedPrecondition => "FAILED_PRECONDITION",
        C::Aborted => "ABORTED",
        C::OutOfRange => "OUT_OF_RANGE",
        C::Unimplemented => "UNIMPLEMENTED",
        C::Internal => "INTERNAL",
        C::Unavailable => "UNAVAILABLE",
        C::DataLoss => "DATA_LOSS",
        C::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn refused() -> Error {
        Error::Refused(Box::new(Refusal {
            code: tonic::Code::FailedPrecondition,
            message: "lead L is owned by a".into(),
            reason: Some("OWNER_MISMATCH".into()),
            metadata: BTreeMap::from([("lead_id".into(), "L".into())]),
            details: vec![("items[0]".into(), "owned by a".into())],
        }))
    }

    #[test]
    fn an_error_names_message_details_reason_and_advice() {
        let text = error_text(&refused());
        let start = "error: lead L is owned by a\n  items[0]: owned by a\nreason: OWNER_MISMATCH (lead_id=L)\nhelp: ";
        assert!(text.starts_with(start), "{text}");
    }

    #[test]
    fn an_error_for_scripts_carries_the_same() {
        let value = error_json(&refused());
        assert_eq!(value["error"]["reason"], "OWNER_MISMATCH");
        assert_eq!(value["error"]["code"], "FAILED_PRECONDITION");
        assert_eq!(value["error"]["metadata"]["lead_id"], "L");
        assert_eq!(value["error"]["details"][0]["field"], "items[0]");
    }

    #[test]
    fn a_table_that_is_not_on_a_terminal_has_neither_borders_nor_margin() {
        let text = without_margin(" A   B\n x   1");
        assert_eq!(text, "A   B\nx   1");
    }
}
