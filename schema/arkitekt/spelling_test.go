package arkitekt_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.yaml.in/yaml/v4"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

// vocabulary are the keys whose spelling varies; keys that are names stay.
var vocabulary = []string{
	"app_images", "app_image_id", "flavour_name", "flavour", "image", "build_at", "image_string", "inspection",
	"requirements", "service", "optional", "description", "size", "templates", "implementations", "definitions",
	"definition", "args", "returns", "nullable", "interface", "manifest", "author", "entrypoint", "identifier",
	"scopes", "version", "created_at", "selectors", "cuda_cores", "cuda_version", "compute_capability", "kind", "type",
	"min_count", "api_version", "api_thing", "deployed_at", "deployments", "latest_deployment_run", "latest_app_image",
	"required", "weight", "deployed", "docker", "locks", "states", "bloks", "logo", "hash",
}

// respell writes keys of the vocabulary and scalars in other ways that mean the same.
func respell(t *rapid.T, node *yaml.Node) {
	switch node.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			key := node.Content[i]
			at := slices.IndexFunc(vocabulary, func(word string) bool { return schema.SameKey(word, key.Value) })
			if at >= 0 {
				key.Value = rapid.SampledFrom(spellings(vocabulary[at])).Draw(t, "key")
			}
			respell(t, node.Content[i+1])
		}
	case yaml.SequenceNode:
		for _, member := range node.Content {
			respell(t, member)
		}
	case yaml.ScalarNode:
		if node.Tag != "!!null" && rapid.Bool().Draw(t, "quoted") {
			node.Style, node.Tag = yaml.DoubleQuotedStyle, "!!str"
		}
	}
}

func spellings(snake string) []string {
	words := strings.Split(snake, "_")
	for i, word := range words[1:] {
		words[i+1] = string(unicode.ToUpper(rune(word[0]))) + word[1:]
	}
	camel := strings.Join(words, "")
	return []string{
		snake, camel, strings.ToUpper(snake), strings.ReplaceAll(snake, "_", "-"),
		string(unicode.ToUpper(rune(camel[0]))) + camel[1:], strings.ToLower(camel),
	}
}

// However its keys are spelled and its values quoted, a file means the same.
func TestReadIgnoresSpelling(t *testing.T) {
	files, err := filepath.Glob("testdata/form-*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no fixtures: %v", err)
	}
	sameValues := cmpopts.IgnoreFields(schema.Release{}, "Line", "Column")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want, _ := arkitekt.Read(file, parse(t, file, data))
		t.Run(filepath.Base(file), rapid.MakeCheck(func(t *rapid.T) {
			docs, _ := schema.ParseYAML(file, data)
			respell(t, docs[0])
			text, err := yaml.Dump(docs[0])
			if err != nil {
				t.Fatal(err)
			}
			docs, problems := schema.ParseYAML(file, text)
			if len(problems) > 0 {
				t.Fatalf("%v\n%s", problems, text)
			}
			got, ok := arkitekt.Read(file, docs[0])
			if !ok || got.Form != want.Form || len(got.Problems) > 0 {
				t.Fatalf("form %s, want %s; problems: %v\n%s", got.Form, want.Form, got.Problems, text)
			}
			if diff := cmp.Diff(want.Releases, got.Releases, sameValues); diff != "" {
				t.Fatalf("(-want +got)\n%s\n%s", diff, text)
			}
		}))
	}
}
