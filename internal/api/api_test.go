package api

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// TestQueries asks every query of testdata/query in the world of testdata/world.
func TestQueries(t *testing.T) {
	paths, err := filepath.Glob("testdata/query/*.graphql")
	if err != nil || len(paths) == 0 {
		t.Fatal("no queries", err)
	}
	inWorld(t, func(r *rig) {
		for _, path := range paths {
			query, err := os.ReadFile(path)
			if err != nil {
				r.t.Fatal(err)
			}
			golden := strings.TrimSuffix(path, ".graphql") + ".json"
			got := r.askJSON(string(query), nil)
			if strings.Contains(string(got), "do-not-tell") {
				r.t.Errorf("%s: the answer tells a secret", path)
			}
			if *update {
				if err := os.WriteFile(golden, got, 0o644); err != nil {
					r.t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				r.t.Fatal(err)
			}
			if string(got) != string(want) {
				r.t.Errorf("%s: the answer is another than in %s; if it shall be, write it anew with -update:\n%s", path, golden, got)
			}
		}
	})
}
