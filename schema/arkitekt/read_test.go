package arkitekt_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v4"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

var update = flag.Bool("update", false, "write the golden files of testdata anew")

// parse returns the only document of a file.
func parse(t testing.TB, file string, data []byte) *yaml.Node {
	t.Helper()
	docs, problems := schema.ParseYAML(file, data)
	if len(problems) > 0 || len(docs) != 1 {
		t.Fatalf("%s: %d documents, problems: %v", file, len(docs), problems)
	}
	return docs[0]
}

// golden is a publication as the golden files hold it.
type golden struct {
	Arkitekt   bool           `json:"arkitekt"`
	Form       schema.Form    `json:"form"`
	Releases   []positioned   `json:"releases,omitempty"`
	Identities []positioned   `json:"identities,omitempty"`
	Problems   []schemaErrors `json:"problems,omitempty"`
}

type positioned struct {
	At [2]int `json:"at"` // line and column
	schema.Release
}

type schemaErrors struct {
	Error  string `json:"error,omitempty"`
	Notice string `json:"notice,omitempty"`
}

func toGolden(pub schema.Publication, ours bool) golden {
	g := golden{Arkitekt: ours, Form: pub.Form}
	for _, r := range pub.Releases {
		g.Releases = append(g.Releases, positioned{[2]int{r.Line, r.Column}, r})
	}
	for _, r := range pub.Identities {
		g.Identities = append(g.Identities, positioned{[2]int{r.Line, r.Column}, r})
	}
	for _, p := range pub.Problems {
		if p.Notice {
			g.Problems = append(g.Problems, schemaErrors{Notice: p.Error()})
		} else {
			g.Problems = append(g.Problems, schemaErrors{Error: p.Error()})
		}
	}
	return g
}

func TestReadGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".yaml"), func(t *testing.T) {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			pub, ours := arkitekt.Read(filepath.Base(file), parse(t, file, data))
			got, err := json.MarshalIndent(toGolden(pub, ours), "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			path := strings.TrimSuffix(file, ".yaml") + ".json"
			if *update {
				if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			want, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.TrimSpace(string(want)), string(got)); diff != "" {
				t.Errorf("%s differs (-want +got); go test -update writes it anew:\n%s", path, diff)
			}
		})
	}
}
