//! Blocking calls beside so many others that they share a runtime, which one of their threads drives.

#![allow(clippy::unwrap_used, reason = "these are tests, outside a test function too")]

mod support;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, ScopedJoinHandle, ThreadId};
use std::time::{Duration, Instant};

use lambda_invoke::{Client, Execution, Invocation, Outcome, Status};
use support::{Server, request, response};

/// Holds back the response to each request until its payload is let go.
#[derive(Default)]
struct Gate {
    /// Whether a payload that has arrived may be responded to.
    payloads: Mutex<HashMap<String, bool>>,
    changed: Condvar,
}

impl Gate {
    fn wait(&self, is_enough: impl Fn(&HashMap<String, bool>) -> bool) -> MutexGuard<'_, HashMap<String, bool>> {
        let payloads = self.payloads.lock().unwrap();
        let (payloads, waited) = self
            .changed
            .wait_timeout_while(payloads, Duration::from_secs(30), |payloads| !is_enough(payloads))
            .unwrap();
        assert!(!waited.timed_out(), "{payloads:?}");
        payloads
    }

    fn arrive(&self, payload: &str) {
        self.payloads.lock().unwrap().entry(payload.to_owned()).or_default();
        self.changed.notify_all();
        drop(self.wait(|payloads| payloads[payload]));
    }

    fn await_arrival(&self, payload: &str) {
        drop(self.wait(|payloads| payloads.contains_key(payload)));
    }

    fn let_go(&self, payload: &str) {
        self.payloads.lock().unwrap().insert(payload.to_owned(), true);
        self.changed.notify_all();
    }
}

fn server(gate: &'static Gate) -> Server {
    Server::start(move |_, mut connection| {
        while let Some(request) = connection.request() {
            let payload = String::from_utf8(request.body.clone()).unwrap();
            gate.arrive(&payload);
            connection.send(response("200 OK", "", &payload).as_bytes());
        }
    })
}

/// One test at a time: they count the descriptors of the process.
fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

fn gate() -> &'static Gate {
    Box::leak(Box::default())
}

fn processors() -> usize {
    let allowed = std::fs::read_to_string("/proc/self/status").unwrap();
    let mask = allowed.lines().find_map(|line| line.strip_prefix("Cpus_allowed:")).unwrap();
    let bits = mask.chars().filter_map(|digit| digit.to_digit(16)).map(u32::count_ones).sum::<u32>();
    usize::try_from(bits).unwrap()
}

/// Begins as many calls as have a runtime of their own, and waits until all have arrived.
fn occupy<'s>(scope: &'s thread::Scope<'s, '_>, client: &'s Client, gate: &Gate) -> Vec<ScopedJoinHandle<'s, Outcome>> {
    let calls = (0..processors()).map(|number| scope.spawn(move || client.invoke(request(name(number).as_bytes()))));
    let calls: Vec<_> = calls.collect();
    (0..calls.len()).for_each(|number| gate.await_arrival(&name(number)));
    calls
}

fn name(number: usize) -> String {
    format!("\"alone {number}\"")
}

fn release(gate: &Gate, alone: Vec<ScopedJoinHandle<'_, Outcome>>) {
    (0..alone.len()).for_each(|number| gate.let_go(&name(number)));
    alone.into_iter().for_each(|call| expect(call, None));
}

fn expect(call: ScopedJoinHandle<'_, Outcome>, payload: Option<&str>) {
    let outcome = call.join().unwrap();
    assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
    if let Some(payload) = payload {
        assert_eq!(outcome.payload, payload.as_bytes());
    }
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn calls_share_descriptors_and_end_in_any_order() {
    const CALLS: usize = 30;
    let _turn = alone();
    let gate = gate();
    let server = server(gate);
    let client = server.client();
    let shared = |number: usize| format!("\"shared {number}\"");
    thread::scope(|scope| {
        let alone = occupy(scope, &client, gate);
        let before = descriptors();
        let calls: Vec<_> = (0..CALLS)
            .map(|number| {
                let client = &client;
                scope.spawn(move || client.invoke(request(shared(number).as_bytes())))
            })
            .collect();
        (0..CALLS).for_each(|number| gate.await_arrival(&shared(number)));
        // A socket each, that of the server beside it, and 3 of the runtime.
        assert!(descriptors() - before <= 2 * CALLS + 3, "{} more descriptors", descriptors() - before);
        // The first one leads; the last one's response is first.
        for (number, call) in calls.into_iter().enumerate().rev() {
            gate.let_go(&shared(number));
            expect(call, Some(&shared(number)));
        }
        release(gate, alone);
        // All connections are closed at once, though nobody drives their runtime.
        client.release_idle();
        assert!(descriptors() <= before + CALLS, "{} of {before}", descriptors());
    });
}

#[test]
fn a_leader_that_leaves_is_replaced() {
    let _turn = alone();
    let gate = gate();
    let server = server(gate);
    let client = server.client();
    thread::scope(|scope| {
        let alone = occupy(scope, &client, gate);
        let spawn = |payload: &'static str| {
            let call = scope.spawn(|| client.invoke(request(payload.as_bytes())));
            gate.await_arrival(payload);
            call
        };
        let [first, second, third] = ["1", "2", "3"].map(spawn);
        for (payload, call) in [("1", first), ("2", second), ("3", third)] {
            gate.let_go(payload);
            expect(call, Some(payload));
        }
        release(gate, alone);
    });
}

