//! Connection strings that differ in the database only.

/// `url` with another database name in it. The name must need no escaping.
///
/// # Panics
///
/// When `url` is not of the form `postgres://[user[:password]@][host][:port][/database][?options]`.
#[must_use]
pub fn with_database(url: &str, database: &str) -> String {
    let (scheme, rest) = url
        .split_once("://")
        .unwrap_or_else(|| panic!("not a postgres:// URL: {url:?}"));
    let (location, options) = match rest.split_once('?') {
        Some((location, options)) => (location, format!("?{options}")),
        None => (rest, String::new()),
    };
    let authority = location
        .split_once('/')
        .map_or(location, |(authority, _)| authority);
    format!("{scheme}://{authority}/{database}{options}")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn only_the_database_changes() {
        for (url, expected) in [
            (
                "postgres://belay@/postgres?host=%2Ftmp%2Fx&port=5432",
                "postgres://belay@/t1?host=%2Ftmp%2Fx&port=5432",
            ),
            (
                "postgres://u:p%2F@db.example:5433/postgres",
                "postgres://u:p%2F@db.example:5433/t1",
            ),
            ("postgresql://localhost", "postgresql://localhost/t1"),
            (
                "postgres://localhost?sslmode=disable",
                "postgres://localhost/t1?sslmode=disable",
            ),
        ] {
            assert_eq!(with_database(url, "t1"), expected);
        }
    }
}
