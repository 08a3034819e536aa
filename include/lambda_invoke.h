/**
 * @file
 * liblambda_invoke: invoke AWS Lambda functions from any language that can call C.
 * Made from src/ffi by cbindgen; make header renews it.
 *
 * CONVENTIONS. They are stated once; a function's comment states only what differs.
 *
 * Success    LAMBDA_OK is 0. Compare with LAMBDA_OK, never with '< 0': LAMBDA_FUNCTION_ERROR is above 0 and not a success.
 * Arguments  The receiver comes first, then inputs, then outputs. Outputs are written only on LAMBDA_OK, unless the
 *            function states otherwise. Passing NULL for a required object or output returns LAMBDA_E_INVALID_ARGUMENT,
 *            as does a number that does not exist. Passing NULL as the value of an optional setting unsets it.
 *            lambda_*_free(NULL) does nothing.
 * Setters    You need not check every setter. A setter that rejects a value returns why, and the object remembers it:
 *            lambda_client_new, lambda_invoke, lambda_invoke_stream and the completion of lambda_queue_submit then fail with
 *            that message, and nothing is sent, until the field is set to a valid value.
 * Strings    Inputs are UTF-8 and NUL-terminated; they are copied before the function returns. Outputs are UTF-8 without
 *            inner NULs (U+0000 becomes U+FFFD) and live as long as the object that they came from. Payload and log are
 *            bytes with a length.
 * Threads    Every function of lambda_client and lambda_queue may be called from any thread at any time, except their
 *            _free, after which the object must not be used. All other objects belong to one thread at a time. Several
 *            threads may read one object through const pointers while none changes it, so many threads may invoke one
 *            lambda_request. lambda_stream_cancel may be called from any thread until lambda_stream_finish.
 * Stack      A blocking call and a stream need up to 96 KiB of stack, over HTTP and HTTPS and with every source of
 *            credentials. What your callbacks need comes on top of it.
 * Lifetime   Objects do not depend on each other: free them in any order. What a client shares lives until its last call
 *            is done, in a queue too. Only the library's own lambda_*_free functions, and lambda_stream_finish, release
 *            what the library made.
 * Time       Durations are uint64_t milliseconds; 0 is the default. A duration that you compute must be at least 1.
 *            A wait is int64_t milliseconds: 0 only looks, -1 waits forever.
 *            Without TLS, a server that sends nothing but interim (1xx) responses can delay the end of a call, and
 *            its interrupts, by about a second.
 * Memory     A payload or a response that finds no memory is LAMBDA_E_NO_MEMORY. When the process has no memory left at
 *            all, the library has a reserve of 19 MiB, from which about ten calls at once can end normally. While half of
 *            it is in use and there is still no memory, functions that begin something return LAMBDA_E_NO_MEMORY, or
 *            NULL, and send nothing. More calls than that, or a thread that starts or ends without memory, can still abort
 *            the process.
 * Callbacks  Run on a thread that is inside the library, or on one of the library's own, with the signal mask of the
 *            thread that called lambda_*; on one of the library's own, with all signals blocked. They must not throw, call
 *            longjmp, or end the thread. release(user_data), if given, is called once, when the last object that could
 *            call back is gone, but never in a forked child on behalf of its parent.
 * Signals    No SIGPIPE reaches the application, and signal dispositions are never changed. No function is
 *            async-signal-safe. pthread_cancel takes effect only after the function has returned.
 * Fork       A child may use and free what its parent made. Its queues are empty: ask lambda_queue_fd anew. A stream of the
 *            parent's returns LAMBDA_E_CANCELLED there, and stays open in the parent. Do not fork inside a credentials
 *            callback or an interrupt.
 * Panics     A panic inside the library is caught and becomes LAMBDA_E_INTERNAL.
 * ABI        Functions and numbers are only added. struct lambda_result is frozen: later members come as functions that
 *            take a const lambda_result *. The number in the soname changes only if this is broken.
 *
 * A whole call; lambda_invoke never returns NULL, every failure is a result:
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

/** Has the compiler warn where a program drops the result of a function, which the program owns. */
#if defined(__GNUC__)
#define LAMBDA_MUST_USE __attribute__((warn_unused_result))
#else
#define LAMBDA_MUST_USE
#endif

/** The call succeeded: the function returned, the event was queued, or the dry run was allowed. */
#define LAMBDA_OK 0

/** The function ran and failed: error_type and error_message are the function's own. */
#define LAMBDA_FUNCTION_ERROR 1

