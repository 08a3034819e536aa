//! What the Rust programs share: the case that they are given, the measurement, and the signature by aws-sigv4.
//!
//! Every program of the benchmark takes the same arguments, `URL CASE CALLS IN_FLIGHT SIZE`, and prints one JSON line.

#![allow(clippy::unwrap_used, clippy::panic, missing_docs, reason = "a benchmark may panic")]

use std::sync::Barrier;
use std::time::{Duration, Instant, SystemTime};
use std::{env, fs, thread};

use aws_credential_types::Credentials;
use aws_sigv4::http_request::{SignableBody, SignableRequest, SigningSettings, sign};
use aws_sigv4::sign::v4;
use aws_smithy_runtime_api::client::identity::Identity;

/// The functions of the endpoint that a burst invokes; each takes 1 s, so that all calls of a burst are in flight at once.
pub const BURST: [&str; 2] = ["burst-1000", "again-1000"];
pub const PAUSE: Duration = Duration::from_secs(1);

pub struct Case {
    pub url: String,
    pub name: String,
    pub calls: usize,
    pub in_flight: usize,
    pub payload: Vec<u8>,
}

impl Case {
    pub fn from_arguments() -> Self {
        let arguments: Vec<String> = env::args().skip(1).collect();
        let [url, name, calls, in_flight, size] = arguments.try_into().expect("URL CASE CALLS IN_FLIGHT SIZE");
        let number = |text: String| text.parse::<usize>().unwrap();
        let payload = format!("\"{}\"", "a".repeat(number(size) - 2)).into_bytes();
        Case { url, name, calls: number(calls), in_flight: number(in_flight), payload }
    }

    pub fn path(function: &str) -> String {
        format!("/2015-03-31/functions/{function}/invocations")
    }

    /// How many calls each thread makes before the measurement. None for the first response of a process.
    pub fn warm_up(&self) -> usize {
        if self.name == "first" { 0 } else { (self.calls / self.in_flight / 10).max(2) }
    }

    /// Runs a case with a client that blocks: `make` makes what one thread needs, and each call of that makes one call.
    pub fn block<C: FnMut()>(&self, make: impl Fn(&str) -> C + Sync) {
        match (self.name.as_str(), self.in_flight) {
            ("first", _) => {
                make("f")();
                Meter::start().finish(1);
            }
            ("burst", threads) => {
                for (turn, function) in BURST.into_iter().enumerate() {
                    if turn > 0 {
                        thread::sleep(PAUSE);
                    }
                    let ready = Barrier::new(threads);
                    thread::scope(|scope| {
                        for _ in 0..threads {
                            scope.spawn(|| {
                                let mut call = make(function);
                                ready.wait();
                                call();
                            });
                        }
                    });
                }
                Meter::start().finish(1);
            }
            (_, 1) => {
                let mut call = make("f");
                (0..self.warm_up()).for_each(|_| call());
                let meter = Meter::start();
                (0..self.calls).for_each(|_| call());
                meter.finish(self.calls);
            }
            (_, threads) => self.threads(threads, make),
        }
    }

    fn threads<C: FnMut()>(&self, threads: usize, make: impl Fn(&str) -> C + Sync) {
        let (ready, go, done) = (Barrier::new(threads + 1), Barrier::new(threads + 1), Barrier::new(threads + 1));
        let of_each = self.calls / threads;
        thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    let mut call = make("f");
                    (0..self.warm_up()).for_each(|_| call());
                    ready.wait();
                    go.wait();
                    (0..of_each).for_each(|_| call());
                    done.wait();
                });
            }
            ready.wait();
            let meter = Meter::start();
            go.wait();
            done.wait();
            meter.finish(of_each * threads);
        });
    }
}

/// Measures the CPU time of this process, all threads included, and the wall time.
pub struct Meter {
    cpu: Duration,
    wall: Instant,
}

impl Meter {
    pub fn start() -> Self {
        Meter { cpu: cpu(), wall: Instant::now() }
    }

    pub fn finish(self, calls: usize) {
        self.finish_stream(calls, None);
    }

    pub fn finish_stream(self, calls: usize, mut first_bytes: Option<Vec<Duration>>) {
        let per_call = |time: Duration| time.as_secs_f64() * 1e6 / calls as f64;
        let (wall, cpu) = (per_call(self.wall.elapsed()), per_call(cpu() - self.cpu));
        let first_byte = first_bytes.as_mut().map_or(String::new(), |times| {
            times.sort();
            format!(r#", "first_byte_us": {:.2}"#, times[times.len() / 2].as_secs_f64() * 1e6)
        });
        println!(r#"{{"cpu_us": {cpu:.2}, "wall_us": {wall:.2}, "rss_kib": {}{first_byte}}}"#, rss_kib());
    }
}

fn rss_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

fn cpu() -> Duration {
    // SAFETY: a rusage of zeros is valid, and it is valid for writes.
    let usage = unsafe {
        let mut usage: libc::rusage = std::mem::zeroed();
        libc::getrusage(libc::RUSAGE_SELF, &raw mut usage);
        usage
    };
    let time = |time: libc::timeval| Duration::new(time.tv_sec as u64, time.tv_usec as u32 * 1_000);
    time(usage.ru_utime) + time(usage.ru_stime)
}

/// Has every TLS client but aws-sdk-rust use ring, as the library does.
pub fn use_ring() {
    rustls::crypto::ring::default_provider().install_default().unwrap();
}

pub fn identity() -> Identity {
    let variable = |name| env::var(name).unwrap();
    Credentials::new(variable("AWS_ACCESS_KEY_ID"), variable("AWS_SECRET_ACCESS_KEY"), None, None, "bench").into()
}

pub const CONTENT_TYPE: (&str, &str) = ("content-type", "application/octet-stream");

/// Returns the headers that sign a request of the case, and Content-Type.
pub fn signature(identity: &Identity, url: &str, payload: &[u8]) -> Vec<(String, String)> {
    let parameters = v4::SigningParams::builder()
        .identity(identity)
        .region("us-east-1")
        .name("lambda")
        .time(SystemTime::now())
        .settings(SigningSettings::default())
        .build()
        .unwrap()
        .into();
    let request = SignableRequest::new("POST", url, [CONTENT_TYPE].into_iter(), SignableBody::Bytes(payload)).unwrap();
    let (instructions, _) = sign(request, &parameters).unwrap().into_parts();
    let mut signed: Vec<_> = instructions.headers().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    signed.push((CONTENT_TYPE.0.into(), CONTENT_TYPE.1.into()));
    signed
}
