//! The teams file of an import: who works there, and who reports to whom.

use crate::cli::error::Error;

use super::members::Directory;
use super::report::Why;
use super::source::Source;

/// Column names, without case, spaces and signs, for a member, the manager, and the address.
const MEMBER: [&str; 6] = ["salesagent", "agent", "member", "name", "fullname", "salesrep"];
const MANAGER: [&str; 3] = ["manager", "reportsto", "managername"];
const EMAIL: [&str; 3] = ["email", "emailaddress", "mail"];

/// Adds the members and managers of a file to those that are to be added. Members that are there are left alone.
pub(super) fn read(source: &Source, directory: &mut Directory) -> Result<(), Error> {
    let mut reader = source.csv(None)?;
    let wrong = |line: u64, why: &str| Error::Usage(format!("{}, line {line}: {why}", source.name()));
    let header = reader.headers().map_err(|cause| wrong(1, &cause.to_string()))?.clone();
    let column = |names: &[&str]| header.iter().position(|it| names.contains(&plain(it).as_str()));
    let (manager, email) = (column(&MANAGER), column(&EMAIL));
    let member = column(&MEMBER).ok_or_else(|| {
        let there = header.iter().collect::<Vec<_>>().join(", ");
        wrong(1, &format!("no column for the member, like sales_agent or name; the file has: {there}"))
    })?;
    for record in reader.records() {
        let record = record.map_err(|cause| Error::Usage(format!("{}: {cause}", source.name())))?;
        let cell = |column: Option<usize>| column.and_then(|it| record.get(it)).unwrap_or_default().trim();
        let line = record.position().map_or(0, csv::Position::line);
        if cell(Some(member)).is_empty() {
            return Err(wrong(line, "no name"));
        }
        let add = |directory: &mut Directory| -> Result<(), Why> {
            let above = Some(cell(manager)).filter(|name| !name.is_empty());
            let above = above.map(|name| directory.find_or_plan(name, "", None)).transpose()?;
            directory.find_or_plan(cell(Some(member)), cell(email), above).map(drop)
        };
        add(directory).map_err(|why| wrong(line, &why.message))?;
    }
    Ok(())
}

fn plain(name: &str) -> String {
    name.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &'static str) -> Result<Vec<(String, Option<String>)>, Error> {
        let mut directory = Directory::new(&[], false, None);
        read(&Source::Embedded { name: "teams.csv", bytes: text.as_bytes() }, &mut directory)?;
        Ok(directory.planned().into_iter().map(|it| (it.member_id, it.manager_id)).collect())
    }

    #[test]
    fn agents_and_managers_become_members() {
        let planned = read_text("\u{feff}Sales Agent,Manager,Region\r\nAnna A,Dan B,West\r\nBen C,Dan B,West\r\n");
        let expected = [("dan-b", None), ("anna-a", Some("dan-b")), ("ben-c", Some("dan-b"))];
        assert_eq!(planned.unwrap(), expected.map(|(id, above)| (id.to_owned(), above.map(ToOwned::to_owned))));
    }

    #[test]
    fn a_file_without_names_is_refused_with_its_columns() {
        let error = read_text("team,manager\nx,y\n").unwrap_err().to_string();
        assert!(error.contains("the file has: team, manager"), "{error}");
        let error = read_text("name,manager\nAnna,Dan\n,Dan\n").unwrap_err().to_string();
        assert!(error.contains("line 3"), "{error}");
    }
}
