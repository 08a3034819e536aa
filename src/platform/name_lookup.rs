//! Resolves names to addresses. getaddrinfo cannot be cancelled, so it runs on its own thread. A call that gives up
//! leaves that thread behind; the thread ends with the lookup.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::panic::catch_unwind;
use std::sync::Mutex;
use std::thread;

use tokio::sync::oneshot;

use crate::lock::lock;
use crate::platform::per_process::PerProcess;
use crate::platform::signals::with_all_blocked;
use crate::platform_api::{LookupError, LookupErrorKind};

/// The limit of lookups at once; further names wait until one of them is done.
const MAX_LOOKUPS: usize = 4;

type Found = Result<Vec<SocketAddr>, LookupError>;

/// The lookups of all clients of a process.
#[derive(Default)]
struct Lookups {
    threads: usize,
    /// The waiters for each name that is being looked up, or is queued: calls for the same name share one lookup.
    waiters: BTreeMap<String, Vec<oneshot::Sender<Found>>>,
    /// The names that no thread has taken yet.
    queued: VecDeque<String>,
}

/// Per process, since a forked child has none of its parent's threads and must not wait for them.
static LOOKUPS: PerProcess<Mutex<Lookups>> = PerProcess::new();

/// Looks up `host`. The receiver fails only if the lookup was abandoned.
pub(crate) fn lookup(host: &str) -> oneshot::Receiver<Found> {
    lookup_with(LOOKUPS.get_or(Mutex::default), host, getaddrinfo::addresses)
}

fn lookup_with(lookups: &'static Mutex<Lookups>, host: &str, addresses: fn(&str) -> Found) -> oneshot::Receiver<Found> {
    let (sender, receiver) = oneshot::channel();
    let mut state = lock(lookups);
    if let Some(others) = state.waiters.get_mut(host) {
        others.push(sender);
        return receiver;
    }
    state.waiters.insert(host.to_owned(), vec![sender]);
    if state.threads == MAX_LOOKUPS {
        state.queued.push_back(host.to_owned());
        return receiver;
    }
    state.threads += 1;
    drop(state);
    let name = host.to_owned();
    let thread = thread::Builder::new().name("lambda-lookup".to_owned());
    if let Err(error) = with_all_blocked(|| thread.spawn(move || work(lookups, name, addresses))) {
        let mut state = lock(lookups);
        state.threads -= 1;
        let waiters = state.waiters.remove(host).unwrap_or_default();
        drop(state);
        send(waiters, &Err(temporary(&format!("no thread could be started to look it up: {error}"))));
    }
    receiver
}

/// Looks up `host`, and then each queued name that a call still waits for.
fn work(lookups: &Mutex<Lookups>, mut host: String, addresses: fn(&str) -> Found) {
    loop {
        // After a panic the waiters must still get a result, and the thread must still be counted down.
        let found = catch_unwind(|| addresses(&host))
            .unwrap_or_else(|_| Err(temporary("a panic was caught during the lookup; please report it")));
        let mut state = lock(lookups);
        let waiters = state.waiters.remove(&host).unwrap_or_default();
        let next = next_wanted(&mut state);
        if next.is_none() {
            state.threads -= 1;
        }
        drop(state);
        send(waiters, &found);
        match next {
            Some(next) => host = next,
            None => return,
        }
    }
}

/// Returns the next queued name that a call still waits for.
fn next_wanted(state: &mut Lookups) -> Option<String> {
    while let Some(name) = state.queued.pop_front() {
        if state.waiters.get(&name).is_some_and(|waiters| waiters.iter().any(|waiter| !waiter.is_closed())) {
            return Some(name);
        }
        state.waiters.remove(&name);
    }
    None
}

fn send(waiters: Vec<oneshot::Sender<Found>>, found: &Found) {
    for waiter in waiters {
        // A waiter that gave up has dropped its receiver.
        let _ = waiter.send(found.clone());
    }
}

pub(crate) fn temporary(why: &str) -> LookupError {
    LookupError { kind: LookupErrorKind::Temporary, message: why.to_owned() }
}

#[cfg(unix)]
mod getaddrinfo {
    use std::ffi::{CStr, CString};
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::{io, ptr};

    use super::Found;
    use crate::platform::limits;
    use crate::platform_api::{LookupError, LookupErrorKind};

