package lambdainvoke

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxNameLength is how many bytes of a function's name a message shows. Lambda takes names of up to 256.
const maxNameLength = 256

// goNames are this package's names for the library's settings and fields.
var goNames = map[string]string{
	"region":                 "Region",
	"endpoint_url":           "EndpointURL",
	"profile":                "Profile",
	"use_fips":               "UseFIPS",
	"use_dual_stack":         "UseDualStack",
	"credentials":            "Credentials",
	"access_key_id":          "AccessKeyID",
	"secret_access_key":      "SecretAccessKey",
	"session_token":          "SessionToken",
	"expires_unix_s":         "Expires",
	"ca_bundle":              "CABundle",
	"proxy":                  "Proxy",
	"app_id":                 "AppID",
	"log":                    "Logger",
	"timeout":                "Timeout",
	"timeout_ms":             "Timeout",
	"connect_timeout":        "ConnectTimeout",
	"connect_timeout_ms":     "ConnectTimeout",
	"max_attempts":           "MaxAttempts",
	"retry":                  "Retry",
	"max_connections":        "MaxConnections",
	"max_response_bytes":     "MaxResponseBytes",
	"function_name":          "FunctionName",
	"qualifier":              "Qualifier",
	"invocation_type":        "InvocationType",
	"log_type":               "LogType",
	"client_context":         "ClientContext",
	"client_context_json":    "ClientContextJSON",
	"payload":                "Payload",
	"tenant_id":              "TenantID",
	"durable_execution_name": "DurableExecutionName",
	"trace_header":           "TraceHeader",
}

// inGo returns a message of the library in the names of this package. It touches only what the library itself says: a
// message that begins with the field at fault, a limit, the credentials callback. A name elsewhere may be a function's, or a
// property of a profile.
func inGo(status Status, function, message string) string {
	text, named := strings.CutPrefix(message, function+": ")
	if !named {
		text = message
	}
	const callback = "the credentials callback: "
	switch before, after, called := strings.Cut(text, callback); {
	case status == StatusInvalidArgument:
		text = fieldsInGo(text)
	case status == StatusTooLarge:
		text = strings.ReplaceAll(text, "max_response_bytes", goNames["max_response_bytes"])
	case status == StatusCredentials && called:
		text = before + "the CredentialsProvider: " + subjectInGo(strings.TrimPrefix(after, "credentials: "))
	}
	if named {
		return function + ": " + text
	}
	return text
}

// fieldsInGo translates the fields that a message begins with, such as both of "credentials: session_token is empty".
func fieldsInGo(message string) string {
	field, rest, found := strings.Cut(message, ": ")
	if name := goNames[field]; found && name != "" {
		return name + ": " + fieldsInGo(rest)
	}
	return subjectInGo(message)
}

// subjectInGo translates the field that is a message's first word, if no other word is written so.
func subjectInGo(message string) string {
	word, rest, found := strings.Cut(message, " ")
	if name := goNames[word]; found && name != "" && strings.Contains(word, "_") {
		return name + " " + rest
	}
	return message
}

// oneLine replaces line breaks and other control characters by spaces, and what is not UTF-8 by U+FFFD.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) {
			return ' '
		}
		return r
	}, text)
}

// label returns a function's name as messages show it, whatever it holds.
func label(function string) string {
	if len(function) > maxNameLength {
		end := maxNameLength
		for end > 0 && !utf8.RuneStart(function[end]) {
			end--
		}
		function = function[:end] + "..."
	}
	return oneLine(function)
}