/** The stream is over: the status of its result is LAMBDA_OK or LAMBDA_FUNCTION_ERROR. */
#define LAMBDA_END 2

/** Nothing arrived in time; call again. */
#define LAMBDA_PENDING 3

/** A value cannot be sent, a required object is NULL, or a number does not exist. */
#define LAMBDA_E_INVALID_ARGUMENT -1

/**
 * There is no region or no such profile, a setting in code, in the environment or in a file is invalid, a CA file
 * cannot be read, or settings contradict each other, such as FIPS with a custom endpoint.
 */
#define LAMBDA_E_CONFIG -2

/** There are no usable credentials; error_message lists every source that was searched. */
#define LAMBDA_E_CREDENTIALS -3

/** The endpoint's name could not be resolved. */
#define LAMBDA_E_RESOLVE -4

/** There was no connection: refused, unreachable, connect timeout, or rejected by the proxy. */
#define LAMBDA_E_CONNECT -5

/** The TLS handshake failed. */
#define LAMBDA_E_TLS -6

/** The connection broke after the request had begun to leave; execution tells what is known. */
#define LAMBDA_E_IO -7

/** The deadline of the call passed; execution tells whether anything had been sent. */
#define LAMBDA_E_TIMEOUT -8

/** The caller cancelled the call. */
#define LAMBDA_E_CANCELLED -9

/** The request was throttled; throttle_reason and retry_after_ms tell more. */
#define LAMBDA_E_THROTTLED -10

/** The service responded with an HTTP error; error_type is its code, if it sent one. */
#define LAMBDA_E_SERVICE -11

/**
 * The response is not one of this API: not HTTP, a redirect, an unexpected status, or from somebody else than
 * Lambda.
 */
#define LAMBDA_E_PROTOCOL -12

/** The response is longer than max_response_bytes. */
#define LAMBDA_E_TOO_LARGE -13

/** A panic was caught inside the library; please report it. */
#define LAMBDA_E_INTERNAL -14

/** There was no memory for the call, its payload or its response. */
#define LAMBDA_E_NO_MEMORY -15

/** It cannot be known whether the function ran: it may have run, may be running, or may run yet. */
#define LAMBDA_EXECUTION_UNKNOWN 0

/** The function certainly did not run, and will not. */
#define LAMBDA_EXECUTION_NONE 1

/** The function was started; the status tells how it went. */
#define LAMBDA_EXECUTION_RAN 2

/**
 * Lambda accepted the event (HTTP 202) and will run the function by its own rules: at least once, and again after
 * errors.
 */
#define LAMBDA_EXECUTION_QUEUED 3

/** Waits for the function's response. */
#define LAMBDA_INVOCATION_REQUEST_RESPONSE 0

/** Queues the event; Lambda runs the function later. */
#define LAMBDA_INVOCATION_EVENT 1

/** Only checks that the caller may invoke the function. */
#define LAMBDA_INVOCATION_DRY_RUN 2

/** The response carries no log. */
#define LAMBDA_LOG_TYPE_NONE 0

/** The response carries the last 4 KB of the function's log. */
#define LAMBDA_LOG_TYPE_TAIL 1

/** Retries only attempts after which the function certainly did not run. */
#define LAMBDA_RETRY_SAFE 0

/** Never retries. */
#define LAMBDA_RETRY_NONE 1

/** Also retries attempts that may have run the function: for functions that may run twice. */
#define LAMBDA_RETRY_ALWAYS 2

/** No events. */
#define LAMBDA_LOG_LEVEL_OFF 0

/** A call failed. */
#define LAMBDA_LOG_LEVEL_ERROR 1

/** Something was wrong, and the library coped with it. */
#define LAMBDA_LOG_LEVEL_WARN 2

/** Rare and useful: where credentials came from. */
#define LAMBDA_LOG_LEVEL_INFO 3

/** Every attempt and its outcome. */
#define LAMBDA_LOG_LEVEL_DEBUG 4

/** Everything else. */
#define LAMBDA_LOG_LEVEL_TRACE 5

/**
 * Settings, credentials cache, connections and retry quota, shared by all threads that call with it. Owned by the
 * caller: lambda_client_free. Costs no descriptor until the first call, and no thread of its own: a name lookup and a
 * credential_process each use one, which ends with it.
 *
 * An idle client keeps as many connections as it had calls under way at once, up to max_connections, each with up to
 * 4 descriptors and about 50 KiB of memory. The next call closes those that have been idle for 50 s, which no call uses
 * again. lambda_client_release_idle closes all of them, as does lambda_client_free; a call that finds no descriptor closes
 * as many as it needs. An idle connection of a queue has 1 descriptor, and the queue's thread closes it after 50 s.
 */
