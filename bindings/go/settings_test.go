package lambdainvoke_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// keys are good enough for every endpoint here, and what must never be shown can be told from them.
var keys = lambdainvoke.Credentials{AccessKeyID: "AKIDEXAMPLE", SecretAccessKey: "hunter2-secret", SessionToken: "hunter2-token"}

func pointer[T any](value T) *T { return &value }

// withoutEndpoint takes the local endpoint out of the environment.
func withoutEndpoint(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "")
	t.Setenv("AWS_ENDPOINT_URL_LAMBDA", "")
}

func withProfile(t *testing.T, lines ...string) {
	path := filepath.Join(t.TempDir(), "config")
	write(t, path, strings.Join(lines, "\n"))
	t.Setenv("AWS_CONFIG_FILE", path)
}

func describe(t *testing.T, client *lambdainvoke.Client) map[string]lambdainvoke.Setting {
	t.Helper()
	settings, err := client.Describe()
	if err != nil {
		t.Fatal(err)
	}
	return settings
}

// tlsFunction is an endpoint with a certificate of an authority that nobody knows, and the file of that authority.
func tlsFunction(t *testing.T, handler http.HandlerFunc) (url, bundle string) {
	t.Helper()
	authority := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	own := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "endpoint"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: authority.NotBefore, NotAfter: authority.NotAfter, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signed := func(certificate *x509.Certificate) []byte {
		der, err := x509.CreateCertificate(rand.Reader, certificate, authority, private.Public(), private)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	bundle = filepath.Join(t.TempDir(), "bundle.pem")
	write(t, bundle, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signed(authority)})))

	server := httptest.NewUnstartedServer(handler)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{signed(own)}, PrivateKey: private}}}
	// Else it says on stderr that a client did not like the certificate.
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return server.URL, bundle
}

func TestDescribe(t *testing.T) {
	withoutEndpoint(t)
	withProfile(t, "[profile orders]", "sdk_ua_app_id = stock", "retry_mode = standard")
	_, bundle := tlsFunction(t, nil)
	client := newClient(t, lambdainvoke.Config{
		Region: "us-west-2", Profile: "orders", UseFIPS: pointer(true), UseDualStack: pointer(true), Credentials: keys,
		CABundle: bundle, Proxy: pointer("http://user:hunter2@proxy:8080"), MaxAttempts: 7, MaxConnections: 8, MaxResponseBytes: 9,
		Timeout: patience, ConnectTimeout: patience, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	settings := describe(t, client)
	for name, value := range map[string]any{
		"region":             "us-west-2",
		"profile":            "orders",
		"use_fips":           true,
		"use_dual_stack":     true,
		"credentials":        "access key AKIDEXAMPLE",
		"ca_bundle":          bundle,
		"max_attempts":       7.0,
		"max_connections":    8.0,
		"max_response_bytes": 9.0,
		"log":                "info",
	} {
		expect(t, "value of "+name, settings[name].Value, value)
		expect(t, "source of "+name, settings[name].Source, "setter")
	}
	for name, value := range map[string]string{
		"proxy":              "proxy:8080",
		"connect_timeout_ms": "30000",
		"endpoint_url":       "lambda-fips.us-west-2.api.aws",
		"app_id":             "stock",
	} {
		expectContains(t, "value of "+name, fmt.Sprint(settings[name].Value), value)
	}
	expect(t, "source of proxy", settings["proxy"].Source, "setter")
	expect(t, "source of connect_timeout_ms", settings["connect_timeout_ms"].Source, "setter")
	expect(t, "source of endpoint_url", settings["endpoint_url"].Source, "default")
	expectContains(t, "source of app_id", settings["app_id"].Source, "orders")
	expect(t, "shows a secret", strings.Contains(fmt.Sprint(settings), "hunter2"), false)

	client.Close()
	_, err := client.Describe()
	expect(t, "is ErrClosed", errors.Is(err, lambdainvoke.ErrClosed), true)
	_, err = new(lambdainvoke.Client).Describe()
	expectContains(t, "of no client", failure(t, nil, err).ErrorMessage, "client: ")
}

// What says that something is off or none is not the same as nothing said.
func TestDescribeWhatIsOff(t *testing.T) {
	t.Setenv("AWS_USE_FIPS_ENDPOINT", "true")
	t.Setenv("AWS_USE_DUALSTACK_ENDPOINT", "true")
	t.Setenv("HTTP_PROXY", "http://127.0.0.1:9")
	t.Setenv("http_proxy", "http://127.0.0.1:9")
	provide := func() (lambdainvoke.Credentials, error) { return keys, nil }
	client := newClient(t, lambdainvoke.Config{
		UseFIPS: pointer(false), UseDualStack: pointer(false), Proxy: pointer(""), AppID: "orders", CredentialsProvider: provide,
	})
	settings := describe(t, client)
	for name, value := range map[string]any{"use_fips": false, "use_dual_stack": false, "proxy": nil, "app_id": "orders", "credentials": "callback"} {
		expect(t, "value of "+name, settings[name].Value, value)
		expect(t, "source of "+name, settings[name].Source, "setter")
	}
	expect(t, "source of max_attempts", settings["max_attempts"].Source, "default")
	expect(t, "value of log", settings["log"].Value, any("off"))
	expectContains(t, "source of endpoint_url", settings["endpoint_url"].Source, "AWS_ENDPOINT_URL")

	_, err := lambdainvoke.NewClient(lambdainvoke.Config{})
	expectContains(t, "without these fields", failure(t, nil, err).ErrorMessage, "AWS_USE_FIPS_ENDPOINT")
}

func TestRefusedSettings(t *testing.T) {
	for _, row := range []struct {
		name    string
		config  lambdainvoke.Config
		status  lambdainvoke.Status
		message string
	}{
		{"Profile", lambdainvoke.Config{Profile: "nobody-has-this"}, lambdainvoke.StatusConfig, "nobody-has-this"},
		{"NUL in Profile", lambdainvoke.Config{Profile: "a\x00"}, lambdainvoke.StatusInvalidArgument, "Profile: holds a NUL byte"},
		{"UseFIPS", lambdainvoke.Config{UseFIPS: pointer(true)}, lambdainvoke.StatusConfig, "FIPS endpoints"},
		{"UseDualStack", lambdainvoke.Config{UseDualStack: pointer(true)}, lambdainvoke.StatusConfig, "dual-stack endpoints"},
		{"CABundle", lambdainvoke.Config{CABundle: "/does/not/exist.pem"}, lambdainvoke.StatusConfig, "/does/not/exist.pem"},
		{"NUL in CABundle", lambdainvoke.Config{CABundle: "\x00"}, lambdainvoke.StatusInvalidArgument, "CABundle: holds a NUL byte"},
		{"Proxy", lambdainvoke.Config{Proxy: pointer("ftp://u:hunter2@proxy")}, lambdainvoke.StatusInvalidArgument, "Proxy: "},
		{"NUL in Proxy", lambdainvoke.Config{Proxy: pointer("\x00")}, lambdainvoke.StatusInvalidArgument, "Proxy: holds a NUL byte"},
		{"AppID", lambdainvoke.Config{AppID: "two words"}, lambdainvoke.StatusInvalidArgument, "AppID: "},
		{"NUL in AppID", lambdainvoke.Config{AppID: "\x00"}, lambdainvoke.StatusInvalidArgument, "AppID: holds a NUL byte"},
		{
			"Credentials that only expire", lambdainvoke.Config{Credentials: lambdainvoke.Credentials{Expires: slowest}},
			lambdainvoke.StatusInvalidArgument, "Credentials: ",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			client, err := lambdainvoke.NewClient(row.config)
			if client != nil {
				t.Error("there is a client")
			}
			refused := failure(t, nil, err)
			expect(t, "Status", refused.Status, row.status)
			expect(t, "Execution", refused.Execution, lambdainvoke.ExecutionNone)
			expectContains(t, "ErrorMessage", refused.ErrorMessage, row.message)
			expect(t, "shows a secret", strings.Contains(err.Error(), "hunter2"), false)
		})
	}
}

func TestCABundleAndAppID(t *testing.T) {
	url, bundle := tlsFunction(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, r.UserAgent())
	})
	config := lambdainvoke.Config{EndpointURL: url, Credentials: keys, CABundle: bundle, AppID: "orders"}
	result := invoke(t, newClient(t, config), &lambdainvoke.Request{FunctionName: "hello"})
	expectContains(t, "User-Agent", string(result.Payload), "app/orders")

	config.CABundle = ""
	failed := invokeFails(t, newClient(t, config), &lambdainvoke.Request{FunctionName: "hello"})
	expect(t, "Status", failed.Status, lambdainvoke.StatusTLS)
}

