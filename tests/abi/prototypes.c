/* Every function with the type that programs were built with: a declaration that differs does not compile. */

#include <lambda_invoke.h>

lambda_status lambda_client_new(const lambda_config *, lambda_client **, lambda_error **);
void lambda_client_free(lambda_client *);
lambda_config *lambda_config_new(void);
void lambda_config_free(lambda_config *);
lambda_status lambda_config_set_connect_timeout_ms(lambda_config *, uint64_t);
lambda_status lambda_config_set_credentials(lambda_config *, const char *, const char *, const char *);
lambda_status lambda_config_set_endpoint_url(lambda_config *, const char *);
lambda_status lambda_config_set_max_attempts(lambda_config *, uint32_t);
lambda_status lambda_config_set_max_connections(lambda_config *, uint32_t);
lambda_status lambda_config_set_max_response_bytes(lambda_config *, uint64_t);
lambda_status lambda_config_set_region(lambda_config *, const char *);
lambda_status lambda_config_set_retry(lambda_config *, int32_t);
lambda_status lambda_config_set_timeout_ms(lambda_config *, uint64_t);
lambda_status lambda_error_status(const lambda_error *);
const char *lambda_error_message(const lambda_error *);
void lambda_error_free(lambda_error *);
lambda_result *lambda_invoke(const lambda_client *, const lambda_request *);
lambda_request *lambda_request_new(void);
lambda_request *lambda_request_clone(const lambda_request *);
void lambda_request_free(lambda_request *);
lambda_status lambda_request_set_client_context(lambda_request *, const char *);
lambda_status lambda_request_set_client_context_json(lambda_request *, const char *);
lambda_status lambda_request_set_durable_execution_name(lambda_request *, const char *);
lambda_status lambda_request_set_function_name(lambda_request *, const char *);
lambda_status lambda_request_set_interrupt(lambda_request *, int32_t (*)(void *), void *);
lambda_status lambda_request_set_invocation_type(lambda_request *, int32_t);
lambda_status lambda_request_set_log_type(lambda_request *, int32_t);
lambda_status lambda_request_set_payload(lambda_request *, const void *, size_t);
lambda_status lambda_request_set_qualifier(lambda_request *, const char *);
lambda_status lambda_request_set_retry(lambda_request *, int32_t);
lambda_status lambda_request_set_tenant_id(lambda_request *, const char *);
lambda_status lambda_request_set_timeout_ms(lambda_request *, uint64_t);
lambda_status lambda_request_set_trace_header(lambda_request *, const char *);
lambda_result *lambda_result_clone(const lambda_result *);
void lambda_result_free(lambda_result *);
const char *lambda_status_name(lambda_status);
const char *lambda_version(void);
uint32_t lambda_version_number(void);
