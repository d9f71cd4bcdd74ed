//! From the rows of a file to leads, one by one; whatever cannot become a lead is reported with its line.

use std::collections::HashMap;

use csv::ByteRecord;
use ownership_proto::Validate;
use ownership_proto::v1::NewLead;
use prost_types::Timestamp;

use super::columns::{Columns, Field};
use super::dates::{self, DateOrder};
use super::members::Directory;
use super::report::{BadRow, Why};
use super::shorten;
use super::source::Lines;

/// How rows are read.
#[derive(Debug)]
pub(super) struct Rules {
    /// Where each field is.
    pub columns: Columns,
    /// The stages that are closed. Absent: the usual ones, and every row that has a close date.
    pub closed_stages: Option<Vec<String>>,
    /// What the numbers of a date mean where it could be read in two ways.
    pub dates: Option<DateOrder>,
}

/// A row that makes a lead.
#[derive(Debug, PartialEq)]
pub(super) struct GoodRow {
    /// The line it begins on, from 1.
    pub line: u64,
    /// The lead.
    pub lead: NewLead,
}

/// The rows of a file, read as they are asked for.
pub(super) struct Rows<'a> {
    reader: csv::Reader<Lines>,
    record: ByteRecord,
    rules: &'a Rules,
    directory: &'a mut Directory,
    /// Which line took an id first.
    seen: HashMap<Box<str>, u64>,
}

impl<'a> Rows<'a> {
    /// Begins with the first row after the header.
    pub(super) fn new(reader: csv::Reader<Lines>, rules: &'a Rules, directory: &'a mut Directory) -> Self {
        Self { reader, record: ByteRecord::new(), rules, directory, seen: HashMap::new() }
    }

    /// The next row. Absent: there are no more. The outer error is one of reading the file.
    pub(super) fn next(&mut self) -> Result<Option<Result<GoodRow, BadRow>>, csv::Error> {
        if !self.reader.read_byte_record(&mut self.record)? {
            return Ok(None);
        }
        let (line, last_line) = self.lines();
        let lead =
            if self.reader.get_ref().passed_the_end() { Err(open_quote(line)) } else { self.lead(line, last_line) };
        Ok(Some(match lead {
            Ok(lead) => Ok(GoodRow { line, lead }),
            Err(why) => Err(BadRow { line, lead_id: self.named(), why }),
        }))
    }

    /// The first and the last line of the row just read. The reader stands behind the end of the last one, unless the
    /// row went on to the end of the file.
    fn lines(&self) -> (u64, u64) {
        let inside = self.record.as_slice().iter().filter(|&&byte| byte == b'\n').count() as u64;
        let last = self.reader.position().line().saturating_sub(u64::from(!self.reader.get_ref().passed_the_end()));
        (last.saturating_sub(inside), last)
    }

    fn lead(&mut self, line: u64, last_line: u64) -> Result<NewLead, Why> {
        let (mut lead, owner) = self.rules.lead(&self.record, last_line - line)?;
        if let Some(&earlier) = self.seen.get(lead.lead_id.as_str()) {
            return Err(Why::new("DUPLICATE_ITEM", format!("line {earlier} has the same lead")));
        }
        lead.owner_id = owner.map(|owner| self.directory.resolve(&owner)).transpose()?;
        if let Some(violation) = lead.violations().into_iter().next() {
            return Err(Why::new("INVALID_FIELD", format!("{}: {}", violation.field, violation.description)));
        }
        self.seen.insert(lead.lead_id.as_str().into(), line);
        Ok(lead)
    }

    /// What stands in the column of the lead id, as far as it can be shown.
    fn named(&self) -> String {
        let cell = self.rules.columns.of(Field::LeadId).and_then(|column| self.record.get(column));
        shorten(String::from_utf8_lossy(cell.unwrap_or_default()).trim())
    }
}