typedef struct lambda_client lambda_client;

/**
 * How to reach Lambda. Settings that are not set in code come from the environment and the shared AWS files when a
 * client is made. Owned by the caller: lambda_config_free. A client copies it.
 */
typedef struct lambda_config lambda_config;

/** Credentials that a credentials callback fills in. Lives only during the callback. */
typedef struct lambda_credentials lambda_credentials;

/** Why an object could not be made. Owned by the caller: lambda_error_free. */
typedef struct lambda_error lambda_error;

/**
 * Calls under way and their results, of any number of clients. Owned by the caller: lambda_queue_free. Every function but
 * lambda_queue_free may be called from any thread at any time. The first submit starts one library thread with all signals
 * blocked, which drives all calls of the queue and ends with it. Costs one descriptor, with the thread four; each call under
 * way costs one, its connection. In a forked child a queue is empty and can be used; the calls under way are its parent's.
 */
typedef struct lambda_queue lambda_queue;

/**
 * What to invoke. Reusable: a call takes its own snapshot, without copying the payload, before it returns, so the
 * request may be changed or freed at once. Owned by the caller: lambda_request_free.
 */
typedef struct lambda_request lambda_request;

/**
 * One response, read as it is made. Owned by the caller: lambda_stream_finish. One thread at a time reads it, but not
 * always the same one; lambda_stream_cancel may be called from any thread. From the first lambda_stream_next until its
 * end, it is one of the client's calls under way, and keeps a connection of 4 descriptors.
 */
typedef struct lambda_stream lambda_stream;

/**
 * The status of a call or of a function of this library: LAMBDA_OK, or why not. Numbers above 0 are answers that are
 * not errors of the library, numbers below 0 are errors.
 */
typedef int32_t lambda_status;

/**
 * Provides credentials: fills `out` with lambda_credentials_set and returns LAMBDA_OK, or explains with
 * lambda_credentials_set_error and returns anything else. Called when there are no credentials yet and shortly
 * before they expire, never twice at once for one client, on a thread that is inside the library or on one of its
 * own. It may block: the deadline of the call that waits for it is then late, other calls are not. It may use other
 * clients, but not the one that it serves.
 */
typedef lambda_status (*lambda_credentials_fn)(void *user_data, struct lambda_credentials *out);

/** Releases user_data; called once, with the user_data that was set together with it. */
typedef void (*lambda_release_fn)(void *user_data);

/**
 * Receives an event of the library's log. Called on the thread where the event happens, so by several threads at
 * once, and not always on that of the call that the event belongs to. The strings live until it returns. The message of an
 * event in a call begins with the function and a number that identifies the call. It must not call lambda_* functions. A
 * child that it forks must exec or end, and not return from it.
 */
typedef void (*lambda_log_fn)(void *user_data, int32_t level, const char *target, const char *message);

/**
 * Decides whether a call goes on: anything but 0 ends it with LAMBDA_E_CANCELLED. Called on the thread inside a
 * blocking call, before the call begins and then at least every 100 ms while it waits.
 */
typedef int32_t (*lambda_interrupt_fn)(void *user_data);