    /// Blocks for as long as the platform's resolver does.
    pub(crate) fn addresses(host: &str) -> Found {
        let Ok(name) = CString::new(host) else {
            return Err(LookupError {
                kind: LookupErrorKind::Permanent,
                message: "it contains a NUL character".to_owned(),
            });
        };
        // SAFETY: an addrinfo of zeros is valid: hints without any constraint.
        let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_socktype = libc::SOCK_STREAM;
        let mut list = ptr::null_mut();
        // SAFETY: the name is NUL-terminated, hints and list are valid, and the service may be NULL.
        let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
        if code != 0 {
            return Err(explain(code));
        }
        let mut found = Vec::new();
        let mut next = list;
        // SAFETY: getaddrinfo succeeded, so the list is valid until it is freed below, and its last ai_next is NULL.
        while let Some(entry) = unsafe { next.as_ref() } {
            found.extend(address(entry));
            next = entry.ai_next;
        }
        // SAFETY: the list came from getaddrinfo and nothing refers to it any more.
        unsafe { libc::freeaddrinfo(list) };
        if found.is_empty() {
            let message = "it has no IPv4 or IPv6 address".to_owned();
            return Err(LookupError { kind: LookupErrorKind::Permanent, message });
        }
        Ok(found)
    }

    fn address(entry: &libc::addrinfo) -> Option<SocketAddr> {
        match entry.ai_family {
            libc::AF_INET => {
                // SAFETY: an entry of this family points to a sockaddr_in; read unaligned, since nothing promises that.
                let v4 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in>().read_unaligned() };
                Some(SocketAddrV4::new(Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr)), 0).into())
            }
            libc::AF_INET6 => {
                // SAFETY: an entry of this family points to a sockaddr_in6; as above.
                let v6 = unsafe { entry.ai_addr.cast::<libc::sockaddr_in6>().read_unaligned() };
                Some(SocketAddrV6::new(Ipv6Addr::from(v6.sin6_addr.s6_addr), 0, 0, v6.sin6_scope_id).into())
            }
            _ => None,
        }
    }

    fn explain(code: i32) -> LookupError {
        if code == libc::EAI_SYSTEM {
            let error = io::Error::last_os_error();
            let kind = match limits::is_out_of_descriptors(&error) {
                true => LookupErrorKind::NoDescriptors,
                false => LookupErrorKind::Temporary,
            };
            return LookupError { kind, message: error.to_string() };
        }
        // SAFETY: gai_strerror returns a static string for every code.
        let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
        // The resolver also reports EAI_NONAME if it has no descriptor for /etc/hosts or for a socket.
        let kind = match code == libc::EAI_NONAME || no_data(code) {
            _ if limits::lookup_lacks_descriptors() => LookupErrorKind::NoDescriptors,
            true => LookupErrorKind::Permanent,
            false => LookupErrorKind::Temporary,
        };
        LookupError { kind, message: text.to_string_lossy().into_owned() }
    }

    /// Returns whether the name exists, but has no address.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    fn no_data(code: i32) -> bool {
        code == libc::EAI_NODATA
    }

    #[cfg(not(all(target_os = "linux", target_env = "gnu")))]
    fn no_data(_: i32) -> bool {
        false
    }
}

#[cfg(not(unix))]
mod getaddrinfo {
    use std::net::ToSocketAddrs;

    use super::Found;
    use crate::platform_api::{LookupError, LookupErrorKind};

    pub(crate) fn addresses(host: &str) -> Found {
        match (host, 0).to_socket_addrs() {
            Ok(found) => Ok(found.collect()),
            Err(error) => Err(LookupError { kind: LookupErrorKind::Temporary, message: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_in_the_hosts_file_has_addresses() {
        let found = lookup("localhost").blocking_recv().unwrap().unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert!(!found.is_empty());
    }

    #[test]
    fn after_a_panic_no_name_waits_and_no_thread_is_counted() {
        static LOOKUPS: Mutex<Lookups> =
            Mutex::new(Lookups { threads: 0, waiters: BTreeMap::new(), queued: VecDeque::new() });
        // Once more than there are threads.
        for _ in 0..=MAX_LOOKUPS {
            let found = lookup_with(&LOOKUPS, "name", |_| panic!("on purpose")).blocking_recv().unwrap();
            assert!(found.unwrap_err().message.contains("panic"));
        }
        let found = lookup_with(&LOOKUPS, "name", |_| Ok(Vec::new())).blocking_recv().unwrap();
        assert_eq!(found.unwrap(), []);
    }

    #[test]
    fn a_name_that_cannot_exist_fails_permanently() {
        let label = "x".repeat(64);
        let error = lookup(&format!("{label}.example")).blocking_recv().unwrap().unwrap_err();
        assert_eq!(error.kind, LookupErrorKind::Permanent, "{error:?}");
    }
}
