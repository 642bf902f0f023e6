//! Waits for a while. Good for trying out how jobs are stopped.

use std::future::ready;
use std::time::Duration;

use serde::Deserialize;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::executors::{Attempt, Control, Executor, Finish, Rung, Running};

/// Longest accepted sleep, in seconds: a year.
const MAX_SECONDS: f64 = 31_536_000.0;

/// Sleeps for as long as the payload says. Stops at once when told to, and while it is suspended its time stands still.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sleep;

#[derive(Deserialize)]
struct Payload {
    seconds: f64,
}

impl Executor for Sleep {
    fn run(&self, attempt: Attempt) -> Running {
        match duration(&attempt.payload) {
            Ok(duration) => Box::pin(sleep_for(duration, attempt.control)),
            Err(error) => Box::pin(ready(Finish::Failed {
                error,
                retry: false,
            })),
        }
    }

    fn can_suspend(&self) -> bool {
        true
    }
}

fn duration(payload: &str) -> Result<Duration, String> {
    const EXPECTED: &str = "it must be an object such as {\"seconds\": 1.5}";
    let Payload { seconds } = serde_json::from_str(payload)
        .map_err(|e| format!("the payload is not what sleep expects ({e}): {EXPECTED}"))?;
    if !(0.0..=MAX_SECONDS).contains(&seconds) {
        return Err(format!(
            "\"seconds\" in the payload is {seconds}: it must be from 0 to {MAX_SECONDS} (a year)"
        ));
    }
    Ok(Duration::from_secs_f64(seconds))
}

async fn sleep_for(mut left: Duration, mut control: watch::Receiver<Control>) -> Finish {
    const STOPPED: Finish = Finish::Stopped {
        rung: Rung::Cooperative,
    };
    loop {
        let wanted = *control.borrow_and_update();
        let began = Instant::now();
        let changed = match wanted {
            Control::Stop(_) | Control::Kill(_) => return STOPPED,
            Control::Suspend => control.changed().await,
            Control::Run => tokio::select! {
                () = sleep(left) => return Finish::Completed,
                changed = control.changed() => {
                    left = left.saturating_sub(began.elapsed());
                    changed
                }
            },
        };
        if changed.is_err() {
            // Nobody is left who could stop it.
            return STOPPED;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::StopCause;

    #[test]
    fn payloads_are_read_strictly() {
        for (payload, seconds) in [
            (r#"{"seconds": 0}"#, 0.0),
            (r#"{"seconds": 1.5, "other": true}"#, 1.5),
        ] {
            assert_eq!(
                duration(payload),
                Ok(Duration::from_secs_f64(seconds)),
                "{payload}"
            );
        }
        for payload in [
            "{}",
            "null",
            "5",
            r#"{"seconds": "1"}"#,
            r#"{"seconds": -1}"#,
            r#"{"seconds": 1e9}"#,
            r#"{"seconds": null}"#,
        ] {
            assert!(duration(payload).is_err(), "{payload}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn time_stands_still_while_it_is_suspended() {
        let (control, watching) = watch::channel(Control::Run);
        let began = Instant::now();
        let sleeping = tokio::spawn(sleep_for(Duration::from_secs(10), watching));
        sleep(Duration::from_secs(4)).await;
        control.send(Control::Suspend).unwrap();
        sleep(Duration::from_secs(1000)).await;
        control.send(Control::Run).unwrap();
        assert_eq!(sleeping.await.unwrap(), Finish::Completed);
        assert_eq!(began.elapsed().as_secs(), 1010);
    }

    #[tokio::test(start_paused = true)]
    async fn it_stops_at_once_also_while_suspended() {
        for first in [Control::Run, Control::Suspend] {
            let (control, watching) = watch::channel(first);
            let sleeping = tokio::spawn(sleep_for(Duration::from_secs(10), watching));
            sleep(Duration::from_secs(1)).await;
            let began = Instant::now();
            control.send(Control::Stop(StopCause::Cancel)).unwrap();
            assert_eq!(
                sleeping.await.unwrap(),
                Finish::Stopped {
                    rung: Rung::Cooperative
                }
            );
            assert!(began.elapsed() < Duration::from_millis(10));
        }
    }
}
