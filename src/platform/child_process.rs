//! Runs a command for its output: on a thread of its own, which ends with it, and killed when nobody waits any more.
//! tokio's processes are not used: on some systems they install a handler for SIGCHLD.

use tokio::sync::oneshot;

use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::platform_api::CommandOutput;

/// Runs `command` in a shell. Dropping the future kills it.
pub(crate) async fn run(command: String) -> Result<CommandOutput, String> {
    let (sender, ended) = oneshot::channel();
    let (work, _alive) = prepared(command, CallersMask::current())?;
    let thread = std::thread::Builder::new().name("lambda-process".to_owned());
    let started = with_all_blocked(|| {
        thread.spawn(move || {
            // Whoever gave up does not want it.
            let _ = sender.send(work());
        })
    });
    started.map_err(|error| format!("no thread could be started for it: {error}"))?;
    ended.await.unwrap_or_else(|_| Err("running it was given up".to_owned()))
}

#[cfg(unix)]
use unix::prepared;

#[cfg(unix)]
mod unix {
    use std::fs::File;
    use std::io::{self, Read};
    use std::net::Shutdown;
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::process::{Child, Command, ExitStatus, Stdio};

    use zeroize::Zeroizing;

    use super::{CallersMask, CommandOutput};

    /// More than any document with credentials holds.
    const MAX_STDOUT: usize = 64 * 1024;
    /// Enough of what it complains about.
    const MAX_STDERR: usize = 16 * 1024;
    /// A process tells nobody that it has ended without SIGCHLD, which is the host's.
    const LOOK_AGAIN_MS: i32 = 10;

    type Output = Result<CommandOutput, String>;

    /// What the thread does, and the thing whose end tells it to stop.
    pub(crate) fn prepared(
        command: String,
        mask: CallersMask,
    ) -> Result<(impl FnOnce() -> Output + Send, Alive), String> {
        let (alive, watched) = UnixStream::pair().map_err(|error| format!("it could not be watched: {error}"))?;
        Ok((move || work(&command, mask, &watched), Alive(alive)))
    }

    /// Somebody waits while this lives. Told by a shutdown: a forked child's copy would keep the connection open.
    pub(crate) struct Alive(UnixStream);

    impl Drop for Alive {
        fn drop(&mut self) {
            // It fails only if the other end is gone already.
            let _ = self.0.shutdown(Shutdown::Both);
        }
    }

    fn work(command: &str, mask: CallersMask, watched: &UnixStream) -> Output {
        // With a terminal it may ask the user something there, which only the terminal's own processes can.
        let own_group = File::open("/dev/tty").is_err();
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if own_group {
            shell.process_group(0);
        }
        // SAFETY: between fork and exec only pthread_sigmask is called, which is async-signal-safe and allocates nothing.
        unsafe {
            shell.pre_exec(move || {
                mask.apply();
                Ok(())
            });
        }
        let mut child = shell.spawn().map_err(|error| format!("a shell for it could not be started: {error}"))?;
        let output = collect(&mut child, watched).and_then(|output| Ok((output, end(&mut child, watched)?)));
        if output.is_err() {
            kill(&mut child, own_group);
            // Somebody else may have waited for it.
            let _ = child.wait();
        }
        let ((stdout, stderr), ended) = output?;
        let Some(ended) = ended else {
            let (success, how) = (!stdout.is_empty(), "its exit status was taken by another part of this program");
            return Ok(CommandOutput { success, how: how.to_owned(), stdout, stderr });
        };
        // A shell whose command was killed says so with a number.
        let signal = ended.code().filter(|code| *code > 128).map(|code| format!(" (signal {})", code - 128));
        let how = format!("{ended}{}", signal.unwrap_or_default());
        Ok(CommandOutput { success: ended.success(), how, stdout, stderr })
    }