/** What became of one call. Made by the library, read-only, freed by lambda_result_free. Its layout is frozen. */
typedef struct lambda_result {
  /** LAMBDA_OK, LAMBDA_FUNCTION_ERROR or LAMBDA_E_*. */
  lambda_status status;
  /** Whether the function ran: LAMBDA_EXECUTION_*. */
  int32_t execution;
  /** The HTTP status of the last response; 0 if there was none. */
  int32_t http_status;
  /** How many attempts began, including those that found no connection; 0 if the call was refused before the first. */
  uint32_t attempts;
  /**
   * What the function returned, or its error document. Empty unless the status is LAMBDA_OK or
   * LAMBDA_FUNCTION_ERROR. Never NULL; a NUL follows its end. A response over plain HTTP that has neither Content-Length
   * nor chunks ends with its connection, so it may have been cut without a sign of it.
   */
  const uint8_t *payload;
  /** The length of payload in bytes, without that NUL. */
  size_t payload_len;
  /**
   * The decoded end of the function's log, as bytes: it may start inside a line, hold NULs, and not be UTF-8; a
   * NUL follows its end. NULL if none was sent or it was not base64.
   */
  const char *log;
  /** The length of log in bytes, without that NUL. */
  size_t log_len;
  /** X-Amz-Function-Error as sent ("Unhandled", "Handled", ...); NULL if the function did not fail. */
  const char *function_error;
  /** The function's errorType, or the service's error code without namespace and suffix, else NULL. */
  const char *error_type;
  /**
   * What went wrong; NULL only if the status is LAMBDA_OK. Begins with the function's name as it was given, except
   * that the errorMessage of a failed function stands as it is. One line. Never holds a secret.
   */
  const char *error_message;
  /** Why the service throttled the request, in its words; else NULL. */
  const char *throttle_reason;
  /** How long the last response asked to wait; 0 if it did not. */
  uint64_t retry_after_ms;
  /** x-amzn-RequestId of the last response; NULL if it had none. */
  const char *request_id;
  /** The version that ran; NULL if the response did not tell. */
  const char *executed_version;
  /** X-Amz-Durable-Execution-Arn; NULL if the response had none. */
  const char *durable_execution_arn;
  /** Microseconds from the call to its end, waits and retries included. */
  uint64_t duration_us;
  /** The tag of lambda_queue_submit; 0 for a result of lambda_invoke. */
  uint64_t tag;
  /** The Content-Type of the response; NULL if it had none. */
  const char *content_type;
  /** How many attempts left it unknown whether they ran the function; each is a possible extra run. */
  uint32_t unknown_attempts;
  /** 0. */
  uint32_t reserved;
} lambda_result;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/**
 * Returns the version of the library as a number.
 *
 * @return major * 1000000 + minor * 1000 + patch.
 */
uint32_t lambda_version_number(void);

/**
 * Returns the version of the library as text.
 *
 * @return Such as "0.1.0"; static, never NULL.
 */
const char *lambda_version(void);

/**
 * Names a status.
 *
 * @return Such as "LAMBDA_E_TIMEOUT"; "LAMBDA_STATUS_UNKNOWN" for a number that this version does not know. Static,
 * never NULL.
 */
const char *lambda_status_name(lambda_status status);

/**
 * Sets the credentials inside a credentials callback.
 *
 * @param session_token NULL if there is none.
 * @param expires_unix_s When the credentials expire, in seconds since 1970; 0 if they do not expire.
 */
lambda_status lambda_credentials_set(struct lambda_credentials *out,
                                     const char *access_key_id,
                                     const char *secret_access_key,
                                     const char *session_token,
                                     int64_t expires_unix_s);

/** Explains why there are no credentials. The message becomes part of the call's error_message. */
lambda_status lambda_credentials_set_error(struct lambda_credentials *out, const char *message);

/** Frees a string that lambda_client_describe returned. NULL does nothing. */
void lambda_string_free(char *string);

/**
 * Returns the status of an error.
 *
 * @return One of LAMBDA_E_*; LAMBDA_E_INVALID_ARGUMENT for NULL.
 */
lambda_status lambda_error_status(const struct lambda_error *error);

/**
 * Returns what is wrong and what to do about it.
 *
 * @return Lives as long as the error. Never NULL, never a secret.
 */
const char *lambda_error_message(const struct lambda_error *error);

/** Frees an error. NULL does nothing. */
void lambda_error_free(struct lambda_error *error);

/**
 * Makes an empty config. Reads nothing.
 *
 * @return Owned by the caller: lambda_config_free. NULL only when there is no memory.
 */
LAMBDA_MUST_USE struct lambda_config *lambda_config_new(void);

/** Frees a config. NULL does nothing. Clients made with it keep working. */
void lambda_config_free(struct lambda_config *config);

/**
 * Sets the AWS region, such as "us-east-1". The region of a full ARN goes before it for that call.
 *
 * @param region NULL: AWS_REGION, AWS_DEFAULT_REGION, the profile's region.
 */
lambda_status lambda_config_set_region(struct lambda_config *config, const char *region);

/**
 * Sets a custom endpoint: `http(s)://host[:port][/path]`.
 *
 * @param url NULL: AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, the profile's services and endpoint_url, else the
 * region's own endpoint of AWS.
 */
lambda_status lambda_config_set_endpoint_url(struct lambda_config *config, const char *url);

/**
 * Sets the credentials that sign, which then go before a credentials callback.
 *
 * @param session_token NULL if there is none. All three NULL: the callback, else what the AWS tools find, loaded by
 * the first call that needs it: environment, profile, web identity, container, instance metadata.
 */
lambda_status lambda_config_set_credentials(struct lambda_config *config,
                                            const char *access_key_id,
                                            const char *secret_access_key,
                                            const char *session_token);

