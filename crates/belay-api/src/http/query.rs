//! The query string. A parameter that nobody knows is refused, unless the interface ignores such: a misspelt filter must not
//! list, or touch, everything.

use std::ops::RangeInclusive;
use std::str::FromStr;

use actix_web::web;

use super::Fault;

/// An upper bound above this is there for the arithmetic, and tells the reader nothing.
const MOST_SHOWN: i64 = i64::MAX / 2;

/// The parameters of a request, each known and given at most once.
#[derive(Debug)]
pub(crate) struct Query {
    pairs: Vec<(String, String)>,
}

impl Query {
    /// Reads a query string that may hold the parameters named.
    pub(crate) fn parse(text: &str, known: &[&str], strict: bool) -> Result<Self, Fault> {
        let mut pairs = web::Query::<Vec<(String, String)>>::from_query(text)
            .map_err(|e| Fault::malformed(format!("the query string cannot be read: {e}")))?
            .into_inner();
        if !strict {
            pairs.retain(|(name, _)| known.contains(&name.as_str()));
        }
        for (i, (name, value)) in pairs.iter().enumerate() {
            let shown: String = name.chars().take(60).collect();
            if !known.contains(&name.as_str()) {
                let may = match known {
                    [] => "takes no parameters".to_owned(),
                    known => format!("takes the parameters {}", known.join(", ")),
                };
                return Err(
                    Fault::malformed(format!("unknown parameter {shown:?}; this {may}"))
                        .field(shown),
                );
            }
            if pairs.iter().take(i).any(|(other, _)| other == name) {
                return Err(
                    Fault::malformed(format!("the parameter {name} stands twice")).field(shown),
                );
            }
            if value.contains('\0') {
                return Err(Fault::malformed(format!(
                    "the parameter {name} holds the character NUL"
                ))
                .field(shown));
            }
        }
        Ok(Self { pairs })
    }

    /// A parameter as text; an empty one is as good as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    /// A parameter as a value. `what` says in the refusal what it must be.
    pub(crate) fn value<T: FromStr>(&self, name: &str, what: &str) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        text.parse().map(Some).map_err(|_| {
            let shown: String = text.chars().take(60).collect();
            Fault::malformed(format!("{name} is {shown:?}, it must be {what}")).field(name)
        })
    }

    /// A parameter as a number in a range; `usual` when it is not there.
    pub(crate) fn number(
        &self,
        name: &str,
        usual: i64,
        range: RangeInclusive<i64>,
    ) -> Result<i64, Fault> {
        let what = if *range.end() > MOST_SHOWN {
            format!("a number from {}", range.start())
        } else {
            format!("a number from {} to {}", range.start(), range.end())
        };
        let number = self.value(name, &what)?.unwrap_or(usual);
        if range.contains(&number) {
            return Ok(number);
        }
        Err(Fault::malformed(format!("{name} is {number}, it must be {what}")).field(name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_a_range_and_a_usual_value() {
        let query = |text| Query::parse(text, &["n"], true).unwrap();
        let number = |text, range| query(text).number("n", 5, range).map_err(|f| f.detail);
        assert_eq!(number("", 1..=9), Ok(5));
        assert_eq!(number("n=9", 1..=9), Ok(9));
        for (text, shown) in [("n=0", "0"), ("n=10", "10"), ("n=x", "\"x\"")] {
            let expected = format!("n is {shown}, it must be a number from 1 to 9");
            assert_eq!(number(text, 1..=9), Err(expected));
        }
        assert_eq!(
            number("n=-1", 0..=i64::MAX - 9),
            Err("n is -1, it must be a number from 0".to_owned())
        );
    }

    #[test]
    fn values_are_decoded_and_typed() {
        let query =
            Query::parse("a=x%20y&n=7&empty=", &["a", "n", "empty", "absent"], true).unwrap();
        assert_eq!(query.text("a"), Some("x y"));
        assert_eq!(query.value::<i64>("n", "a number").unwrap(), Some(7));
        assert_eq!((query.text("empty"), query.text("absent")), (None, None));
        let fault = query.value::<i64>("a", "a number").unwrap_err();
        assert_eq!(fault.detail, "a is \"x y\", it must be a number");
    }

    #[test]
    fn what_is_unknown_or_twice_or_unstorable_is_refused() {
        for text in ["b=1", "a=1&a=1", "a=1&A=1", "a=%00"] {
            assert!(Query::parse(text, &["a"], true).is_err(), "{text}");
        }
        let fault = Query::parse("stat=x", &["state"], true).unwrap_err();
        assert_eq!(
            (fault.about.field.as_deref(), fault.detail.as_str()),
            (
                Some("stat"),
                "unknown parameter \"stat\"; this takes the parameters state"
            )
        );
    }
}
