package lambdainvoke_test

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// Makes the test's program the server that the benchmarks call: a process of its own, since the CPU time of this one is
// measured. LAMBDAINVOKE_BENCH_URL names another server, such as one on a processor of its own.
const (
	asEchoServer = "LAMBDAINVOKE_ECHO_SERVER"
	benchURL     = "LAMBDAINVOKE_BENCH_URL"
)

// serveEcho answers with the payload, and ends with its standard input.
func serveEcho() {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("http://%s\n", listener.Addr())
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	panic(http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		payload := make([]byte, r.ContentLength)
		if _, err := io.ReadFull(r.Body, payload); err != nil {
			panic(err)
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Amzn-RequestId", "8bd3a3f0-0c2a-4d3e-9c0a-0123456789ab")
		w.Header().Set("X-Amz-Executed-Version", "$LATEST")
		w.Header().Set("Content-Length", strconv.Itoa(len(payload)))
		_, _ = w.Write(payload)
	})))
}

func startEchoServer(b *testing.B) string {
	b.Helper()
	if url := os.Getenv(benchURL); url != "" {
		return url
	}
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), asEchoServer+"=1")
	input, err := server.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	output, err := server.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := server.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = input.Close()
		_ = server.Wait()
	})
	var url string
	if _, err := fmt.Fscanln(output, &url); err != nil {
		b.Fatal(err)
	}
	return url
}

// byHand invokes with net/http and a signature made here, without anything that a client must have besides.
type byHand struct {
	client http.Client
	url    string
	host   string
}

func newByHand(url string, connections int) *byHand {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost, transport.MaxIdleConns, transport.Proxy = connections, connections, nil
	return &byHand{
		client: http.Client{Transport: transport},
		url:    url + "/2015-03-31/functions/echo/invocations",
		host:   strings.TrimPrefix(url, "http://"),
	}
}

func mac(key []byte, text string) []byte {
	hash := hmac.New(sha256.New, key)
	hash.Write([]byte(text))
	return hash.Sum(nil)
}

func (h *byHand) sign(request *http.Request, payload []byte) {
	now := time.Now().UTC()
	stamp := now.Format("20060102T150405Z")
	scope := stamp[:8] + "/us-east-1/lambda/aws4_request"
	digest := sha256.Sum256(payload)
	canonical := "POST\n" + request.URL.Path + "\n\nhost:" + h.host + "\nx-amz-date:" + stamp + "\n\nhost;x-amz-date\n" +
		hex.EncodeToString(digest[:])
	hashed := sha256.Sum256([]byte(canonical))
	key := mac(mac(mac(mac([]byte("AWS4"+keys.SecretAccessKey), stamp[:8]), "us-east-1"), "lambda"), "aws4_request")
	signature := hex.EncodeToString(mac(key, "AWS4-HMAC-SHA256\n"+stamp+"\n"+scope+"\n"+hex.EncodeToString(hashed[:])))
	request.Header.Set("X-Amz-Date", stamp)
	request.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential="+keys.AccessKeyID+"/"+scope+
		", SignedHeaders=host;x-amz-date, Signature="+signature)
}

func (h *byHand) invoke(payload []byte) ([]byte, error) {
	request, err := http.NewRequestWithContext(context.Background(), http.MethodPost, h.url, bytes.NewReader(payload))
	if err != nil {
		return nil, err
	}
	h.sign(request, payload)
	response, err := h.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("HTTP status %d", response.StatusCode)
	}
	answer := make([]byte, response.ContentLength)
	_, err = io.ReadFull(response.Body, answer)
	return answer, err
}

// usage is what a block of calls took, a call.
type usage struct{ wall, cpu, faults float64 }

func resources(b testing.TB) (cpu time.Duration, faults int64) {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano()), int64(used.Minflt)
}

func measure(b testing.TB, goroutines, calls int, payload []byte, invoke func([]byte) ([]byte, error)) usage {
	before, faultsBefore := resources(b)
	begin := time.Now()
	var group sync.WaitGroup
	for range make([]struct{}, goroutines) {
		group.Add(1)
		go func() {
			defer group.Done()
			for range make([]struct{}, calls) {
				if answer, err := invoke(payload); err != nil || len(answer) != len(payload) {
					b.Errorf("%d bytes, %v", len(answer), err)
					return
				}
			}
		}()
	}
	group.Wait()
	wall := time.Since(begin)
	cpu, faults := resources(b)
	all := float64(goroutines * calls)
	return usage{
		float64(wall.Microseconds()) / all, float64((cpu - before).Microseconds()) / all, float64(faults-faultsBefore) / all,
	}
}

func median(all []usage, of func(usage) float64) float64 {
	var values []float64
	for _, one := range all {
		values = append(values, of(one))
	}
	slices.Sort(values)
	return values[len(values)/2]
}

// BenchmarkBesideNetHTTP measures this package and net/http in turns, so that what else the machine does meets both.
func BenchmarkBesideNetHTTP(b *testing.B) {
	for _, row := range []struct{ goroutines, calls, size int }{
		{1, 500, 128}, {8, 100, 128}, {64, 30, 128}, {1, 200, 64 << 10}, {1, 10, 6 << 20},
	} {
		b.Run(fmt.Sprintf("%d_in_flight_%d_bytes", row.goroutines, row.size), func(b *testing.B) {
			url := startEchoServer(b)
			client := newClient(b, lambdainvoke.Config{EndpointURL: url, Credentials: keys, MaxConnections: row.goroutines})
			hand := newByHand(url, row.goroutines)
			payload := bytes.Repeat([]byte("x"), row.size)
			library := func(payload []byte) ([]byte, error) {
				result, err := client.Invoke(context.Background(), &lambdainvoke.Request{FunctionName: "echo", Payload: payload})
				if err != nil {
					return nil, err
				}
				return result.Payload, nil
			}
			var ours, theirs []usage
			measure(b, row.goroutines, 2, payload, library)
			measure(b, row.goroutines, 2, payload, hand.invoke)
			b.ResetTimer()
			for range make([]struct{}, b.N) {
				ours = append(ours, measure(b, row.goroutines, row.calls, payload, library))
				theirs = append(theirs, measure(b, row.goroutines, row.calls, payload, hand.invoke))
			}
			wall, cpu := func(u usage) float64 { return u.wall }, func(u usage) float64 { return u.cpu }
			faults := func(u usage) float64 { return u.faults }
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(median(ours, cpu), "cpu-us")
			b.ReportMetric(median(ours, wall), "wall-us")
			b.ReportMetric(median(ours, faults), "faults")
			b.ReportMetric(median(theirs, cpu), "net/http-cpu-us")
			b.ReportMetric(median(theirs, wall), "net/http-wall-us")
			b.ReportMetric(median(theirs, faults), "net/http-faults")
			b.ReportMetric(median(ours, cpu)/median(theirs, cpu), "cpu-ratio")
			b.ReportMetric(median(ours, wall)/median(theirs, wall), "wall-ratio")
		})
	}
}
