//! The dates of exports.

use prost_types::Timestamp;
use time::{Date, Month, OffsetDateTime};

use crate::cli::values::{iso_time, timestamp};

/// What the numbers of a date like `03/04/2026` mean.
#[derive(clap::ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum DateOrder {
    /// Day, month, year
    Dmy,
    /// Month, day, year
    Mdy,
}

/// Reads a date, or a date with a time, as UTC unless it says otherwise. The error says what is wrong with it.
pub(super) fn parse(text: &str, order: Option<DateOrder>) -> Result<Timestamp, String> {
    let moment = match iso_time(text) {
        Some(moment) => Some(moment),
        None => other_form(text, order)?,
    };
    let form = "2026-01-31 or 2026-01-31T14:30:00Z";
    moment.map(timestamp).ok_or_else(|| format!("{:?} is not a date like {form}", super::shorten(text)))
}

/// `31.12.2026`, `2026/12/31`, and with an order `31/12/2026`; a time may follow.
fn other_form(text: &str, order: Option<DateOrder>) -> Result<Option<OffsetDateTime>, String> {
    let (day, clock) = text.split_once([' ', 'T']).unwrap_or((text, "00:00"));
    let Some([first, second, third]) = numbers(day) else {
        return Ok(None);
    };
    let (year, month, day) = match (first > 31, day.contains('.'), order) {
        (true, _, _) => (first, second, third),
        (_, true, None) | (_, _, Some(DateOrder::Dmy)) => (third, second, first),
        (_, _, Some(DateOrder::Mdy)) => (third, first, second),
        _ => {
            return Err(format!("{text:?} can be read in two ways: pass --dates dmy or --dates mdy"));
        }
    };
    Ok(iso_day(year, month, day).and_then(|day| iso_time(&format!("{day}T{clock}"))))
}

/// Three numbers between the same signs, one of them a year of four digits.
fn numbers(text: &str) -> Option<[u16; 3]> {
    let sign = text.chars().find(|it| !it.is_ascii_digit()).filter(|it| matches!(it, '/' | '.' | '-'))?;
    let parts: Vec<&str> = text.split(sign).collect();
    let [first, second, third] = parts.as_slice() else {
        return None;
    };
    let year_has_four_digits = first.len() == 4 || third.len() == 4;
    let number = |part: &str| part.parse::<u16>().ok();
    year_has_four_digits.then_some([number(first)?, number(second)?, number(third)?])
}

fn iso_day(year: u16, month: u16, day: u16) -> Option<String> {
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(year.into(), month, u8::try_from(day).ok()?).ok()?;
    Some(format!("{:04}-{:02}-{:02}", date.year(), u8::from(date.month()), date.day()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2017-03-01 at midnight.
    const MARCH: i64 = 1_488_326_400;

    fn seconds(text: &str, order: Option<DateOrder>) -> Option<i64> {
        parse(text, order).ok().map(|it| it.seconds)
    }

    #[test]
    fn the_usual_forms_are_read() {
        for text in ["2017-03-01", "2017/03/01", "2017/3/1", "01.03.2017", "1.3.2017 00:00"] {
            assert_eq!(seconds(text, None), Some(MARCH), "{text}");
        }
        assert_eq!(seconds("03/01/2017", Some(DateOrder::Mdy)), Some(MARCH));
        assert_eq!(seconds("1/3/2017 00:01", Some(DateOrder::Dmy)), Some(MARCH + 60));
    }

    #[test]
    fn a_date_that_can_be_read_in_two_ways_is_not_guessed() {
        assert!(parse("03/01/2017", None).unwrap_err().contains("--dates"));
    }

    #[test]
    fn what_is_no_date_is_refused() {
        for text in
            ["soon", "2017-02-30", "30.02.2017", "1/3/17", "99999.1.1", "2017/03", "2017-03-01 99:99", "..", "-"]
        {
            assert_eq!(seconds(text, Some(DateOrder::Dmy)), None, "{text}");
        }
    }
}