/**
 * Sets the profile of the shared AWS files, which must exist. Its credentials then go before those of the
 * environment.
 *
 * @param profile NULL: AWS_PROFILE, then AWS_DEFAULT_PROFILE, then "default".
 */
lambda_status lambda_config_set_profile(struct lambda_config *config, const char *profile);

/**
 * Sets a callback that provides credentials. It takes user_data even when it fails: release, if given, is called
 * once, when the last object that could call back is gone, or at once.
 *
 * @param callback NULL unsets it.
 */
lambda_status lambda_config_set_credentials_callback(struct lambda_config *config,
                                                     lambda_credentials_fn callback,
                                                     void *user_data,
                                                     lambda_release_fn release);

/**
 * Chooses endpoints with FIPS 140 cryptography. Cannot be combined with a custom endpoint.
 *
 * @param on 1 on, 0 off, -1 as if never set: AWS_USE_FIPS_ENDPOINT, the profile's use_fips_endpoint, off.
 */
lambda_status lambda_config_set_use_fips(struct lambda_config *config, int32_t on);

/**
 * Chooses endpoints that have IPv6 addresses too. Cannot be combined with a custom endpoint.
 *
 * @param on 1 on, 0 off, -1 as if never set: AWS_USE_DUALSTACK_ENDPOINT, the profile's use_dualstack_endpoint, off.
 */
lambda_status lambda_config_set_use_dual_stack(struct lambda_config *config, int32_t on);

/**
 * Sets a PEM file of the CA certificates to trust instead of the system's trust store. lambda_client_new reads it.
 *
 * @param path NULL: AWS_CA_BUNDLE, the profile's ca_bundle, SSL_CERT_FILE and SSL_CERT_DIR, the system's trust
 * store; where that is empty, Mozilla's roots.
 */
lambda_status lambda_config_set_ca_bundle(struct lambda_config *config, const char *path);

/**
 * Sets the proxy: an http, https or socks5 URL, with user:password@ if the proxy requires it.
 * @param url "": no proxy. NULL: HTTPS_PROXY or HTTP_PROXY, then ALL_PROXY, with the exceptions of NO_PROXY; of each
 * name the lower-case variable first.
 */
lambda_status lambda_config_set_proxy(struct lambda_config *config, const char *url);

/**
 * Names the application in the User-Agent header: 1 to 50 characters of A-Z, a-z, 0-9 and `!#$%&'*+-.^_|~` and the
 * backtick.
 *
 * @param app_id NULL: AWS_SDK_UA_APP_ID, the profile's sdk_ua_app_id.
 */
lambda_status lambda_config_set_app_id(struct lambda_config *config, const char *app_id);

/**
 * Limits the time for one connection: name lookup, TCP, proxy and TLS together. Ends an attempt, not the call.
 *
 * @param ms Milliseconds; 0 is the default, 5 s. If you compute the value, pass at least 1: a computed 0 would mean
 * 5 s.
 */
lambda_status lambda_config_set_connect_timeout_ms(struct lambda_config *config, uint64_t ms);

/**
 * Sets the deadline of a whole call, waiting for a permit and for credentials and all retries included.
 *
 * @param ms Milliseconds; 0 is the default, 910 s, for an Event and a DryRun 60 s. If you compute the time that is
 * left, pass at least 1: a computed 0 would mean the default.
 */
lambda_status lambda_config_set_timeout_ms(struct lambda_config *config, uint64_t ms);

/**
 * Limits the attempts of a call, the first one included.
 *
 * @param attempts 0: AWS_MAX_ATTEMPTS, the profile's max_attempts, 3.
 */
lambda_status lambda_config_set_max_attempts(struct lambda_config *config, uint32_t attempts);

/**
 * Chooses which attempts are retried. No environment variable and no file ever chooses LAMBDA_RETRY_ALWAYS.
 *
 * @param mode One of LAMBDA_RETRY_*; -1 as if never set: LAMBDA_RETRY_SAFE.
 */
lambda_status lambda_config_set_retry(struct lambda_config *config, int32_t mode);

/**
 * Limits the calls of this client under way at once in this process. Further calls wait for a permit, within their
 * deadlines.
 *
 * @param connections 0 is the default: what half of RLIMIT_NOFILE allows, where a blocking call takes up to 4
 * descriptors, and a call of a queue 1; with 1,024 descriptors, 128 blocking calls or 512 of queues.
 */
lambda_status lambda_config_set_max_connections(struct lambda_config *config, uint32_t connections);

/**
 * Limits the payload of one response.
 *
 * @param bytes 0 is the default, 64 MiB.
 */
lambda_status lambda_config_set_max_response_bytes(struct lambda_config *config, uint64_t bytes);

