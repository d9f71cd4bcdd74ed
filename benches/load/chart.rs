//! The results as bars. Written by hand: a chart library is a larger dependency than forty rectangles.

use std::fmt::Write;

use super::measure::{Goal, Row};
use super::report::figure_text;

/// Each row has two lines of text beside its bar.
const ROW: usize = 40;
const NAMES: f64 = 600.0;
const BARS: f64 = 260.0;
const WIDTH: usize = 1_100;
/// How far from the goal the scale reaches, either way.
const REACH: f64 = 8.0;

/// Each row with a goal as a bar: how far it is from the goal, on a logarithmic scale, to the right when it is passed.
pub fn svg(rows: &[Row]) -> String {
    let judged: Vec<_> = rows.iter().filter_map(|row| Some((row, passed_by(row)?))).collect();
    let height = judged.len() * ROW + 50;
    let goal = NAMES + BARS / 2.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" font-family=\"sans-serif\" \
         font-size=\"13\">\n<rect width=\"{WIDTH}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <text x=\"{goal}\" y=\"20\" text-anchor=\"middle\" font-weight=\"bold\">goal</text>\n"
    );
    for (place, (row, passed_by)) in judged.into_iter().enumerate() {
        bar(&mut svg, place * ROW + 30, row, passed_by);
    }
    let bottom = height - 12;
    svg.push_str(&format!(
        "<line x1=\"{goal}\" y1=\"26\" x2=\"{goal}\" y2=\"{bottom}\" stroke=\"#000\" stroke-width=\"2\"/>\n</svg>\n"
    ));
    svg
}

/// 1 where the goal is just reached, 2 where twice as much is.
fn passed_by(row: &Row) -> Option<f64> {
    match (row.goal, row.ratio) {
        (Goal::RatioAtLeast(goal), Some(ratio)) => Some(ratio / goal),
        (Goal::RatioAtMost(goal), Some(ratio)) => Some(goal / ratio),
        (Goal::AtMost(goal), _) => Some(goal / row.ours.median),
        (Goal::RatioAtLeast(_) | Goal::RatioAtMost(_) | Goal::None, _) => None,
    }
}

fn bar(svg: &mut String, top: usize, row: &Row, passed_by: f64) {
    let color = if passed_by >= 1.0 { "#2e7d32" } else { "#c62828" };
    let (names, first, second, middle) = (NAMES - 12.0, top + 14, top + 30, top + 23);
    let width = ((passed_by.ln() / REACH.ln() + 1.0) / 2.0).clamp(0.01, 1.0) * BARS;
    let ours = figure_text(&row.ours, row.unit);
    let against = match &row.limit {
        Some((name, limit)) => format!("{ours} : {} {name}", figure_text(limit, row.unit)),
        None => ours,
    };
    let reached = match (row.goal, row.ratio) {
        (Goal::RatioAtLeast(goal), Some(ratio)) => format!("{ratio:.2}x, at least {goal}x"),
        (Goal::RatioAtMost(goal), Some(ratio)) => format!("{ratio:.2}x, at most {goal}x"),
        (Goal::AtMost(goal), _) => format!("at most {goal}"),
        _ => String::new(),
    };
    let (what, against, after) = (escaped(&row.what), escaped(&against), NAMES + BARS + 10.0);
    // Writing to a string does not fail.
    let _ = write!(
        svg,
        "<text x=\"{names}\" y=\"{first}\" text-anchor=\"end\">{what}</text>\n\
         <text x=\"{names}\" y=\"{second}\" text-anchor=\"end\" font-size=\"11\" fill=\"#666\">{against}</text>\n\
         <rect x=\"{NAMES}\" y=\"{}\" width=\"{width:.0}\" height=\"22\" fill=\"{color}\"/>\n\
         <text x=\"{after}\" y=\"{middle}\">{reached}</text>\n",
        top + 7
    );
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
