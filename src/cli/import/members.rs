//! Whom a file means by its owners: members that are there, and members that the import adds.

use std::collections::HashMap;

use ownership_proto::Validate;
use ownership_proto::v1::{Member, Standing};
use uuid::Uuid;

use super::report::Why;
use super::shorten;

/// The members of an account, findable by id, e-mail address and name.
#[derive(Default)]
pub(super) struct Directory {
    standings: HashMap<String, Standing>,
    by_email: HashMap<String, Found>,
    by_name: HashMap<String, Found>,
    planned: Vec<Member>,
    adds: bool,
    email_domain: Option<String>,
}

/// Whose e-mail address or name something is.
enum Found {
    One(String),
    Several,
}

impl Directory {
    /// Begins with the members that are there. `adds` says whether unknown owners become members.
    pub(super) fn new(members: &[Member], adds: bool, email_domain: Option<String>) -> Self {
        let mut directory = Self { adds, email_domain, ..Self::default() };
        members.iter().for_each(|member| directory.learn(member));
        directory
    }

    fn learn(&mut self, member: &Member) {
        let id = &member.member_id;
        self.standings.insert(id.clone(), member.standing());
        if !member.email.is_empty() {
            note(&mut self.by_email, member.email.to_lowercase(), id);
        }
        note(&mut self.by_name, folded(&member.display_name), id);
    }

    /// The member an owner column means: by id, else by e-mail address, else by name whatever the case.
    pub(super) fn resolve(&mut self, text: &str) -> Result<String, Why> {
        let found = self.find(text)?;
        match found {
            Some(id) => Ok(id),
            None if self.adds => self.plan(text, "", None),
            None => Err(Why::new("OWNER_UNKNOWN", format!("no member is or is called {:?}", shorten(text)))),
        }
    }

    fn find(&self, text: &str) -> Result<Option<String>, Why> {
        if self.standings.contains_key(text) {
            return Ok(Some(text.to_owned()));
        }
        match self.by_email.get(&text.to_lowercase()).or_else(|| self.by_name.get(&folded(text))) {
            Some(Found::One(id)) => Ok(Some(id.clone())),
            Some(Found::Several) => {
                let message = format!("several members are called {:?}: name the owner by id", shorten(text));
                Err(Why::new("OWNER_AMBIGUOUS", message))
            }
            None => Ok(None),
        }
    }

    /// The member of that name, added if there is none. One that the import adds itself gets the manager as well.
    pub(super) fn find_or_plan(&mut self, name: &str, email: &str, manager_id: Option<String>) -> Result<String, Why> {
        let Some(id) = self.find(name)? else {
            return self.plan(name, email, manager_id);
        };
        if let Some(planned) = self.planned.iter_mut().find(|member| member.member_id == id) {
            planned.manager_id = planned.manager_id.take().or(manager_id);
        }
        Ok(id)
    }

    fn plan(&mut self, name: &str, email: &str, manager_id: Option<String>) -> Result<String, Why> {
        let mut member_id = id_for(name);
        if self.standings.contains_key(&member_id) {
            member_id = with_mark(&member_id, name);
        }
        let domain = self.email_domain.as_ref().map(|domain| format!("{member_id}@{domain}"));
        let own = [email, name].into_iter().find(|it| it.contains('@')).map(ToOwned::to_owned);
        let member = Member {
            display_name: name.to_owned(),
            email: own.or(domain).unwrap_or_default(),
            manager_id,
            standing: Standing::Unspecified.into(),
            member_id: member_id.clone(),
            ..Member::default()
        };
        if let Some(violation) = member.violations().into_iter().next() {
            let message = format!("cannot add a member {:?}: {}", shorten(name), violation.description);
            return Err(Why::new("INVALID_FIELD", message));
        }
        self.learn(&member);
        self.planned.push(member);
        Ok(member_id)
    }

    /// The members to add, managers before those who report to them.
    pub(super) fn planned(&self) -> Vec<Member> {
        let mut planned = self.planned.clone();
        planned.sort_by_key(|member| self.depth(member));
        planned
    }

    /// How many planned managers are above a member. A circle is left to the service to refuse.
    fn depth(&self, member: &Member) -> usize {
        let (mut depth, mut manager) = (0, member.manager_id.as_ref());
        while let Some(above) = manager.and_then(|id| self.planned.iter().find(|it| it.member_id == *id)) {
            depth += 1;
            manager = above.manager_id.as_ref().filter(|_| depth < self.planned.len());
        }
        depth
    }

