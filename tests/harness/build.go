package harness

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

const (
	envBinary = "BATON_BIN"     // a binary that is built already
	envRace   = "BATON_RACE"    // any value: build it with -race
	envTags   = "BATON_TAGS"    // build tags, such as goroutines: the portable core
	envNoSkip = "BATON_NO_SKIP" // any value: what would be skipped fails instead
)

// Main runs a package's tests against one build of the binary, which later goes away with its directory.
// Use it as the whole of TestMain. BATON_BIN names a binary to test instead.
func Main(m *testing.M) { MainOf(m, "./app") }

// MainOf is Main for another program of the module.
func MainOf(m *testing.M, program string) {
	if os.Getenv(envBinary) != "" {
		m.Run()
		return
	}
	dir, err := os.MkdirTemp("", "baton-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	binary := filepath.Join(dir, "baton")
	if err := build(program, binary); err != nil {
		fmt.Fprintln(os.Stderr, err)
		panic("the binary under test does not build")
	}
	os.Setenv(envBinary, binary)
	m.Run()
}

// Binary is the path of the binary under test.
func Binary(t testing.TB) string {
	t.Helper()
	path := os.Getenv(envBinary)
	if path == "" {
		t.Fatal("no binary: TestMain must call harness.Main")
	}
	dependOnSource(t)
	return path
}

// dependOnSource looks at what the binary is made of. `go test` keeps a result for as long as what the tests looked at
// stays the same, and these import nothing of the service: without this an old result would pass for a new binary's.
func dependOnSource(t testing.TB) {
	t.Helper()
	_, _ = os.Getenv(envTags), os.Getenv(envRace)
	for _, name := range []string{"go.mod", "app", "config", "routes", "handlers", "middleware", "client", "docs/examples"} {
		err := filepath.WalkDir(filepath.Join(root(), name), func(path string, _ fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			_, err = os.Stat(path)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Skip skips the test, or fails it where the runner promised that everything is installed.
func Skip(t testing.TB, why string) {
	t.Helper()
	if os.Getenv(envNoSkip) != "" {
		t.Fatalf("%s, and %s is set", why, envNoSkip)
	}
	t.Skip(why)
}

// Bug is a text in one of the service's files, and what stands there instead.
type Bug struct{ File, Text, Instead string }

// Plant replaces a text in one of the service's files, for this test alone: a binary with a bug that has to be found.
func Plant(t testing.TB, file, text, bug string) {
	t.Helper()
	PlantAll(t, Bug{file, text, bug})
}

// PlantAll is Plant for a bug that takes several files.
func PlantAll(t testing.TB, bugs ...Bug) {
	t.Helper()
	dir, replaced := t.TempDir(), map[string]string{}
	for i, bug := range bugs {
		path := filepath.Join(root(), bug.File)
		source, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.Count(source, []byte(bug.Text)) != 1 {
			t.Fatalf("%s has changed: %q is not in it once, plant the bug elsewhere", bug.File, bug.Text)
		}
		replaced[path] = filepath.Join(dir, fmt.Sprintf("planted%d.go", i))
		if err := os.WriteFile(replaced[path], bytes.Replace(source, []byte(bug.Text), []byte(bug.Instead), 1), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	overlay, binary := filepath.Join(dir, "overlay.json"), filepath.Join(dir, "baton")
	replace, err := json.Marshal(map[string]map[string]string{"Replace": replaced})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(overlay, replace, 0o600), build("./app", binary, "-overlay", overlay)); err != nil {
		t.Fatal(err)
	}
	t.Setenv(envBinary, binary)
}

func build(program, output string, flags ...string) error {
	args := append([]string{"build", "-o", output, "-tags", os.Getenv(envTags)}, flags...)
	if os.Getenv(envRace) != "" {
		args = append(args, "-race")
	}
	cmd := exec.Command("go", append(args, program)...)
	cmd.Dir = root()
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("go build %s: %w\n%s", program, err, out)
	}
	return nil
}

// root is the module's directory: tests run in their package's, somewhere below it.
func root() string {
	dir, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	for dir != filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir
		}
		dir = filepath.Dir(dir)
	}
	panic("no go.mod above the test's directory")
}