impl Rules {
    /// The lead of a row, and its owner as the file names it.
    fn lead(&self, record: &ByteRecord, further_lines: u64) -> Result<(NewLead, Option<String>), Why> {
        self.check_width(record, further_lines)?;
        let lead_id = self.cell(record, Field::LeadId)?.ok_or_else(|| Why::new("INVALID_FIELD", "lead_id: empty"))?;
        let stage = self.cell(record, Field::Stage)?.unwrap_or_default();
        let created_at = self.date(record, Field::CreatedAt)?;
        let closed_at = self.date(record, Field::ClosedAt)?;
        let closed = self.is_closed(record, stage, closed_at)?;
        let entered = self.date(record, Field::StageEnteredAt)?;
        let lead = NewLead {
            lead_id: lead_id.to_owned(),
            owner_id: None,
            stage: stage.to_owned(),
            stage_entered_at: entered.or(closed_at.filter(|_| closed)).or(created_at),
            closed,
            created_at,
            attributes: self.attributes(record)?.into_iter().collect(),
            observed_at: None,
        };
        Ok((lead, self.cell(record, Field::Owner)?.map(ToOwned::to_owned)))
    }

    fn check_width(&self, record: &ByteRecord, further_lines: u64) -> Result<(), Why> {
        let (has, wants) = (record.len(), self.columns.header.len());
        if has == wants {
            return Ok(());
        }
        let quote = match further_lines {
            0 => String::new(),
            more => format!("; it goes on for {more} more lines: is a quote not closed?"),
        };
        Err(Why::new("WRONG_FIELD_COUNT", format!("{has} fields instead of {wants}{quote}")))
    }

    /// What a row says about a field. Absent when it says nothing.
    fn cell<'r>(&self, record: &'r ByteRecord, field: Field) -> Result<Option<&'r str>, Why> {
        self.columns.of(field).map_or(Ok(None), |column| self.text(record, column))
    }

    fn text<'r>(&self, record: &'r ByteRecord, column: usize) -> Result<Option<&'r str>, Why> {
        let not_utf8 = |_| Why::new("NOT_UTF8", format!("{}: not UTF-8", self.columns.header[column]));
        let text = str::from_utf8(record.get(column).unwrap_or_default()).map_err(not_utf8)?.trim();
        Ok((!text.is_empty()).then_some(text))
    }

    fn date(&self, record: &ByteRecord, field: Field) -> Result<Option<Timestamp>, Why> {
        let Some(text) = self.cell(record, field)? else {
            return Ok(None);
        };
        let bad = |why: String| Why::new("BAD_DATE", format!("{}: {why}", field.name()));
        dates::parse(text, self.dates).map(Some).map_err(bad)
    }

    /// A column that says so decides; else the stages the user named; else a close date or one of the usual stages.
    fn is_closed(&self, record: &ByteRecord, stage: &str, closed_at: Option<Timestamp>) -> Result<bool, Why> {
        if let Some(word) = self.cell(record, Field::Closed)? {
            return truth(word).ok_or_else(|| Why::new("INVALID_FIELD", format!("closed: {:?}", shorten(word))));
        }
        let stage = stage.to_lowercase();
        Ok(match &self.closed_stages {
            Some(stages) => stages.iter().any(|it| it.to_lowercase() == stage),
            None => closed_at.is_some() || matches!(stage.as_str(), "won" | "lost") || stage.starts_with("closed"),
        })
    }

    fn attributes(&self, record: &ByteRecord) -> Result<Vec<(String, String)>, Why> {
        let mut attributes = Vec::new();
        for (name, column) in &self.columns.attributes {
            let value = self.text(record, *column)?;
            attributes.extend(value.map(|value| (name.clone(), value.to_owned())));
        }
        Ok(attributes)
    }
}

/// Every row ends with its line, so one that meets the end of the file is inside a quote.
fn open_quote(line: u64) -> Why {
    let message = format!("a quote is not closed: everything from line {line} to the end of the file is one row");
    Why::new("OPEN_QUOTE", message)
}

fn truth(word: &str) -> Option<bool> {
    match word.to_ascii_lowercase().as_str() {
        "true" | "yes" | "1" | "closed" => Some(true),
        "false" | "no" | "0" | "open" => Some(false),
        _ => None,
    }
}