/**
 * Sets a callback for the library's log events, which never hold a secret. LAMBDA_INVOKE_LOG=debug (or another
 * level) prints the same events to stderr. It takes user_data even when it fails, as
 * lambda_config_set_credentials_callback does.
 *
 * @param max_level One of LAMBDA_LOG_LEVEL_*: the most detailed level that is passed on. LAMBDA_LOG_LEVEL_OFF unsets
 * the callback.
 *
 * @param callback NULL unsets it.
 */
lambda_status lambda_config_set_log(struct lambda_config *config,
                                    int32_t max_level,
                                    lambda_log_fn callback,
                                    void *user_data,
                                    lambda_release_fn release);

/**
 * Makes a client. Reads the environment and the shared AWS files here, and blocks on files, but never uses the
 * network. A missing region or missing credentials are not an error here: each call reports them, since a full ARN
 * has its own region.
 *
 * @param config NULL: all settings from the environment and the shared AWS files.
 * @param client Set only on success; owned by the caller: lambda_client_free.
 * @param error NULL, or set only on failure; owned by the caller: lambda_error_free.
 */
lambda_status lambda_client_new(const struct lambda_config *config,
                                struct lambda_client **client,
                                struct lambda_error **error);

/**
 * Describes the settings in force and where each came from: a JSON object with one member per setting, each an
 * object with "value" and "source". Never a secret. Does not block.
 *
 * @return Owned by the caller: lambda_string_free. NULL only for a NULL client or when there is no memory.
 */
LAMBDA_MUST_USE char *lambda_client_describe(const struct lambda_client *client);

/**
 * Closes the idle connections of a client now. Connections in use stay open, and later calls open new ones. Useful after a
 * burst of calls, before a long pause. Does not block.
 *
 * @param client NULL: does nothing.
 */
void lambda_client_release_idle(const struct lambda_client *client);

/**
 * Frees a client, which must not be used afterwards. NULL does nothing. Does not wait: calls under way continue to
 * their end.
 */
void lambda_client_free(struct lambda_client *client);

/**
 * Makes an empty request.
 *
 * @return Owned by the caller: lambda_request_free. NULL only when there is no memory.
 */
LAMBDA_MUST_USE struct lambda_request *lambda_request_new(void);

/**
 * Copies a request; both share the payload.
 *
 * @return Owned by the caller: lambda_request_free. NULL when there is no memory, and for NULL.
 */
LAMBDA_MUST_USE struct lambda_request *lambda_request_clone(const struct lambda_request *request);

/** Frees a request. NULL does nothing. */
void lambda_request_free(struct lambda_request *request);

/**
 * Sets the function to invoke, which is required: a name, a partial ARN or an ARN, each with an optional
 * ":qualifier", 1 to 256 characters. The region of a full ARN signs the call and, unless an endpoint is set, chooses
 * the endpoint.
 */
lambda_status lambda_request_set_function_name(struct lambda_request *request, const char *name);

/**
 * Sets the version or alias, 1 to 128 characters. The function name may have the same qualifier, but no other.
 *
 * @param version_or_alias NULL unsets it.
 */
lambda_status lambda_request_set_qualifier(struct lambda_request *request, const char *version_or_alias);

/**
 * Sets the invocation type.
 *
 * @param invocation_type One of LAMBDA_INVOCATION_*; LAMBDA_INVOCATION_REQUEST_RESPONSE unless set.
 */
lambda_status lambda_request_set_invocation_type(struct lambda_request *request, int32_t invocation_type);

/**
 * Asks for the end of the function's log.
 *
 * @param log_type One of LAMBDA_LOG_TYPE_*; LAMBDA_LOG_TYPE_NONE unless set. LAMBDA_LOG_TYPE_TAIL only together with
 * LAMBDA_INVOCATION_REQUEST_RESPONSE.
 */
lambda_status lambda_request_set_log_type(struct lambda_request *request, int32_t log_type);

/**
 * Sets the client context as base64 of JSON, at most 3,583 bytes. It is the same field as that of
 * lambda_request_set_client_context_json: the last one set counts.
 *
 * @param base64 NULL unsets it.
 */
lambda_status lambda_request_set_client_context(struct lambda_request *request, const char *base64);

/**
 * Sets the client context as JSON, which is checked and sent as base64.
 *
 * @param json NULL unsets it.
 */
lambda_status lambda_request_set_client_context_json(struct lambda_request *request, const char *json);

