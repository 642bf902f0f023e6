//! What a running attempt is told, and that a stop is never taken back.

use crate::executors::Control;

/// What the attempt is told next when it was told `now` and somebody wants `wanted`; `None` when nothing changes. The
/// first cause of a stop stays.
pub(crate) fn merge(now: Control, wanted: Control) -> Option<Control> {
    let next = match (now, wanted) {
        (Control::Kill(_), _) => now,
        (Control::Stop(cause), Control::Kill(_)) => Control::Kill(cause),
        (Control::Stop(_), _) => now,
        (Control::Run | Control::Suspend, _) => wanted,
    };
    (next != now).then_some(next)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::executors::StopCause::{Cancel, LeaseLost, Shutdown, Timeout};

    #[test]
    fn suspending_alternates() {
        assert_eq!(merge(Control::Run, Control::Run), None);
        assert_eq!(
            merge(Control::Run, Control::Suspend),
            Some(Control::Suspend)
        );
        assert_eq!(merge(Control::Suspend, Control::Run), Some(Control::Run));
    }

    #[test]
    fn a_stop_only_gets_harder_and_keeps_its_cause() {
        let stop = Control::Stop(Timeout);
        assert_eq!(merge(Control::Suspend, stop), Some(stop));
        for wanted in [Control::Run, Control::Suspend, Control::Stop(Cancel)] {
            assert_eq!(merge(stop, wanted), None, "{wanted:?}");
        }
        assert_eq!(
            merge(stop, Control::Kill(LeaseLost)),
            Some(Control::Kill(Timeout))
        );
        for wanted in [
            Control::Run,
            Control::Suspend,
            Control::Stop(Cancel),
            Control::Kill(Shutdown),
        ] {
            assert_eq!(merge(Control::Kill(LeaseLost), wanted), None, "{wanted:?}");
        }
    }
}
