//! Runs a command for its output, on a thread of its own that ends with it. The command is killed when no call waits for it.
//! tokio's processes are not used: on some systems they install a handler for SIGCHLD.

use tokio::sync::oneshot;

use crate::platform::signals::{CallersMask, with_all_blocked};
use crate::platform_api::{CommandOutput, SystemError};

/// Runs `command` in a shell. Dropping the future kills it.
pub(crate) async fn run(command: String) -> Result<CommandOutput, SystemError> {
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
    ended.await.unwrap_or_else(|_| Err("running it was given up".to_owned().into()))
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
    use std::process::{ChildStderr, ChildStdout, Command, Stdio};

    use zeroize::{Zeroize, Zeroizing};

    use super::process::{Process, Status};
    use super::{CallersMask, CommandOutput, SystemError};
    use crate::platform::limits::system_error;

    /// More than any document with credentials holds.
    const MAX_STDOUT: usize = 64 * 1024;
    /// Enough for its last line.
    const MAX_STDERR: usize = 16 * 1024;
    pub(super) const GIVEN_UP: &str = "nobody waits for it any more";

    type Output = Result<CommandOutput, SystemError>;
    /// What it printed to its standard output and its standard error.
    type Outputs = (Zeroizing<Vec<u8>>, Zeroizing<Vec<u8>>);

    /// Returns what the thread does, and the guard whose drop stops it.
    pub(crate) fn prepared(
        command: String,
        mask: CallersMask,
    ) -> Result<(impl FnOnce() -> Output + Send, Alive), SystemError> {
        let (alive, watched) = UnixStream::pair().map_err(|error| system_error("it could not be watched: ", &error))?;
        Ok((move || work(&command, mask, &watched), Alive(alive)))
    }

    /// Somebody waits while this lives. Its drop is a shutdown: a forked child's copy would keep the connection open.
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
        // An absolute path: whoever controls PATH does not choose the shell.
        let mut shell = Command::new("/bin/sh");
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
        let mut child = shell.spawn().map_err(|error| system_error("a shell for it could not be started: ", &error))?;
        let pipes = child.stdout.take().zip(child.stderr.take());
        let mut process = Process::of(child);
        let outputs = pipes.ok_or_else(|| "it has no output".to_owned());
        let outputs = outputs.and_then(|(out, err)| collect(out, err, watched));
        let ended = outputs.and_then(|outputs| Ok((outputs, process.wait(watched)?)));
        if ended.is_err() {
            process.kill(own_group);
        }
        let ((stdout, stderr), status) = ended?;
        Ok(match status {
            Status::Ended { success, how } => CommandOutput { success, how, stdout, stderr },
            Status::Reaped => {
                let how = "its exit status was taken by another part of this program".to_owned();
                CommandOutput { success: !stdout.is_empty(), how, stdout, stderr }
            }
        })
    }

    /// Reads both outputs to their ends, unless the other end of `watched` is gone before.
    fn collect(mut out: ChildStdout, mut err: ChildStderr, watched: &UnixStream) -> Result<Outputs, String> {
        let (mut stdout, mut stderr) = (Window::new(MAX_STDOUT), Window::new(MAX_STDERR));
        let (mut out_open, mut err_open) = (true, true);
        while out_open || err_open {
            let ask = |open: bool, fd: RawFd| if open { fd } else { -1 };
            let [out_ready, err_ready, given_up] =
                ready([ask(out_open, out.as_raw_fd()), ask(err_open, err.as_raw_fd()), watched.as_raw_fd()], -1)
                    .map_err(|error| format!("its output could not be waited for: {error}"))?;
            if given_up {
                return Err(GIVEN_UP.to_owned());
            }
            if out_ready {
                out_open = stdout.read(&mut out)?;
                if stdout.was_cut {
                    return Err(format!("it printed more than {MAX_STDOUT} bytes"));
                }
            }
            if err_ready {
                err_open = stderr.read(&mut err)?;
            }
        }
        Ok((stdout.bytes, stderr.bytes))
    }

    /// The last bytes of a stream. Never grows, since that would leave a copy behind that is not wiped.
    struct Window {
        bytes: Zeroizing<Vec<u8>>,
        max: usize,
        was_cut: bool,
    }

    impl Window {
        fn new(max: usize) -> Self {
            Self { bytes: Zeroizing::new(Vec::with_capacity(max)), max, was_cut: false }
        }

        /// Appends what is there; whether more may come.
        fn read(&mut self, from: &mut impl Read) -> Result<bool, String> {
            let mut buffer = Zeroizing::new([0; 4_096]);
            match from.read(&mut buffer[..]) {
                Ok(0) => Ok(false),
                Ok(count) => {
                    let excess = (self.bytes.len() + count).saturating_sub(self.max);
                    if excess > 0 {
                        self.was_cut = true;
                        self.bytes.copy_within(excess.., 0);
                        let kept = self.bytes.len() - excess;
                        self.bytes[kept..].zeroize();
                        self.bytes.truncate(kept);
                    }
                    self.bytes.extend_from_slice(&buffer[..count]);
                    Ok(true)
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
                Err(error) => Err(format!("its output could not be read: {error}")),
            }
        }
    }

    /// Waits until one of them can be read or has ended (a negative one never is), or for so many milliseconds.
    pub(super) fn ready<const N: usize>(descriptors: [RawFd; N], milliseconds: i32) -> io::Result<[bool; N]> {
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

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn a_window_keeps_the_end_of_a_stream_and_never_grows() {
            let mut window = Window::new(5_000);
            let place = window.bytes.as_ptr();
            let stream: Vec<u8> = (0..20_000_u32).map(|n| (n % 251) as u8).collect();
            let mut left = stream.as_slice();
            while window.read(&mut left).unwrap() {}
            assert_eq!(*window.bytes, stream[15_000..]);
            assert!(window.was_cut && window.bytes.as_ptr() == place);
        }
    }
}

