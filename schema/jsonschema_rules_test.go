package schema

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// decodeErrors decodes one document of a kind.
func decodeErrors(kind string, doc Document) Problems {
	var problems Problems
	switch kind {
	case "App":
		_, problems = decodeApp("f", doc)
	case "Config":
		c := &Config{}
		problems = decodeDocument("f", doc, "", c, c.validate)
	case KindDeployment:
		d := &Deployment{}
		problems = decodeDocument("f", doc, "kind", d, d.validate)
	case KindRepo:
		d := &Repo{}
		problems = decodeDocument("f", doc, "kind", d, d.validate)
	}
	return problems.Errors()
}

// valuesTried are put in place of each value of a document.
var valuesTried = []string{
	`""`, `" "`, `text`, `"1"`, `1`, `0`, `-1`, `1.5`, `"1.5"`, `1e3`, `99999999999`, `true`, `"true"`, `yes`, `null`, `[]`, `{}`, `[a]`,
	`[""]`, `[1]`, `[null]`, `{a: b}`, `8GB`, `500m`, `30s`, `"80:80"`, `80/udp`, `^1`, `1.0.0`, `1.0.0-rc.1+b`, `v1.0.0`, `A=b`, `[A=b]`,
	`/a`, `"data:/a"`, `a b`, `A_b`, `a-`, `a.b/c`, `../a`, `NET_RAW`, `cuda`, `docker`, `{kind: gpu}`, `"*"`, `1000:1000`, `ü`,
}

// Whatever stands in place of a value: what the schema refuses the decoder refuses.
func TestSchemaRefusesNothingThatIsRead(t *testing.T) {
	schemas := compiled(t)
	for _, file := range fixtures(t, "valid/*.yaml") {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs, _ := ParseDocuments("f", data)
		for _, doc := range docs {
			kind := kindOfFixture(filepath.Base(file), doc.Root)
			for _, text := range valuesTried {
				other, _ := ParseYAML("f", []byte(text))
				eachValue(doc.Root, func(node *yaml.Node) {
					was := *node
					*node = *other[0]
					if len(decodeErrors(kind, doc)) == 0 {
						if err := schemas[kind].Validate(jsonValue(doc.Root)); err != nil {
							t.Errorf("%s:%d:%d: with %s only the schema refuses it: %v", file, was.Line, was.Column, text, err)
						}
					}
					*node = was
				})
			}
		}
	}
}

// eachValue calls fn for each value in a mapping and each item of a list, but for
// the kind of a document.
func eachValue(node *yaml.Node, fn func(*yaml.Node)) {
	for i, c := range node.Content {
		if node.Kind == yaml.SequenceNode || i%2 == 1 && (node.Content[i-1].Value != "kind" || node.Column > 1) {
			fn(c)
			eachValue(c, fn)
		}
	}
}

// A name or a number that the decoder refuses the schema refuses too.
func TestSchemaKnowsTheRules(t *testing.T) {
	schemas := compiled(t)
	const app, dep = "identifier: a.b\nversion: 1.0.0\n", "kind: Deployment\nname: a\napp: b\n"
	flavour := app + "flavours:\n- name: v\n  image: a/b\n  "
	for _, tt := range []struct{ kind, doc string }{
		{"App", "identifier: a b\nversion: 1.0.0\n"},
		{"App", "identifier: a\nversion: 1.0\n"},
		{"App", "identifier: a\nversion: v1.0.0\n"},
		{"App", app + "scopes: [a b]"},
		{"App", app + "scopes: [a, a]"},
		{"App", app + "channels: [1.x]"},
		{"App", app + "channels: [1]"},
		{"App", app + "flavours: [{name: a b, image: i}]"},
		{"App", flavour + "priority: -1"},
		{"App", flavour + "env: {A B: x}"},
		{"App", flavour + "env: [1A=x]"},
		{"App", flavour + "workdir: app"},
		{"App", flavour + "capabilities: {add: [CAP_NET_RAW]}"},
		{"App", flavour + "resources: {gpus: 1001}"},
		{"App", flavour + "healthcheck: {command: [x], retries: 0}"},
		{"App", flavour + "volumes: [{name: a b, path: /x}]"},
		{"App", flavour + "volumes: [{name: a, path: x}]"},
		{"App", flavour + `selectors: [{kind: label, key: ""}]`},
		{KindDeployment, "kind: Deployment\nname: A\napp: b"},
		{KindDeployment, "kind: Deployment\nname: " + strings.Repeat("a", 64) + "\napp: b"},
		{KindDeployment, "kind: Deployment\nname: 1.5\napp: b"},
		{KindDeployment, "kind: Deployment\nname: a\napp: b c"},
		{KindDeployment, dep + "replicas: -1"},
		{KindDeployment, dep + "replicas: 1001"},
		{KindDeployment, dep + "dependsOn: [B]"},
		{KindDeployment, dep + "runAs: root;rm"},
		{KindRepo, "kind: Repo\nname: A\nurl: https://a/b"},
		{KindRepo, "kind: Repo\nname: a\nurl: https://a/b\npriority: 1000001"},
		{KindRepo, "kind: Repo\nname: a\nurl: https://a/b\napps: [a b]"},
		{"Config", "instance: A"},
		{"Config", "backends: [{name: A, type: docker}]"},
		{"Config", "backends: [{name: a, type: docker, workers: 1001}]"},
	} {
		docs, problems := ParseDocuments("f", []byte(tt.doc))
		if len(docs) != 1 || len(problems) > 0 {
			t.Fatalf("%q: %v", tt.doc, problems)
		}
		if errs := decodeErrors(tt.kind, docs[0]); len(errs) == 0 {
			t.Errorf("the decoder takes %q", tt.doc)
		}
		if schemas[tt.kind].Validate(jsonValue(docs[0].Root)) == nil {
			t.Errorf("the schema takes %q", tt.doc)
		}
	}
}

// A rule that a tag names is there.
func TestRulesAreKnown(t *testing.T) {
	for typ, shape := range shapes() {
		for _, f := range shape.fields {
			_, known := schemaRules[f.rule]
			if f.rule != "" && f.rule != ruleCapability && !known {
				t.Errorf("%s.%s names the rule %s", typ, f.key, f.rule)
			}
			if kind := deref(f.typ).Kind(); f.span != "" && kind != reflect.Int {
				t.Errorf("%s.%s has a range, and is %s", typ, f.key, fmt.Sprint(kind))
			}
		}
	}
}
