//! The results as a table for people and as JSON for programs.

use anyhow::Result;
use comfy_table::{Cell, CellAlignment, Table};
use serde_json::{Value, json};

use super::anatomy::{self, Anatomy};
use super::data::OWNERS;
use super::measure::{Figure, Goal, Row, Unit};
use super::profile::Profile;
use super::stages::Line;
use super::world::World;

/// Everything that was measured.
#[derive(Debug, Default)]
pub struct Results {
    pub rows: Vec<Row>,
    /// Only if it was asked for.
    pub anatomy: Option<Anatomy>,
}

/// All of it, for a terminal.
pub fn text(Results { rows, anatomy }: &Results) -> String {
    let anatomy = anatomy.iter().map(anatomy_tables);
    std::iter::once(table(rows)).chain(anatomy).collect::<Vec<_>>().join("\n\n")
}

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

/// `stage | 1 caller | 256 callers`, and the same of the processor's time.
pub fn anatomy_tables(Anatomy { stages, processor }: &Anatomy) -> String {
    let columns =
        anatomy::CALLERS.map(|callers| if callers == 1 { "1 caller".to_owned() } else { format!("{callers} callers") });
    let table = |first: &str| {
        let mut table = Table::new();
        table.load_style(comfy_table::presets::ASCII_MARKDOWN);
        table.set_header(std::iter::once(first).chain(columns.iter().map(String::as_str)));
        table
    };
    let number = |text: String| Cell::new(text).set_alignment(CellAlignment::Right);
    let mut times = table("stage, median in ms");
    for Line { name, depth, millis } in stages {
        // A method by its own name. Plain spaces would be taken away where the page is shown.
        let name = format!("{}{}", "\u{a0}".repeat(depth * 4), name.rsplit('/').next().unwrap_or(name));
        let millis = millis.map(|millis| number(millis.map_or_else(String::new, |millis| format!("{millis:.3}"))));
        times.add_row(std::iter::once(Cell::new(name)).chain(millis));
    }
    let mut used = table("processor time of an Assign in µs");
    for (user, micros) in anatomy::USERS.iter().zip(processor) {
        used.add_row(std::iter::once(Cell::new(user)).chain(micros.map(|micros| number(format!("{micros:.0}")))));
    }
    format!("{times}\n\n{used}")
}

/// Median and half the spread.
pub fn figure_text(figure: &Figure, unit: Unit) -> String {
    let Figure { median, spread } = figure;
    let value = match unit {
        Unit::PerSecond if *median < 100.0 => format!("{median:.1}/s"),
        Unit::PerSecond => format!("{}/s", grouped(*median as usize)),
        Unit::Millis => format!("{median:.2} ms"),
        Unit::Bytes => format!("{median:.0} B"),
        Unit::Mebibytes => format!("{median:.1} MiB"),
    };
    format!("{value} ±{:.0}%", spread * 50.0)
}

/// What was to be reached, and whether it was.
pub fn goal_text(row: &Row) -> String {
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

/// What a run was.
#[derive(Debug)]
pub struct Run {
    pub profile: Profile,
    pub date: String,
    pub processor: String,
    pub cores: usize,
    pub postgres: String,
}

impl Run {
    /// On this machine, now.
    pub async fn of(world: &World) -> Result<Self> {
        let cpus = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = cpus.lines().find_map(|line| Some(line.strip_prefix("model name")?.split_once(": ")?.1));
        Ok(Self {
            profile: world.profile,
            date: humantime::format_rfc3339_seconds(std::time::SystemTime::now()).to_string(),
            processor: model.unwrap_or("unknown processor").to_owned(),
            cores: std::thread::available_parallelism().map_or(0, std::num::NonZero::get),
            postgres: world.postgres_version().await?,
        })
    }
}

/// Everything, with the day and the machine.
pub fn json(Results { rows, anatomy }: &Results, run: &Run) -> Value {
    let rows: Vec<_> = rows.iter().map(row_json).collect();
    let Run { profile, date, processor, cores, postgres } = run;
    json!({
        "profile": profile.name,
        "accounts": profile.many.accounts,
        "leads_per_account": profile.many.leads,
        "owners_per_account": OWNERS,
        "leads_of_large_account": profile.large,
        "rounds": profile.rounds,
        "seconds": profile.time.as_secs_f64(),
        "date": date,
        "processor": processor,
        "cores": cores,
        "postgres": postgres,
        "rows": rows,
        "assign": anatomy.as_ref().map(anatomy_json),
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

fn anatomy_json(Anatomy { stages, processor }: &Anatomy) -> Value {
    let stage = |Line { name, depth, millis }: &Line| json!({ "name": name, "depth": depth, "millis": millis });
    let used: serde_json::Map<_, _> =
        anatomy::USERS.iter().zip(processor).map(|(user, micros)| ((*user).to_owned(), json!(micros))).collect();
    json!({
        "callers": anatomy::CALLERS,
        "stages": stages.iter().map(stage).collect::<Vec<_>>(),
        "processor_micros": used,
    })
}

/// A number as people read it.
pub fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let thousands: Vec<_> = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy).collect();
    thousands.join(",")
}
