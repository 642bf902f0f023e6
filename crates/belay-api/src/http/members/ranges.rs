//! Members whose values are checked against a range as they are taken.

use super::Members;
use crate::http::Fault;

impl Members<'_> {
    /// `true` or `false`, or what holds when it is left out.
    pub(crate) fn choice(&mut self, name: &'static str, usual: bool) -> Result<bool, Fault> {
        Ok(self.typed(name, "true or false")?.unwrap_or(usual))
    }

    /// A number of seconds, whole or not, from 0 to a year.
    pub(crate) fn seconds(&mut self, name: &'static str) -> Result<Option<f64>, Fault> {
        const WHAT: &str = "a number of seconds from 0 to 31536000 (a year)";
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .ok()
            .filter(|number| (0.0..=31_536_000.0).contains(number))
            .map(Some)
            .ok_or_else(|| self.wrong(name, raw, WHAT))
    }

    /// A whole number from `least` to `most`.
    pub(crate) fn within(
        &mut self,
        name: &'static str,
        least: i64,
        most: i64,
    ) -> Result<Option<i64>, Fault> {
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str(raw.get())
            .ok()
            .filter(|number| (least..=most).contains(number))
            .map(Some)
            .ok_or_else(|| self.wrong(name, raw, &format!("a whole number from {least} to {most}")))
    }

    /// As [`Members::within`], for what must be there.
    pub(crate) fn needed_within(
        &mut self,
        name: &'static str,
        least: i64,
        most: i64,
    ) -> Result<i64, Fault> {
        self.within(name, least, most)?
            .ok_or_else(|| self.absent(name, &format!("a whole number from {least} to {most}")))
    }

    /// A list of 1 to `most` strings.
    pub(crate) fn texts(
        &mut self,
        name: &'static str,
        most: usize,
    ) -> Result<Option<Vec<String>>, Fault> {
        let Some(raw) = self.raw(name).filter(|raw| raw.get() != "null") else {
            return Ok(None);
        };
        serde_json::from_str::<Vec<String>>(raw.get())
            .ok()
            .filter(|list| (1..=most).contains(&list.len()))
            .map(Some)
            .ok_or_else(|| self.wrong(name, raw, &format!("a list of 1 to {most} strings")))
    }
}
