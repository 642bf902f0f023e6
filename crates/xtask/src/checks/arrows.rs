//! Which crate may use which.

use std::process::Command;

use serde_json::Value;

use super::Finding;
use crate::tree::Tree;

/// What each crate may use in its code. A crate that is missing here is refused.
const ARROWS: &[(&str, &[&str])] = &[
    ("belay-core", &[]),
    ("belay-metrics", &["belay-core"]),
    ("belay-worker", &["belay-core", "belay-metrics"]),
    ("belay-api", &["belay-core", "belay-metrics"]),
    ("belay-private-pg", &[]),
    (
        "belay",
        &[
            "belay-core",
            "belay-metrics",
            "belay-worker",
            "belay-api",
            "belay-private-pg",
        ],
    ),
    ("belay-testkit", &["belay-core", "belay-private-pg"]),
    ("xtask", &["belay-core", "belay-private-pg"]),
];

/// What every crate may use in its tests, besides what its code may use.
const IN_TESTS: [&str; 3] = ["belay-testkit", "belay-core", "belay-private-pg"];

/// The binary's tests put everything together.
const ANYTHING_IN_TESTS: &str = "belay";

/// Libraries that would give a crate a job it must not have.
const STRANGERS: &[(&str, &str)] = &[
    ("belay-core", "actix-web"),
    ("belay-core", "tokio"),
    ("belay-metrics", "actix-web"),
    ("belay-worker", "actix-web"),
    ("belay-private-pg", "diesel"),
    ("belay-private-pg", "tokio"),
];

pub(super) fn check(tree: &Tree) -> Result<Vec<Finding>, String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--no-deps", "--format-version", "1"])
        .current_dir(&tree.root)
        .output()
        .map_err(|error| format!("cannot run cargo metadata: {error}"))?;
    if !output.status.success() {
        return Err(format!(
            "cargo metadata failed: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        ));
    }
    let metadata = serde_json::from_slice(&output.stdout)
        .map_err(|error| format!("cargo metadata printed no JSON: {error}"))?;
    Ok(judge(&metadata))
}

fn judge(metadata: &Value) -> Vec<Finding> {
    let packages = array(metadata, "packages");
    let members: Vec<&str> = packages
        .iter()
        .map(|package| text(package, "name"))
        .collect();
    let mut findings = Vec::new();
    for package in packages {
        let name = text(package, "name");
        let mut report =
            |message: String| findings.push(Finding::whole(format!("crates/{name}"), message));
        let Some((_, allowed)) = ARROWS.iter().find(|(from, _)| *from == name) else {
            report("has no rule; say in crates/xtask/src/checks/arrows.rs what it may use".into());
            continue;
        };
        for dependency in array(package, "dependencies") {
            let target = text(dependency, "name");
            let in_tests = text(dependency, "kind") == "dev";
            if !members.contains(&target) {
                if !in_tests && STRANGERS.contains(&(name, target)) {
                    report(format!("must not depend on {target}"));
                }
                continue;
            }
            let legal = allowed.contains(&target)
                || (in_tests && (IN_TESTS.contains(&target) || name == ANYTHING_IN_TESTS));
            if !legal {
                report(match (in_tests, allowed.is_empty()) {
                    (true, _) => format!("must not use {target} in its tests"),
                    (false, true) => {
                        format!("must not use {target}; it may use no crate of this workspace")
                    }
                    (false, false) => {
                        format!("must not use {target}; it may use {}", allowed.join(", "))
                    }
                });
            }
        }
    }
    findings
}

fn array<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value
        .get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn found(name: &str, dependencies: &[(&str, Option<&str>)]) -> Vec<String> {
        let dependencies: Vec<Value> = dependencies
            .iter()
            .map(|(name, kind)| json!({"name": name, "kind": kind}))
            .collect();
        let mut packages: Vec<Value> = ARROWS
            .iter()
            .filter(|(member, _)| *member != name)
            .map(|(member, _)| json!({"name": member, "dependencies": []}))
            .collect();
        packages.push(json!({"name": name, "dependencies": dependencies}));
        judge(&json!({"packages": packages}))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn downward_arrows_are_fine() {
        assert_eq!(
            found("belay-api", &[("belay-core", None), ("actix-web", None)]),
            [""; 0]
        );
        assert_eq!(
            found("belay-core", &[("belay-testkit", Some("dev"))]),
            [""; 0]
        );
        assert_eq!(found("belay", &[("belay-testkit", Some("dev"))]), [""; 0]);
    }

    #[test]
    fn api_and_worker_never_meet() {
        for kind in [None, Some("dev"), Some("build")] {
            let messages = found("belay-api", &[("belay-worker", kind)]);
            assert_eq!(messages.len(), 1, "{kind:?}");
            assert!(
                messages[0].contains("must not use belay-worker"),
                "{messages:?}"
            );
        }
    }

    #[test]
    fn the_test_kit_stays_in_tests() {
        assert_eq!(found("belay", &[("belay-testkit", None)]).len(), 1);
    }

    #[test]
    fn core_stays_without_http_and_new_crates_need_a_rule() {
        assert_eq!(
            found("belay-core", &[("actix-web", None)]),
            ["crates/belay-core: must not depend on actix-web"]
        );
        assert!(found("belay-new", &[])[0].contains("has no rule"));
    }
}