func TestProxy(t *testing.T) {
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s %s", r.URL.Host, r.Header.Get("Proxy-Authorization"))
	}))
	defer proxy.Close()
	config := lambdainvoke.Config{
		EndpointURL: "http://lambda.invalid", Credentials: keys, Proxy: pointer(strings.Replace(proxy.URL, "://", "://user:hunter2@", 1)),
	}
	result := invoke(t, newClient(t, config), &lambdainvoke.Request{FunctionName: "hello"})
	expect(t, "Payload", string(result.Payload), "lambda.invalid Basic dXNlcjpodW50ZXIy")

	config.Proxy = pointer("")
	failed := invokeFails(t, newClient(t, config), &lambdainvoke.Request{FunctionName: "hello"})
	expect(t, "Status without a proxy", failed.Status, lambdainvoke.StatusResolve)
}

func TestProfile(t *testing.T) {
	slow := newSlowFunction(t, lambdainvoke.Config{})
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	withProfile(t, "[profile orders]", "aws_access_key_id = AKIDPROFILE", "aws_secret_access_key = hunter2", "region = eu-north-1")
	slow.client = newClient(t, lambdainvoke.Config{Profile: "orders", EndpointURL: slow.url})
	slow.answer <- struct{}{}
	if ended := await(t, "end of the call", slow.begin(context.Background())); ended.err != nil {
		t.Fatal(ended.err)
	}
	expectContains(t, "Authorization", slow.head.Load().Get("Authorization"), "Credential=AKIDPROFILE/")
	expectContains(t, "Authorization", slow.head.Load().Get("Authorization"), "/eu-north-1/lambda/")
}

func TestSecretsAreNotPrinted(t *testing.T) {
	config := lambdainvoke.Config{
		Credentials:         keys,
		Proxy:               pointer("http://user:hunter2@proxy"),
		Logger:              slog.Default(),
		CredentialsProvider: func() (lambdainvoke.Credentials, error) { return keys, nil },
	}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		text := fmt.Sprintf(verb, config) + fmt.Sprintf(verb, &config) + fmt.Sprintf(verb, keys) + fmt.Sprintf(verb, []any{keys, &keys})
		for _, secret := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprintf("%X", "hunter2")} {
			if strings.Contains(text, secret) {
				t.Errorf("%s prints %q: %s", verb, secret, text)
			}
		}
	}
	var text bytes.Buffer
	slog.New(slog.NewJSONHandler(&text, nil)).Info("made", "keys", keys, "config", config)
	slog.New(slog.NewTextHandler(&text, nil)).Info("made", "keys", keys, "config", config)
	expectContains(t, "log", text.String(), "AKIDEXAMPLE")
	expect(t, "a log shows a secret", strings.Contains(text.String(), "hunter2"), false)
}
