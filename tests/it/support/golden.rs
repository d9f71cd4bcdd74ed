//! Pages that are made from the code, and committed.

use similar::TextDiff;

use super::sources::{repository, text};

/// Fails unless a page is as it is made now.
pub fn is_committed(page: &str, made: &str) {
    let path = repository().join(page);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, made).unwrap();
    }
    let committed = if path.exists() { text(page) } else { String::new() };
    let diff = TextDiff::from_lines(&*committed, made).unified_diff().header("committed", "made now").to_string();
    let update = "UPDATE_GOLDEN=1 cargo test --package ownership --test it derived_pages";
    assert!(diff.is_empty(), "{page} is not what the code says; rewrite it with\n\n    {update}\n\n{diff}");
}

/// A row of a table.
pub fn row<'a>(cells: impl IntoIterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.into_iter().map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
