/**
 * @file
 * liblambda_invoke: invoke AWS Lambda functions from any language that can call C.
 * Made from src/ffi by cbindgen; make header renews it.
 *
 * CONVENTIONS, stated once; a function's comment says only what differs.
 *
 * Success    LAMBDA_OK is 0. Compare with LAMBDA_OK, never with '< 0': LAMBDA_FUNCTION_ERROR is > 0 and no success.
 * Arguments  Receiver, inputs, outputs. Outputs are written only on LAMBDA_OK, or as the function says. NULL where an
 *            object or an output belongs is LAMBDA_E_INVALID_ARGUMENT; *_free(NULL) does nothing; NULL as the value of
 *            an optional setting unsets it. Unknown numbers are LAMBDA_E_INVALID_ARGUMENT.
 * Setters    A setter that refuses a value returns why, and the object remembers it: lambda_client_new and
 *            lambda_invoke then fail with that message and send nothing, until the field is set well. So nobody needs
 *            to look at the return of every setter.
 * Strings    In: UTF-8, NUL-terminated, copied before the function returns. Out: UTF-8 without inner NULs (U+0000
 *            becomes U+FFFD), alive as long as the object that they came from. Payload and log are bytes with a length.
 * Threads    lambda_client: every function from any thread at any time, but lambda_client_free, which must be the last
 *            use. All other objects: one thread at a time; several may read one through const pointers while none
 *            changes it, so many threads may invoke one lambda_request at once.
 * Lifetime   Objects do not depend on each other: free them in any order. A client's inside lives until its last call
 *            is done. What the library made, only the library's own _free releases.
 * Time       Durations are uint64_t milliseconds; 0 is the default.
 * Callbacks  Run with the signal mask of the thread that called lambda_*. They must not throw, longjmp, or end the
 *            thread. release(user_data), if given, is called once, when the last object that could call back is gone;
 *            never in a forked child on behalf of its parent.
 * Signals    No SIGPIPE reaches the host; dispositions are never changed; no function is async-signal-safe.
 *            pthread_cancel takes effect only after the function has returned.
 * fork       A child may use and free what its parent made. Do not fork inside a callback.
 * Panics     Come back as LAMBDA_E_INTERNAL. No memory for a payload or an answer is LAMBDA_E_NO_MEMORY.
 * ABI        Functions and numbers are only added. struct lambda_result is frozen: what comes later comes as a function
 *            that takes a const lambda_result *. The number in the soname changes only if this is broken.
 *
 * A whole call; lambda_invoke is never NULL, every failure is a result:
 *
 * ```c
 * #include "lambda_invoke.h"
 *
 * int main(void) {
 *     lambda_client *client = NULL;
 *     if (lambda_client_new(NULL, &client, NULL) != LAMBDA_OK) {
 *         return 1;
 *     }
 *     lambda_request *request = lambda_request_new();
 *     lambda_request_set_function_name(request, "hello");
 *     lambda_result *result = lambda_invoke(client, request);
 *     int failed = result->status != LAMBDA_OK;
 *     lambda_result_free(result);
 *     lambda_request_free(request);
 *     lambda_client_free(client);
 *     return failed;
 * }
 * ```
 */

#ifndef LAMBDA_INVOKE_H
#define LAMBDA_INVOKE_H

#include <stddef.h>
#include <stdint.h>

/** The major version of this header. */
#define LAMBDA_VERSION_MAJOR 0

/** The minor version of this header. */
#define LAMBDA_VERSION_MINOR 1

/** The patch version of this header. */
#define LAMBDA_VERSION_PATCH 0

/**
 * The version of this header as major * 1000000 + minor * 1000 + patch. A program needs a library whose
 * lambda_version_number() is at least this.
 */
#define LAMBDA_VERSION_NUMBER (LAMBDA_VERSION_MAJOR * 1000000 + LAMBDA_VERSION_MINOR * 1000 + LAMBDA_VERSION_PATCH)

/** The call succeeded: the function returned, the event was queued, or the dry run was allowed. */
#define LAMBDA_OK 0

/** The function ran and failed: error_type and error_message are its own. */
#define LAMBDA_FUNCTION_ERROR 1

/** The stream is over. */
#define LAMBDA_END 2

/** Nothing came in time; call again. */
#define LAMBDA_PENDING 3

/** A value that cannot be sent, NULL where an object belongs, a number that does not exist. */
#define LAMBDA_E_INVALID_ARGUMENT -1

/**
 * No region, no such profile, a bad setting in the environment or a file, an unreadable CA file, FIPS with a custom
 * endpoint ...
 */