    /// Its end, also of one that goes on with its outputs closed. `None`: the host's program has waited for it, or its
    /// children are reaped by themselves, as where SIGCHLD is ignored; what it printed has to do.
    fn end(child: &mut Child, watched: &UnixStream) -> Result<Option<ExitStatus>, String> {
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return Ok(Some(status)),
                Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(None),
                Err(error) => return Err(format!("its end could not be waited for: {error}")),
                Ok(None) => {}
            }
            let [given_up] = ready([watched.as_raw_fd()], LOOK_AGAIN_MS)
                .map_err(|error| format!("its end could not be waited for: {error}"))?;
            if given_up {
                return Err("nobody waits for it any more".to_owned());
            }
        }
    }

    /// Both outputs until their ends, unless the other end of `watched` is gone before.
    fn collect(child: &mut Child, watched: &UnixStream) -> Result<(Zeroizing<Vec<u8>>, Vec<u8>), String> {
        let (Some(mut out), Some(mut err)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("it has no output".to_owned());
        };
        let mut stdout = Zeroizing::new(Vec::with_capacity(MAX_STDOUT));
        let mut stderr = Vec::new();
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            let ask = |open: bool, fd: RawFd| if open { fd } else { -1 };
            let [out_ready, err_ready, given_up] =
                ready([ask(out_open, out.as_raw_fd()), ask(err_open, err.as_raw_fd()), watched.as_raw_fd()], -1)
                    .map_err(|error| format!("its output could not be waited for: {error}"))?;
            if given_up {
                return Err("nobody waits for it any more".to_owned());
            }
            if out_ready {
                out_open = more(&mut out, &mut stdout)?;
                if stdout.len() >= MAX_STDOUT {
                    return Err(format!("it printed more than {MAX_STDOUT} bytes"));
                }
            }
            if err_ready {
                err_open = more(&mut err, &mut stderr)?;
                stderr.truncate(MAX_STDERR);
            }
        }
        Ok((stdout, stderr))
    }

    /// Appends what is there; whether more may come.
    fn more(from: &mut impl Read, into: &mut Vec<u8>) -> Result<bool, String> {
        let mut buffer = Zeroizing::new([0; 4_096]);
        match from.read(&mut buffer[..]) {
            Ok(0) => Ok(false),
            Ok(count) => {
                into.extend_from_slice(&buffer[..count]);
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(format!("its output could not be read: {error}")),
        }
    }

    /// Waits until one of them can be read or has ended (a negative one never is), or for so many milliseconds.
    fn ready<const N: usize>(descriptors: [RawFd; N], milliseconds: i32) -> io::Result<[bool; N]> {
        let mut polled = descriptors.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 });
        loop {
            // SAFETY: `polled` is valid for as many entries as are said, and the descriptors are open or negative.
            let count = unsafe { libc::poll(polled.as_mut_ptr(), N as libc::nfds_t, milliseconds) };
            if count >= 0 {
                return Ok(polled.map(|entry| entry.revents != 0));
            }
            let error = io::Error::last_os_error();
            if error.kind() != io::ErrorKind::Interrupted {
                return Err(error);
            }
        }
    }

    /// With everything that it started, where that can be told.
    fn kill(child: &mut Child, own_group: bool) {
        if own_group && let Ok(group) = libc::pid_t::try_from(child.id()) {
            // SAFETY: the child has not been waited for, so its number still names its own group.
            unsafe { libc::kill(-group, libc::SIGKILL) };
        }
        // It fails only for a process that has ended.
        let _ = child.kill();
    }
}

#[cfg(not(unix))]
use other::prepared;

#[cfg(not(unix))]
mod other {
    use std::process::{Command, Stdio};

    use zeroize::Zeroizing;

    use super::{CallersMask, CommandOutput};

    /// Here nothing stops it but its own end.
    pub(crate) fn prepared(
        command: String,
        _: CallersMask,
    ) -> Result<(impl FnOnce() -> Result<CommandOutput, String> + Send, ()), String> {
        let work = move || {
            let shell = Command::new("cmd.exe").arg("/C").arg(command).stdin(Stdio::null()).output();
            let output = shell.map_err(|error| format!("a shell for it could not be started: {error}"))?;
            Ok(CommandOutput {
                success: output.status.success(),
                how: output.status.to_string(),
                stdout: Zeroizing::new(output.stdout),
                stderr: output.stderr,
            })
        };
        Ok((work, ()))
    }
}
