//! Signals and descriptors of the guard process itself.

use std::fs;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd, OwnedFd};

/// Default dispositions for all signals, and all of them blocked. Dispositions are what the program
/// inherits (a daemon under `nohup` ignores HUP), blocking is what protects the guard; the program gets an
/// empty mask by [`unblock`].
#[expect(unsafe_code, reason = "signal dispositions exist only in libc")]
pub(super) fn shield() -> io::Result<()> {
    for signal in 1..=libc::SIGRTMAX() {
        // SAFETY: SIG_DFL installs no code. A number that cannot be set is refused by the call, and harmless.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
    }
    set_mask(libc::sigfillset)
}

/// Blocks nothing: for the program, between fork and exec. Only makes system calls.
pub(super) fn unblock() -> io::Result<()> {
    set_mask(libc::sigemptyset)
}

#[expect(unsafe_code, reason = "signal masks exist only in libc")]
fn set_mask(fill: unsafe extern "C" fn(*mut libc::sigset_t) -> libc::c_int) -> io::Result<()> {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `mask` is writable, and `fill` initializes it before the second call reads it.
    let done = unsafe {
        fill(mask.as_mut_ptr());
        libc::sigprocmask(libc::SIG_SETMASK, mask.as_ptr(), std::ptr::null_mut())
    };
    if done == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// A descriptor that is readable when a child has ended. Needs [`shield`] before.
#[expect(unsafe_code, reason = "signalfd exists only in libc")]
pub(super) fn of_children() -> io::Result<OwnedFd> {
    let mut mask = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `mask` is writable and initialized by the first call before the others use it.
    let fd = unsafe {
        libc::sigemptyset(mask.as_mut_ptr());
        libc::sigaddset(mask.as_mut_ptr(), libc::SIGCHLD);
        libc::signalfd(-1, mask.as_ptr(), libc::SFD_CLOEXEC | libc::SFD_NONBLOCK)
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` was just opened here and belongs to nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Closes every descriptor from 3 on: what the daemon itself was started with, a socket from systemd for
/// instance, must not reach the program. Must run before the guard opens anything.
#[expect(unsafe_code, reason = "closes descriptors by number")]
pub(super) fn close_inherited() {
    // SAFETY: the guard owns no descriptor from 3 on yet, so nobody can miss one.
    let done = unsafe { libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32) };
    if done == 0 {
        return;
    }
    // Before Linux 5.9 there is no such call. The list is collected first, as reading it needs a
    // descriptor as well.
    let open: Vec<i32> = fs::read_dir("/proc/self/fd")
        .map(|entries| {
            entries
                .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
                .collect()
        })
        .unwrap_or_default();
    for fd in open.into_iter().filter(|fd| *fd > 2) {
        // SAFETY: as above. The descriptor of the list itself is closed by now, so that number is refused.
        unsafe { libc::close(fd) };
    }
}
