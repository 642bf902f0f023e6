//! The `Accept` header: ranges with q-values, of which the most specific one that fits decides.

use actix_web::http::header::{ACCEPT, HeaderMap};

use super::Fault;

/// Refuses a client that accepts no JSON. No header accepts everything.
pub(crate) fn accepts_json(headers: &HeaderMap) -> Result<(), Fault> {
    accepts(headers, &["application/json", "application/problem+json"])
}

/// The same where errors are plain JSON too.
pub(crate) fn accepts_plain_json(headers: &HeaderMap) -> Result<(), Fault> {
    accepts(headers, &["application/json"])
}

fn accepts(headers: &HeaderMap, types: &[&str]) -> Result<(), Fault> {
    if preferred(headers, types).is_some() {
        return Ok(());
    }
    Err(Fault::not_acceptable(
        "the answer would be application/json, which the header Accept rules out",
    ))
}

/// The media type the client likes best of those on offer: by its q-value, among equals the one that is named most exactly,
/// then the one offered first. `None` when all are ruled out. No header accepts everything.
pub(crate) fn preferred<'a>(headers: &HeaderMap, offers: &[&'a str]) -> Option<&'a str> {
    let values: Vec<&str> = headers
        .get_all(ACCEPT)
        .map(|value| value.to_str().unwrap_or_default())
        .collect();
    let text = values.join(",");
    if text.trim().is_empty() {
        return offers.first().copied();
    }
    let mut best: Option<(Liking, &'a str)> = None;
    for offer in offers {
        let liking = liking(&text, offer);
        if liking.quality > 0.0 && best.is_none_or(|(so_far, _)| so_far.is_below(liking)) {
            best = Some((liking, offer));
        }
    }
    best.map(|(_, offer)| offer)
}

/// How much a client likes a media type.
#[derive(Debug, Clone, Copy)]
struct Liking {
    /// From 0 to 1.
    quality: f32,
    /// 3: named as it is; 2: by its first half; 1: everything; 0: not at all.
    exactness: u8,
}

impl Liking {
    fn is_below(self, other: Self) -> bool {
        (self.quality, self.exactness) < (other.quality, other.exactness)
    }
}

/// How much the header likes a media type, which is given in lower case.
fn liking(accept: &str, media_type: &str) -> Liking {
    let (kind, subtype) = media_type.split_once('/').unwrap_or_default();
    let mut found = Liking {
        quality: 0.0,
        exactness: 0,
    };
    for range in accept.split(',') {
        let mut parts = range.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default().to_ascii_lowercase();
        let exactness = match name.split_once('/') {
            Some((first, second)) if first == kind && second == subtype => 3,
            Some((first, "*")) if first == kind => 2,
            Some(("*", "*")) => 1,
            _ => continue,
        };
        let q = parts
            .filter_map(|part| part.split_once('='))
            .find(|(name, _)| name.trim().eq_ignore_ascii_case("q"))
            .map_or(Some(1.0), |(_, q)| q.trim().parse::<f32>().ok());
        // A range whose q-value cannot be read says nothing.
        if let Some(quality) = q.filter(|q| (0.0..=1.0).contains(q))
            && exactness > found.exactness
        {
            found = Liking { quality, exactness };
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    fn headers(value: Option<&str>) -> HeaderMap {
        let mut headers = HeaderMap::new();
        if let Some(value) = value {
            headers.insert(ACCEPT, HeaderValue::from_str(value).unwrap());
        }
        headers
    }

    fn accepts(value: Option<&str>) -> bool {
        accepts_json(&headers(value)).is_ok()
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

    #[test]
    fn the_best_of_two_is_chosen() {
        let (json, xml) = ("application/json", "application/xml");
        for (value, best) in [
            (None, Some(json)),
            (Some(""), Some(json)),
            (Some("*/*"), Some(json)),
            (Some("application/*"), Some(json)),
            (Some("application/xml"), Some(xml)),
            (Some("Application/XML;charset=utf-8"), Some(xml)),
            (Some("application/xml, application/json"), Some(json)),
            (Some("application/xml, */*"), Some(xml)),
            (Some("application/xml, */*;q=0.8"), Some(xml)),
            (
                Some("application/xml;q=0.9, application/json;q=0.1"),
                Some(xml),
            ),
            (Some("application/xml;q=0.1, */*;q=0.5"), Some(json)),
            (Some("application/json;q=0, */*"), Some(xml)),
            (Some("text/html, application/xml;q=0.001"), Some(xml)),
            (Some("text/html"), None),
            (Some("text/xml"), None),
            (Some("*/*;q=0"), None),
        ] {
            assert_eq!(preferred(&headers(value), &[json, xml]), best, "{value:?}");
        }
    }
}
