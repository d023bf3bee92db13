package schema

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeAppGivesAReleaseWithItsFlavours(t *testing.T) {
	const doc = `
identifier: org.example.app
version: 1.0.0
name: App
scopes: [read]
channels: [stable]
requirements: [{key: db, service: s}]
definitions: [{name: F, args: [{key: x, kind: INT}]}]
flavours:
  - name: cuda
    image: example/app:cuda
    priority: 1
    selectors: [{kind: cuda, cudaVersion: 11.2, memory: 8GB}, {kind: ram, min: 8GB, required: false, weight: 2}]
    user: "1000"
    command: [run]
  - {name: cpu, image: example/app}
`
	releases, identities, problems := DecodeAppFile("manifest.yaml", []byte(doc))
	if len(problems) > 0 || len(identities) > 0 || len(releases) != 1 {
		t.Fatalf("%d releases, %d identities, problems: %v", len(releases), len(identities), problems)
	}
	requirements := []Requirement{{Key: "db", Service: "s"}}
	definitions := []Definition{{Name: "F", Args: []Parameter{{Key: "x", Kind: "INT"}}}}
	want := Release{
		Identifier: "org.example.app", Version: "1.0.0", Name: "App",
		Scopes: []string{"read"}, Channels: []string{"stable"}, Line: 2, Column: 1,
		Flavours: []Flavour{
			{
				Name: "cuda", Image: "example/app:cuda", Priority: 1, User: "1000",
				Selectors: []Selector{
					{Kind: SelectCUDA, Required: true, Weight: 1, Version: "11.2", Memory: 8e9},
					{Kind: SelectRAM, Weight: 2, Memory: 8e9},
				},
				Requirements: requirements, Definitions: definitions,
				Container: Container{Command: []string{"run"}},
			},
			{Name: "cpu", Image: "example/app", Requirements: requirements, Definitions: definitions},
		},
	}
	if diff := cmp.Diff(want, releases[0]); diff != "" {
		t.Error(diff)
	}
}

// One broken manifest of a file stops only itself; one without flavours
// describes an app.
func TestDecodeAppFileKeepsDocumentsApart(t *testing.T) {
	releases, identities, problems := DecodeAppFile("manifest.yaml", []byte(`
identifier: a
version: 1.0.0
flavours: [{name: v, image: x}]
---
identifier: b
version: 1.0.0
version: 1.0.1
flavours: [{name: v, image: x}]
---
identifier: c
version: 1.0.0
---
identifier: [d
---
identifier: e
version: 1.0.0
flavours: [{name: v, image: x}]
`))
	var names []string
	for _, r := range append(releases, identities...) {
		names = append(names, r.Identifier)
	}
	if diff := cmp.Diff([]string{"a", "e", "c"}, names); diff != "" || len(identities) != 1 {
		t.Error(diff)
	}
	if len(problems) != 2 || problems[0].Line != 8 || problems[1].Line != 14 {
		t.Errorf("problems: %v", problems)
	}
}
