//! `belay doctor`: looks for what is wrong, and says what to do.

mod database;
mod figures;
mod host;
mod work;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use super::Context;
use crate::exit::{Exit, Failure};

#[derive(Debug, Args)]
pub(crate) struct Doctor {}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Level {
    Ok,
    Warning,
    Failure,
}

/// What one check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    /// What was looked at.
    check: &'static str,
    level: Level,
    /// What was seen.
    detail: String,
    /// What to do.
    advice: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Ok,
            detail: detail.into(),
            advice: None,
        }
    }

    fn warning(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            check,
            level: Level::Warning,
            detail: detail.into(),
            advice: Some(advice.into()),
        }
    }

    fn failure(check: &'static str, detail: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            level: Level::Failure,
            ..Self::warning(check, detail, advice)
        }
    }
}

impl Doctor {
    pub(crate) fn run(&self, context: &mut Context) -> Result<Exit, Failure> {
        let mut findings = host::look(&context.config);
        let reachable = database::look(&context.config, &mut findings);
        if context.out.is_json() {
            context.out.json(&json!({ "checks": findings }), false)?;
        } else {
            print(context, &findings)?;
        }
        Ok(if !reachable {
            Exit::Unreachable
        } else if findings.iter().any(|f| f.level == Level::Failure) {
            Exit::Refused
        } else {
            Exit::Ok
        })
    }
}

fn print(context: &mut Context, findings: &[Finding]) -> Result<(), Failure> {
    for finding in findings {
        let word = match finding.level {
            Level::Ok => "ok     ",
            Level::Warning => "WARNING",
            Level::Failure => "FAILURE",
        };
        context
            .out
            .line(format!("{word}  {:14} {}", finding.check, finding.detail))?;
        if let Some(advice) = &finding.advice {
            context.out.line(format!("{:24} -> {advice}", ""))?;
        }
    }
    let bad = |level| findings.iter().filter(|f| f.level == level).count();
    match (bad(Level::Failure), bad(Level::Warning)) {
        (0, 0) => context.out.line("all is well"),
        (failures, warnings) => context
            .out
            .line(format!("{failures} failures, {warnings} warnings")),
    }
}
