//! What can be said of a statement without asking the server: that it is one, what it begins with, and how many parameters it has.
//!
//! The server is what keeps a statement within its rights. This is for the operator, who learns at the start of the daemon what
//! could never work, and for what would end the transaction that the guarantee rests on.

/// What a statement may begin with.
const ALLOWED: [&str; 11] = [
    "analyze", "call", "delete", "insert", "merge", "notify", "refresh", "select", "truncate",
    "update", "values",
];
/// As above, in front of one of them.
const WITH: &str = "with";

/// What was found out.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// The highest `$n`.
    pub(super) params: usize,
}

/// Reads a statement.
///
/// # Errors
/// Why it cannot be the statement of a kind, as the end of a sentence that begins with its name.
pub(super) fn check(sql: &str) -> Result<Facts, String> {
    if sql.contains('\0') {
        return Err("contains a NUL character".into());
    }
    let mut facts = Facts { params: 0 };
    let mut first = None;
    let mut ended = false;
    let mut rest = sql;
    while let Some((token, after)) = next(rest)? {
        rest = after;
        match token {
            Token::Space => continue,
            Token::End => {
                if first.is_some() {
                    ended = true;
                }
                continue;
            }
            _ if ended => {
                return Err("has a second statement after the semicolon; a kind runs one".into());
            }
            Token::Word(word) => {
                if first.is_none() {
                    allowed(word)?;
                    first = Some(word);
                }
            }
            Token::Param(number) => facts.params = facts.params.max(number),
            Token::Other("(") => continue,
            Token::Other(_) => {}
        }
        if first.is_none() {
            return Err("does not begin with a word".into());
        }
    }
    if first.is_none() {
        return Err("is empty".into());
    }
    Ok(facts)
}

fn allowed(word: &str) -> Result<(), String> {
    let lower = word.to_ascii_lowercase();
    if lower == WITH || ALLOWED.contains(&lower.as_str()) {
        return Ok(());
    }
    Err(format!(
        "begins with {word:?}; it must begin with one of {}, {WITH}",
        ALLOWED.join(", ")
    ))
}

#[derive(Debug, PartialEq, Eq)]
enum Token<'a> {
    /// White space or a comment.
    Space,
    /// A semicolon.
    End,
    /// A word without quotes.
    Word(&'a str),
    /// `$n`.
    Param(usize),
    /// Anything else: a text, a quoted name, a number, a sign.
    Other(&'a str),
}

/// The next token and what follows it; `None` at the end.
fn next(sql: &str) -> Result<Option<(Token<'_>, &str)>, String> {
    let Some(first) = sql.chars().next() else {
        return Ok(None);
    };
    let cut = |length: usize| sql.split_at_checked(length).unwrap_or((sql, ""));
    let (token, rest) = match first {
        c if is_space(c) => (Token::Space, cut(span(sql, is_space)).1),
        '-' if sql.starts_with("--") => (
            Token::Space,
            cut(span(sql, |c| !matches!(c, '\n' | '\r'))).1,
        ),
        '/' if sql.starts_with("/*") => (Token::Space, cut(comment(sql)?).1),
        ';' => (Token::End, cut(1).1),
        '\'' => other(cut(quoted(sql, 0, '\'', false)?)),
        '"' => other(cut(quoted(sql, 0, '"', false)?)),
        '$' => return dollar(sql).map(Some),
        c if begins_word(c) => {
            let (word, rest) = cut(span(sql, continues_word));
            // E'..' knows backslashes; N, B, X and U& do not.
            if word.eq_ignore_ascii_case("e") && rest.starts_with('\'') {
                other(cut(quoted(sql, word.len(), '\'', true)?))
            } else {
                (Token::Word(word), rest)
            }
        }
        // A number takes its letters with it, so that `1$1` or `0x1F` is no word.
        c if c.is_ascii_digit() => other(cut(span(sql, |c| c.is_ascii_alphanumeric() || c == '.'))),
        c => other(cut(c.len_utf8())),
    };
    Ok(Some((token, rest)))
}

fn other<'a>((text, rest): (&'a str, &'a str)) -> (Token<'a>, &'a str) {
    (Token::Other(text), rest)
}

/// White space as PostgreSQL has it.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\n' | '\r' | '\u{b}' | '\u{c}')
}

fn begins_word(c: char) -> bool {
    c.is_ascii_alphabetic() || c == '_' || !c.is_ascii()
}

fn continues_word(c: char) -> bool {
    begins_word(c) || c.is_ascii_digit() || c == '$'
}

/// Length of what begins the text and is so.
fn span(sql: &str, is: impl Fn(char) -> bool) -> usize {
    sql.find(|c| !is(c)).unwrap_or(sql.len())
}

