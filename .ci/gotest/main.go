// Command gotest runs `go test` with the arguments it gets and says at the end
// which tests were skipped and why, which `go test` without -v keeps to itself.
// With BATON_NO_SKIP set, a skipped test is a failed one, but for those that
// -short leaves to `make e2e`.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action  string
	Package string
	Test    string
	Output  string
	Elapsed float64
}

// skip is one skipped test and the reason it gave.
type skip struct{ pkg, test, reason string }

// report gathers the events of one run.
type report struct {
	out     io.Writer
	verbose bool
	short   bool
	noSkip  bool
	output  map[string][]string // what each test printed, by package and test
	passed  int
	failed  int
	skips   []skip
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:]))
}

func run(ctx context.Context, args []string) int {
	started := time.Now()
	r := &report{
		out:     os.Stdout,
		verbose: slices.Contains(args, "-v"),
		short:   slices.Contains(args, "-short"),
		noSkip:  os.Getenv("BATON_NO_SKIP") != "",
		output:  map[string][]string{},
	}
	err := r.goTest(ctx, args)
	ok := r.verdict(time.Since(started))
	if err != nil || !ok {
		return 1
	}
	return 0
}

// goTest runs `go test -json` and reads its events while it runs. An interrupt
// is passed on, so that tests end the processes they started.
func (r *report) goTest(ctx context.Context, args []string) error {
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("open the pipe to go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start go test: %w", err)
	}
	lines := bufio.NewReader(stdout)
	for {
		line, err := lines.ReadString('\n')
		r.line(line)
		if err != nil {
			return cmd.Wait()
		}
	}
}

func (r *report) line(line string) {
	var e event
	if json.Unmarshal([]byte(line), &e) != nil {
		r.printf("%s", line)
		return
	}
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output", "build-output":
		r.keep(key, e)
	case "fail":
		r.fail(key, e)
	case "skip":
		r.skip(key, e)
	case "pass":
		if e.Test != "" {
			r.passed++
		}
		delete(r.output, key)
	}
}

// keep holds a test's output until it is known whether it failed, and prints a
// package's own line ("ok …") at once.
func (r *report) keep(key string, e event) {
	packageLine := e.Test == "" && e.Action == "output"
	noise := strings.Contains(e.Output, "[no test files]") || e.Output == "PASS\n" || strings.HasPrefix(e.Output, "coverage:")
	switch {
	case packageLine && noise:
	case packageLine || r.verbose || e.Action == "build-output":
		r.printf("%s", e.Output)
	}
	r.output[key] = append(r.output[key], e.Output)
}

// fail prints what a failed test said; and with a failed package what those said
// that never came to an end: a panic or a time-out is among it.
func (r *report) fail(key string, e event) {
	if e.Test != "" {
		r.failed++
		r.flush(key)
		return
	}
	for unfinished := range r.output {
		if strings.HasPrefix(unfinished, e.Package+" Test") {
			r.failed++
			r.flush(unfinished)
		}
	}
	delete(r.output, key)
}

func (r *report) flush(key string) {
	if !r.verbose {
		r.printf("%s", strings.Join(r.output[key], ""))
	}
	delete(r.output, key)
}

func (r *report) skip(key string, e event) {
	if e.Test != "" {
		r.skips = append(r.skips, skip{e.Package, e.Test, reason(r.output[key])})
	}
	delete(r.output, key)
}

// reason is the text of t.Skip: the part after "file_test.go:12: ".
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if _, text, found := strings.Cut(line, ".go:"); found {
			if _, text, found = strings.Cut(text, ": "); found {
				return strings.TrimSpace(text)
			}
		}
	}
	return "no reason given"
}

// verdict prints the skips and the totals, and says whether the run may count as passed.
func (r *report) verdict(took time.Duration) bool {
	later, skipped := 0, 0
	lacking := map[string][]string{}
	for _, s := range r.skips {
		if strings.HasSuffix(s.reason, "is not set") {
			continue // something that has to be asked for, such as pictures for the documentation
		}
		if r.short && slow(s.reason) {
			later++
			continue
		}
		skipped++
		what := s.pkg + ": " + s.reason
		lacking[what] = append(lacking[what], s.test)
	}
	for _, what := range slices.Sorted(maps.Keys(lacking)) {
		r.printf("SKIP  %s (%s)\n", what, some(lacking[what]))
	}
	r.printf("%d passed, %d failed, %d skipped in %s", r.passed, r.failed, skipped, took.Round(time.Second))
	if later > 0 {
		r.printf("; slow ones left to `make e2e`: %d", later)
	}
	r.printf("\n")
	if r.noSkip && skipped > 0 {
		r.printf("FAIL  BATON_NO_SKIP is set and %d tests were skipped\n", skipped)
		return false
	}
	return r.failed == 0
}

// some names the first tests of a list, and how many more there are.
func some(tests []string) string {
	const shown = 3
	if len(tests) <= shown {
		return strings.Join(tests, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(tests[:shown], ", "), len(tests)-shown)
}

// slow tells from the reason whether it was -short that left a test out, and not
// something that this machine lacks. The run without -short has the last word.
func slow(reason string) bool {
	lacking := []string{"install", "no ", "needs", "cannot", "can't"}
	return !slices.ContainsFunc(lacking, func(word string) bool { return strings.Contains(reason, word) })
}

func (r *report) printf(format string, args ...any) {
	_, _ = fmt.Fprintf(r.out, format, args...)
}