#define LAMBDA_E_CONFIG -2

/** No usable credentials: error_message lists every source that was asked. */
#define LAMBDA_E_CREDENTIALS -3

/** The endpoint's name could not be looked up. */
#define LAMBDA_E_RESOLVE -4

/** No connection: refused, unreachable, connect timeout, or the proxy said no. */
#define LAMBDA_E_CONNECT -5

/** The TLS handshake failed. */
#define LAMBDA_E_TLS -6

/** The connection broke after the request had begun; execution says what is known. */
#define LAMBDA_E_IO -7

/** The call's deadline passed; execution says whether anything had been sent. */
#define LAMBDA_E_TIMEOUT -8

/** The caller ended the call. */
#define LAMBDA_E_CANCELLED -9

/** The service turned the request away for its rate: throttle_reason and retry_after_ms say more. */
#define LAMBDA_E_THROTTLED -10

/** An HTTP error answer: error_type is its code, if it had one. */
#define LAMBDA_E_SERVICE -11

/** The answer makes no sense for this API: no HTTP, 3xx, an odd 2xx. */
#define LAMBDA_E_PROTOCOL -12

/** The answer is longer than max_response_bytes. */
#define LAMBDA_E_TOO_LARGE -13

/** A caught panic; please report it. */
#define LAMBDA_E_INTERNAL -14

/** No memory for a payload or an answer. */
#define LAMBDA_E_NO_MEMORY -15

/** "Did it run?" Nobody knows: it may have run, may be running, may run yet. */
#define LAMBDA_EXECUTION_UNKNOWN 0

/** Certainly not, and it will not. */
#define LAMBDA_EXECUTION_NONE 1

/** It was started; whether it finished, and how, says the status. */
#define LAMBDA_EXECUTION_RAN 2

/** Lambda took the event (202) and will run it, by its own rules at least once and again after errors. */
#define LAMBDA_EXECUTION_QUEUED 3

/** Waits for the function's response. */
#define LAMBDA_INVOCATION_REQUEST_RESPONSE 0

/** Queues the event; Lambda runs the function later. */
#define LAMBDA_INVOCATION_EVENT 1

/** Only checks that the caller may invoke the function. */
#define LAMBDA_INVOCATION_DRY_RUN 2

/** The response carries no log. */
#define LAMBDA_LOG_TYPE_NONE 0

/** The response carries the end of the function's log. */
#define LAMBDA_LOG_TYPE_TAIL 1

/** Retry only what certainly did not run. */
#define LAMBDA_RETRY_SAFE 0

/** Never retry. */
#define LAMBDA_RETRY_NONE 1

/** Retry also when it may have run: for functions that may run twice. */
#define LAMBDA_RETRY_ALWAYS 2

/** Log nothing. */
#define LAMBDA_LOG_LEVEL_OFF 0

/** A call failed, or will. */
#define LAMBDA_LOG_LEVEL_ERROR 1

/** Something is not as it should be, and was dealt with. */
#define LAMBDA_LOG_LEVEL_WARN 2

/** What is rare and good to know. */
#define LAMBDA_LOG_LEVEL_INFO 3

/** Every attempt and its outcome. */
#define LAMBDA_LOG_LEVEL_DEBUG 4

/** What else can be told. */
#define LAMBDA_LOG_LEVEL_TRACE 5

/**
 * Settings, credentials, connections and retry quota, shared by all who call with it. Threads: any.
 * Owns: the caller, lambda_client_free. Costs no thread, and no descriptor until the first call.
 */
typedef struct lambda_client lambda_client;

/**
 * How to reach Lambda. What is not set comes from the environment and the shared AWS files when the client is made.
 * Owns: the caller, lambda_config_free; a client copies it.
 */
typedef struct lambda_config lambda_config;

/** Filled in by a credentials callback; lives only during the callback. */
typedef struct lambda_credentials lambda_credentials;

/** Why an object could not be made. Owns: the caller, lambda_error_free. */
typedef struct lambda_error lambda_error;

/**
 * What to invoke. Reusable; a call takes its own snapshot (without copying the payload) before it returns, so the
 * request may be changed or freed at once. Owns: the caller, lambda_request_free.
 */
typedef struct lambda_request lambda_request;

/** What became of a call: 0 is success, > 0 says something else than failure of the call, < 0 the call failed. */
typedef int32_t lambda_status;

/**
 * Fills `out` with lambda_credentials_set and returns LAMBDA_OK, or explains with lambda_credentials_set_error and
 * returns anything else. Called when there are no credentials yet and shortly before they expire, never twice at once
 * for one client, on the thread inside the call. May block: the deadline of the call that it serves is then late,
 * other calls' are not. May use other clients, but not the one that it serves.
 */
