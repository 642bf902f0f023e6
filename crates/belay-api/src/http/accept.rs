//! The `Accept` header: ranges with q-values, of which the most specific one that fits decides.

use actix_web::http::header::{ACCEPT, HeaderMap};

use super::Fault;

/// Refuses a client that accepts no JSON. No header accepts everything.
pub(crate) fn accepts_json(headers: &HeaderMap) -> Result<(), Fault> {
    accepts(headers, &["json", "problem+json"])
}

/// The same where errors are plain JSON too.
pub(crate) fn accepts_plain_json(headers: &HeaderMap) -> Result<(), Fault> {
    accepts(headers, &["json"])
}

fn accepts(headers: &HeaderMap, subtypes: &[&str]) -> Result<(), Fault> {
    let values: Vec<&str> = headers
        .get_all(ACCEPT)
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    let text = values.join(",");
    let fine =
        text.trim().is_empty() || subtypes.iter().any(|subtype| quality(&text, subtype) > 0.0);
    if fine {
        return Ok(());
    }
    Err(Fault::not_acceptable(
        "the answer would be application/json, which the header Accept rules out",
    ))
}

/// How much the header likes `application/<subtype>`, from 0 to 1.
fn quality(accept: &str, subtype: &str) -> f32 {
    let mut best = (0, 0.0);
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let specific = match name.split_once('/') {
            Some(("application", sub)) if sub == subtype => 3,
            Some(("application", "*")) => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let q = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, q)| q.trim().parse::<f32>().ok());
        // A range whose q-value cannot be read says nothing.
        if let Some(q) = q.filter(|q| (0.0..=1.0).contains(q))
            && specific > best.0
        {
            best = (specific, q);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn accepts(value: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        accepts_json(&headers).is_ok()
    }

    #[test]
    fn json_in_every_spelling_is_fine() {
        for value in [
            "application/json",
            "Application/JSON; charset=utf-8",
            "application/problem+json",
            "application/*",
            "*/*",
            "text/html, */*;q=0.1",
            "text/html,application/json;q=0.001",
            "*/*;q=0, application/json",
            "application/json;q=0, application/problem+json",
            "",
        ] {
            assert!(accepts(Some(value)), "{value}");
        }
        assert!(accepts(None));
    }

    #[test]
    fn problems_alone_are_not_enough_where_there_are_none() {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/problem+json"));
        assert!(accepts_json(&headers).is_ok());
        assert!(accepts_plain_json(&headers).is_err());
    }

    #[test]
    fn what_rules_json_out_is_refused() {
        for value in [
            "text/html",
            "application/xml",
            "*/*;q=0",
            "application/*;q=0.0, */*",
            "json",
            "application/json;q=x",
            "application/json;q=7",
        ] {
            assert!(!accepts(Some(value)), "{value}");
        }
    }
}
