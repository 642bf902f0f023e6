//! One suite over all executors: whatever runs a job, its results, its stops and its losses come to the same, as far as the
//! medium allows. What differs stands in the subject of each executor.

#![expect(
    clippy::unwrap_used,
    reason = "what goes wrong in a test's own tools fails the test"
)]

mod process;
mod scenarios;
mod subject;
mod subjects;
mod world;

/// The tests of one executor, by name.
macro_rules! contract {
    ($executor:ident, $subject:ty) => {
        mod $executor {
            contract!(@tests $subject:
                success failure timeout
                cancel_before_start cancel_while_running cancel_ignored cancel_twice suspend
                lease_lost killed drain
                output_overflow invalid_output
            );
        }
    };
    (@tests $subject:ty: $($scenario:ident)*) => {
        $(
            #[test]
            fn $scenario() {
                crate::scenarios::$scenario::<$subject>();
            }
        )*
    };
}

contract!(command, crate::subjects::command::Command);
contract!(http, crate::subjects::http::Http);
contract!(sql, crate::subjects::sql::Sql);
contract!(native, crate::subjects::native::Native<false>);
contract!(native_async, crate::subjects::native::Native<true>);
contract!(remote, crate::subjects::remote::Remote);
