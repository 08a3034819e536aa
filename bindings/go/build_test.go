package lambdainvoke_test

import (
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	lambdainvoke "github.com/lambda-invoke/liblambda_invoke/bindings/go"
)

// A program links the shared library, or with the build tag none at all, and speaks the protocol of the conformance tests
// either way.
func TestLinking(t *testing.T) {
	for _, row := range []struct {
		tags   string
		shared bool
	}{
		{"", true},
		{"lambda_invoke_static", false},
	} {
		t.Run("tags "+row.tags, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "conformance")
			built, err := exec.Command("go", "build", "-tags", row.tags, "-o", program, "./conformance").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, built)
			}
			file, err := elf.Open(program)
			if err != nil {
				t.Skipf("not an ELF file, so what it needs is not known: %v", err)
			}
			defer file.Close()
			needed, err := file.ImportedLibraries()
			if err != nil {
				t.Fatal(err)
			}
			shared := strings.Contains(strings.Join(needed, " "), "liblambda_invoke")
			if shared != row.shared {
				t.Errorf("the program needs %q", needed)
			}

			command := exec.Command(program)
			command.Stdin = strings.NewReader(fmt.Sprintf(
				"function_name %x\npayload %x\ninvoke\nfunction_name %x\ninvoke\nconfig.region %x\ninvoke\n", "echo", "hi", "no-such-function", "-"))
			command.Stderr = os.Stderr
			answer, err := command.Output()
			if err != nil {
				t.Fatalf("%v\n%s", err, answer)
			}
			expectContains(t, "first answer", string(answer), "status LAMBDA_OK\nexecution RAN\nhttp_status 200\nattempts 1\n"+
				"unknown_attempts 0\nretry_after_ms 0\npayload 6869\nlog -\nfunction_error -\n")
			expectContains(t, "second answer", string(answer), "\n.\nstatus LAMBDA_E_SERVICE\nexecution NONE\nhttp_status 404\n")
			expectContains(t, "third answer", string(answer), "\n.\nstatus LAMBDA_E_INVALID_ARGUMENT\nexecution NONE\nerror_message ")
		})
	}
}

func TestReadme(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(readme), "```go\n")
	text, _, _ = strings.Cut(text, "```\n")
	folder := t.TempDir()
	source, program := filepath.Join(folder, "main.go"), filepath.Join(folder, "program")
	write(t, source, text)
	if built, err := exec.Command("go", "build", "-o", program, source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, built)
	}
	output, err := exec.Command(program).CombinedOutput()
	if err != nil {
		t.Errorf("the program: %v", err)
	}
	expect(t, "output", string(output), "{\"greeting\": \"Hello, Ada!\"}\n")
}

// The package refuses to be compiled with a header that it does not fit.
func TestHeaderOfAnotherVersion(t *testing.T) {
	header, err := os.ReadFile("../../include/lambda_invoke.h")
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string][2]string{
		"later major": {"#define LAMBDA_VERSION_MAJOR 0", "#define LAMBDA_VERSION_MAJOR 1"},
		"too old":     {"#define LAMBDA_VERSION_MINOR ", "#define LAMBDA_VERSION_MINOR 0 // "},
	} {
		t.Run(name, func(t *testing.T) {
			// A copy of the package, since for the build cache the one here has been compiled already: it does not look at what
			// pkg-config says.
			folder := t.TempDir()
			copyPackage(t, folder)
			changed := strings.Replace(string(header), change[0], change[1], 1)
			if changed == string(header) {
				t.Fatalf("the header has no %q", change[0])
			}
			write(t, filepath.Join(folder, "lambda_invoke.h"), changed)
			write(t, filepath.Join(folder, "lambda_invoke.pc"), fmt.Sprintf(
				"Name: lambda_invoke\nDescription: a header alone\nVersion: %s\nCflags: -I\"%s\"\n", lambdainvoke.Version(), folder))
			command := exec.Command("go", "build", ".")
			command.Dir = folder
			command.Env = append(os.Environ(), "PKG_CONFIG_PATH="+folder)
			output, err := command.CombinedOutput()
			if err == nil {
				t.Fatal("it was compiled")
			}
			expectContains(t, "what the compiler says", string(output), "this Go package needs lambda_invoke.h of a version from 0.1.0 on")
		})
	}
}

func copyPackage(t *testing.T, folder string) {
	t.Helper()
	sources, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range append(sources, "go.mod") {
		if strings.HasSuffix(source, "_test.go") {
			continue
		}
		text, err := os.ReadFile(source)
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(folder, source), string(text))
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