typedef lambda_status (*lambda_credentials_fn)(void *user_data, struct lambda_credentials *out);

/** Called once with the user_data that came with it. */
typedef void (*lambda_release_fn)(void *user_data);

/** Called where it happens, from several threads at once. The strings die on return. Must not call lambda_*. */
typedef void (*lambda_log_fn)(void *user_data, int32_t level, const char *target, const char *message);

/**
 * Called on the thread inside a blocking call, before it begins and then at least every 100 ms while it waits; anything
 * but 0 ends the call with LAMBDA_E_CANCELLED.
 */
typedef int32_t (*lambda_interrupt_fn)(void *user_data);

/** What became of one call. Made by the library, read-only, freed by lambda_result_free. Frozen layout. */
typedef struct lambda_result {
  /** LAMBDA_* */
  lambda_status status;
  /** LAMBDA_EXECUTION_* */
  int32_t execution;
  /** of the last answer; 0 if there was none */
  int32_t http_status;
  /** tries begun, those that found no connection included; 0 if refused before the first */
  uint32_t attempts;
  /**
   * what the function returned or threw; empty unless status is LAMBDA_OK or LAMBDA_FUNCTION_ERROR. Never NULL, and a
   * NUL stands past the end
   */
  const uint8_t *payload;
  /** the number of bytes in payload */
  size_t payload_len;
  /**
   * decoded tail, bytes: may start mid-line, hold NULs, be no UTF-8; a NUL past the end; NULL if none was sent, or
   * what was sent is no base64
   */
  const char *log;
  /** the number of bytes in log */
  size_t log_len;
  /** as sent ("Unhandled", "Handled", ...); NULL if the function did not fail */
  const char *function_error;
  /** the function's errorType, or the service's error code without namespace and suffix, else NULL */
  const char *error_type;
  /** never NULL unless status is LAMBDA_OK; never a secret */
  const char *error_message;
  /** why the service throttled, in its words; else NULL */
  const char *throttle_reason;
  /** of the last answer; 0 if it did not say */
  uint64_t retry_after_ms;
  /** x-amzn-RequestId of the last answer; NULL if it had none */
  const char *request_id;
  /** the version that ran; NULL if the answer did not say */
  const char *executed_version;
  /** NULL if the answer had none */
  const char *durable_execution_arn;
  /** from the call to the end, waits and retries included */
  uint64_t duration_us;
  /** 0; for calls made otherwise than by lambda_invoke */
  uint64_t tag;
  /** of the answer; NULL if it had none */
  const char *content_type;
  /** attempts of this call after which nobody knows whether they ran the function; each is a possible extra run */
  uint32_t unknown_attempts;
  /** 0 */
  uint32_t reserved;
} lambda_result;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

/** The number of the library: major * 1000000 + minor * 1000 + patch. */
uint32_t lambda_version_number(void);

/** "0.1.0"; static. */
const char *lambda_version(void);

/** "LAMBDA_E_TIMEOUT"; static; "LAMBDA_STATUS_UNKNOWN" for a number that this version does not know. */
const char *lambda_status_name(lambda_status status);

/** session_token may be NULL. expires_unix_s: seconds since 1970, 0: they do not run out. */
lambda_status lambda_credentials_set(struct lambda_credentials *out,
                                     const char *access_key_id,
                                     const char *secret_access_key,
                                     const char *session_token,
                                     int64_t expires_unix_s);

/** Why there are none: it becomes part of the call's error_message. */
lambda_status lambda_credentials_set_error(struct lambda_credentials *out, const char *message);

/** Frees what lambda_client_describe gave; NULL is nothing to free. */
void lambda_string_free(char *string);

/** LAMBDA_E_*; LAMBDA_E_INVALID_ARGUMENT for NULL. */
lambda_status lambda_error_status(const struct lambda_error *error);

/** What is wrong and what to do about it. Never NULL, never a secret. */
const char *lambda_error_message(const struct lambda_error *error);

/** Frees an error; NULL is nothing to free. */
void lambda_error_free(struct lambda_error *error);

/** Reads nothing. NULL only when there is no memory. */
struct lambda_config *lambda_config_new(void);

/** Frees a config; NULL is nothing to free. Clients made with it go on. */
void lambda_config_free(struct lambda_config *config);

/**
 * Such as "us-east-1". A full ARN's own region goes before it. NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's
 * region.
 */
