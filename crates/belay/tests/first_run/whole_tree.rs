//! A command that forks, leaves its session and ignores TERM: the job is `cancelling` until nothing of it is left.

use belay_testkit::{eventually, processes_with};

use crate::support::{LONG, Site};

const MARK: &str = "belay-whole-tree-4c1e";

fn alive() -> usize {
    processes_with(MARK).len()
}

#[test]
fn a_cancelled_command_is_cancelling_until_nothing_of_it_is_left() {
    // The mark is an argument of every shell, which keeps it through its loop.
    let config = r#"
        [kinds.stubborn]
        executor = "command"
        argv = ["/bin/sh", "-c", '''
            loop='trap "" TERM HUP INT; echo up; while :; do sleep 0.2; done'
            sh -c "$loop" MARK &
            setsid sh -c "$loop" MARK &
            (setsid sh -c "(setsid sh -c '$loop' MARK &) ; $loop" MARK &)
            trap "" TERM; wait; while :; do sleep 0.2; done''', "MARK"]
        grace = "1s"
        "#
    .replace("MARK", MARK);
    let site = Site::new().configured(&config);
    let daemon = site.start();
    let id = site.json(&["enqueue", "stubborn"], 0)["id"].to_string();
    eventually(LONG, || {
        let output = daemon.get(&format!("/belay/v1/jobs/{id}/output"));
        let said = output["attempts"][0]["stdout"].as_str()?;
        (said.matches("up").count() == 4).then_some(())
    });
    assert!(alive() >= 5, "{} run", alive());
    site.run(&["cancel", &id], 0);
    let path = format!("/belay/v1/jobs/{id}");
    let mut seen_stopping = false;
    let job = eventually(LONG, || {
        // First the state and then the processes: what is seen of them is later than the state.
        let job = daemon.get(&path);
        let left = alive();
        match job["state"].as_str().unwrap() {
            "cancelling" => {
                seen_stopping |= left > 0;
                None
            }
            "cancelled" => {
                assert_eq!(left, 0, "cancelled while {left} processes of it ran");
                Some(job)
            }
            other => panic!("it is {other}"),
        }
    });
    assert!(
        seen_stopping,
        "it was never seen while it was being stopped"
    );
    assert_eq!(job["cancel"]["rung"], "kill");
    daemon.stop();
}
