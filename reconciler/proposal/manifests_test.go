package proposal

import (
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

func TestManifests(t *testing.T) {
	at := func(line int, message string) schema.Problem {
		return schema.Problem{File: "hello/manifest.yaml", Line: line, Column: 3, Message: message}
	}
	notice := at(1, "passed over")
	notice.Notice = true
	release := func(identifier, version, shadow string) *catalog.Release {
		return &catalog.Release{Release: schema.Release{Identifier: identifier, Version: version}, ShadowedBy: shadow}
	}
	fiji, older := release("org.fiji", "1.2.0", ""), release("org.fiji", "1.1.0", "")
	long := strings.Repeat("x", 500)
	compared := " (compared with the newest commit of main)"
	for name, test := range map[string]struct {
		found    schema.Problems
		releases []*catalog.Release
		against  string
		state    forge.State
		text     string
	}{
		"nothing":     {nil, nil, "", forge.Success, "no manifest changes"},
		"a release":   {nil, []*catalog.Release{fiji}, "", forge.Success, "it would publish org.fiji 1.2.0"},
		"some":        {nil, []*catalog.Release{fiji, older}, "", forge.Success, "it would publish org.fiji 1.2.0 (and 1 more)"},
		"shadowed":    {nil, []*catalog.Release{release("org.fiji", "1.2.0", "other"), fiji}, "", forge.Success, "it would publish org.fiji 1.2.0 (shadowed by other) (and 1 more)"},
		"an error":    {schema.Problems{at(2, "version: missing")}, []*catalog.Release{fiji}, "", forge.Failure, "hello/manifest.yaml:2:3: version: missing"},
		"some errors": {schema.Problems{notice, at(2, "a"), at(3, "b")}, nil, "", forge.Failure, "hello/manifest.yaml:2:3: a (and 1 more)"},
		"a notice":    {schema.Problems{notice}, nil, "", forge.Success, "no manifest changes"},
		"long":        {nil, []*catalog.Release{release(long, "1", "")}, "", forge.Success, "it would publish " + strings.Repeat("x", MaxSummary-18) + "…"},

		"compared with the base":           {nil, []*catalog.Release{fiji, older}, "main", forge.Success, "it would publish org.fiji 1.2.0 (and 1 more)" + compared},
		"an error, compared with the base": {schema.Problems{at(2, long)}, nil, "main", forge.Failure, "hello/manifest.yaml:2:3: " + strings.Repeat("x", MaxSummary-26-len(compared)) + "…" + compared},
		"nothing, compared with the base":  {nil, nil, "main", forge.Success, "no manifest changes"},
		"compared with a long branch":      {nil, []*catalog.Release{fiji}, long, forge.Success, "it would publish org.fiji 1.2.0 (compared with the newest commit of " + strings.Repeat("x", maxBranch-1) + "…)"},
	} {
		state, text := Manifests(test.found, test.releases, test.against)
		if state != test.state || text != test.text {
			t.Errorf("%s: %s %q, want %s %q", name, state, text, test.state, test.text)
		}
	}
}
