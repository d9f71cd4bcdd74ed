//! Which column of an export holds what.

use std::collections::BTreeMap;

/// What an import can take from a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(super) enum Field {
    /// The lead.
    LeadId,
    /// Who owns it.
    Owner,
    /// The stage it is in.
    Stage,
    /// When it was created.
    CreatedAt,
    /// When it entered its stage.
    StageEnteredAt,
    /// When it was closed.
    ClosedAt,
    /// Whether it is closed.
    Closed,
}

impl Field {
    const ALL: [Self; 7] =
        [Self::LeadId, Self::Owner, Self::Stage, Self::CreatedAt, Self::StageEnteredAt, Self::ClosedAt, Self::Closed];

    /// Its name, as `--map` takes it.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::LeadId => "lead_id",
            Self::Owner => "owner",
            Self::Stage => "stage",
            Self::CreatedAt => "created_at",
            Self::StageEnteredAt => "stage_entered_at",
            Self::ClosedAt => "closed_at",
            Self::Closed => "closed",
        }
    }

    /// What common CRM exports call it, the most telling first, without case, spaces and signs.
    fn usual(self) -> &'static [&'static str] {
        match self {
            Self::LeadId => &["leadid", "opportunityid", "dealid", "recordid", "contactid", "id"],
            Self::Owner => &[
                "ownerid",
                "leadowner",
                "opportunityowner",
                "dealowner",
                "contactowner",
                "recordowner",
                "owner",
                "salesagent",
                "salesrep",
                "assignedto",
                "assignee",
                "agent",
            ],
            Self::Stage => &["dealstage", "stage", "stagename", "pipelinestage", "leadstatus", "status"],
            Self::CreatedAt => &[
                "createdat",
                "created",
                "createdate",
                "createddate",
                "datecreated",
                "creationdate",
                "createdon",
                "createdtime",
                "engagedate",
            ],
            Self::StageEnteredAt => &["stageenteredat", "stageentered", "laststagechangedate", "dateenteredstage"],
            Self::ClosedAt => &["closedat", "closedate", "closeddate", "dateclosed", "closedon", "closedtime"],
            Self::Closed => &["isclosed", "closed"],
        }
    }
}

/// What the user said about columns.
#[derive(Debug, Default)]
pub(super) struct Wishes {
    /// `FIELD=COLUMN`; an empty column says that the file has none.
    pub map: Vec<(Field, String)>,
    /// Columns to keep as attributes: `COLUMN` or `NAME=COLUMN`.
    pub attributes: Vec<String>,
    /// Whether a file without owners is what the user means.
    pub owner_may_be_absent: bool,
}

/// Where each field is found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    /// The header.
    pub header: Vec<String>,
    fields: BTreeMap<Field, usize>,
    /// Names of attributes and their columns.
    pub attributes: Vec<(String, usize)>,
}

impl Columns {
    /// Finds the fields in a header. The error names the columns that are there.
    pub(super) fn find(header: Vec<String>, wishes: &Wishes) -> Result<Self, String> {
        let mut fields = BTreeMap::new();
        for field in Field::ALL {
            let wish = wishes.map.iter().rev().find(|(wished, _)| *wished == field);
            let found = match wish {
                Some((_, column)) if column.is_empty() => None,
                Some((_, column)) => Some(named(&header, column)?),
                None => field.usual().iter().find_map(|usual| position(&header, usual)),
            };
            fields.extend(found.map(|column| (field, column)));
        }
        let without_owner = wishes.owner_may_be_absent || wishes.map.contains(&(Field::Owner, String::new()));
        require(&header, &fields, Field::LeadId, "")?;
        if !without_owner {
            require(&header, &fields, Field::Owner, ", or `--map owner=` if the leads have none")?;
        }
        let attributes = attributes(&header, &wishes.attributes)?;
        Ok(Self { header, fields, attributes })
    }

    /// The column of a field.
    pub(super) fn of(&self, field: Field) -> Option<usize> {
        self.fields.get(&field).copied()
    }

    /// `lead_id = opportunity_id, owner = sales_agent, ...`
    pub(super) fn describe(&self) -> String {
        let fields = self.fields.iter().map(|(field, &column)| (field.name(), column));
        let attributes = self.attributes.iter().map(|(name, column)| (name.as_str(), *column));
        let pair = |(name, column): (&str, usize)| format!("{name} = {}", self.header[column]);
        fields.chain(attributes).map(pair).collect::<Vec<_>>().join(", ")
    }
}

fn require(header: &[String], found: &BTreeMap<Field, usize>, field: Field, or: &str) -> Result<(), String> {
    if found.contains_key(&field) {
        return Ok(());
    }
    let name = field.name();
    Err(format!("no column for {name}; pass `--map {name}=COLUMN`{or}; {}", there(header)))
}