lambda_status lambda_config_set_region(struct lambda_config *config, const char *region);

/**
 * http(s)://host[:port][/path]. NULL: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's services and
 * endpoint_url, else AWS's own for the region.
 */
lambda_status lambda_config_set_endpoint_url(struct lambda_config *config, const char *url);

/**
 * They go before a callback. session_token may be NULL; all three NULL unsets: the callback, else as the AWS tools find
 * them, loaded by the first call that needs them: environment, profile, web identity, container, instance metadata.
 */
lambda_status lambda_config_set_credentials(struct lambda_config *config,
                                            const char *access_key_id,
                                            const char *secret_access_key,
                                            const char *session_token);

/**
 * A profile of the shared AWS files, which must exist. Its credentials then go before the environment's. NULL:
 * AWS_PROFILE, AWS_DEFAULT_PROFILE, "default".
 */
lambda_status lambda_config_set_profile(struct lambda_config *config, const char *profile);

/**
 * callback NULL unsets. Takes user_data also when it fails: release, if given, is called once, when the last object
 * that could call back is gone, or at once; never in a forked child on behalf of its parent.
 */
lambda_status lambda_config_set_credentials_callback(struct lambda_config *config,
                                                     lambda_credentials_fn callback,
                                                     void *user_data,
                                                     lambda_release_fn release);

/**
 * Endpoints with FIPS 140 cryptography: 1 on, 0 off, -1 as if never set: AWS_USE_FIPS_ENDPOINT, the profile's
 * use_fips_endpoint, off. Not together with a custom endpoint.
 */
lambda_status lambda_config_set_use_fips(struct lambda_config *config, int32_t on);

/**
 * Endpoints with IPv6 addresses too: 1 on, 0 off, -1 as if never set: AWS_USE_DUALSTACK_ENDPOINT, the profile's
 * use_dualstack_endpoint, off. Not together with a custom endpoint.
 */
lambda_status lambda_config_set_use_dual_stack(struct lambda_config *config, int32_t on);

/**
 * A PEM file that replaces the system's trust store; lambda_client_new reads it. NULL: AWS_CA_BUNDLE, the profile's
 * ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's; where that is empty, Mozilla's roots.
 */
lambda_status lambda_config_set_ca_bundle(struct lambda_config *config, const char *path);

/**
 * http, https or socks5 URL, with user:password@ if the proxy asks for one. "": no proxy. NULL: HTTPS_PROXY or
 * HTTP_PROXY, ALL_PROXY, with the exceptions of NO_PROXY; each in small letters first.
 */
lambda_status lambda_config_set_proxy(struct lambda_config *config, const char *url);

/**
 * Names the application in User-Agent: 1 to 50 of A-Z, a-z, 0-9 and !#$%&'*+-.^_`|~. NULL: AWS_SDK_UA_APP_ID, the
 * profile's sdk_ua_app_id.
 */
lambda_status lambda_config_set_app_id(struct lambda_config *config, const char *app_id);

/** Name, TCP, proxy and TLS of one connection together; 5 s. Ends an attempt, not the call. */
lambda_status lambda_config_set_connect_timeout_ms(struct lambda_config *config, uint64_t ms);

/** A whole call, waiting for a connection, credentials and retries included; 910 s, Event and DryRun 60 s. */
lambda_status lambda_config_set_timeout_ms(struct lambda_config *config, uint64_t ms);

/** The first try included; 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3. */
lambda_status lambda_config_set_max_attempts(struct lambda_config *config, uint32_t attempts);

/** LAMBDA_RETRY_*. No environment variable and no file ever chooses LAMBDA_RETRY_ALWAYS. */
lambda_status lambda_config_set_retry(struct lambda_config *config, int32_t mode);

/**
 * Calls of this client under way at once in this process; what exceeds it waits its turn inside its own deadline.
 * 0 is the default: what half of RLIMIT_NOFILE allows (a blocking call takes up to 4 descriptors).
 */
lambda_status lambda_config_set_max_connections(struct lambda_config *config, uint32_t connections);

/** Of one answer's payload. 0 is the default, 64 MiB. */
lambda_status lambda_config_set_max_response_bytes(struct lambda_config *config, uint64_t bytes);

/**
 * LAMBDA_LOG_LEVEL_* and quieter are passed to callback; callback NULL or LAMBDA_LOG_LEVEL_OFF unsets. Never a secret.
 * user_data as in lambda_config_set_credentials_callback. LAMBDA_INVOKE_LOG=debug (or another level) prints the same to
 * stderr.
 */