/// Length of the comment that begins the text. Comments can stand in each other.
fn comment(sql: &str) -> Result<usize, String> {
    let bytes = sql.as_bytes();
    let (mut depth, mut at) = (0_usize, 0);
    loop {
        match bytes.get(at..at + 2) {
            Some(b"/*") => {
                depth += 1;
                at += 2;
            }
            Some(b"*/") => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Ok(at);
                }
            }
            Some(_) => at += 1,
            None => return Err("has a comment that does not end".into()),
        }
    }
}

/// Length of the text up to the end of what is quoted from `start` on.
fn quoted(sql: &str, start: usize, quote: char, backslashes: bool) -> Result<usize, String> {
    let mut chars = sql
        .char_indices()
        .skip_while(|(at, _)| *at <= start)
        .peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\\' && backslashes {
            chars.next();
        } else if c == quote {
            if chars.peek().is_some_and(|(_, c)| *c == quote) {
                chars.next();
            } else {
                return Ok(at + c.len_utf8());
            }
        }
    }
    Err("has a quote that does not end".into())
}

/// `$1`, or a text between `$tag$` and `$tag$`.
fn dollar(sql: &str) -> Result<(Token<'_>, &str), String> {
    let after = sql.get(1..).unwrap_or_default();
    let digits = span(after, |c| c.is_ascii_digit());
    if digits > 0 {
        let (number, rest) = after.split_at_checked(digits).unwrap_or((after, ""));
        return match number.parse() {
            Ok(number @ 1..=65535) => Ok((Token::Param(number), rest)),
            _ => Err(format!(
                "has the parameter ${number}; parameters are $1 to $65535"
            )),
        };
    }
    let tag = span(after, |c| continues_word(c) && c != '$');
    if after.get(tag..).is_some_and(|rest| rest.starts_with('$')) {
        let mark = sql.get(..tag + 2).unwrap_or(sql);
        let body = sql.get(tag + 2..).unwrap_or_default();
        let Some(end) = body.find(mark) else {
            return Err("has a quote that does not end".into());
        };
        let length = mark.len() + end + mark.len();
        return Ok(other(sql.split_at_checked(length).unwrap_or((sql, ""))));
    }
    Ok(other(sql.split_at_checked(1).unwrap_or((sql, ""))))
}

#[cfg(test)]
mod tests {
    use super::check;

    #[test]
    fn one_statement_that_may_be_run_is_accepted_with_its_parameters() {
        for (sql, params) in [
            ("select 1", 0),
            (
                "  -- a; b\n/* c; /* d; */ e; */ Insert into t values ($1, $2::bigint) ;\n ; -- end",
                2,
            ),
            ("(select $3) union (select 2)", 3),
            ("with x as (select $1) delete from t using x", 1),
            (
                "select ';', 'it''s; $9', \"a;\"\"b\", E'\\';', $$ ; $8 $$, $a$ $$ ; $7 $a$, a$6 from t where b = $1",
                1,
            ),
            ("call p($1)", 1),
            ("SELECT '\\', $1, ';'", 1),
            ("select u&'\\0061;', ä from t", 0),
        ] {
            assert_eq!(check(sql).map(|f| f.params), Ok(params), "{sql}");
        }
    }

    #[test]
    fn what_is_no_single_allowed_statement_is_refused() {
        for (sql, words) in [
            ("", "is empty"),
            (" ;; -- select\n", "is empty"),
            ("select 1; drop table t", "second statement"),
            ("select 1; commit", "second statement"),
            ("select ';'; select 2", "second statement"),
            ("select E'\\'; select 2", "does not end"),
            ("select '\\'; commit; --'", "second statement"),
            ("select $a$ x", "does not end"),
            ("select /* 1", "comment"),
            ("drop table t", "\"drop\""),
            ("/* select */ DROP table t", "\"DROP\""),
            ("-- select\rcommit", "\"commit\""),
            ("commit", "\"commit\""),
            ("rollback", "\"rollback\""),
            ("abort", "\"abort\""),
            ("end", "\"end\""),
            ("begin", "\"begin\""),
            ("savepoint a", "\"savepoint\""),
            ("release savepoint belay_effect", "\"release\""),
            ("set role postgres", "\"set\""),
            ("reset session authorization", "\"reset\""),
            ("do $$ begin commit; end $$", "\"do\""),
            ("copy t to program 'id'", "\"copy\""),
            ("prepare p as select 1", "\"prepare\""),
            ("execute p", "\"execute\""),
            ("discard all", "\"discard\""),
            ("lock table t", "\"lock\""),
            ("listen x", "\"listen\""),
            ("create table t ()", "\"create\""),
            ("alter role me superuser", "\"alter\""),
            ("grant belay_sql to me", "\"grant\""),
            ("'select' drop", "begin with a word"),
            ("\"select\" drop", "begin with a word"),
            ("$1", "begin with a word"),
            ("select $99999", "$65535"),
            ("select 1\0", "NUL"),
        ] {
            let refused = check(sql).unwrap_err();
            assert!(refused.contains(words), "{sql}: {refused}");
        }
    }
}
