//! The ratios as bars. Written by hand: a chart library is a larger dependency than forty rectangles.

use std::fmt::Write;

use super::measure::{Goal, Row};

const LINE: usize = 26;
const NAMES: usize = 560;
const BARS: f64 = 360.0;

/// Each comparison with a goal, as a bar on a logarithmic scale; the tick on it is the goal.
pub fn svg(rows: &[Row]) -> String {
    let compared: Vec<_> = rows.iter().filter_map(|row| Some((row, row.ratio?))).collect();
    let height = compared.len() * LINE + 40;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 1000 {height}\" font-family=\"sans-serif\" font-size=\"12\">\n\
         <rect width=\"1000\" height=\"{height}\" fill=\"#fff\"/>\n"
    );
    for (line, (row, ratio)) in compared.into_iter().enumerate() {
        bar(&mut svg, line * LINE + 20, row, ratio);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(svg: &mut String, top: usize, row: &Row, ratio: f64) {
    let limit = row.limit.as_ref().map_or("", |(name, _)| *name);
    let color = match row.is_met() {
        Some(true) => "#2e7d32",
        Some(false) => "#c62828",
        None => "#607d8b",
    };
    let (name, width, text) = (escaped(&format!("{} : {limit}", row.what)), width(ratio), top + 13);
    // Writing to a string does not fail.
    let _ = writeln!(svg, "<text x=\"{}\" y=\"{text}\" text-anchor=\"end\">{name}</text>", NAMES - 10);
    let _ = writeln!(svg, "<rect x=\"{NAMES}\" y=\"{top}\" width=\"{width:.0}\" height=\"18\" fill=\"{color}\"/>");
    let after = NAMES as f64 + width + 6.0;
    let _ = writeln!(svg, "<text x=\"{after:.0}\" y=\"{text}\">{ratio:.2}x</text>");
    if let Goal::RatioAtLeast(goal) | Goal::RatioAtMost(goal) = row.goal {
        let at = NAMES as f64 + self::width(goal);
        let _ = writeln!(svg, "<rect x=\"{at:.0}\" y=\"{}\" width=\"2\" height=\"24\" fill=\"#000\"/>", top - 3);
    }
}

/// From a tenth to a thousand times.
fn width(ratio: f64) -> f64 {
    ((ratio.log10() + 1.0) / 4.0).clamp(0.01, 1.0) * BARS
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