/// A child that the application may reap before us: its number may name another process then. A descriptor of the process
/// never does.
#[cfg(unix)]
mod process {
    use std::io;
    use std::os::fd::{AsRawFd, RawFd};
    use std::os::unix::net::UnixStream;
    use std::process::{Child, ExitStatus};

    use super::unix::{GIVEN_UP, ready};

    /// Without a descriptor only SIGCHLD would announce the end of a process, and that belongs to the application.
    const LOOK_AGAIN_MS: i32 = 10;

    pub(super) enum Status {
        Ended {
            success: bool,
            how: String,
        },
        /// The application has waited for it, or its children are reaped by themselves, as where SIGCHLD is ignored.
        Reaped,
    }

    pub(super) struct Process {
        child: Child,
        descriptor: Option<pidfd::Descriptor>,
    }

    impl Process {
        pub(super) fn of(child: Child) -> Self {
            Self { descriptor: pidfd::open(child.id()), child }
        }

        /// Waits for its end, also for that of one that goes on with its outputs closed.
        pub(super) fn wait(&mut self, watched: &UnixStream) -> Result<Status, String> {
            let failed = |error: io::Error| format!("its end could not be waited for: {error}");
            loop {
                match self.try_wait() {
                    Ok(Some(status)) => return Ok(ended(status)),
                    Err(error) if error.raw_os_error() == Some(libc::ECHILD) => return Ok(Status::Reaped),
                    Err(error) => return Err(failed(error)),
                    Ok(None) => {}
                }
                let (descriptor, limit): (RawFd, i32) = match &self.descriptor {
                    Some(descriptor) => (descriptor.as_raw_fd(), -1),
                    None => (-1, LOOK_AGAIN_MS),
                };
                let [_, given_up] = ready([descriptor, watched.as_raw_fd()], limit).map_err(failed)?;
                if given_up {
                    return Err(GIVEN_UP.to_owned());
                }
            }
        }

        /// Kills it with its whole group, if it has one of its own, and reaps it.
        pub(super) fn kill(&mut self, own_group: bool) {
            match &self.descriptor {
                Some(descriptor) => descriptor.kill(own_group),
                None => {
                    if own_group && let Ok(group) = libc::pid_t::try_from(self.child.id()) {
                        // SAFETY: kill has no precondition. The number names the child's group unless the application has
                        // reaped the child, which this kernel has no way to find out.
                        unsafe { libc::kill(-group, libc::SIGKILL) };
                    }
                    // It fails only for a process that has ended.
                    let _ = self.child.kill();
                }
            }
            // Killed, it ends at once. Somebody else may have waited for it.
            while let Ok(None) = self.try_wait() {
                let descriptor = self.descriptor.as_ref().map_or(-1, AsRawFd::as_raw_fd);
                if ready([descriptor], LOOK_AGAIN_MS).is_err() {
                    return;
                }
            }
        }

        fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
            match &self.descriptor {
                Some(descriptor) => descriptor.try_wait(),
                None => self.child.try_wait(),
            }
        }
    }

    fn ended(status: ExitStatus) -> Status {
        // A shell reports a command that was killed by a number above 128.
        let signal = status.code().filter(|code| *code > 128).map(|code| format!(" (signal {})", code - 128));
        Status::Ended { success: status.success(), how: format!("{status}{}", signal.unwrap_or_default()) }
    }

    #[cfg(target_os = "linux")]
    mod pidfd {
        use std::os::fd::{FromRawFd, OwnedFd};
        use std::os::unix::process::ExitStatusExt;

        use super::*;

        /// Signals the whole group (Linux 6.9).
        const PROCESS_GROUP: libc::c_uint = 1 << 2;

        pub(super) struct Descriptor {
            fd: OwnedFd,
            pid: libc::pid_t,
        }

        /// `None` on kernels before 5.4, or where the process is gone already.
        pub(super) fn open(pid: u32) -> Option<Descriptor> {
            let pid = libc::pid_t::try_from(pid).ok()?;
            // SAFETY: pidfd_open takes a number and flags, and has no precondition.
            let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
            let fd = RawFd::try_from(fd).ok().filter(|fd| *fd >= 0)?;
            // SAFETY: the kernel has just opened it for us, close-on-exec, and nobody else knows it.
            let descriptor = Descriptor { fd: unsafe { OwnedFd::from_raw_fd(fd) }, pid };
            // Before 5.4 a process cannot be waited for by its descriptor.
            let tried = descriptor.wait(libc::WEXITED | libc::WNOHANG | libc::WNOWAIT);
            (tried.err().and_then(|error| error.raw_os_error()) != Some(libc::EINVAL)).then_some(descriptor)
        }

        impl AsRawFd for Descriptor {
            fn as_raw_fd(&self) -> RawFd {
                self.fd.as_raw_fd()
            }
        }

        impl Descriptor {
            pub(super) fn kill(&self, group: bool) {
                if group && self.signal(PROCESS_GROUP) {
                    return;
                }
                if self.signal(0) && group {
                    // SAFETY: kill has no precondition. The child was there a moment ago and the kernel does not give its
                    // number to another process while anybody is in its group.
                    unsafe { libc::kill(-self.pid, libc::SIGKILL) };
                }
            }

            fn signal(&self, flags: libc::c_uint) -> bool {
                let no_info = std::ptr::null::<libc::siginfo_t>();
                // SAFETY: the descriptor is open, and without a siginfo the kernel fills in its own.
                unsafe {
                    libc::syscall(libc::SYS_pidfd_send_signal, self.as_raw_fd(), libc::SIGKILL, no_info, flags) == 0
                }
            }

            pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
                self.wait(libc::WEXITED | libc::WNOHANG)
            }

            fn wait(&self, options: libc::c_int) -> io::Result<Option<ExitStatus>> {
                let id = self.as_raw_fd() as libc::id_t;
                // SAFETY: all zero is a valid siginfo_t, which waitid leaves so where nothing has ended.
                let mut info: libc::siginfo_t = unsafe { std::mem::zeroed() };
                loop {
                    // SAFETY: the descriptor is open and `info` is valid for writes.
                    if unsafe { libc::waitid(libc::P_PIDFD, id, &raw mut info, options) } == 0 {
                        break;
                    }
                    let error = io::Error::last_os_error();
                    if error.kind() != io::ErrorKind::Interrupted {
                        return Err(error);
                    }
                }
                // SAFETY: waitid filled in the members for a child that ended, or left them zero.
                let (pid, status) = unsafe { (info.si_pid(), info.si_status()) };
                if pid == 0 {
                    return Ok(None);
                }
                // In the form that wait gives.
                let raw = match info.si_code {
                    libc::CLD_EXITED => status << 8,
                    libc::CLD_DUMPED => status | 0x80,
                    _ => status,
                };
                Ok(Some(ExitStatus::from_raw(raw)))
            }
        }
    }

    #[cfg(not(target_os = "linux"))]
    mod pidfd {
        use super::*;

        /// No such descriptor here.
        pub(super) enum Descriptor {}

        pub(super) fn open(_: u32) -> Option<Descriptor> {
            None
        }

        impl AsRawFd for Descriptor {
            fn as_raw_fd(&self) -> RawFd {
                match *self {}
            }
        }

        impl Descriptor {
            pub(super) fn kill(&self, _: bool) {
                match *self {}
            }

            pub(super) fn try_wait(&self) -> io::Result<Option<ExitStatus>> {
                match *self {}
            }
        }
    }
}

#[cfg(not(unix))]
use other::prepared;

#[cfg(not(unix))]
mod other {
    use std::process::{Command, Stdio};

    use zeroize::Zeroizing;

    use super::{CallersMask, CommandOutput, SystemError};
    use crate::platform::limits::system_error;

    /// Nothing stops it here but its own end.
    pub(crate) fn prepared(
        command: String,
        _: CallersMask,
    ) -> Result<(impl FnOnce() -> Result<CommandOutput, SystemError> + Send, ()), SystemError> {
        let work = move || {
            let shell = Command::new("cmd.exe").arg("/C").arg(command).stdin(Stdio::null()).output();
            let output = shell.map_err(|error| system_error("a shell for it could not be started: ", &error))?;
            Ok(CommandOutput {
                success: output.status.success(),
                how: output.status.to_string(),
                stdout: Zeroizing::new(output.stdout),
                stderr: Zeroizing::new(output.stderr),
            })
        };
        Ok((work, ()))
    }
}
