//! A fuzz target: the functions of the C ABI in any order that the header allows, with any values, NULL among them. Nothing
//! listens at the endpoint, so every call fails, and no function runs. Compiled for src/fuzzing only.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::client::*;
use super::config::*;
use super::credentials::*;
use super::error::*;
use super::invoke::*;
use super::queue::*;
use super::request::*;
use super::result::*;
use super::status::*;
use super::stream::*;
use super::string::*;

/// Stands for a secret, and in no message.
const SECRET: &CStr = c"hunter2+hunter2";
const WITH_SECRET: &CStr = c"http://user:hunter2+hunter2@127.0.0.1:1";
const ENDPOINT: &CStr = c"http://127.0.0.1:1";
/// Of every call.
const TIMEOUT_MS: u64 = 20;

/// Values that get far; others come from the input itself.
const TEXTS: [&CStr; 11] = [
    c"f",
    c"arn:aws:lambda:eu-west-1:123456789012:function:f:live",
    c"live",
    c"eu-west-1",
    c"",
    c"{\"custom\":{}}",
    c"e30=",
    c"http://127.0.0.1:1",
    c"/nowhere",
    c"a\r\nb",
    c"caf\xe9",
];
const NUMBERS: [i64; 8] = [0, 1, 2, -1, 3, 20, i64::MAX, i64::MIN];

/// The user_data of a callback.
#[derive(Default)]
struct Token {
    /// What its callback does.
    kind: u8,
    /// How often it must be released.
    owed: u32,
    releases: AtomicU32,
}

impl Token {
    /// # Safety
    /// `user_data` is one that this target has set.
    unsafe fn of<'a>(user_data: *mut c_void) -> &'a Self {
        // SAFETY: tokens live until all that could use them was freed.
        let token = unsafe { &*user_data.cast::<Self>() };
        assert_eq!(token.releases.load(Ordering::SeqCst), 0, "a callback is called after its release");
        token
    }
}

unsafe extern "C" fn release(user_data: *mut c_void) {
    // SAFETY: every token is set with this function.
    unsafe { Token::of(user_data) }.releases.fetch_add(1, Ordering::SeqCst);
}

unsafe extern "C" fn interrupt(user_data: *mut c_void) -> i32 {
    // SAFETY: a token is set with this function.
    i32::from(unsafe { Token::of(user_data) }.kind % 2)
}

unsafe extern "C" fn log(user_data: *mut c_void, level: i32, target: *const c_char, message: *const c_char) {
    // SAFETY: a token is set with this function, and both texts live until it returns.
    let (_, target, message) = unsafe { (Token::of(user_data), CStr::from_ptr(target), CStr::from_ptr(message)) };
    assert!((1..=5).contains(&level) && !target.is_empty());
    check_text(message);
}

unsafe extern "C" fn credentials(user_data: *mut c_void, out: *mut lambda_credentials) -> lambda_status {
    let [id, secret, token, error] = [c"AKID", SECRET, c"token", c"none today"].map(CStr::as_ptr);
    // SAFETY: a token is set with this function, and `out` lives until it returns.
    unsafe {
        match Token::of(user_data).kind % 6 {
            0 => lambda_credentials_set(out, id, secret, null(), 0),
            1 => lambda_credentials_set(out, id, secret, token, i64::MAX),
            2 => lambda_credentials_set(out, id, null(), token, -1),
            3 => lambda_credentials_set_error(out, error),
            4 => {
                let _ = lambda_credentials_set(null_mut(), id, secret, null(), 0);
                lambda_credentials_set_error(out, null())
            }
            _ => LAMBDA_OK,
        }
    }
}

/// Checks a message: one line without the secret.
fn check_text(text: &CStr) {
    assert!(text.to_str().is_ok(), "{text:?} is not UTF-8");
    let text = text.to_string_lossy();
    assert!(!text.chars().any(char::is_control), "{text:?} has a control character");
    assert!(!text.as_bytes().windows(SECRET.count_bytes()).any(|part| part == SECRET.to_bytes()), "{text}");
}

