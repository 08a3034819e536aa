//! Addresses of names. getaddrinfo cannot be ended, so it runs on a thread of its own, which a call that gives up leaves
//! behind; the thread is gone when the lookup is.

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

/// More names wait for one of these to be done.
const MAX_LOOKUPS: usize = 4;

type Found = Result<Vec<SocketAddr>, LookupError>;

/// The lookups of a process, of all its clients.
#[derive(Default)]
struct Lookups {
    threads: usize,
    /// Who waits for each name that is being looked up, or will be: the same name is looked up once.
    asked: BTreeMap<String, Vec<oneshot::Sender<Found>>>,
    /// The names that no thread has taken yet.
    waiting: VecDeque<String>,
}

/// A forked child has none of its parent's threads, and must not wait for them.
static LOOKUPS: PerProcess<Mutex<Lookups>> = PerProcess::new();

/// Looks `host` up. The receiver fails only if the lookup was given up.
pub(crate) fn ask(host: &str) -> oneshot::Receiver<Found> {
    ask_of(LOOKUPS.get_or(Mutex::default), host, getaddrinfo::addresses)
}

fn ask_of(lookups: &'static Mutex<Lookups>, host: &str, addresses: fn(&str) -> Found) -> oneshot::Receiver<Found> {
    let (sender, receiver) = oneshot::channel();
    let mut state = lock(lookups);
    if let Some(others) = state.asked.get_mut(host) {
        others.push(sender);
        return receiver;
    }
    state.asked.insert(host.to_owned(), vec![sender]);
    if state.threads == MAX_LOOKUPS {
        state.waiting.push_back(host.to_owned());
        return receiver;
    }
    state.threads += 1;
    drop(state);
    let name = host.to_owned();
    let thread = thread::Builder::new().name("lambda-lookup".to_owned());
    if let Err(error) = with_all_blocked(|| thread.spawn(move || work(lookups, name, addresses))) {
        let mut state = lock(lookups);
        state.threads -= 1;
        let waiters = state.asked.remove(host).unwrap_or_default();
        drop(state);
        answer(waiters, &Err(passing(&format!("no thread could be started to look it up: {error}"))));
    }
    receiver
}

/// Looks up `host`, then what waits for a thread.
fn work(lookups: &Mutex<Lookups>, mut host: String, addresses: fn(&str) -> Found) {
    loop {
        // A panic must not leave the name to those who wait for it, nor take this thread's place from other names.
        let found = catch_unwind(|| addresses(&host))
            .unwrap_or_else(|_| Err(passing("a panic was caught during the lookup; please report it")));
        let mut state = lock(lookups);
        let waiters = state.asked.remove(&host).unwrap_or_default();
        let next = next_wanted(&mut state);
        if next.is_none() {
            state.threads -= 1;
        }
        drop(state);
        answer(waiters, &found);
        match next {
            Some(next) => host = next,
            None => return,
        }
    }
}

/// The next name for which anybody still waits.
fn next_wanted(state: &mut Lookups) -> Option<String> {
    while let Some(name) = state.waiting.pop_front() {
        if state.asked.get(&name).is_some_and(|waiters| waiters.iter().any(|waiter| !waiter.is_closed())) {
            return Some(name);
        }
        state.asked.remove(&name);
    }
    None
}

fn answer(waiters: Vec<oneshot::Sender<Found>>, found: &Found) {
    for waiter in waiters {
        // One that gave up does not want it.
        let _ = waiter.send(found.clone());
    }
}

pub(crate) fn passing(why: &str) -> LookupError {
    LookupError { kind: LookupErrorKind::Passing, message: why.to_owned() }
}

#[cfg(unix)]
mod getaddrinfo {
    use std::ffi::{CStr, CString};
    use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
    use std::{io, ptr};

    use super::Found;
    use crate::platform::limits;
    use crate::platform_api::{LookupError, LookupErrorKind};

    /// Blocks for as long as the platform's resolver likes.
    pub(crate) fn addresses(host: &str) -> Found {
        let Ok(name) = CString::new(host) else {
            return Err(LookupError { kind: LookupErrorKind::Permanent, message: "it holds a NUL".to_owned() });
        };
        // SAFETY: all zero is the value of an addrinfo that asks for nothing in particular.
        let mut hints: libc::addrinfo = unsafe { std::mem::zeroed() };
        hints.ai_socktype = libc::SOCK_STREAM;
        let mut list = ptr::null_mut();
        // SAFETY: the name is NUL-terminated, hints and list are valid, and no service is asked for.
        let code = unsafe { libc::getaddrinfo(name.as_ptr(), ptr::null(), &raw const hints, &raw mut list) };
        if code != 0 {
            return Err(explain(code));
        }
        let mut found = Vec::new();
        let mut next = list;
        // SAFETY: getaddrinfo succeeded: the list is valid until it is freed below, its last ai_next is NULL.
        while let Some(entry) = unsafe { next.as_ref() } {
            found.extend(address(entry));
            next = entry.ai_next;
        }
        // SAFETY: the list came from getaddrinfo and nothing refers to it any more.
        unsafe { libc::freeaddrinfo(list) };
        if found.is_empty() {
            let message = "it has no address of a known kind".to_owned();
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
                false => LookupErrorKind::Passing,
            };
            return LookupError { kind, message: error.to_string() };
        }
        // SAFETY: gai_strerror returns a static string for every code.
        let text = unsafe { CStr::from_ptr(libc::gai_strerror(code)) };
        // Without a descriptor for /etc/hosts or for a socket the resolver says that there is no such name.
        let kind = match code == libc::EAI_NONAME || no_data(code) {
            _ if limits::are_descriptors_out() => LookupErrorKind::NoDescriptors,
            true => LookupErrorKind::Permanent,
            false => LookupErrorKind::Passing,
        };
        LookupError { kind, message: text.to_string_lossy().into_owned() }
    }

    /// The name exists, but has no address.
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
            Err(error) => Err(LookupError { kind: LookupErrorKind::Passing, message: error.to_string() }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_in_the_hosts_file_has_addresses() {
        let found = ask("localhost").blocking_recv().unwrap().unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert!(!found.is_empty());
    }

    #[test]
    fn a_panic_leaves_no_name_waiting_and_no_thread_counted() {
        static LOOKUPS: Mutex<Lookups> =
            Mutex::new(Lookups { threads: 0, asked: BTreeMap::new(), waiting: VecDeque::new() });
        // As often as there are threads, and once more.
        for _ in 0..=MAX_LOOKUPS {
            let found = ask_of(&LOOKUPS, "name", |_| panic!("on purpose")).blocking_recv().unwrap();
            assert!(found.unwrap_err().message.contains("panic"));
        }
        let found = ask_of(&LOOKUPS, "name", |_| Ok(Vec::new())).blocking_recv().unwrap();
        assert_eq!(found.unwrap(), []);
    }

    #[test]
    fn a_name_that_cannot_exist_says_so() {
        let label = "x".repeat(64);
        let error = ask(&format!("{label}.example")).blocking_recv().unwrap().unwrap_err();
        assert_eq!(error.kind, LookupErrorKind::Permanent, "{error:?}");
    }
}
