// Package bench has what the Go programs of the benchmark share. Each takes the arguments URL CASE CALLS IN_FLIGHT SIZE, and
// prints one JSON line.
package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const pause = time.Second

// Case is what the arguments of the program say.
type Case struct {
	URL             string
	Name            string
	Calls, InFlight int
	Payload         []byte
}

// Call invokes a function and returns the status and the length of the response.
type Call func(function string) (status, length int, err error)

// FromArguments reads the arguments of the program.
func FromArguments() Case {
	if len(os.Args) != 6 {
		fail("usage: URL CASE CALLS IN_FLIGHT SIZE")
	}
	payload := append([]byte{'"'}, bytes.Repeat([]byte{'a'}, number(os.Args[5])-2)...)
	return Case{os.Args[1], os.Args[2], number(os.Args[3]), number(os.Args[4]), append(payload, '"')}
}

func number(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil {
		fail(err)
	}
	return n
}

func fail(what any) {
	fmt.Fprintln(os.Stderr, what)
	os.Exit(1)
}

// Run runs the case: each goroutine makes its calls one after the other.
func (c Case) Run(call Call) {
	switch c.Name {
	case "first":
		c.call(call, "f")
		start().finish(1)
	case "burst":
		for turn, function := range []string{"burst-1000", "again-1000"} {
			time.Sleep(pause * time.Duration(turn))
			c.goroutines(call, function, 1)
		}
		start().finish(1)
	default:
		ofEach := c.Calls / c.InFlight
		c.goroutines(call, "f", max(ofEach/10, 2))
		meter := start()
		c.goroutines(call, "f", ofEach)
		meter.finish(ofEach * c.InFlight)
	}
}

func (c Case) goroutines(call Call, function string, calls int) {
	var all sync.WaitGroup
	for range c.InFlight {
		all.Add(1)
		go func() {
			defer all.Done()
			for range calls {
				c.call(call, function)
			}
		}()
	}
	all.Wait()
}

func (c Case) call(call Call, function string) {
	status, length, err := call(function)
	if err != nil {
		fail(err)
	}
	if status != 200 || length != len(c.Payload) {
		fail(fmt.Sprintf("another response was expected than %d with %d bytes", status, length))
	}
}

// meter measures the CPU time of this process, all threads included, and the wall time.
type meter struct {
	cpu  time.Duration
	wall time.Time
}

func start() meter { return meter{cpu(), time.Now()} }

func (m meter) finish(calls int) {
	perCall := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / 1e3 / float64(calls) }
	wall, used := perCall(time.Since(m.wall)), perCall(cpu()-m.cpu)
	fmt.Printf("{\"cpu_us\": %.2f, \"wall_us\": %.2f, \"rss_kib\": %s}\n", used, wall, rssKiB())
}

func cpu() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		fail(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func rssKiB() string {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		fail(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	return strings.Fields(rest)[0]
}
