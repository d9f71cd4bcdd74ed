//! Leads as they are named on the command line or in a list: one id per line, or `lead_id,owner_id`.

use std::collections::HashMap;
use std::io::Read;

use super::error::Error;

/// Which leads a command is about.
#[derive(clap::Args, Debug, Default)]
pub(super) struct LeadArgs {
    /// Leads
    #[arg(value_name = "LEAD")]
    leads: Vec<String>,
    /// Read leads from a file, one per line; `-` reads standard input
    #[arg(long, value_name = "FILE")]
    from: Option<String>,
}

/// A lead that was named, and the owner named beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The lead.
    pub lead_id: String,
    /// Its owner to be. Absent when none was named.
    pub owner_id: Option<String>,
}

impl LeadArgs {
    /// All leads that were named, each once, in order.
    pub(super) fn read(self) -> Result<Vec<Line>, Error> {
        let mut lines: Vec<Line> = self.leads.into_iter().map(|lead_id| Line { lead_id, owner_id: None }).collect();
        if let Some(path) = &self.from {
            lines.extend(parse(path, &contents(path)?)?);
        }
        if lines.is_empty() {
            return Err(Error::Usage("no leads given: name them, or pass --from FILE".into()));
        }
        each_once(&lines)?;
        Ok(lines)
    }

    /// The ids of all leads that were named; an owner beside one is refused.
    pub(super) fn read_ids(self) -> Result<Vec<String>, Error> {
        let id = |line: Line| match line.owner_id {
            None => Ok(line.lead_id),
            Some(owner) => Err(Error::Usage(format!("{},{owner}: only lead ids belong here", line.lead_id))),
        };
        self.read()?.into_iter().map(id).collect()
    }
}

fn contents(path: &str) -> Result<String, Error> {
    let read = if path == "-" {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    read.map_err(|cause| Error::File { path: path.to_owned(), cause })
}

/// Blank lines, comments and a header are skipped. An empty owner is refused: it must never read as "unassign".
fn parse(path: &str, text: &str) -> Result<Vec<Line>, Error> {
    let mut lines = Vec::new();
    for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
        let line = line.trim();
        let header = number == 0 && line.split(',').next() == Some("lead_id");
        if line.is_empty() || line.starts_with('#') || header {
            continue;
        }
        let wrong = |why: &str| Error::Usage(format!("{path}, line {}: {why}", number + 1));
        let mut cells = line.split(',').map(str::trim);
        let lead_id = cells.next().filter(|id| !id.is_empty()).ok_or_else(|| wrong("no lead id"))?.to_owned();
        let owner_id = match cells.next() {
            None => None,
            Some("") => return Err(wrong("no owner after the comma; to take owners away use --unassign")),
            Some(owner) => Some(owner.to_owned()),
        };
        if cells.next().is_some() {
            return Err(wrong("more than a lead id and an owner id"));
        }
        lines.push(Line { lead_id, owner_id });
    }
    Ok(lines)
}

fn each_once(lines: &[Line]) -> Result<(), Error> {
    let mut first = HashMap::new();
    for (place, line) in lines.iter().enumerate() {
        if let Some(earlier) = first.insert(&line.lead_id, place) {
            let places = format!("as number {} and number {}", earlier + 1, place + 1);
            return Err(Error::Usage(format!("lead {} is named twice, {places}", line.lead_id)));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_may_have_a_bom_a_header_comments_crlf_and_blank_lines() {
        let lines = parse("f", "\u{feff}lead_id,owner_id\r\n# mine\r\n\r\nL-1\r\nL-2 , anna\r\n").unwrap();
        let expected = [("L-1", None), ("L-2", Some("anna"))];
        let expected = expected.map(|(lead, owner)| Line { lead_id: lead.into(), owner_id: owner.map(Into::into) });
        assert_eq!(lines, expected);
    }

    #[test]
    fn an_empty_owner_never_unassigns() {
        let error = parse("f", "L-1,\n").unwrap_err().to_string();
        assert!(error.contains("line 1") && error.contains("--unassign"), "{error}");
    }

    #[test]
    fn a_lead_named_twice_is_refused_with_both_places() {
        let args = LeadArgs { leads: vec!["a".into(), "b".into(), "a".into()], from: None };
        assert!(args.read().unwrap_err().to_string().contains("number 1 and number 3"));
    }

    #[test]
    fn naming_no_lead_is_wrong_usage() {
        assert_eq!(LeadArgs::default().read().unwrap_err().exit_code(), 2);
    }
}