/**
 * Sets the event that the function receives, and copies it. Lambda accepts 6 MB, and 1 MB for an Event.
 *
 * @param data NULL with length 0: no payload. NULL with another length is refused.
 */
lambda_status lambda_request_set_payload(struct lambda_request *request, const void *data, size_t len);

/**
 * Sets the tenant, 1 to 256 characters of printable ASCII; inner spaces are kept.
 *
 * @param tenant_id NULL unsets it.
 */
lambda_status lambda_request_set_tenant_id(struct lambda_request *request, const char *tenant_id);

/**
 * Sets the name of a durable execution, 1 to 64 characters of printable ASCII. It is sent as it is, and does not
 * change what is retried: see lambda_request_set_retry.
 *
 * @param name NULL unsets it.
 */
lambda_status lambda_request_set_durable_execution_name(struct lambda_request *request, const char *name);

/**
 * Sets the X-Amzn-Trace-Id header. Inside a Lambda function pass _X_AMZN_TRACE_ID on, so that Lambda can stop
 * endless loops.
 *
 * @param trace_header NULL unsets it.
 */
lambda_status lambda_request_set_trace_header(struct lambda_request *request, const char *trace_header);

/**
 * Sets the deadline of the whole call.
 *
 * @param ms Milliseconds; 0 means that of the client. If you compute the time that is left, pass at least 1: a
 * computed 0 would mean the client's, which may be 910 s.
 */
lambda_status lambda_request_set_timeout_ms(struct lambda_request *request, uint64_t ms);

/**
 * Chooses which attempts of this request are retried.
 *
 * @param mode One of LAMBDA_RETRY_*; -1 means that of the client.
 */
lambda_status lambda_request_set_retry(struct lambda_request *request, int32_t mode);

/**
 * Sets a callback that lambda_invoke polls while it waits. callback and user_data must outlive the calls made with
 * this request.
 *
 * @param callback NULL unsets it.
 */
lambda_status lambda_request_set_interrupt(struct lambda_request *request,
                                           lambda_interrupt_fn callback,
                                           void *user_data);

/**
 * Copies a result deeply. This is also the way to make a result for tests: fill a zeroed struct lambda_result and
 * clone it.
 *
 * @return Never NULL. Owned by the caller: lambda_result_free.
 */
LAMBDA_MUST_USE struct lambda_result *lambda_result_clone(const struct lambda_result *result);

/** Frees a result that the library made. NULL does nothing. */
void lambda_result_free(struct lambda_result *result);

/**
 * Invokes a function and blocks until there is a response, the deadline passes, or an interrupt ends the call.
 *
 * @return Never NULL: every failure is a result, also a NULL client. Owned by the caller: lambda_result_free.
 */
LAMBDA_MUST_USE
struct lambda_result *lambda_invoke(const struct lambda_client *client,
                                    const struct lambda_request *request);

/**
 * Makes an empty queue. Does not block.
 *
 * @param queue Set only on success; owned by the caller: lambda_queue_free.
 * @param error NULL, or set only on failure; owned by the caller: lambda_error_free.
 */
lambda_status lambda_queue_new(struct lambda_queue **queue, struct lambda_error **error);

/**
 * Submits a call and does not wait for it. Takes a snapshot of the request, without copying its payload, so the request
 * may be changed or freed at once; its interrupt is not polled. The call's deadline begins now. What exceeds the client's
 * max_connections waits for its turn, in order, inside its own deadline.
 *
 * @param tag Any number; the result carries it.
 * @return LAMBDA_OK: exactly one completion comes for it, whatever happens, and not before this function has returned. A
 *         request that cannot be sent is accepted too: its completion tells why. Any other status: no completion comes.
 */
lambda_status lambda_queue_submit(struct lambda_queue *queue,
                                  const struct lambda_client *client,
                                  const struct lambda_request *request,
                                  uint64_t tag);

/**
 * Returns the next completion, in the order of completion. Several threads may wait; each completion and each wake goes to
 * one of them. Blocks until a completion or a wake comes, at most for the timeout.
 *
 * @param timeout_ms Milliseconds; 0 does not wait, -1 waits for ever.
 * @return The result of a call; owned by the caller: lambda_result_free. NULL: none came in time, or a wake was taken, or
 *         there is no memory for the result now, which then stays in the queue.
 */
LAMBDA_MUST_USE
struct lambda_result *lambda_queue_next(struct lambda_queue *queue,
                                        int64_t timeout_ms);

