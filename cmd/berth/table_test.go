package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

func TestTable(t *testing.T) {
	rows := [][]string{
		{"web", "ready", "2 of 2 pods are ready, and have been for a long time", "5s"},
		{"naïve-界", "failed", "image not found:\n\texample.org/app:missing \x1b[31m", "12d"},
		{"db", "", "", ""},
	}
	for name, tc := range map[string]struct {
		width  int
		colour bool
		want   string
	}{
		"complete when piped": {0, false, `
NAME       STATE    REASON                                                 AGE
web        ready    2 of 2 pods are ready, and have been for a long time   5s
naïve-界   failed   image not found: example.org/app:missing \x1b[31m      12d
db         -        -                                                      -
`},
		"sentences are cut first": {50, false, `
NAME       STATE    REASON                     AGE
web        ready    2 of 2 pods are ready, …   5s
naïve-界   failed   image not found: exampl…   12d
db         -        -                          -
`},
		"names are cut where that is not enough": {30, false, `
NAME     STATE    REASON   AGE
web      ready    2 of …   5s
naïve…   failed   image…   12d
db       -        -        -
`},
		"colours widen nothing": {0, true, `
NAME       STATE    REASON                                                 AGE
web        [32mready[0m    2 of 2 pods are ready, and have been for a long time   5s
naïve-界   [31mfailed[0m   image not found: example.org/app:missing \x1b[31m      12d
db         -        -                                                      -
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			tab := newTable(&out, "NAME", "STATE", "REASON", "AGE")
			tab.width, tab.colours.on = tc.width, tc.colour
			for _, row := range rows {
				tab.row(row...)
			}
			if err := tab.flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), strings.ReplaceAll(out.String(), "\x1b", "")); diff != "" {
				t.Error(diff)
			}
			for line := range strings.Lines(out.String()) {
				if w := textWidth(strings.TrimSuffix(line, "\n")); tc.width > 0 && w > tc.width {
					t.Errorf("a line is %d wide: %s", w, line)
				}
			}
		})
	}
}

// Where a terminal is narrow, what names a row stays whole as long as anything
// else can go, and a state keeps its colour when its word is cut.
func TestNarrowTable(t *testing.T) {
	pods := []string{"NAME", "STATE", "READY", "RESTARTS", "DEPLOYMENT", "VERSION", "FLAVOUR", "BACKEND", "REASON", "AGE"}
	pod := []string{"berth-demo-678ea2-hello-jane-0-d53480e3", "running", "yes", "0", "hello-jane", "0.1.1", "cpu", "docker", "it waits for its volume to come", "12m"}
	for name, tc := range map[string]struct {
		width       int
		header, row []string
		want        string
	}{
		"columns that matter least are left out": {100, pods, pod, `
NAME                                      STATE     READY   VERSION   REASON                     AGE
berth-demo-678ea2-hello-jane-0-d53480e3   [32mrunning[0m   [32myes[0m     0.1.1     it waits for its volume…   12m
`},
		"what names a row stays": {80, pods, pod, `
NAME                                      STATE     READY   REASON           AGE
berth-demo-678ea2-hello-jane-0-d53480e3   [32mrunning[0m   [32myes[0m     it waits for …   12m
`},
		"names of several columns stay": {50, []string{"APP", "VERSION", "FLAVOUR", "IMAGE", "NEEDS"},
			[]string{"dev.berth.hello", "0.1.1", "cuda", "example.org/app:0.1.1-cuda", "-"}, `
APP               VERSION   FLAVOUR   NEEDS
dev.berth.hello   0.1.1     cuda      -
`},
		"states keep their colours": {12, []string{"NAME", "STATE"}, []string{"web", "progressing"}, `
NAME   STATE
web    [33mprog…[0m
`},
	} {
		t.Run(name, func(t *testing.T) {
			var out strings.Builder
			tab := newTable(&out, tc.header...)
			tab.width, tab.colours.on = tc.width, true
			tab.row(tc.row...)
			if err := tab.flush(); err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimPrefix(tc.want, "\n"), strings.ReplaceAll(out.String(), "\x1b", "")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// What comes after a table was printed stands under its columns.
func TestTableGoesOn(t *testing.T) {
	var out strings.Builder
	tab := newTable(&out, "NAME", "AGE")
	for _, name := range []string{"stardist-john", "web", "a-much-longer-name"} {
		tab.row(name, "1s")
		if err := tab.flush(); err != nil {
			t.Fatal(err)
		}
	}
	want := "NAME            AGE\nstardist-john   1s\nweb             1s\na-much-longer-name   1s\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestAge(t *testing.T) {
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 119 * time.Second: "119s", 2 * time.Minute: "2m",
		119 * time.Minute: "119m", 2 * time.Hour: "2h", 47 * time.Hour: "47h", 48 * time.Hour: "2d", 1000 * 24 * time.Hour: "1000d",
	} {
		if got := age(now, now.Add(-d)); got != want {
			t.Errorf("age of %s: %s, want %s", d, got, want)
		}
	}
	if got := ageOf(now, nil); got != "" {
		t.Errorf("an unknown age is %q", got)
	}
}

func TestYAML(t *testing.T) {
	var out strings.Builder
	err := writeYAML(&out, []any{struct {
		Version  string    `json:"version"`
		Words    []string  `json:"words"`
		Nothing  *int      `json:"nothing"`
		None     []string  `json:"none"`
		Count    int       `json:"count"`
		Since    time.Time `json:"since"`
		Text     string    `json:"text"`
		Sentence string    `json:"sentence"`
	}{"1.10", []string{"yes", "null", "plain", "", "0x1", "~", "1_000", "8e33557", "22:22", "0.1.1", "8080:80"}, nil, []string{}, 3, time.Unix(0, 0).UTC(), "a\nb", "image: not found #1"}})
	if err != nil {
		t.Fatal(err)
	}
	want := `- version: '1.10'
  words:
  - 'yes'
  - 'null'
  - plain
  - ''
  - '0x1'
  - '~'
  - '1_000'
  - '8e33557'
  - '22:22'
  - 0.1.1
  - 8080:80
  nothing: null
  none: []
  count: 3
  since: '1970-01-01T00:00:00Z'
  text: |-
    a
    b
  sentence: 'image: not found #1'
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

// Nothing that a document, an engine or a server says moves a terminal's cursor.
func TestCommandsPrintNoControls(t *testing.T) {
	const evil = "a\x1b[2Jb\rc"
	var out strings.Builder
	err := tellExplained(&out, "table", explained{
		Deployment: evil, App: evil, Version: evil, Resolved: evil, Action: evil, Reason: evil, Better: evil,
		Choices:  []explainedChoice{{Flavour: evil, Backend: evil, Reason: evil, Selectors: []explainedSelector{{Selector: evil, Match: evil}}}},
		Releases: []explainedRelease{{Version: evil, Repo: evil, Reason: evil}},
	})
	if err != nil {
		t.Fatal(err)
	}
	report := usageReport{Pods: []podUsage{{PodName: evil, BackendName: evil, DeploymentName: evil}}, Problems: []usageProblem{{Backend: evil, Message: evil}}}
	if err := tellUsage(console{out: &out, err: &out}, report); err != nil {
		t.Fatal(err)
	}
	tellError(&out, &schema.Error{Op: evil, Resource: evil, Err: errors.New(evil), Hint: evil})
	tellError(&out, schema.Problems{{File: evil, Message: evil, Hint: evil}})
	tellError(&out, errors.New(evil))
	fmt.Fprintln(&out, nearestNames("a", []string{evil}), nearestNames(evil, []string{evil}))
	if at := strings.IndexAny(out.String(), "\x1b\r"); at >= 0 || !strings.Contains(out.String(), `a\x1b[2Jb`) {
		t.Errorf("at %d of\n%q", at, out.String())
	}
}
