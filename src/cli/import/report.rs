//! What an import tells at its end.

use std::path::Path;

use serde_json::{Value, json};

use crate::cli::error::Error;
use crate::cli::output;
use crate::cli::values::grouped;

/// Why a row was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Why {
    /// A word to decide on: one of the service's reasons, or one of the import's own.
    pub reason: String,
    /// The same for people.
    pub message: String,
}

impl Why {
    /// A reason and what to say about it.
    pub fn new(reason: &str, message: impl Into<String>) -> Self {
        Self { reason: reason.to_owned(), message: message.into() }
    }
}

/// A row that did not become a lead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// The line it begins on, from 1.
    pub line: u64,
    /// The lead it seems to be about. May be empty.
    pub lead_id: String,
    /// Why.
    pub why: Why,
}

impl BadRow {
    fn as_json(&self) -> Value {
        let Self { line, lead_id, why } = self;
        json!({"line": line, "lead_id": lead_id, "reason": why.reason, "message": why.message})
    }
}

/// What became of a file.
#[derive(Debug, Default)]
pub struct Summary {
    /// The file.
    pub file: String,
    /// Which column was taken for what.
    pub columns: String,
    /// Rows in the file.
    pub rows: u64,
    /// Members that were added.
    pub members_added: u64,
    /// Leads that are new.
    pub registered: u64,
    /// Leads that were known already and were left as they are.
    pub unchanged: u64,
    /// Leads that an earlier run of the same import had sent already.
    pub repeated: u64,
    /// Rows that were refused, here or by the service.
    pub refused: Vec<BadRow>,
    /// Whether nothing was written because only a check was asked for.
    pub dry_run: bool,
    /// The batch id recorded with the changes.
    pub batch_id: String,
    /// The account's revision after the last write; 0 if there was none.
    pub revision: i64,
}

impl Summary {
    /// All refused rows as CSV.
    pub fn write_refused(&self, path: &Path) -> Result<(), Error> {
        let write = || -> Result<(), csv::Error> {
            let mut file = csv::Writer::from_path(path)?;
            file.write_record(["line", "lead_id", "reason", "message"])?;
            for BadRow { line, lead_id, why } in &self.refused {
                file.write_record([&line.to_string(), lead_id, &why.reason, &why.message])?;
            }
            Ok(file.flush()?)
        };
        let path = path.display().to_string();
        write().map_err(|cause| Error::File { path, cause: cause.into() })
    }

    /// The summary for scripts, with the first refused rows.
    pub fn as_json(&self, shown: usize) -> Value {
        json!({
            "file": self.file,
            "columns": self.columns,
            "rows": self.rows,
            "members_added": self.members_added,
            "registered": self.registered,
            "unchanged": self.unchanged,
            "repeated": self.repeated,
            "refused": self.refused.len(),
            "errors": self.refused.iter().take(shown).map(BadRow::as_json).collect::<Vec<_>>(),
            "errors_omitted": self.refused.len().saturating_sub(shown),
            "dry_run": self.dry_run,
            "batch_id": self.batch_id,
            "revision": self.revision,
        })
    }

    /// The summary for people, with the first refused rows.
    pub fn as_text(&self, shown: usize) -> String {
        let mut text = String::new();
        if !self.refused.is_empty() {
            let row =
                |it: &BadRow| [it.line.to_string(), it.lead_id.clone(), it.why.reason.clone(), it.why.message.clone()];
            let header = ["LINE", "LEAD", "REASON", "MESSAGE"];
            text.push_str(&output::table(&header, &[0], self.refused.iter().take(shown).map(row)));
            let more = self.refused.len().saturating_sub(shown);
            if more > 0 {
                text.push_str(&format!("\nand {} more: --errors FILE writes all of them", grouped(more as i64)));
            }
            text.push_str("\n\n");
        }
        if self.refused.iter().any(|row| row.why.reason == "OWNER_UNKNOWN") {
            text.push_str("help: --create-members adds the owners that are missing, --teams FILE those of a file\n");
        }
        text + &format!("columns: {}\n{}", self.columns, self.sentence())
    }

    fn sentence(&self) -> String {
        let count = |count: u64| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        let refused = count(self.refused.len() as u64);
        let rows = count(self.rows);
        if self.dry_run {
            let good = count(self.rows - self.refused.len() as u64);
            let members = count(self.members_added);
            return format!(
                "{}: {rows} rows, {good} good, {refused} refused, {members} members to add; nothing was written",
                self.file
            );
        }
        let mut parts = vec![format!("{} new leads", count(self.registered))];
        let more = [(self.unchanged, "known already"), (self.repeated, "done by an earlier run")];
        parts.extend(more.iter().filter(|(it, _)| *it > 0).map(|(it, what)| format!("{} {what}", count(*it))));
        parts.push(format!("{refused} refused"));
        if self.members_added > 0 {
            parts.push(format!("{} members added", count(self.members_added)));
        }
        format!("{}: {rows} rows: {}\nbatch {}, revision {}", self.file, parts.join(", "), self.batch_id, self.revision)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary() -> Summary {
        let bad = |line| BadRow { line, lead_id: "L".into(), why: Why::new("BAD_DATE", "created_at: \"x\", no") };
        let refused = vec![bad(2), bad(9)];
        Summary { file: "f.csv".into(), rows: 1_002, registered: 1_000, refused, ..Summary::default() }
    }

    #[test]
    fn the_screen_shows_the_first_refused_rows_and_counts_the_rest() {
        let text = summary().as_text(1);
        assert!(text.contains("BAD_DATE") && text.contains("and 1 more"), "{text}");
        assert!(text.contains("f.csv: 1,002 rows: 1,000 new leads, 2 refused"), "{text}");
        assert_eq!(summary().as_json(1)["errors_omitted"], 1);
    }

    #[test]
    fn the_file_of_refused_rows_holds_all_of_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        summary().write_refused(file.path()).unwrap();
        let text = std::fs::read_to_string(file.path()).unwrap();
        assert_eq!(text.lines().count(), 3);
        assert_eq!(text.lines().last(), Some(r#"9,L,BAD_DATE,"created_at: ""x"", no""#));
    }
}
