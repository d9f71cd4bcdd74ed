//! The results as the documentation shows them.

use std::path::Path;

use anyhow::{Context, Result};

use super::chart;
use super::data::OWNERS;
use super::report::{Results, Run, anatomy_tables, grouped, table};

const PAGE: &str = "docs/performance.md";
const CHART: &str = "docs/performance.svg";
const BEGIN: &str = "<!-- results: benches/run --docs writes what follows -->\n";
const END: &str = "<!-- end of results -->\n";

/// Replaces the results in the documentation.
pub fn write(results: &Results, run: &Run) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = std::fs::read_to_string(root.join(PAGE))?;
    let (before, rest) = page.split_once(BEGIN).context("the page has no place for results")?;
    let (_, after) = rest.split_once(END).context("the results on the page have no end")?;
    let page = format!("{before}{BEGIN}\n{}\n{END}{after}", section(results, run));
    std::fs::write(root.join(PAGE), page)?;
    std::fs::write(root.join(CHART), chart::svg(&results.rows))?;
    println!("{PAGE}\n{CHART}");
    Ok(())
}

fn section(Results { rows, anatomy }: &Results, run: &Run) -> String {
    let Run { profile, date, processor, cores, postgres } = run;
    let met = rows.iter().filter(|row| row.is_met() == Some(true)).count();
    let judged = rows.iter().filter(|row| row.is_met().is_some()).count();
    let anatomy = anatomy.as_ref().map_or_else(String::new, |anatomy| {
        format!("\n### Where the time of an Assign goes\n\n{}\n", anatomy_tables(anatomy))
    });
    format!(
        "{day}, {processor}, {cores} cores, Postgres {postgres}, profile `{name}`: {many} leads in {accounts} accounts with \
         {OWNERS} owners each, a large account of {large} leads, {rounds} rounds of {seconds} s. {met} of {judged} goals are \
         met.\n\n![Each goal and how far the service is from it](performance.svg)\n\n{table}\n{anatomy}",
        day = date.split('T').next().unwrap_or(date),
        name = profile.name,
        many = grouped(profile.many.accounts * profile.many.leads),
        accounts = profile.many.accounts,
        large = grouped(profile.large),
        rounds = profile.rounds,
        seconds = profile.time.as_secs_f64(),
        table = table(rows),
    )
}