lambda_status lambda_config_set_log(struct lambda_config *config,
                                    int32_t max_level,
                                    lambda_log_fn callback,
                                    void *user_data,
                                    lambda_release_fn release);

/**
 * config NULL: all from the environment and the shared AWS files, which are read here. Blocks: on files, never on
 * the network. error may be NULL; *error is written only on failure, *client only on success. A client copies its
 * config. A missing region and missing credentials are no failure here: each call says so, since a full ARN brings
 * its own region.
 */
lambda_status lambda_client_new(const struct lambda_config *config,
                                struct lambda_client **client,
                                struct lambda_error **error);

/**
 * The settings in force and where each came from: a JSON object with one member a setting, each an object with "value"
 * and "source". Secrets are never shown. Free with lambda_string_free. NULL only for a NULL client or when there is no
 * memory. Blocks: no.
 */
char *lambda_client_describe(const struct lambda_client *client);

/** Must be the client's last use. Does not wait: calls that are under way go on to their end. */
void lambda_client_free(struct lambda_client *client);

/** NULL only when there is no memory. */
struct lambda_request *lambda_request_new(void);

/** A copy that shares the payload. NULL when there is no memory, and for NULL. */
struct lambda_request *lambda_request_clone(const struct lambda_request *request);

/** Frees a request; NULL is nothing to free. */
void lambda_request_free(struct lambda_request *request);

/**
 * Name, partial ARN or ARN, each with optional :qualifier. A full ARN's region signs this call and, unless an endpoint
 * is set, chooses its endpoint. Must be set.
 */
lambda_status lambda_request_set_function_name(struct lambda_request *request, const char *name);

/** 1 to 128 characters. The function's name may hold the same qualifier, but no other. */
lambda_status lambda_request_set_qualifier(struct lambda_request *request, const char *version_or_alias);

/** LAMBDA_INVOCATION_*; REQUEST_RESPONSE unless set. */
lambda_status lambda_request_set_invocation_type(struct lambda_request *request, int32_t invocation_type);

/** LAMBDA_LOG_TYPE_*; NONE unless set; TAIL only with REQUEST_RESPONSE. */
lambda_status lambda_request_set_log_type(struct lambda_request *request, int32_t log_type);

/** Base64 of JSON, at most 3,583 bytes; the same field as _json: the last one set counts. */
lambda_status lambda_request_set_client_context(struct lambda_request *request, const char *base64);

/** JSON, which is checked to be such and sent as base64. */
lambda_status lambda_request_set_client_context_json(struct lambda_request *request, const char *json);

/** Copies. NULL, 0 is no payload; NULL with a length is refused. Lambda takes 6 MB, 1 MB for an Event. */
lambda_status lambda_request_set_payload(struct lambda_request *request, const void *data, size_t len);

/** 1 to 256 characters of printable ASCII; inner spaces are kept. */
lambda_status lambda_request_set_tenant_id(struct lambda_request *request, const char *tenant_id);

/**
 * 1 to 64 characters of printable ASCII. Sent as it is; does not change what is retried (see lambda_request_set_retry).
 */
lambda_status lambda_request_set_durable_execution_name(struct lambda_request *request, const char *name);

/** X-Amzn-Trace-Id. Inside a Lambda function pass _X_AMZN_TRACE_ID on, so that Lambda can stop endless loops. */
lambda_status lambda_request_set_trace_header(struct lambda_request *request, const char *trace_header);

/** The whole call; 0 = the client's. */
lambda_status lambda_request_set_timeout_ms(struct lambda_request *request, uint64_t ms);

/** LAMBDA_RETRY_* for this request; -1 = the client's. */
lambda_status lambda_request_set_retry(struct lambda_request *request, int32_t mode);

/**
 * Whom lambda_invoke asks while it waits. callback and user_data must outlive the calls made with this request.
 * callback NULL unsets.
 */
lambda_status lambda_request_set_interrupt(struct lambda_request *request,
                                           lambda_interrupt_fn callback,
                                           void *user_data);

/**
 * A deep copy; also the way to make a result for tests: fill a zeroed struct lambda_result and clone it. Never NULL.
 */
struct lambda_result *lambda_result_clone(const struct lambda_result *result);

/** Frees a result that the library made; NULL is nothing to free. */
void lambda_result_free(struct lambda_result *result);

/**
 * Invokes and waits. Never NULL: every failure is a result, a NULL client too. Blocks: until the answer, the deadline
 * or an interrupt. Owns: the caller, lambda_result_free.
 */
struct lambda_result *lambda_invoke(const struct lambda_client *client, const struct lambda_request *request);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* LAMBDA_INVOKE_H */
