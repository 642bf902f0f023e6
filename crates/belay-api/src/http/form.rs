//! Forms, as logins send them, and the credentials of HTTP Basic.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use actix_web::web;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use super::{Fault, body};

/// The fields of a form, each given at most once.
#[derive(Debug)]
pub(crate) struct Form {
    pairs: Vec<(String, String)>,
}

impl Form {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, Fault> {
        let text = std::str::from_utf8(bytes)
            .map_err(|e| Fault::malformed(format!("the form is not UTF-8: {e}")))?;
        let pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|e| Fault::malformed(format!("the form cannot be read: {e}")))?
            .into_inner();
        for (i, (name, value)) in pairs.iter().enumerate() {
            let shown: String = name.chars().take(60).collect();
            if pairs.iter().take(i).any(|(other, _)| other == name) {
                return Err(
                    Fault::malformed(format!("the field {shown:?} stands twice")).field(shown),
                );
            }
            if value.contains('\0') {
                return Err(Fault::malformed(format!(
                    "the field {shown:?} holds the character NUL"
                ))
                .field(shown));
            }
        }
        Ok(Self { pairs })
    }

    /// A field; an empty one is as good as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }
}

/// Refuses a body of another type than that of forms.
pub(super) fn check_type(headers: &HeaderMap) -> Result<(), Fault> {
    body::check_coding(headers)?;
    if body::media_type(headers).is_none_or(|name| name == "application/x-www-form-urlencoded") {
        return Ok(());
    }
    Err(Fault::unsupported_media_type(
        "the body must be application/x-www-form-urlencoded",
    ))
}

/// User name and password of HTTP Basic, if the header `Authorization` holds them.
pub(crate) fn basic(headers: &HeaderMap) -> Option<(String, String)> {
    let (scheme, code) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(code.trim()).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    Some((name.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::http::header::HeaderValue;

    #[test]
    fn fields_are_decoded_and_stand_once() {
        let form = Form::parse(b"a=x%20y+z&empty=").unwrap();
        assert_eq!(form.text("a"), Some("x y z"));
        assert_eq!((form.text("empty"), form.text("absent")), (None, None));
        for bytes in [b"a=1&a=2".as_slice(), b"a=%00", b"a=\xff"] {
            assert!(Form::parse(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn basic_is_name_and_password() {
        let read = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
            basic(&headers)
        };
        // ci:a:b
        assert_eq!(read("Basic Y2k6YTpi"), Some(("ci".into(), "a:b".into())));
        for value in ["Bearer Y2k6YTpi", "Basic", "Basic !", "Basic Y2k="] {
            assert_eq!(read(value), None, "{value}");
        }
    }
}
