package schema

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// decodeFile decodes a fixture by the kind that its name begins with.
func decodeFile(t *testing.T, file string) Problems {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Base(file)
	switch kind, _, _ := strings.Cut(name, "-"); kind {
	case "app":
		_, _, problems := DecodeAppFile(name, data)
		return problems
	case "desired":
		return DecodeDesired(name, data).Problems
	case "config":
		_, problems := DecodeConfig(name, data)
		return problems
	default:
		t.Fatalf("%s begins with no kind", file)
		return nil
	}
}

func fixtures(t *testing.T, pattern string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join("testdata", filepath.FromSlash(pattern)))
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures in %s: %v", pattern, err)
	}
	return files
}

// The messages that people see, each beside the file that causes it.
func TestMessages(t *testing.T) {
	for _, file := range fixtures(t, "invalid/*/*.yaml") {
		t.Run(strings.TrimSuffix(filepath.ToSlash(file[len("testdata/invalid/"):]), ".yaml"), func(t *testing.T) {
			problems := decodeFile(t, file)
			if len(problems.Errors()) == 0 {
				t.Error("no errors")
			}
			got := problems.Error() + "\n"
			if strings.Contains(got, "hunter2") {
				t.Errorf("the secret is told:\n%s", got)
			}
			golden := strings.TrimSuffix(file, ".yaml") + ".golden"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("got:\n%s\nwant:\n%s", got, want)
			}
		})
	}
}

func TestValidFilesHaveNoProblems(t *testing.T) {
	for _, file := range fixtures(t, "valid/*.yaml") {
		if problems := decodeFile(t, file); len(problems) > 0 {
			t.Errorf("%s:\n%s", file, problems.Error())
		}
	}
}