/**
 * Returns a descriptor for the application's event loop: it is readable while a completion or a wake waits
 * (level-triggered). Take them with lambda_queue_next(queue, 0) until it returns NULL. Never read, write or close it. Does
 * not block.
 *
 * @return The same until lambda_queue_free, or until a fork: a child asks anew. -1 for a NULL queue, where the system has
 *         no such thing, and in a child that had no descriptor left for it.
 */
int lambda_queue_fd(const struct lambda_queue *queue);

/**
 * Cancels every call under way with this tag. Their completions still come, with LAMBDA_E_CANCELLED unless they were done
 * before; execution tells whether the function may have run. Does not block.
 *
 * @return LAMBDA_OK, also if there was none; LAMBDA_E_INVALID_ARGUMENT for a NULL queue.
 */
lambda_status lambda_queue_cancel(struct lambda_queue *queue,
                                  uint64_t tag);

/**
 * Returns how many calls were accepted and not yet taken with lambda_queue_next.
 *
 * @return 0 for a NULL queue.
 */
size_t lambda_queue_in_flight(const struct lambda_queue *queue);

/**
 * Makes one lambda_queue_next return NULL: one that waits, or else the next one that finds no completion. Wakes are
 * counted. Does not block.
 */
void lambda_queue_wake(struct lambda_queue *queue);

/**
 * Frees a queue, which must not be used afterwards: no other thread may be inside one of its functions, so wake them first.
 * NULL does nothing. Cancels the calls that are left, drops the results that were not taken, and waits for the library
 * thread to end, but not for the network.
 */
void lambda_queue_free(struct lambda_queue *queue);

/**
 * Invokes a function whose response is read as it is made (InvokeWithResponseStream). Does not block: the first
 * lambda_stream_next sends the request, and with it the call's timeout begins. The request may be changed or freed at
 * once. An EVENT and a durable execution name are refused.
 *
 * ```c
 * lambda_stream *stream = lambda_invoke_stream(client, request);
 * const uint8_t *data;
 * size_t len;
 * while (lambda_stream_next(stream, -1, &data, &len) == LAMBDA_OK) {
 *     fwrite(data, 1, len, stdout);
 * }
 * lambda_result *result = lambda_stream_finish(stream);
 * if (result->status != LAMBDA_OK) {
 *     fprintf(stderr, "%s\n", result->error_message);
 * }
 * lambda_result_free(result);
 * ```
 *
 * @return Never NULL: every failure is the status of lambda_stream_next and in the result. Owned by the caller:
 *         lambda_stream_finish.
 */
LAMBDA_MUST_USE
struct lambda_stream *lambda_invoke_stream(const struct lambda_client *client,
                                           const struct lambda_request *request);

/**
 * Waits for the next bytes of a response, and polls the request's interrupt meanwhile. The reader sets the pace: at most
 * 1 MiB waits in the library. A chunk of up to 128 KiB is handed out after its checksum was verified, a longer one as it
 * arrives. Never retried once bytes were handed out.
 *
 * @param timeout_ms How long to wait: 0 only looks, -1 waits until there are bytes, or the stream is over.
 * @param data On LAMBDA_OK the next bytes, which live until the next lambda_stream_next or lambda_stream_finish with this
 *             stream; else NULL.
 * @param len On LAMBDA_OK their number, at least 1; else 0.
 * @return LAMBDA_OK; LAMBDA_PENDING: no bytes came in time, call again; LAMBDA_END: the stream is over, and the result's
 *         status is LAMBDA_OK or LAMBDA_FUNCTION_ERROR; LAMBDA_E_*: why the stream broke.
 */
LAMBDA_MUST_USE
lambda_status lambda_stream_next(struct lambda_stream *stream,
                                 int64_t timeout_ms,
                                 const uint8_t **data,
                                 size_t *len);

/**
 * Makes the lambda_stream_next that waits, and all later ones, return LAMBDA_E_CANCELLED. May be called from any thread
 * until lambda_stream_finish. NULL does nothing. Does not block.
 */
void lambda_stream_cancel(struct lambda_stream *stream);

/**
 * Ends and frees a stream wherever it is, and returns what became of the call: LAMBDA_E_CANCELLED unless
 * lambda_stream_next has returned the end, LAMBDA_END or LAMBDA_E_*. A stream that is not over closes its connection.
 * The stream must not be used afterwards.
 *
 * @return Never NULL. Its payload is empty. Owned by the caller: lambda_result_free.
 */
LAMBDA_MUST_USE struct lambda_result *lambda_stream_finish(struct lambda_stream *stream);

#ifdef __cplusplus
}  /* extern "C" */
#endif  /* __cplusplus */

#endif  /* LAMBDA_INVOKE_H */
