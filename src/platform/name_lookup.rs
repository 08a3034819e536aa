//! Resolves names to addresses. getaddrinfo cannot be cancelled, so it runs on a thread of its own.

use std::net::SocketAddr;

use crate::platform::blocking_work::BlockingWork;
use crate::platform::per_process::PerProcess;
use crate::platform_api::{LookupError, LookupErrorKind};

type Found = Result<Vec<SocketAddr>, LookupError>;

/// Per process, since a forked child has none of its parent's threads and must not wait for them.
static LOOKUPS: PerProcess<BlockingWork<String, Found>> = PerProcess::new();

/// Looks `host` up.
pub(crate) async fn lookup(host: String) -> Found {
    let addresses = |host: &String| getaddrinfo::addresses(host);
    let lookups = LOOKUPS.get_or(|| BlockingWork::new("lambda-lookup", addresses, |why| Err(temporary(why))));
    lookups.run(host).await
}

fn temporary(why: &str) -> LookupError {
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
    use std::io;
    use std::net::ToSocketAddrs;

    use super::Found;
    use crate::platform_api::{LookupError, LookupErrorKind};

    // Of Windows, which are part of its ABI.
    const WSAEMFILE: i32 = 10_024;
    const WSAHOST_NOT_FOUND: i32 = 11_001;
    const WSANO_DATA: i32 = 11_004;

    pub(crate) fn addresses(host: &str) -> Found {
        match (host, 0).to_socket_addrs() {
            Ok(found) => Ok(found.collect()),
            Err(error) => Err(LookupError { kind: kind_of(&error), message: error.to_string() }),
        }
    }

    fn kind_of(error: &io::Error) -> LookupErrorKind {
        match error.raw_os_error() {
            Some(WSAHOST_NOT_FOUND | WSANO_DATA) => LookupErrorKind::Permanent,
            Some(WSAEMFILE) => LookupErrorKind::NoDescriptors,
            _ => LookupErrorKind::Temporary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look_up(host: &str) -> Found {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(lookup(host.to_owned()))
    }

    #[test]
    fn a_name_that_is_in_the_hosts_file_has_addresses() {
        let found = look_up("localhost").unwrap();
        assert!(found.iter().all(|address| address.ip().is_loopback()), "{found:?}");
        assert!(!found.is_empty());
    }

    #[test]
    fn a_name_that_cannot_exist_fails_permanently() {
        let label = "x".repeat(64);
        let error = look_up(&format!("{label}.example")).unwrap_err();
        assert_eq!(error.kind, LookupErrorKind::Permanent, "{error:?}");
    }
}
