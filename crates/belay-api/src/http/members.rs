//! The members of a JSON object in a request, taken out one by one, so that every refusal can name its member and whatever is
//! left over is refused too: a misspelt `run_at` must not run a job now.

use std::collections::BTreeMap;

use belay_core::json;
use chrono::{DateTime, Datelike, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::Fault;

mod ranges;

/// Members not yet taken. `null` counts as absent, except where the raw text is asked for.
#[derive(Debug)]
pub(crate) struct Members<'a> {
    /// Where this object is in the body, for example `jobs[3].`; empty at the top.
    place: String,
    left: BTreeMap<String, &'a RawValue>,
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    /// No members at all: an empty body.
    pub(crate) fn none() -> Self {
        Self {
            place: String::new(),
            left: BTreeMap::new(),
            known: Vec::new(),
        }
    }

    /// Reads an object that was found to be well-formed JSON. `place` is where it stands, empty for the whole body.
    pub(crate) fn of(text: &'a str, place: &str) -> Result<Self, Fault> {
        let left = serde_json::from_str(text).map_err(|_| {
            if place.is_empty() {
                Fault::invalid("", "the body must be a JSON object")
            } else {
                Fault::invalid(place, format!("{place} must be a JSON object"))
            }
        })?;
        let place = match place {
            "" => String::new(),
            place => format!("{place}."),
        };
        Ok(Self {
            place,
            left,
            known: Vec::new(),
        })
    }

    fn path(&self, name: &str) -> String {
        format!("{}{name}", self.place)
    }

    /// A member as it is written, `null` included.
    pub(crate) fn raw(&mut self, name: &'static str) -> Option<&'a RawValue> {
        self.known.push(name);
        self.left.remove(name)
    }

    /// Whether a member is there, if only as `null`.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.left.contains_key(name)
    }

    fn typed<T: Deserialize<'a>>(
        &mut self,
        name: &'static str,
        what: &str,
    ) -> Result<Option<T>, Fault> {
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .map(Some)
            .map_err(|_| self.wrong(name, raw, what))
    }

    fn wrong(&self, name: &str, raw: &RawValue, what: &str) -> Fault {
        let path = self.path(name);
        let shown = shorten(raw.get());
        Fault::invalid(&path, format!("{path} is {shown}, it must be {what}"))
    }

    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Fault> {
        let text: Option<String> = self.typed(name, "a string")?;
        if text.as_ref().is_some_and(|text| text.contains('\0')) {
            let path = self.path(name);
            return Err(Fault::invalid(
                &path,
                format!("{path} holds the character NUL (\\u0000), which cannot be kept"),
            ));
        }
        Ok(text)
    }

    /// A string that must be there.
    pub(crate) fn needed_text(&mut self, name: &'static str) -> Result<String, Fault> {
        self.text(name)?
            .ok_or_else(|| self.absent(name, "a string"))
    }

    pub(crate) fn flag(&mut self, name: &'static str) -> Result<bool, Fault> {
        Ok(self.typed(name, "true or false")?.unwrap_or(false))
    }

    /// `true` or `false`, which must be there.
    pub(crate) fn needed_flag(&mut self, name: &'static str) -> Result<bool, Fault> {
        self.typed(name, "true or false")?
            .ok_or_else(|| self.absent(name, "true or false"))
    }

    /// A whole number that fits the type; what values of the type are allowed is checked where they are used.
    pub(crate) fn integer<T: TryFrom<i64>>(
        &mut self,
        name: &'static str,
    ) -> Result<Option<T>, Fault> {
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        let wide: i64 = serde_json::from_str(raw.get())
            .map_err(|_| self.wrong(name, raw, "a whole number in range"))?;
        T::try_from(wide)
            .map(Some)
            .map_err(|_| self.wrong(name, raw, "a whole number in range"))
    }

    /// A moment with its offset, as in RFC 3339.
    pub(crate) fn time(&mut self, name: &'static str) -> Result<Option<DateTime<Utc>>, Fault> {
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str::<String>(raw.get())
            .ok()
            .and_then(|text| DateTime::parse_from_rfc3339(&text).ok())
            .map(|time| Some(time.to_utc()))
            .ok_or_else(|| {
                self.wrong(
                    name,
                    raw,
                    "a time with its offset, such as \"2026-12-24T18:00:00Z\"",
                )
            })
    }

    /// As [`Members::time`], in a year that everybody who reads jobs can hold.
    pub(crate) fn time_to_keep(
        &mut self,
        name: &'static str,
    ) -> Result<Option<DateTime<Utc>>, Fault> {
        let time = self.time(name)?;
        match time.filter(|time| !(1..=9999).contains(&time.year())) {
            Some(time) => {
                let path = self.path(name);
                Err(Fault::invalid(
                    &path,
                    format!("{path} is {time}, it must lie between the years 1 and 9999"),
                ))
            }
            None => Ok(time),
        }
    }

    /// Refuses what the database could not hold, in any member that was not taken; for bodies that are kept.
    pub(crate) fn storable(&self) -> Result<(), Fault> {
        json::check(&self.rest())
            .map_err(|e| Fault::malformed(format!("the body is not acceptable as JSON: {e}")))
    }

    /// What was not taken, as the text of an object.
    pub(crate) fn rest(&self) -> String {
        let mut text = String::from("{");
        for (name, value) in &self.left {
            if text.len() > 1 {
                text.push(',');
            }
            text.push_str(&serde_json::Value::from(name.as_str()).to_string());
            text.push(':');
            text.push_str(value.get());
        }
        text.push('}');
        text
    }

    /// A list that must be there, at most `most` long; its items as they are written.
    pub(crate) fn needed_list(
        &mut self,
        name: &'static str,
        most: usize,
    ) -> Result<Vec<&'a RawValue>, Fault> {
        let list: Vec<&'a RawValue> = self
            .typed(name, "a list")?
            .ok_or_else(|| self.absent(name, "a list"))?;
        if list.len() > most {
            let path = self.path(name);
            return Err(Fault::invalid(
                &path,
                format!(
                    "{path} has {} entries, at most {most} are allowed",
                    list.len()
                ),
            ));
        }
        Ok(list)
    }

    fn absent(&self, name: &str, what: &str) -> Fault {
        let path = self.path(name);
        Fault::invalid(&path, format!("{path} is missing; it must be {what}"))
    }

    /// Refuses whatever was not taken.
    pub(crate) fn end(self) -> Result<(), Fault> {
        let Some(name) = self.left.keys().next() else {
            return Ok(());
        };
        let path = self.path(&name.chars().take(60).collect::<String>());
        let known = match self.known.as_slice() {
            [] => "none are known here".to_owned(),
            known => format!("known are {}", known.join(", ")),
        };
        Err(Fault::invalid(
            &path,
            format!("unknown member {path:?}; {known}"),
        ))
    }
}

/// The beginning of a JSON text, for a message.
pub(crate) fn shorten(text: &str) -> String {
    const MOST: usize = 60;
    let mut shown: String = text.chars().take(MOST).collect();
    if shown.len() < text.len() {
        shown.push_str("...");
    }
    shown
}

#[cfg(test)]
mod tests;