#[test]
fn interrupts_are_polled_on_their_own_threads_and_a_deadline_holds() {
    let _turn = alone();
    let gate = gate();
    let server = server(gate);
    let client = server.client();
    let polls: Mutex<Vec<(ThreadId, Instant)>> = Mutex::default();
    thread::scope(|scope| {
        let alone = occupy(scope, &client, gate);
        let call = |payload: &'static str, lasts: Duration| {
            let (client, polls) = (&client, &polls);
            scope.spawn(move || {
                let (here, began) = (thread::current().id(), Instant::now());
                let outcome = client.invoke_interruptible(request(payload.as_bytes()), &mut || {
                    assert_eq!(thread::current().id(), here);
                    polls.lock().unwrap().push((here, Instant::now()));
                    began.elapsed() > lasts
                });
                (here, outcome)
            })
        };
        let calls = [call("1", Duration::from_secs(1)), call("2", Duration::from_secs(2))];
        let late = client.invoke(Invocation::from(request(b"3")).timeout(Duration::from_millis(500)));
        assert_eq!((late.status, late.execution), (Status::Timeout, Execution::Unknown), "{late:?}");
        for call in calls {
            let (thread, outcome) = call.join().unwrap();
            assert_eq!((outcome.status, outcome.execution), (Status::Cancelled, Execution::Unknown), "{outcome:?}");
            let polls = polls.lock().unwrap();
            assert!(polls.iter().filter(|(polled, _)| *polled == thread).count() >= 10, "{polls:?}");
        }
        ["1", "2", "3"].iter().for_each(|payload| gate.let_go(payload));
        release(gate, alone);
    });
}

#[test]
fn a_call_whose_interrupt_panics_gives_back_its_permit() {
    let _turn = alone();
    let gate = gate();
    let server = server(gate);
    let mut config = server.config();
    config.max_connections = Some(u32::try_from(processors()).unwrap() + 1);
    let client = Client::new(&config).unwrap();
    thread::scope(|scope| {
        let alone = occupy(scope, &client, gate);
        let mut polls = 0;
        let panicked = catch_unwind(AssertUnwindSafe(|| {
            client.invoke_interruptible(request(b"1"), &mut || {
                polls += 1;
                assert!(polls < 2, "on purpose");
                false
            })
        }));
        assert!(panicked.is_err());
        gate.let_go("2");
        let outcome = client.invoke(Invocation::from(request(b"2")).timeout(Duration::from_secs(20)));
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
        gate.let_go("1");
        release(gate, alone);
    });
}

/// While nobody drives the runtime, the server closes more connections than a thread that waits sees events at once.
#[test]
fn connections_that_were_closed_at_rest_are_not_used() {
    const CALLS: usize = 150;
    let _turn = alone();
    let (is_over, closed) =
        (&*Box::leak(Box::new(Barrier::new(CALLS + 1))), &*Box::leak(Box::new(Barrier::new(CALLS + 1))));
    let together: &Barrier = Box::leak(Box::new(Barrier::new(CALLS)));
    let server = Server::start(move |number, mut connection| {
        let is_old = number < CALLS;
        while connection.request().is_some() {
            if is_old {
                // All calls are under way at once.
                together.wait();
            }
            connection.send(response("200 OK", "", "1").as_bytes());
            if is_old {
                is_over.wait();
                drop(connection);
                closed.wait();
                return;
            }
        }
    });
    let client = server.client();
    let burst = || {
        thread::scope(|scope| {
            let calls: Vec<_> = (0..CALLS).map(|_| scope.spawn(|| client.invoke(request(b"1")))).collect();
            calls.into_iter().map(|call| call.join().unwrap()).collect::<Vec<_>>()
        })
    };
    assert!(burst().iter().all(|outcome| outcome.status == Status::Ok));
    is_over.wait();
    closed.wait();
    for outcome in burst() {
        assert_eq!((outcome.status, outcome.attempts), (Status::Ok, 1), "{outcome:?}");
    }
}
