package schema

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v4"
)

// jsonValue returns what a node is to a JSON Schema.
func jsonValue(n *yaml.Node) any {
	switch {
	case n.Kind == yaml.MappingNode:
		m := map[string]any{}
		for i := 0; i < len(n.Content); i += 2 {
			m[n.Content[i].Value] = jsonValue(n.Content[i+1])
		}
		return m
	case n.Kind == yaml.SequenceNode:
		list := []any{}
		for _, c := range n.Content {
			list = append(list, jsonValue(c))
		}
		return list
	case n.Tag == "!!null":
		return nil
	case n.Tag == "!!bool":
		return n.Value == "true"
	case n.Tag == "!!int" || n.Tag == "!!float":
		if _, err := strconv.ParseFloat(n.Value, 64); err == nil {
			return json.Number(n.Value)
		}
	case n.Tag != "" && n.Tag[0] == '!' && !strings.HasPrefix(n.Tag, "!!str") && !strings.HasPrefix(n.Tag, "!!time"):
		return nil // editors do not know tags of others either
	}
	return n.Value
}

// compiled returns the JSON Schema of each kind, ready to validate.
func compiled(t *testing.T) map[string]*jsonschema.Schema {
	t.Helper()
	all := map[string]*jsonschema.Schema{}
	for _, kind := range Kinds() {
		text, err := JSONSchema(kind)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		c.DefaultDraft(jsonschema.Draft2020)
		c.AssertFormat()
		if err := c.AddResource(kind, doc); err != nil {
			t.Fatal(err)
		}
		if all[kind], err = c.Compile(kind); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
	}
	return all
}

// schemaErrors validates each document of a file against the schema of its kind.
func schemaErrors(t *testing.T, schemas map[string]*jsonschema.Schema, file string) (errs []error, docs int) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	roots, _ := ParseYAML(file, data)
	for _, root := range roots {
		kind := kindOfFixture(filepath.Base(file), root)
		s := schemas[kind]
		if s == nil {
			s = schemas[KindDeployment] // an unknown kind fits none
		}
		if err := s.Validate(jsonValue(root)); err != nil {
			errs = append(errs, err)
		}
	}
	return errs, len(roots)
}

func kindOfFixture(name string, root *yaml.Node) string {
	switch {
	case strings.HasPrefix(name, "app-"):
		return "App"
	case strings.HasPrefix(name, "config-"):
		return "Config"
	}
	for i := 0; root.Kind == yaml.MappingNode && i < len(root.Content); i += 2 {
		if root.Content[i].Value == "kind" {
			return root.Content[i+1].Value
		}
	}
	return ""
}

// What the decoder takes the schema takes; a wrong shape both refuse. Of a wrong
// value in the right shape the schema may see less.
func TestSchemaAgreesWithDecoder(t *testing.T) {
	schemas := compiled(t)
	for _, file := range fixtures(t, "valid/*.yaml") {
		if errs, _ := schemaErrors(t, schemas, file); len(errs) > 0 {
			t.Errorf("%s: %v", file, errs)
		}
	}
	for _, file := range fixtures(t, "invalid/shape/*.yaml") {
		if errs, docs := schemaErrors(t, schemas, file); len(errs) != docs {
			t.Errorf("%s: the schema refuses %d of %d documents", file, len(errs), docs)
		}
	}
}

// One wrong thing at a time: the decoder and the schema agree on each.
func TestSchemaAgreesWithDecoderOnOneChange(t *testing.T) {
	schemas := compiled(t)
	app := "identifier: a.b\nversion: 1.0.0\nflavours:\n- name: v\n  image: a/b\n  "
	dep := "kind: Deployment\nname: a\napp: b\n"
	for _, tt := range []struct {
		kind, doc string
		ok        bool
	}{
		{"App", app + "env: {A: 1, B: true, C: x, D: 1.5}", true},
		{"App", app + "env: {A: [x]}", false},
		{"App", app + "env: {A: }", false},
		{"App", app + "env: [A=b]", true},
		{"App", app + "env: [A]", false},
		{"App", app + "env: [=b]", false},
		{"App", app + "env: A=b", false},
		{"App", app + "command: [a, 1, true]", true},
		{"App", app + "command: a", false},
		{"App", app + "command: [~]", false},
		{"App", app + "ports: [80, '81', '80:80', '[::1]:81:80', '127.0.0.1::80/TCP']", true},
		{"App", app + "ports: [-1]", false},
		{"App", app + "ports: [1.5]", false},
		{"App", app + "ports: ['x']", false},
		{"App", app + "volumes: ['a:/b', '/a:/c:ro', {name: a, path: /d}]", true},
		{"App", app + "volumes: ['a']", false},
		{"App", app + "volumes: ['a:b']", false},
		{"App", app + "volumes: ['a:/b:rx']", false},
		{"App", app + "volumes: [{name: a}]", false},
		{"App", app + "volumes: [{name: a, path: /b, mode: rw}]", false},
		{"App", app + "resources: {cpu: 0.5, memory: 1GiB, gpus: 2}", true},
		{"App", app + "resources: {cpu: .5, memory: 104857600}", true},
		{"App", app + "resources: {cpu: -1}", false},
		{"App", app + "resources: {cpu: true}", false},
		{"App", app + "resources: {memory: 1PB}", false},
		{"App", app + "resources: {gpus: '2'}", false},
		{"App", app + "resources: {gpus: 1.5}", false},
		{"App", app + "healthcheck: {command: 'x y', interval: 1h2m3.5s}", true},
		{"App", app + "healthcheck: {command: {a: b}}", false},
		{"App", app + "healthcheck: {command: [x], interval: 3}", false},
		{"App", app + "healthcheck: {command: [x], startPeriod: 0}", true},
		{"App", app + "privileged: yes", false},
		{"App", app + "network: bridge", false},
		{"App", app + "selectors: [{kind: cuda, cudaVersion: 11.2, memory: 8GB, required: false, weight: 2}]", true},
		{"App", app + "selectors: [{type: cuda, cuda_version: '11.2'}]", true},
		{"App", app + "selectors: [{kind: cuda, type: cuda}]", false},
		{"App", app + "selectors: [{kind: cuda, cudaVersion: 11, cuda_version: 11}]", false},
		{"App", app + "selectors: [{kind: ram, cudaVersion: 11}]", false},
		{"App", app + "selectors: [{kind: label}]", false},
		{"App", app + "selectors: [{kind: cpu, min: 1.5}]", false},
		{"App", app + "selectors: [{kind: cpu, required: maybe}]", false},
		{"Deployment", dep + "version: 1.10", true},
		{"Deployment", dep + "version: [1]", false},
		{"Deployment", dep + "version: ", false},
		{"Deployment", dep + "replicas: 2", true},
		{"Deployment", dep + "replicas: two", false},
		{"Deployment", dep + "kind2: x", false},
		{"Deployment", dep + "rollout: {strategy: Rolling}", false},
		{"Deployment", dep + "rollout: {rollback: 1}", false},
		{"Deployment", dep + "scopes: read", false},
		{"Deployment", "kind: Deployment\nname: a\n", false},
		{"Deployment", "kind: Deployment\nname: ''\napp: b\n", false},
	} {
		root, problems := ParseYAML("f.yaml", []byte(tt.doc))
		if len(problems) > 0 || len(root) != 1 {
			t.Fatalf("%s: %v", tt.doc, problems)
		}
		if tt.kind == "App" {
			_, problems = DecodeApp("f.yaml", root[0])
		} else {
			problems = DecodeDesired("f.yaml", []byte(tt.doc)).Problems
		}
		if ok := len(problems.Errors()) == 0; ok != tt.ok {
			t.Errorf("%s:\nthe decoder says %v, want %v\n%s", tt.doc, ok, tt.ok, problems.Error())
		}
		err := schemas[tt.kind].Validate(jsonValue(root[0]))
		if ok := err == nil; ok != tt.ok {
			t.Errorf("%s:\nthe schema says %v, want %v\n%v", tt.doc, ok, tt.ok, err)
		}
	}
}