fn named(header: &[String], column: &str) -> Result<usize, String> {
    let exact: Vec<usize> = (0..header.len()).filter(|&place| header[place] == column).collect();
    match exact.as_slice() {
        [place] => Ok(*place),
        [] => position(header, &plain(column)).ok_or_else(|| format!("no column {column:?}; {}", there(header))),
        _ => Err(format!("{} columns are called {column:?}; rename all but one", exact.len())),
    }
}

fn there(header: &[String]) -> String {
    format!("the file has: {}", header.iter().map(|name| super::shorten(name)).collect::<Vec<_>>().join(", "))
}

fn position(header: &[String], name: &str) -> Option<usize> {
    header.iter().position(|column| !name.is_empty() && plain(column) == name)
}

/// A column name without case, spaces and signs.
fn plain(name: &str) -> String {
    name.chars().filter(|it| it.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn attributes(header: &[String], wishes: &[String]) -> Result<Vec<(String, usize)>, String> {
    let mut attributes: Vec<(String, usize)> = Vec::new();
    for wish in wishes {
        let (name, column) = wish.split_once('=').unwrap_or((wish, wish));
        let (key, column) = (key(name)?, named(header, column.trim())?);
        if attributes.iter().any(|(earlier, _)| *earlier == key) {
            return Err(format!("two attributes would be called {key}; name one with --attribute NAME=COLUMN"));
        }
        attributes.push((key, column));
    }
    Ok(attributes)
}

/// The name of an attribute as the contract allows it: lower-case letters, digits and `_`, a letter first.
fn key(name: &str) -> Result<String, String> {
    let word = |it: char| {
        if it.is_ascii_alphanumeric() { it.to_ascii_lowercase() } else { '_' }
    };
    let spelled: String = name.trim().chars().map(word).collect();
    let key = spelled.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("_");
    let key = key.trim_start_matches(|it: char| !it.is_ascii_lowercase()).to_owned();
    if key.is_empty() { Err(format!("{name:?} makes no attribute name; use --attribute NAME=COLUMN")) } else { Ok(key) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(header: &str, wishes: &Wishes) -> Result<Columns, String> {
        Columns::find(header.split(',').map(Into::into).collect(), wishes)
    }

    #[test]
    fn the_headers_of_common_exports_are_understood() {
        for header in [
            "opportunity_id,sales_agent,deal_stage,engage_date,close_date",
            "Record ID,Deal owner,Deal Stage,Create Date,Close Date",
            "Lead ID,Lead Owner,Lead Status,Created Date,CLOSED-ON",
            "Id,OwnerId,StageName,CreatedDate,CloseDate",
        ] {
            let columns = find(header, &Wishes::default()).unwrap();
            let fields = [Field::LeadId, Field::Owner, Field::Stage, Field::CreatedAt, Field::ClosedAt];
            assert_eq!(fields.map(|field| columns.of(field)), [0, 1, 2, 3, 4].map(Some), "{header}");
        }
    }

    #[test]
    fn a_missing_column_is_refused_and_the_columns_found_are_named() {
        let error = find("name,sales_agent", &Wishes::default()).unwrap_err();
        assert!(error.contains("lead_id") && error.contains("the file has: name, sales_agent"), "{error}");
        let error = find("id,name", &Wishes::default()).unwrap_err();
        assert!(error.contains("no column for owner"), "{error}");
    }

    #[test]
    fn a_file_without_owners_needs_a_word_from_the_user() {
        let wishes = Wishes { owner_may_be_absent: true, ..Wishes::default() };
        assert_eq!(find("id,name", &wishes).unwrap().of(Field::Owner), None);
        let wishes = Wishes { map: vec![(Field::Owner, String::new())], ..Wishes::default() };
        assert_eq!(find("id,owner", &wishes).unwrap().of(Field::Owner), None);
    }

    #[test]
    fn a_mapping_wins_over_the_usual_names_and_must_fit_one_column() {
        let map = |column: &str| Wishes { map: vec![(Field::Owner, column.into())], ..Wishes::default() };
        assert_eq!(find("id,owner,Closer", &map("Closer")).unwrap().of(Field::Owner), Some(2));
        assert_eq!(find("id,owner,Closer", &map("closer")).unwrap().of(Field::Owner), Some(2));
        assert!(find("id,owner", &map("Closer")).unwrap_err().contains("no column \"Closer\""));
        assert!(find("id,x,x", &map("x")).unwrap_err().contains("2 columns"));
    }

    #[test]
    fn attribute_names_are_brought_into_the_form_of_the_contract() {
        assert_eq!(key("Close Value ($)").unwrap(), "close_value");
        assert_eq!(key("2nd-Product").unwrap(), "nd_product");
        assert!(key("€").is_err());
        let wishes = Wishes { attributes: vec!["a b".into(), "A-B".into()], ..Wishes::default() };
        assert!(find("id,owner,a b,A-B", &wishes).unwrap_err().contains("a_b"));
    }
}
