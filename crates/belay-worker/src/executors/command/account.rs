//! The user that a program runs as, looked up as the system does it, before anything is started.

use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::ffi::CString;

/// A user, with everything that a program of that user has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Account {
    pub(super) uid: u32,
    pub(super) gid: u32,
    /// All groups, the first one among them.
    pub(super) groups: Vec<u32>,
    /// Name and home, for the environment; a number without an entry has neither.
    pub(super) name: Option<String>,
    pub(super) home: Option<String>,
}

/// Looks up the user and the group that the settings name. `None` when they name neither.
pub(super) fn look_up(user: Option<&str>, group: Option<&str>) -> Result<Option<Account>, String> {
    if user.is_none() && group.is_none() {
        return Ok(None);
    }
    if !Uid::effective().is_root() {
        return Err(format!(
            "`user` and `group` change who the program is, which only root can do, and this process runs as user {}",
            Uid::effective()
        ));
    }
    let entry = match user {
        Some(name) => Some(find_user(name)?),
        None => None,
    };
    let group = match group {
        Some(name) => Some(find_group(name)?),
        None => None,
    };
    let (uid, entry) = entry.unwrap_or((Uid::effective(), None));
    let Some(gid) = group.or(entry.as_ref().map(|user| user.gid)) else {
        return Err(format!(
            "`user` is the number {uid}, which no user has: name a `group` as well"
        ));
    };
    let mut groups = match &entry {
        Some(user) => groups_of(&user.name, gid)?,
        None => vec![gid.as_raw()],
    };
    if !groups.contains(&gid.as_raw()) {
        groups.push(gid.as_raw());
    }
    Ok(Some(Account {
        uid: uid.as_raw(),
        gid: gid.as_raw(),
        groups,
        home: entry
            .as_ref()
            .map(|user| user.dir.to_string_lossy().into_owned()),
        name: entry.map(|user| user.name),
    }))
}

fn find_user(name: &str) -> Result<(Uid, Option<User>), String> {
    let cannot = |error| format!("cannot look up the user {name:?}: {error}");
    if let Some(user) = User::from_name(name).map_err(cannot)? {
        return Ok((user.uid, Some(user)));
    }
    let uid = name.parse().map(Uid::from_raw).map_err(|_| {
        format!("`user` is {name:?}: there is no such user on this machine, and it is no number")
    })?;
    Ok((uid, User::from_uid(uid).map_err(cannot)?))
}

fn find_group(name: &str) -> Result<Gid, String> {
    let cannot = |error| format!("cannot look up the group {name:?}: {error}");
    if let Some(group) = Group::from_name(name).map_err(cannot)? {
        return Ok(group.gid);
    }
    name.parse().map(Gid::from_raw).map_err(|_| {
        format!("`group` is {name:?}: there is no such group on this machine, and it is no number")
    })
}

fn groups_of(name: &str, gid: Gid) -> Result<Vec<u32>, String> {
    let text = CString::new(name).map_err(|_| format!("the user name {name:?} holds NUL"))?;
    getgrouplist(&text, gid)
        .map(|groups| groups.into_iter().map(Gid::as_raw).collect())
        .map_err(|error| format!("cannot look up the groups of the user {name:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_named_is_nobody_changed() {
        assert_eq!(look_up(None, None), Ok(None));
    }

    #[test]
    fn names_and_numbers_are_looked_up_by_root_and_refused_to_others() {
        let found = look_up(Some("daemon"), None);
        if !Uid::effective().is_root() {
            let error = found.unwrap_err();
            assert!(error.contains("only root"), "{error}");
            return;
        }
        let found = found.unwrap().unwrap();
        assert_ne!(found.uid, 0);
        assert!(found.groups.contains(&found.gid));
        assert_eq!(found.name.as_deref(), Some("daemon"));
        let by_number = look_up(Some(&found.uid.to_string()), None);
        assert_eq!(by_number.unwrap().unwrap(), found);
        for (user, group, word) in [
            (Some("no such user"), None, "no such user"),
            (None, Some("no such group"), "no such group"),
            (Some("4123456789"), None, "name a `group`"),
        ] {
            let error = look_up(user, group).unwrap_err();
            assert!(error.contains(word), "{error}");
        }
    }
}