// The examples that people start from, once there are some at the root.
func TestSchemaTakesTheExamples(t *testing.T) {
	root := filepath.Join("..", "examples")
	if _, err := os.Stat(root); os.IsNotExist(err) {
		return
	}
	schemas := compiled(t)
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".yaml") && !strings.HasSuffix(path, ".yml") {
			return err
		}
		data, err := os.ReadFile(path)
		if err == nil {
			checkExample(t, schemas, path, data)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// inConfigMap returns the configuration that a ConfigMap of Kubernetes holds.
func inConfigMap(root *yaml.Node) string {
	var object struct {
		Data map[string]string `yaml:"data"`
	}
	if root.Kind != yaml.MappingNode {
		return ""
	}
	if err := root.Decode(&object); err != nil {
		return "" // another kind, whose data are not text
	}
	return object.Data["berth.yaml"]
}

// checkExample checks the documents of a file that are Berth's own, also those
// within a ConfigMap of Kubernetes.
func checkExample(t *testing.T, schemas map[string]*jsonschema.Schema, path string, data []byte) {
	t.Helper()
	roots, problems := ParseYAML(path, data)
	for _, root := range roots {
		has := map[string]string{}
		for i := 0; root.Kind == yaml.MappingNode && i < len(root.Content); i += 2 {
			has[root.Content[i].Value] = root.Content[i+1].Value
		}
		kind := has["kind"]
		_, identifier := has["identifier"]
		_, desired := has["desired"]
		_, foreign := has["deployments"]
		switch {
		case has["apiVersion"] != "":
			if text := inConfigMap(root); text != "" {
				checkExample(t, schemas, path+" berth.yaml", []byte(text))
			}
			continue
		case schemas[kind] != nil:
			problems = append(problems, DecodeDesired(path, data).Problems...)
		case identifier && !foreign:
			kind = "App"
			_, wrong := DecodeApp(path, root)
			problems = append(problems, wrong...)
		case desired:
			kind = "Config"
			_, wrong := DecodeConfig(path, data)
			problems = append(problems, wrong...)
		default:
			continue
		}
		if err := schemas[kind].Validate(jsonValue(root)); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
	if len(problems) > 0 {
		t.Errorf("%s:\n%s", path, problems.Error())
	}
}

func TestSchemasAreStable(t *testing.T) {
	for _, kind := range Kinds() {
		a, err := JSONSchema(kind)
		if err != nil {
			t.Fatal(err)
		}
		for range 5 {
			if b, _ := JSONSchema(kind); !bytes.Equal(a, b) {
				t.Fatalf("%s: two calls give two schemas", kind)
			}
		}
	}
	if _, err := JSONSchema("deployment"); err == nil || !strings.Contains(err.Error(), "did you mean Deployment?") {
		t.Errorf("unknown kind: %v", err)
	}
}

// Every field says what it means, and whether it must be there in both ways
// that readers of its tags look at.
func TestFieldsAreDescribed(t *testing.T) {
	for typ, s := range shapes() {
		for _, f := range s.fields {
			tag := typ.FieldByIndex(f.at).Tag.Get("json")
			optional := strings.Contains(tag, "omitempty") || strings.Contains(tag, "omitzero")
			if f.doc == "" || f.required == optional {
				t.Errorf("%s.%s: doc %q, required %v, json %q", s.name, f.key, f.doc, f.required, tag)
			}
		}
	}
}
