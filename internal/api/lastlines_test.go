package api

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The end of a failed pod's log is told with the pod; of one that runs, nothing is.
func TestLastLines(t *testing.T) {
	inWorld(t, func(r *rig) {
		const query = `query($name: String!) { deployment(name: $name) { pods { lastLines } } }`
		for name, want := range map[string]string{"fiji": `"no display"`, "db": `"lastLines": []`} {
			if got := string(r.askJSON(query, map[string]any{"name": name})); !strings.Contains(got, want) {
				t.Errorf("%s: %s", name, got)
			}
		}
	})
}

// What is told of a log is bounded, harmless to a terminal, and hides what the
// documents put into the environment.
func TestEnding(t *testing.T) {
	long := strings.Repeat("é", lastBytes)
	for name, test := range map[string]struct{ lines, values, want []string }{
		"nothing":        {nil, nil, []string{}},
		"as it is":       {[]string{"loading", "no such file"}, []string{"debug"}, []string{"loading", "no such file"}},
		"a value":        {[]string{"cannot log in with do-not-tell!"}, []string{"do-not-tell", ""}, []string{"cannot log in with ***!"}},
		"a part of one":  {[]string{"secret-one secret"}, []string{"secret", "secret-one"}, []string{"*** ***"}},
		"lines of one":   {[]string{"key: BEGIN KEY", "abcdefgh"}, []string{"BEGIN KEY\nabcdefgh\nEND\n"}, []string{"key: ***", "***"}},
		"short values":   {[]string{"debug: 1 of 10"}, []string{"debug", "1"}, []string{"debug: 1 of 10"}},
		"a terminal's":   {[]string{"\x1b[31mred\x1b[0m\ttitle\x1b]0;owned\x07\x1b\x00\u202e."}, nil, []string{"red title."}},
		"hidden by them": {[]string{"do-\x1b[1mnot-tell"}, []string{"do-not-tell"}, []string{"***"}},
		"too much":       {[]string{"first", strings.Repeat("x", lastBytes-4), "last"}, nil, []string{strings.Repeat("x", lastBytes-4), "last"}},
		"one too long":   {[]string{"first", "x" + long}, nil, []string{"x" + long[:lastBytes-2]}},
	} {
		if diff := cmp.Diff(test.want, ending(test.lines, test.values)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func FuzzEnding(f *testing.F) {
	f.Add("a\x1b[3", "do-not-tell")
	f.Add("\x1b]\x1b\\do-not-tell", "do-not-tell")
	f.Fuzz(func(t *testing.T, line, value string) {
		got := ending([]string{"before", line}, []string{value})
		text := strings.Join(got, "")
		if len(text) > lastBytes || strings.ContainsAny(text, "\x1b\n\r\x07") {
			t.Errorf("%q", got)
		}
		if hidden := strings.TrimSpace(plain(value)); len(hidden) >= leastValue && !strings.ContainsAny(value, "\r\n*") && slices.ContainsFunc(got, func(l string) bool { return strings.Contains(l, hidden) }) {
			t.Errorf("%q is told in %q", value, got)
		}
	})
}
