package proposal

import (
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

func TestManifests(t *testing.T) {
	at := func(line int, message string) schema.Problem {
		return schema.Problem{File: "hello/manifest.yaml", Line: line, Column: 3, Message: message}
	}
	notice := at(1, "passed over")
	notice.Notice = true
	for name, test := range map[string]struct {
		found    schema.Problems
		releases []string
		state    forge.State
		text     string
	}{
		"nothing":     {nil, nil, forge.Success, "no manifest changes"},
		"a release":   {nil, []string{"org.fiji 1.2.0"}, forge.Success, "it would publish org.fiji 1.2.0"},
		"some":        {nil, []string{"org.fiji 1.2.0", "org.fiji 1.1.0"}, forge.Success, "it would publish org.fiji 1.2.0 (and 1 more)"},
		"an error":    {schema.Problems{at(2, "version: missing")}, []string{"org.fiji 1.2.0"}, forge.Failure, "hello/manifest.yaml:2:3: version: missing"},
		"some errors": {schema.Problems{notice, at(2, "a"), at(3, "b")}, nil, forge.Failure, "hello/manifest.yaml:2:3: a (and 1 more)"},
		"a notice":    {schema.Problems{notice}, nil, forge.Success, "no manifest changes"},
		"long":        {nil, []string{strings.Repeat("x", 500)}, forge.Success, "it would publish " + strings.Repeat("x", MaxSummary-18) + "…"},
	} {
		state, text := Manifests(test.found, test.releases)
		if state != test.state || text != test.text {
			t.Errorf("%s: %s %q, want %s %q", name, state, text, test.state, test.text)
		}
	}
}