    /// What a member may do. Absent: no such member. One that is about to be added is active.
    pub(super) fn standing(&self, member_id: &str) -> Option<Standing> {
        let standing = self.standings.get(member_id).copied();
        standing.map(|it| if it == Standing::Unspecified { Standing::Active } else { it })
    }
}

fn note(index: &mut HashMap<String, Found>, key: String, id: &str) {
    index.entry(key).and_modify(|found| *found = Found::Several).or_insert_with(|| Found::One(id.to_owned()));
}

/// A name without regard to case and the number of spaces.
fn folded(name: &str) -> String {
    name.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}

/// Longest id that leaves room for a mark.
const ID_BYTES: usize = 55;

/// An id for a name: `darcel-schlecht`. A word with a digit in it is an id of its own and stays as it is.
fn id_for(name: &str) -> String {
    let is_id = |it: char| it.is_ascii_alphanumeric() || matches!(it, '-' | '_');
    if name.len() <= 64 && name.chars().all(is_id) && name.contains(|it: char| it.is_ascii_digit()) {
        return name.trim_start_matches(['-', '_']).to_owned();
    }
    let parts = name.split(|it: char| !it.is_ascii_alphanumeric()).filter(|part| !part.is_empty());
    let id = parts.map(str::to_ascii_lowercase).collect::<Vec<_>>().join("-");
    if name.is_ascii() && !id.is_empty() && id.len() <= ID_BYTES { id } else { with_mark(&id, name) }
}

/// Sets names apart that would have the same id.
fn with_mark(id: &str, name: &str) -> String {
    let mark = Uuid::new_v5(&Uuid::NAMESPACE_OID, name.as_bytes()).simple().to_string();
    let id = if id.is_empty() { "member" } else { &id[..id.len().min(ID_BYTES)] };
    format!("{id}-{}", &mark[..8])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(id: &str, name: &str, email: &str) -> Member {
        let standing = Standing::Active.into();
        Member { member_id: id.into(), display_name: name.into(), email: email.into(), standing, ..Member::default() }
    }

    fn directory(adds: bool) -> Directory {
        let members = [member("u1", "Anna Snelling", "anna@x.org"), member("u2", "Ben", ""), member("u3", "ben", "")];
        Directory::new(&members, adds, Some("example.com".into()))
    }

    #[test]
    fn an_owner_is_found_by_id_email_or_name() {
        let mut directory = directory(false);
        for text in ["u1", "ANNA@x.org", "anna  snelling"] {
            assert_eq!(directory.resolve(text).unwrap(), "u1", "{text}");
        }
    }

    #[test]
    fn unknown_and_ambiguous_owners_are_refused() {
        let mut directory = directory(false);
        assert_eq!(directory.resolve("Carla").unwrap_err().reason, "OWNER_UNKNOWN");
        assert_eq!(directory.resolve("BEN").unwrap_err().reason, "OWNER_AMBIGUOUS");
    }

    #[test]
    fn an_unknown_owner_is_added_once_when_wanted() {
        let mut directory = directory(true);
        assert_eq!(directory.resolve("Mei-Mei Johns").unwrap(), "mei-mei-johns");
        assert_eq!(directory.resolve("mei-mei johns").unwrap(), "mei-mei-johns");
        let [added] = &directory.planned()[..] else { panic!("one member") };
        assert_eq!(added.email, "mei-mei-johns@example.com");
        assert_eq!(directory.standing("mei-mei-johns"), Some(Standing::Active));
    }

    #[test]
    fn a_member_cannot_be_made_of_anything() {
        assert!(directory(true).resolve(&"x".repeat(1 << 20)).is_err());
        assert!(directory(true).resolve("a\u{0}b").is_err());
    }

    #[test]
    fn managers_come_before_those_who_report_to_them() {
        let mut directory = Directory::new(&[], true, None);
        let top = directory.find_or_plan("Top", "", None).unwrap();
        let agent = directory.find_or_plan("Agent", "", Some("middle".into())).unwrap();
        let middle = directory.find_or_plan("Middle", "", Some(top.clone())).unwrap();
        let ids: Vec<String> = directory.planned().into_iter().map(|it| it.member_id).collect();
        assert_eq!(ids, [top, middle, agent]);
    }

    #[test]
    fn ids_are_made_of_names_and_kept_apart() {
        assert_eq!(id_for("Darcel Schlecht"), "darcel-schlecht");
        assert_eq!(id_for("005Ab0000012"), "005Ab0000012");
        assert_ne!(id_for("José"), id_for("Josè"));
        assert!(id_for("日本").starts_with("member-"));
        assert!(id_for(&"long name ".repeat(20)).len() <= 64);
    }
}
