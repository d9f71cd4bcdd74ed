//! What a configuration is read from, beside flags: a file and the environment.

use std::collections::HashMap;
use std::ffi::OsString;
use std::path::Path;

use config::{ConfigError, File, FileFormat};

use super::Problem;

/// How the names of our variables begin.
const PREFIX: &str = "OWNERSHIP__";

/// What stands in a file.
pub(super) fn file(path: &Path) -> Result<config::Config, Problem> {
    let wrong = |what| Problem { key: path.display().to_string(), what };
    let text = std::fs::read_to_string(path).map_err(|error| wrong(format!("cannot be read: {error}")))?;
    let source = File::from_str(&text, FileFormat::Toml);
    config::Config::builder().add_source(source).build().map_err(|error| wrong(without_excerpt(&error)))
}

/// Where a file stops to make sense, and why. The parser also prints the line, which may hold a secret.
fn without_excerpt(error: &ConfigError) -> String {
    let text = match error {
        ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let is_excerpt =
        |line: &&str| line.trim_start_matches([' ', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9']).starts_with('|');
    text.lines().filter(|line| !is_excerpt(line)).collect::<Vec<_>>().join(": ")
}

/// Those of some variables that are ours, and what is wrong with the others that seem to be.
pub(super) fn variables(all: impl Iterator<Item = (OsString, OsString)>) -> (HashMap<String, String>, Vec<Problem>) {
    let (mut variables, mut problems) = (HashMap::new(), Vec::new());
    for (name, value) in all {
        let name = name.to_string_lossy();
        if !name.starts_with(PREFIX) {
            continue;
        }
        match value.into_string() {
            Ok(value) => drop(variables.insert(name.into_owned(), value)),
            Err(_) => problems.push(Problem { key: name.into_owned(), what: "is not UTF-8".to_owned() }),
        }
    }
    (variables, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(content: &[u8]) -> String {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ownership.toml");
        std::fs::write(&path, content).unwrap();
        file(&path).unwrap_err().what
    }

    #[test]
    fn a_file_that_makes_no_sense_is_told_by_the_place_and_not_quoted() {
        let said = wrong(b"[database]\nurl = \"postgres://me:s3cr3t@db\n");
        assert_eq!(said, "TOML parse error at line 2, column 31: invalid basic string, expected `\"`");
        assert_eq!(wrong(b"[server]\ndrain='1s'\ndrain='2s'"), "TOML parse error at line 3, column 1: duplicate key");
        assert!(wrong(b"[database]\nurl = \"\xff\"").contains("UTF-8"));
    }

    #[test]
    fn a_file_that_cannot_be_read_says_why() {
        let directory = tempfile::tempdir().unwrap();
        assert!(file(directory.path()).unwrap_err().what.contains("directory"));
        assert!(file(&directory.path().join("missing")).unwrap_err().what.contains("No such file"));
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_named_and_not_shown() {
        use std::os::unix::ffi::OsStringExt;
        let broken = OsString::from_vec(b"s3cr3t\xff".to_vec());
        let all = [("OWNERSHIP__DATABASE__URL", broken.clone()), ("HOME", broken), ("OWNERSHIP__A__B", "c".into())];
        let (variables, problems) = variables(all.into_iter().map(|(name, value)| (name.into(), value)));
        assert_eq!(variables.into_iter().collect::<Vec<_>>(), [("OWNERSHIP__A__B".to_owned(), "c".to_owned())]);
        assert_eq!(problems.len(), 1);
        assert_eq!(problems[0].to_string(), "OWNERSHIP__DATABASE__URL: is not UTF-8");
    }
}