/// All objects that a sequence has.
struct Sequence<'d> {
    input: &'d [u8],
    configs: [*mut lambda_config; 2],
    clients: [*mut lambda_client; 2],
    requests: [*mut lambda_request; 2],
    results: [*mut lambda_result; 2],
    errors: [*mut lambda_error; 2],
    queues: [*mut lambda_queue; 1],
    streams: [*mut lambda_stream; 2],
    tokens: Vec<Rc<Token>>,
    /// Completions that will still come.
    accepted: usize,
}

/// Runs the calls that an input stands for, then frees what is left.
pub(crate) fn run(data: &[u8]) {
    if data.windows(SECRET.count_bytes()).any(|part| part == SECRET.to_bytes()) {
        return;
    }
    let mut sequence = Sequence {
        input: data,
        configs: [null_mut(); 2],
        clients: [null_mut(); 2],
        requests: [null_mut(); 2],
        results: [null_mut(); 2],
        errors: [null_mut(); 2],
        queues: [null_mut()],
        streams: [null_mut(); 2],
        tokens: Vec::new(),
        accepted: 0,
    };
    // A call takes a while.
    for _ in 0..64 {
        if sequence.input.is_empty() {
            break;
        }
        sequence.step();
    }
    sequence.end();
}

impl Sequence<'_> {
    /// Takes a byte; behind the end of the input they are 0.
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.input.split_first() else { return 0 };
        self.input = rest;
        *first
    }

    fn is_one_in(&mut self, n: u8) -> bool {
        self.byte().is_multiple_of(n)
    }

    fn number(&mut self) -> i64 {
        NUMBERS[usize::from(self.byte()) % NUMBERS.len()]
    }

    /// Takes a text; `None` is NULL.
    fn text(&mut self) -> Option<CString> {
        match usize::from(self.byte()) {
            0 => None,
            known if known <= TEXTS.len() => Some(TEXTS[known - 1].into()),
            length => {
                let (text, rest) = self.input.split_at(length.min(self.input.len()) % 32);
                self.input = rest;
                CString::new(text).ok()
            }
        }
    }

    /// Takes a URL, perhaps one with a password; `None` is NULL.
    fn url(&mut self) -> Option<CString> {
        match self.byte() % 4 {
            0 => Some(WITH_SECRET.into()),
            _ => self.text(),
        }
    }

    fn token(&mut self, owed: u32) -> *mut c_void {
        let kind = self.byte();
        let token = Rc::new(Token { kind, owed, ..Token::default() });
        self.tokens.push(Rc::clone(&token));
        Rc::as_ptr(&token).cast_mut().cast()
    }

    /// Makes one call.
    #[allow(clippy::too_many_lines, reason = "one decision: which function")]
    fn step(&mut self) {
        let (function, which) = (self.byte(), self.byte());
        let of = usize::from(which) % 2;
        // Of a third of all calls the object is NULL.
        let is_null = which % 3 == 2;
        let (config, client, request) = match is_null {
            true => (null_mut(), null_mut(), null_mut()),
            false => (self.configs[of], self.clients[of], self.requests[of]),
        };
        let text = |text: &Option<CString>| text.as_ref().map_or(null(), |text| text.as_ptr());
        // SAFETY: every object is NULL, or was made by the library and not freed; texts live until the call returns, and
        // tokens longer than all objects.
        unsafe {
            match function % 48 {
                0 if self.configs[of].is_null() => self.configs[of] = lambda_config_new(),
                1 => lambda_config_free(std::mem::replace(&mut self.configs[of], null_mut())),
                2 => check_status(lambda_config_set_region(config, text(&self.text()))),
                3 => check_status(lambda_config_set_profile(config, text(&self.text()))),
                4 => check_status(lambda_config_set_endpoint_url(config, text(&self.url()))),
                5 => {
                    let [id, secret, token] = [(); 3].map(|()| self.text());
                    check_status(lambda_config_set_credentials(config, text(&id), text(&secret), text(&token)));
                }
                6 => {
                    let token = self.token(1);
                    let callback = (!self.is_one_in(4)).then_some(credentials as _);
                    check_status(lambda_config_set_credentials_callback(config, callback, token, Some(release)));
                }
                7 => check_status(lambda_config_set_use_fips(config, self.number() as i32)),
                8 => check_status(lambda_config_set_use_dual_stack(config, self.number() as i32)),
                9 => check_status(lambda_config_set_ca_bundle(config, text(&self.text()))),
                10 => check_status(lambda_config_set_proxy(config, text(&self.url()))),
                11 => check_status(lambda_config_set_app_id(config, text(&self.text()))),
                12 => check_status(lambda_config_set_connect_timeout_ms(config, self.number() as u64)),
                13 => check_status(lambda_config_set_timeout_ms(config, self.number() as u64)),
                14 => check_status(lambda_config_set_max_attempts(config, self.number() as u32)),
                15 => check_status(lambda_config_set_retry(config, self.number() as i32)),
                16 => check_status(lambda_config_set_max_connections(config, self.number() as u32)),
                17 => check_status(lambda_config_set_max_response_bytes(config, self.number() as u64)),
                18 => {
                    let (token, level) = (self.token(1), self.number() as i32);
                    let callback = (!self.is_one_in(4)).then_some(log as _);
                    check_status(lambda_config_set_log(config, level, callback, token, Some(release)));
                }
                19 | 20 => self.make_client(of, config),
                21 => lambda_client_free(std::mem::replace(&mut self.clients[of], null_mut())),
                22 => lambda_client_release_idle(client),
                23 => describe(client),
                24 if self.requests[of].is_null() => self.requests[of] = lambda_request_new(),
                25 => lambda_request_free(std::mem::replace(&mut self.requests[of], null_mut())),
                26 if self.requests[1 - of].is_null() => self.requests[1 - of] = lambda_request_clone(request),
                27 => check_status(lambda_request_set_function_name(request, text(&self.text()))),
                28 => check_status(lambda_request_set_qualifier(request, text(&self.text()))),
                29 => check_status(lambda_request_set_invocation_type(request, self.number() as i32)),
                30 => check_status(lambda_request_set_log_type(request, self.number() as i32)),
                31 => check_status(lambda_request_set_client_context(request, text(&self.text()))),
                32 => check_status(lambda_request_set_client_context_json(request, text(&self.text()))),
                33 => {
                    let payload = self.text();
                    let length = payload.as_ref().map_or(self.number() as usize, |text| text.count_bytes());
                    check_status(lambda_request_set_payload(request, text(&payload).cast(), length));
                }
                34 => check_status(lambda_request_set_tenant_id(request, text(&self.text()))),
                35 => check_status(lambda_request_set_durable_execution_name(request, text(&self.text()))),
                36 => check_status(lambda_request_set_trace_header(request, text(&self.text()))),
                37 => check_status(lambda_request_set_retry(request, self.number() as i32)),
                38 => {
                    let token = self.token(0);
                    let callback = (!self.is_one_in(4)).then_some(interrupt as _);
                    check_status(lambda_request_set_interrupt(request, callback, token));
                }
                39 | 40 => {
                    self.limit_time(request);
                    let result = lambda_invoke(client, request);
                    self.keep(of, result);
                }
                41 => self.clone_result(of),
                42 => self.make_queue(of),
                43 => self.submit(client, request),
                44 => self.take_completion(),
                45 => self.use_queue(),
                46 | 47 => self.use_stream(of, client, request),
                _ => {}
            }
        }
    }

    /// Makes a client whose calls reach nobody, whatever else was set, or one that is only described.
    fn make_client(&mut self, of: usize, config: *mut lambda_config) {
        let (mut client, mut error) = (null_mut(), null_mut());
        let (with_credentials, with_error) = (self.is_one_in(2), !self.is_one_in(4));
        let calls = !self.is_one_in(8);
        let place = if self.is_one_in(8) || config.is_null() { null_mut() } else { &raw mut client };
        let [id, secret] = [c"AKID", SECRET].map(CStr::as_ptr);
        let token = self.token(1);
        // SAFETY: as in `step`.
        let status = unsafe {
            check_status(lambda_config_set_max_attempts(config, 1));
            if calls {
                check_status(lambda_config_set_endpoint_url(config, ENDPOINT.as_ptr()));
                check_status(lambda_config_set_proxy(config, c"".as_ptr()));
            }
            check_status(lambda_config_set_credentials_callback(config, Some(credentials), token, Some(release)));
            if with_credentials {
                check_status(lambda_config_set_credentials(config, id, secret, null()));
            }
            lambda_client_new(config, place, if with_error { &raw mut error } else { null_mut() })
        };
        check_status(status);
        assert_eq!(status == LAMBDA_OK, !client.is_null());
        assert_eq!(status != LAMBDA_OK && with_error, !error.is_null());
        // SAFETY: both are NULL or were made by the library, and so are those that they replace.
        unsafe {
            assert!(error.is_null() || lambda_error_status(error) == status);
            check_text(CStr::from_ptr(lambda_error_message(error)));
            lambda_error_free(std::mem::replace(&mut self.errors[of], error));
            if calls {
                lambda_client_free(std::mem::replace(&mut self.clients[of], client));
            } else {
                describe(client);
                lambda_client_free(client);
            }
        }
    }

    /// Keeps a result that was just made, of a call that reached nobody.
    fn keep(&mut self, of: usize, result: *mut lambda_result) {
        // SAFETY: it was just made.
        let made = unsafe { &*result };
        check_status(made.status);
        assert!(made.status < 0, "nobody can have responded");
        assert_eq!(made.execution, LAMBDA_EXECUTION_NONE);
        assert!((made.attempts, made.unknown_attempts, made.http_status) <= (1, 0, 0));
        assert!(!made.payload.is_null() && made.payload_len == 0 && !made.error_message.is_null());
        // SAFETY: the result is live, and its message is not NULL; the other was made by the library too.
        unsafe {
            check_text(CStr::from_ptr(made.error_message));
            lambda_result_free(std::mem::replace(&mut self.results[of], result));
        }
    }

    /// Copies a result, of the library or of the caller.
    fn clone_result(&mut self, of: usize) {
        let (message, payload) = (self.text(), self.text());
        let own = lambda_result {
            error_message: message.as_ref().map_or(null(), |text| text.as_ptr()),
            payload: payload.as_ref().map_or(null(), |text| text.as_ptr().cast()),
            payload_len: payload.as_ref().map_or(0, |text| text.count_bytes()),
            // SAFETY: numbers and pointers that may be 0.
            ..unsafe { std::mem::zeroed() }
        };
        let from = match self.byte() % 3 {
            0 => &raw const own,
            1 => self.results[of],
            _ => null(),
        };
        // SAFETY: both results are live, and so is all that they point to.
        unsafe {
            let copy = lambda_result_clone(from);
            if let Some(from) = from.as_ref() {
                assert_eq!((*copy).status, from.status);
                assert_eq!((*copy).payload_len, from.payload_len);
                assert_eq!((*copy).error_message.is_null(), from.error_message.is_null());
            }
            lambda_result_free(std::mem::replace(&mut self.results[1 - of], copy));
        }
    }

    fn make_queue(&mut self, of: usize) {
        let (mut queue, mut error) = (null_mut(), null_mut());
        let place = if of == 0 { &raw mut queue } else { null_mut() };
        // SAFETY: NULL or places for the objects; what they replace was made by the library.
        unsafe {
            let status = lambda_queue_new(place, &raw mut error);
            assert_eq!((status == LAMBDA_OK, error.is_null()), (!queue.is_null(), !queue.is_null()));
            lambda_error_free(error);
            if !queue.is_null() {
                self.free_queue();
                self.queues[0] = queue;
            }
        }
    }

    fn submit(&mut self, client: *const lambda_client, request: *mut lambda_request) {
        self.limit_time(request);
        let tag = u64::from(self.byte());
        // SAFETY: as in `step`.
        let status = unsafe { lambda_queue_submit(self.queues[0], client, request, tag) };
        check_status(status);
        self.accepted += usize::from(status == LAMBDA_OK);
    }

    fn take_completion(&mut self) {
        let timeout = if self.accepted > 0 { self.number() } else { 0 };
        // SAFETY: as in `step`.
        let result = unsafe { lambda_queue_next(self.queues[0], timeout) };
        if !result.is_null() {
            assert!(self.accepted > 0, "nothing was submitted");
            self.accepted -= 1;
            self.keep(0, result);
        }
    }

    fn use_queue(&mut self) {
        let (queue, tag) = (self.queues[0], u64::from(self.byte()));
        // SAFETY: as in `step`.
        unsafe {
            match self.byte() % 4 {
                0 => check_status(lambda_queue_cancel(queue, tag)),
                1 => assert_eq!(lambda_queue_in_flight(queue), self.accepted),
                2 => assert_eq!(lambda_queue_fd(queue) < 0, queue.is_null()),
                _ => lambda_queue_wake(queue),
            }
        }
    }

    fn use_stream(&mut self, of: usize, client: *const lambda_client, request: *mut lambda_request) {
        let stream = self.streams[of];
        if stream.is_null() {
            self.limit_time(request);
            // SAFETY: as in `step`.
            self.streams[of] = unsafe { lambda_invoke_stream(client, request) };
            return;
        }
        let (mut data, mut length) = (null(), 0);
        // SAFETY: the stream was made by the library and is not freed; the places are valid.
        unsafe {
            match self.byte() % 4 {
                0 => {
                    let status = lambda_stream_next(stream, self.number(), &raw mut data, &raw mut length);
                    assert!(data.is_null() && length == 0 && (status == LAMBDA_PENDING || status < 0), "{status}");
                }
                1 => check_status(lambda_stream_next(stream, 0, null_mut(), null_mut())),
                2 => lambda_stream_cancel(stream),
                _ => {
                    self.streams[of] = null_mut();
                    self.keep(of, lambda_stream_finish(stream));
                }
            }
        }
    }

    /// Lets no call take long.
    fn limit_time(&mut self, request: *mut lambda_request) {
        // SAFETY: as in `step`.
        unsafe { check_status(lambda_request_set_timeout_ms(request, TIMEOUT_MS)) };
    }

    fn free_queue(&mut self) {
        // SAFETY: it was made by the library.
        unsafe { lambda_queue_free(std::mem::replace(&mut self.queues[0], null_mut())) };
        self.accepted = 0;
    }

    /// Frees everything in an order that the input chooses, and checks that every user_data was released once.
    fn end(mut self) {
        let clients_first = self.is_one_in(2);
        let free_clients = |clients: [*mut lambda_client; 2]| {
            // SAFETY: they were made by the library.
            clients.into_iter().for_each(|client| unsafe { lambda_client_free(client) });
        };
        if clients_first {
            free_clients(std::mem::replace(&mut self.clients, [null_mut(); 2]));
        }
        self.free_queue();
        // SAFETY: all were made by the library, and are not used afterwards.
        unsafe {
            for stream in self.streams {
                lambda_result_free(lambda_stream_finish(stream));
            }
            self.results.into_iter().for_each(|result| lambda_result_free(result));
            self.requests.into_iter().for_each(|request| lambda_request_free(request));
            self.configs.into_iter().for_each(|config| lambda_config_free(config));
            self.errors.into_iter().for_each(|error| lambda_error_free(error));
        }
        free_clients(self.clients);
        // A credentials callback of a queue has a thread of its own, which may end a moment later.
        let until = Instant::now() + Duration::from_secs(5);
        let is_due = |token: &Token| token.releases.load(Ordering::SeqCst) < token.owed;
        while self.tokens.iter().any(|token| is_due(token)) && Instant::now() < until {
            thread::yield_now();
        }
        for token in &self.tokens {
            assert_eq!(token.releases.load(Ordering::SeqCst), token.owed, "releases of a user_data");
        }
    }
}

fn describe(client: *const lambda_client) {
    // SAFETY: the client is NULL or live, and so is the text.
    unsafe {
        let described = lambda_client_describe(client);
        assert_eq!(described.is_null(), client.is_null());
        if !described.is_null() {
            check_text(CStr::from_ptr(described));
        }
        lambda_string_free(described);
    }
}

/// Checks that a status has a name, and that nothing panicked.
fn check_status(status: lambda_status) {
    // SAFETY: the names are static.
    let name = unsafe { CStr::from_ptr(lambda_status_name(status)) };
    assert_ne!(name, c"LAMBDA_STATUS_UNKNOWN");
    assert_ne!(status, LAMBDA_E_INTERNAL);
}
