use super::report::BadRow;
use super::rows::GoodRow;
use super::*;
use ownership_proto::v1::Member;

/// Reads a file the way an import does.
fn read(text: &'static str, args: &Args) -> (Vec<GoodRow>, Vec<BadRow>) {
    let source = Source::Embedded { name: "test.csv", bytes: text.as_bytes() };
    let rules = rules(&source, args).unwrap();
    let anna = Member { member_id: "anna".into(), display_name: "Anna Snelling".into(), ..Member::default() };
    let mut directory = Directory::new(&[anna], false, None);
    let mut rows = Rows::new(source.csv(None).unwrap(), &rules, &mut directory);
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next().unwrap() {
        match row {
            Ok(row) => good.push(row),
            Err(row) => bad.push(row),
        }
    }
    (good, bad)
}

fn leak(text: String) -> &'static str {
    Box::leak(text.into_boxed_str())
}

fn reasons(bad: &[BadRow]) -> Vec<(u64, &str)> {
    bad.iter().map(|row| (row.line, row.why.reason.as_str())).collect()
}

#[test]
fn a_row_becomes_a_lead() {
    let args = Args {
        format: FormatArgs { attributes: vec!["Close Value".into()], ..FormatArgs::default() },
        ..Args::default()
    };
    let text = "id,owner,stage,created,close_date,Close Value\n L-1 ,anna snelling,Won,2017-03-01,2017-03-02, 54 \n";
    let (good, bad) = read(text, &args);
    assert_eq!(bad, []);
    let lead = &good.first().unwrap().lead;
    assert_eq!((lead.lead_id.as_str(), lead.owner_id.as_deref(), lead.stage.as_str()), ("L-1", Some("anna"), "Won"));
    assert!(lead.closed);
    assert_eq!(lead.created_at.unwrap().seconds, 1_488_326_400);
    assert_eq!(lead.stage_entered_at.unwrap().seconds, 1_488_412_800);
    assert_eq!(lead.attributes["close_value"], "54");
}

#[test]
fn an_open_lead_entered_its_stage_when_it_was_created_and_may_know_neither() {
    let (good, bad) = read("id,owner,stage,created,closed_at\na,anna,New,2017-03-01,\nb,,New,,\n", &Args::default());
    assert_eq!(bad, []);
    assert_eq!(good[0].lead.stage_entered_at, good[0].lead.created_at);
    assert_eq!((good[1].lead.created_at, good[1].lead.stage_entered_at), (None, None));
    assert_eq!(good[1].lead.owner_id, None);
    assert!(good.iter().all(|row| !row.lead.closed));
}

#[test]
fn every_bad_row_is_named_by_line_and_reason_and_the_good_ones_stay() {
    let text = "\u{feff}id,owner,stage,created\r\n\
        a,anna,New,2017-03-01\r\n\
        b,nobody we know,New,2017-03-01\r\n\
        c,anna,New,2017-02-30\r\n\
        \r\n\
        a,anna,New,2017-03-01\r\n\
        ,anna,New,2017-03-01\r\n\
        bad id,anna,New,2017-03-01\r\n\
        d,anna,New\r\n\
        \"e\",\"anna\",\"New\r\nish\",2017-03-01\r\n\
        f,anna,Ne\u{0}w,2017-03-01\r\n\
        g,anna,New,2017-03-01";
    let (good, bad) = read(text, &Args::default());
    let ids: Vec<(u64, &str)> = good.iter().map(|row| (row.line, row.lead.lead_id.as_str())).collect();
    assert_eq!(ids, [(2, "a"), (13, "g")]);
    let expected = [
        (3, "OWNER_UNKNOWN"),
        (4, "BAD_DATE"),
        (6, "DUPLICATE_ITEM"),
        (7, "INVALID_FIELD"),
        (8, "INVALID_FIELD"),
        (9, "WRONG_FIELD_COUNT"),
        (10, "INVALID_FIELD"),
        (12, "INVALID_FIELD"),
    ];
    assert_eq!(reasons(&bad), expected);
    assert_eq!(bad[2].why.message, "line 2 has the same lead");
}

#[test]
fn a_megabyte_in_a_cell_is_refused_in_a_short_sentence() {
    let huge = "x".repeat(1 << 20);
    let text =
        leak(format!("id,owner,stage,created,memo\n{huge},,,,\nb,{huge},,,\nc,,{huge},,\nd,,,{huge},\ne,,,,{huge}\n"));
    let (good, bad) = read(text, &Args::default());
    assert_eq!(good.len(), 1, "a cell that nobody asked for does no harm");
    let expected = [(2, "INVALID_FIELD"), (3, "OWNER_UNKNOWN"), (4, "INVALID_FIELD"), (5, "BAD_DATE")];
    assert_eq!(reasons(&bad), expected);
    assert!(bad.iter().all(|row| row.why.message.len() < 400 && row.lead_id.len() < 100));
}

#[test]
fn bytes_that_are_no_utf8_are_refused_where_they_matter() {
    let rules = Rules {
        columns: Columns::find(["id", "owner", "memo"].map(String::from).into(), &Wishes::default()).unwrap(),
        closed_stages: None,
        dates: None,
    };
    let mut directory = Directory::default();
    let source = Source::Embedded { name: "test.csv", bytes: b"id,owner,memo\na,,\xff\n\xff,,\n" };
    let mut rows = Rows::new(source.csv(None).unwrap(), &rules, &mut directory);
    assert!(rows.next().unwrap().unwrap().is_ok());
    assert_eq!(rows.next().unwrap().unwrap().unwrap_err().why.reason, "NOT_UTF8");
    assert!(rows.next().unwrap().is_none());
}

#[test]
fn an_open_quote_is_pointed_out() {
    let (good, bad) = read("id,owner\na,anna\nb,\"anna\nc,anna\n", &Args::default());
    assert_eq!(good.len(), 1);
    assert_eq!(reasons(&bad), [(3, "OPEN_QUOTE")]);
    assert!(bad[0].why.message.contains("from line 3"), "{}", bad[0].why.message);
}

#[test]
fn the_user_decides_which_stages_are_closed() {
    let format = FormatArgs { closed_stages: vec!["done".into()], ..FormatArgs::default() };
    let args = Args { format, ..Args::default() };
    let (good, _) = read("id,owner,stage,close_date\na,,Done,\nb,,Won,2017-03-01\n", &args);
    assert_eq!([good[0].lead.closed, good[1].lead.closed], [true, false]);
}

#[test]
fn a_column_that_says_closed_wins_over_the_stage() {
    let (good, bad) = read("id,owner,stage,is_closed\na,,Won,false\nb,,New,TRUE\nc,,New,maybe\n", &Args::default());
    assert_eq!([good[0].lead.closed, good[1].lead.closed], [false, true]);
    assert_eq!(reasons(&bad), [(4, "INVALID_FIELD")]);
}

#[test]
fn the_example_data_is_good_to_the_last_row() {
    let text = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/examples/data/sales_pipeline.csv"));
    let (good, bad) = read(text, &Args::default());
    assert_eq!(good.len() + bad.len(), 8_800);
    assert!(bad.iter().all(|row| row.why.reason == "OWNER_UNKNOWN"));
}

#[test]
fn the_demo_can_be_loaded_from_any_task() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&load_demo("http://127.0.0.1:1", "demo", false));
}
