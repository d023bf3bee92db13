// Command report reads the output of "go test -json" and prints what a person
// wants to know of it: a line for each package, the whole output of every test
// that failed, every test that was skipped with its reason, and the totals.
//
// It exits with 1 if a test or a package failed, and, where the environment has
// CI=true, if a test was skipped: in CI nothing may be.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// event is one line of "go test -json", as "go doc test2json" describes it.
type event struct {
	Action      string
	Package     string
	ImportPath  string
	Test        string
	Elapsed     float64 // seconds
	Output      string
	FailedBuild string
}

type report struct {
	out                     io.Writer
	passed, failed, skipped int
	broken                  int                 // packages that failed outside of a test
	output                  map[string][]string // by package and test
	inFailed                map[string]bool     // packages with a failed test
	skips                   []string
}

func main() {
	r := &report{out: os.Stdout, output: map[string][]string{}, inFailed: map[string]bool{}}
	if err := r.read(os.Stdin); err != nil {
		fmt.Fprintln(os.Stderr, "report:", err)
		os.Exit(1)
	}
	os.Exit(r.close(os.Getenv("CI") == "true"))
}

func (r *report) read(in io.Reader) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e event
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(r.out, lines.Text()) // not the test's: go itself says something
			continue
		}
		r.take(e)
	}
	return lines.Err()
}

func (r *report) take(e event) {
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		r.output[key] = append(r.output[key], e.Output)
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.endPackage(e)
		} else {
			r.endTest(e, key)
		}
		delete(r.output, key)
	}
}

func (r *report) endTest(e event, key string) {
	switch e.Action {
	case "pass":
		r.passed++
	case "fail":
		r.failed++
		r.inFailed[e.Package] = true
		fmt.Fprintf(r.out, "--- FAIL %s %s\n%s", e.Package, e.Test, strings.Join(r.output[key], ""))
	case "skip":
		r.skipped++
		r.skips = append(r.skips, fmt.Sprintf("%s %s: %s", e.Package, e.Test, reason(r.output[key])))
	}
}

func (r *report) endPackage(e event) {
	switch {
	case e.Action == "fail" && !r.inFailed[e.Package]:
		r.broken++
		fmt.Fprintf(r.out, "FAIL %s\n%s", e.Package, strings.Join(r.output[e.Package+" "], ""))
	case e.Action == "fail":
		fmt.Fprintf(r.out, "FAIL %s (%.1fs)\n", e.Package, e.Elapsed)
	case e.Action == "pass":
		fmt.Fprintf(r.out, "ok   %s (%.1fs)\n", e.Package, e.Elapsed)
	}
}

// reason finds the line that says why a test was skipped.
func reason(output []string) string {
	for _, line := range output {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "===") && !strings.HasPrefix(line, "---") {
			return line
		}
	}
	return "no reason given"
}

// close prints the totals and returns the exit code.
func (r *report) close(ci bool) int {
	for _, s := range r.skips {
		fmt.Fprintln(r.out, "skipped:", s)
	}
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped\n", r.passed, r.failed+r.broken, r.skipped)
	if ci && r.skipped > 0 {
		fmt.Fprintln(r.out, "in CI nothing may be skipped")
		return 1
	}
	if r.failed+r.broken > 0 {
		return 1
	}
	return 0
}
