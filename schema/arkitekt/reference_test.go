package arkitekt_test

import (
	"cmp"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

// countEntries counts the entries of a published file by its text alone: lines
// that begin with a dash below a key that holds entries.
func countEntries(data []byte) int {
	n, inside := 0, false
	for line := range strings.Lines(string(data)) {
		switch {
		case strings.HasPrefix(line, "- ") && inside:
			n++
		case strings.TrimSpace(line) != "" && line[0] != ' ' && line[0] != '-':
			inside = strings.HasPrefix(line, "deployments:") || strings.HasPrefix(line, "app_images:")
		}
	}
	return n
}

// Files as they were really published are read where they are at hand. They
// are no part of the project.
func TestReadPublishedFiles(t *testing.T) {
	dir := cmp.Or(os.Getenv("BERTH_REFERENCE"), filepath.Join("..", "..", "..", "shared", "reference", "examples"))
	files, _ := filepath.Glob(filepath.Join(dir, "*.yaml"))
	if len(files) == 0 {
		t.Log("no published files at hand; BERTH_REFERENCE may name a folder of them")
		return
	}
	total := 0
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pub, ok := arkitekt.Read(file, parse(t, file, data))
		want := countEntries(data)
		total += want
		if !ok || len(pub.Releases) != want || len(pub.Problems) > 0 {
			t.Errorf("%s: form %s, %d of %d entries, problems: %v", filepath.Base(file), pub.Form, len(pub.Releases), want, pub.Problems)
		}
		line := 0
		for _, r := range pub.Releases {
			checkRelease(t, r)
			if r.Line <= line || len(r.Flavours) != 1 {
				t.Errorf("%s: entry at line %d, after one at %d, has %d flavours", filepath.Base(file), r.Line, line, len(r.Flavours))
			}
			line = r.Line
		}
	}
	t.Logf("%d entries in %d files", total, len(files))
}

// checkRelease checks what every release has.
func checkRelease(t testing.TB, r schema.Release) {
	t.Helper()
	if r.Identifier == "" || r.Version == "" || r.Line == 0 || r.Column == 0 || len(r.Flavours) == 0 {
		t.Errorf("incomplete: %+v", r)
	}
	for _, f := range r.Flavours {
		if f.Name == "" || f.Image == "" {
			t.Errorf("%s %s: incomplete flavour: %+v", r.Identifier, r.Version, f)
		}
	}
}
