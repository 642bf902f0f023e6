//! URLs with placeholders. Values are encoded for where they stand, so that none of them can leave its place.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use reqwest::Url;
use serde_json::value::RawValue;

use super::super::Attempt;

/// Longest URL that is requested, in bytes. Servers refuse longer ones.
const MAX_URL: usize = 8000;

/// A URL with placeholders in its path and its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// Scheme, host and port, as written.
    origin: String,
    /// What stands between the slashes of the path.
    segments: Vec<Vec<Part>>,
    query: Option<Vec<Part>>,
    /// The URL with a letter for every placeholder: whatever is rendered has its scheme, host and port.
    example: Url,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Field {
    Id,
    Uid,
    Kind,
    Attempt,
    Tenant,
    Queue,
    /// Names of members, from the outside in.
    Payload(Vec<String>),
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, as the rest of a sentence about it.
    pub(super) fn new(text: &str) -> Result<Self, String> {
        let odd = |c: char| c.is_control() || c.is_whitespace() || r#"\<>"^|`"#.contains(c);
        if let Some(odd) = text.chars().find(|c| odd(*c)) {
            return Err(format!(
                "contains {odd:?}, which no URL does; write it as %{:02X}",
                u32::from(odd)
            ));
        }
        let after_scheme = ["http://", "https://"].iter().find_map(|scheme| {
            let start = text.get(..scheme.len())?;
            start.eq_ignore_ascii_case(scheme).then_some(scheme.len())
        });
        let Some(begin) = after_scheme else {
            return Err("must begin with http:// or https://".to_owned());
        };
        let rest = text.get(begin..).unwrap_or_default();
        let end = begin + rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (origin, rest) = text.split_at(end);
        if origin.contains(['{', '}']) {
            return Err(
                "has a placeholder before its path; scheme, host and port must be fixed".to_owned(),
            );
        }
        if origin.contains('@') {
            return Err(
                "contains a user name or password; send them in a header, from a file".to_owned(),
            );
        }
        if rest.contains('#') {
            return Err("has a fragment (#..), which is never sent".to_owned());
        }
        let (path, query) = match rest.split_once('?') {
            Some((path, query)) => (path, Some(parts(query)?)),
            None => (rest, None),
        };
        let path = path.strip_prefix('/').unwrap_or(path);
        let segments = path.split('/').map(parts).collect::<Result<Vec<_>, _>>()?;
        let fixed = segments.iter().filter(|segment| !has_field(segment));
        for segment in fixed {
            if let [Part::Text(text)] = segment.as_slice()
                && is_dots(text)
            {
                return Err(format!(
                    "has {text:?} in its path; write the path as it is meant"
                ));
            }
        }
        let mut template = Self {
            origin: origin.to_owned(),
            segments,
            query,
            example: Url::parse(origin).map_err(|error| format!("is not a URL: {error}"))?,
        };
        let example = template.fill(|_| Ok("x".to_owned()))?;
        if !template.is_same_origin(&example) {
            return Err("is not a URL: its host is unclear".to_owned());
        }
        template.example = example;
        Ok(template)
    }

    /// The URL for one attempt.
    ///
    /// # Errors
    /// Why there is none, in words for the reader of the job.
    pub(super) fn render(&self, attempt: &Attempt) -> Result<Url, String> {
        let url = self.fill(|field| field.value(attempt))?;
        // The encoding does not let a value get this far; a URL that is read otherwise than it was put together would.
        if !self.is_same_origin(&url) {
            return Err("the URL would lead to another host than configured".to_owned());
        }
        Ok(url)
    }

    /// Whether TLS is spoken.
    pub(super) fn is_https(&self) -> bool {
        self.example.scheme() == "https"
    }

    fn is_same_origin(&self, url: &Url) -> bool {
        self.example.origin() == url.origin()
            && url.host_str().is_some_and(|host| !host.is_empty())
            && url.username().is_empty()
            && url.password().is_none()
    }

    fn fill(&self, value: impl Fn(&Field) -> Result<String, String>) -> Result<Url, String> {
        let mut text = self.origin.clone();
        for segment in &self.segments {
            text.push('/');
            let begin = text.len();
            put(&mut text, segment, &value)?;
            let segment_text = text.get(begin..).unwrap_or_default();
            if has_field(segment) && (segment_text.is_empty() || is_dots(segment_text)) {
                return Err(format!(
                    "a part of the URL's path would be {segment_text:?}, which leads elsewhere"
                ));
            }
        }
        if let Some(query) = &self.query {
            text.push('?');
            put(&mut text, query, &value)?;
        }
        if text.len() > MAX_URL {
            return Err(format!(
                "the URL would be {} bytes long; at most {MAX_URL} are sent",
                text.len()
            ));
        }
        Url::parse(&text).map_err(|error| format!("is not a URL: {error}"))
    }
}

