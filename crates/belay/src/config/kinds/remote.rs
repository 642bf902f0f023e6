//! Settings of kinds that workers elsewhere run, over HTTP: `executor = "remote"`. The daemon only makes them known.

use std::time::Duration;

use belay_core::ops::KindSpec;
use serde::Deserialize;

use super::super::duration;
use super::Refused;

/// As closures have it.
const fn grace() -> Duration {
    Duration::from_secs(10)
}

const MAX_GRACE: Duration = Duration::from_secs(7 * 24 * 3600);

/// Members that only this executor has.
#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Remote {
    /// How long a job may take to stop when it is cancelled, as its worker is told; up to 7 days.
    #[serde(default = "grace", deserialize_with = "duration::required")]
    grace: Duration,
    /// Whether its workers can hold running jobs still.
    #[serde(default)]
    can_suspend: bool,
}

impl Remote {
    pub(super) fn put(self, spec: &mut KindSpec) -> Result<(), Refused> {
        if self.grace > MAX_GRACE {
            return Err(Refused::new(
                "grace",
                format!(
                    "{} is too long; it must be at most 7d",
                    humantime::format_duration(self.grace)
                ),
            ));
        }
        spec.grace = Some(self.grace);
        spec.can_suspend = self.can_suspend;
        Ok(())
    }
}
