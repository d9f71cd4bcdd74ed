//! The results as a table for people and as JSON for programs.

use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

use super::measure::{Figure, Goal, Row, Unit};
use super::profile::Profile;

/// `what | ours | limit measured in this run | ratio | goal`
pub fn table(rows: &[Row]) -> String {
    let mut table = Table::new();
    table.load_style(comfy_table::presets::ASCII_MARKDOWN);
    table.set_header(["what", "ours", "limit measured in this run", "ratio", "goal"]);
    for row in rows {
        let limit = row
            .limit
            .as_ref()
            .map_or_else(String::new, |(name, figure)| format!("{} {name}", figure_text(figure, row.unit)));
        let ratio = row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        table.add_row([
            Cell::new(&row.what),
            Cell::new(figure_text(&row.ours, row.unit)).set_alignment(CellAlignment::Right),
            Cell::new(limit),
            Cell::new(ratio).set_alignment(CellAlignment::Right),
            Cell::new(goal_text(row)),
        ]);
    }
    table.to_string()
}

fn figure_text(figure: &Figure, unit: Unit) -> String {
    let Figure { median, spread } = figure;
    let value = match unit {
        Unit::PerSecond => format!("{median:.0}/s"),
        Unit::Millis => format!("{median:.2} ms"),
        Unit::Bytes => format!("{median:.0} B"),
        Unit::Mebibytes => format!("{median:.1} MiB"),
    };
    format!("{value} ±{:.0}%", spread * 50.0)
}

fn goal_text(row: &Row) -> String {
    let goal = match row.goal {
        Goal::RatioAtLeast(least) => format!("at least {least}x"),
        Goal::RatioAtMost(most) => format!("at most {most}x"),
        Goal::AtMost(most) => format!("at most {most}"),
        Goal::None => String::new(),
    };
    let verdict = match row.is_met() {
        Some(true) => " (met)",
        Some(false) => " (missed)",
        None => "",
    };
    let disturbed = if row.is_disturbed() { " disturbed" } else { "" };
    format!("{goal}{verdict}{disturbed}").trim().to_owned()
}

/// Everything, with the day and the machine.
pub fn json(rows: &[Row], profile: &Profile) -> Value {
    let rows: Vec<_> = rows.iter().map(row_json).collect();
    json!({
        "profile": profile.name,
        "leads": profile.leads,
        "accounts": profile.accounts,
        "members": profile.members,
        "rounds": profile.rounds,
        "seconds": profile.time.as_secs_f64(),
        "date": humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
        "machine": machine(),
        "rows": rows,
    })
}

fn row_json(row: &Row) -> Value {
    let figure = |figure: &Figure| json!({ "median": figure.median, "spread": figure.spread });
    let limit = row.limit.as_ref().map(|(name, limit)| json!({ "name": name, "figure": figure(limit) }));
    json!({
        "what": row.what,
        "unit": format!("{:?}", row.unit),
        "ours": figure(&row.ours),
        "limit": limit,
        "ratio": row.ratio,
        "goal": format!("{:?}", row.goal),
        "met": row.is_met(),
        "disturbed": row.is_disturbed(),
    })
}

/// Processor and number of cores, as far as the system tells.
fn machine() -> String {
    let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpus.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ")).map(|(_, name)| name);
    let cores = std::thread::available_parallelism().map_or(0, std::num::NonZero::get);
    format!("{}, {cores} cores", model.unwrap_or("unknown processor"))
}