fn put(
    text: &mut String,
    parts: &[Part],
    value: &impl Fn(&Field) -> Result<String, String>,
) -> Result<(), String> {
    for part in parts {
        match part {
            Part::Text(fixed) => text.push_str(fixed),
            Part::Field(field) => encode(text, &value(field)?),
        }
    }
    Ok(())
}

/// Letters, digits and `-._~` stay; everything else is encoded, in a path as in a query.
fn encode(text: &mut String, value: &str) {
    for byte in value.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string cannot fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
}

fn has_field(parts: &[Part]) -> bool {
    parts.iter().any(|part| matches!(part, Part::Field(_)))
}

/// Whether readers of URLs take a segment for the one itself or the one above.
fn is_dots(segment: &str) -> bool {
    let plain = segment.to_ascii_lowercase().replace("%2e", ".");
    plain == "." || plain == ".."
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    loop {
        let (before, after) = rest.split_once('{').unwrap_or((rest, ""));
        if before.contains('}') {
            return Err("has a } without a { before it; write %7D for the character".to_owned());
        }
        if !before.is_empty() {
            parts.push(Part::Text(before.to_owned()));
        }
        if before.len() == rest.len() {
            return Ok(parts);
        }
        let Some((name, next)) = after.split_once('}') else {
            return Err("has a { without a } after it; write %7B for the character".to_owned());
        };
        parts.push(Part::Field(Field::new(name)?));
        rest = next;
    }
}

impl Field {
    fn new(name: &str) -> Result<Self, String> {
        Ok(match name {
            "id" => Self::Id,
            "uid" => Self::Uid,
            "kind" => Self::Kind,
            "attempt" => Self::Attempt,
            "tenant" => Self::Tenant,
            "queue" => Self::Queue,
            _ => {
                let members: Option<Vec<_>> = name
                    .strip_prefix("payload.")
                    .map(|path| path.split('.').map(ToOwned::to_owned).collect());
                let is_name = |name: &String| {
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
                    !name.is_empty() && name.bytes().all(plain)
                };
                match members {
                    Some(members) if members.iter().all(is_name) => Self::Payload(members),
                    _ => {
                        return Err(format!(
                            "has the placeholder {{{name}}}; known are {{id}}, {{uid}}, {{kind}}, {{attempt}}, {{tenant}}, {{queue}} and \
                             {{payload.member}}"
                        ));
                    }
                }
            }
        })
    }

    fn value(&self, attempt: &Attempt) -> Result<String, String> {
        Ok(match self {
            Self::Id => attempt.job.to_string(),
            Self::Uid => attempt.uid.clone(),
            Self::Kind => attempt.kind.clone(),
            Self::Attempt => attempt.attempt.to_string(),
            Self::Tenant => attempt.tenant.to_string(),
            Self::Queue => attempt.queue.clone(),
            Self::Payload(path) => member(&attempt.payload, path)?,
        })
    }
}

/// A member of the payload as text; a number as it is written, with all its digits.
fn member(payload: &str, path: &[String]) -> Result<String, String> {
    let named = || path.join(".");
    let missing = || {
        format!(
            "the URL needs the member {:?}, which the payload does not have",
            named()
        )
    };
    let mut value: &str = payload;
    for name in path {
        let mut members: BTreeMap<String, &RawValue> =
            serde_json::from_str(value).map_err(|_| missing())?;
        value = members.remove(name).ok_or_else(missing)?.get();
    }
    match value.as_bytes().first() {
        Some(b'"') => serde_json::from_str(value).map_err(|_| missing()),
        Some(b't' | b'f' | b'-' | b'0'..=b'9') => Ok(value.to_owned()),
        _ => Err(format!(
            "the URL needs the member {:?} of the payload, which must be a text, a number, true or false",
            named()
        )),
    }
}

#[cfg(test)]
mod tests;
