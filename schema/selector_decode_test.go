package schema_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

// decodeSelector decodes the only document of text.
func decodeSelector(t testing.TB, text string, strict bool) (schema.Selector, schema.Problems) {
	t.Helper()
	docs, problems := schema.ParseYAML("selector.yaml", []byte(text))
	if len(problems) > 0 || len(docs) != 1 {
		t.Fatalf("%s: %d documents, %v", text, len(docs), problems)
	}
	return schema.DecodeSelector(docs[0], "selectors[0]", strict)
}

// selector is a required selector of weight 1, as most are.
func selector(kind schema.SelectorKind, set func(*schema.Selector)) schema.Selector {
	s := schema.Selector{Kind: kind, Required: true, Weight: 1}
	if set != nil {
		set(&s)
	}
	return s
}

// Every spelling that both Berth's manifests and those of others may use.
func TestDecodeSelectorSpellings(t *testing.T) {
	cuda := selector(schema.SelectCUDA, func(s *schema.Selector) {
		s.Version, s.Capability, s.Architecture = "11.20", "3.5", "ampere"
		s.Cores, s.Frequency, s.Memory = 6000, 1400, 8e9
	})
	tests := []struct {
		text string
		want schema.Selector
	}{
		{`{kind: cuda, cudaVersion: 11.20, cudaCores: 6000, computeCapability: 3.5, memory: 8000, frequency: 1400, architecture: ampere}`, cuda},
		{`{type: cuda, cuda_version: "11.20", cuda_cores: "6000", compute_capability: '3.5', memory: 8GB, frequency: "1400", architecture: "ampere"}`, cuda},
		{`{kind: cuda, cudaVersion: 5}`, selector(schema.SelectCUDA, func(s *schema.Selector) { s.Version = "5" })},
		{`{kind: cuda, memory: "16000"}`, selector(schema.SelectCUDA, func(s *schema.Selector) { s.Memory = 16e9 })},
		{`{kind: cuda, memory: 1.5}`, selector(schema.SelectCUDA, func(s *schema.Selector) { s.Memory = 1.5e6 })},
		{`{kind: rocm, apiVersion: "6.0", apiThing: hip, min: 2}`, selector(schema.SelectROCm, func(s *schema.Selector) { s.Version, s.Thing, s.Count = "6.0", "hip", 2 })},
		{`{kind: rocm, api_version: 6.0, api_thing: hip, min: "2"}`, selector(schema.SelectROCm, func(s *schema.Selector) { s.Version, s.Thing, s.Count = "6.0", "hip", 2 })},
		{`{kind: oneapi, oneapiVersion: 2024.10}`, selector(schema.SelectOneAPI, func(s *schema.Selector) { s.Version = "2024.10" })},
		{`{kind: oneapi, oneapi_version: "2024.10"}`, selector(schema.SelectOneAPI, func(s *schema.Selector) { s.Version = "2024.10" })},
		{`{kind: gpu}`, selector(schema.SelectGPU, nil)},
		{`{kind: gpu, count: 2}`, selector(schema.SelectGPU, func(s *schema.Selector) { s.Count = 2 })},
		{`{kind: gpu, min: 2}`, selector(schema.SelectGPU, func(s *schema.Selector) { s.Count = 2 })},
		{`{kind: cpu, min: 4, frequency: 2400, memory: 4096}`, selector(schema.SelectCPU, func(s *schema.Selector) { s.Count, s.Frequency, s.Memory = 4, 2400, 4096e6 })},
		{`{kind: cpu, min_count: 4}`, selector(schema.SelectCPU, func(s *schema.Selector) { s.Count = 4 })},
		{`{kind: cpu, minCount: 4}`, selector(schema.SelectCPU, func(s *schema.Selector) { s.Count = 4 })},
		{`{kind: ram, min: 8GB, required: false, weight: 2}`, schema.Selector{Kind: schema.SelectRAM, Memory: 8e9, Weight: 2}},
		{`{kind: ram, min: 8 GiB}`, selector(schema.SelectRAM, func(s *schema.Selector) { s.Memory = 8 << 30 })},
		{`{kind: ram, min: 8000}`, selector(schema.SelectRAM, func(s *schema.Selector) { s.Memory = 8e9 })},
		{`{kind: label, key: zone, value: 7}`, selector(schema.SelectLabel, func(s *schema.Selector) { s.Key, s.Value = "zone", "7" })},
		{`{kind: service, name: live.example.db}`, selector(schema.SelectService, func(s *schema.Selector) { s.Name = "live.example.db" })},
		{`{type: resource, name: gpu, value: cuda-11}`, selector(schema.SelectResource, func(s *schema.Selector) { s.Name, s.Value = "gpu", "cuda-11" })},
		{`{type: resource, name: cpu, value: 1, weight: "3", required: "false"}`, schema.Selector{Kind: schema.SelectResource, Name: "cpu", Value: "1", Weight: 3}},
	}
	for _, tt := range tests {
		for _, strict := range []bool{true, false} {
			got, problems := decodeSelector(t, tt.text, strict)
			if diff := cmp.Diff(tt.want, got); diff != "" || len(problems) > 0 {
				t.Errorf("DecodeSelector(%s, strict %t): %v (-want +got)\n%s", tt.text, strict, problems, diff)
			}
		}
	}
}

// What is passed over in the documents of others is an error in Berth's own.
func TestDecodeSelectorLenient(t *testing.T) {
	gpu := selector(schema.SelectGPU, nil)
	tests := []struct {
		text    string
		want    schema.Selector
		strict  string // the first error
		notices int    // when lenient
	}{
		{`gpu`, gpu, `1:1: selectors[0]: a selector is a mapping (write it as {kind: cuda, cudaVersion: "11.2"})`, 0},
		{`{KIND: Gpu}`, gpu, `1:1: selectors[0]: a selector needs a kind (allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 0},
		{`{kind: GPU}`, gpu, `1:8: selectors[0].kind: unknown kind of selector "GPU" (did you mean gpu? allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 0},
		{`{kind: one-api}`, selector(schema.SelectOneAPI, nil), `1:8: selectors[0].kind: unknown kind of selector "one-api" (did you mean oneapi? allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 0},
		{`{kind: gpu, type: gpu}`, gpu, `1:13: selectors[0].type: kind and type say the same (keep kind)`, 0},
		{`{kind: tpu, required: false, min: 1}`, schema.Selector{Kind: schema.SelectResource, Name: "tpu", Weight: 1},
			`1:8: selectors[0].kind: unknown kind of selector "tpu" (did you mean gpu? allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 1},
		{`{kind: cuda, cudaVersoin: 11}`, selector(schema.SelectCUDA, nil),
			`1:14: selectors[0].cudaVersoin: unknown key "cudaVersoin" in a cuda selector (did you mean cudaVersion? allowed are kind, cudaVersion, cudaCores, computeCapability, memory, frequency, architecture, required, weight)`, 0},
		{`{kind: gpu, cudaVersion: 11}`, gpu,
			`1:13: selectors[0].cudaVersion: unknown key "cudaVersion" in a gpu selector (it belongs to cuda; gpu has kind, count, required, weight)`, 0},
		{`{kind: cuda, cudaVersion: 11, cuda_version: 12}`, selector(schema.SelectCUDA, func(s *schema.Selector) { s.Version = "12" }),
			`1:31: selectors[0].cuda_version: cudaVersion is set twice, in two spellings (keep cudaVersion)`, 0},
		{`{kind: cuda, cudaVersion: ">= v12.1"}`, selector(schema.SelectCUDA, func(s *schema.Selector) { s.Version = "12.1" }),
			`1:27: selectors[0].cudaVersion: ">= v12.1" is no version (write it as 11.2)`, 0},
		{`{kind: cuda, cudaVersion: new}`, selector(schema.SelectCUDA, nil), `1:27: selectors[0].cudaVersion: "new" is no version (write it as 11.2)`, 1},
		{`{kind: gpu, weight: 2.4}`, selector(schema.SelectGPU, func(s *schema.Selector) { s.Weight = 2 }),
			`1:21: selectors[0].weight: "2.4" is no whole number from 0 to 1000000000 (write digits alone)`, 0},
		{`{kind: gpu, weight: -1}`, gpu, `1:21: selectors[0].weight: "-1" is no whole number from 0 to 1000000000 (write digits alone)`, 1},
		{`{kind: gpu, count: nan}`, gpu, `1:20: selectors[0].count: "nan" is no whole number from 0 to 1000000000 (write digits alone)`, 1},
		{`{kind: gpu, count: [1, 2]}`, gpu, `1:20: selectors[0].count: must be a single value, not a list (for example count: 1)`, 1},
		{`{kind: gpu, count: null}`, gpu, `1:20: selectors[0].count: has no value (give it one or remove it)`, 0},
		{`{kind: gpu, required: no}`, schema.Selector{Kind: schema.SelectGPU, Weight: 1}, `1:23: selectors[0].required: "no" is no truth value (write true or false)`, 0},
		{`{kind: ram, min: lots}`, selector(schema.SelectRAM, nil), `1:18: selectors[0].min: "lots" is no amount of memory (write it as 8GB or 512Mi)`, 1},
		{`{kind: label, value: a}`, schema.Selector{}, `1:1: selectors[0]: a label selector needs key (for example key: zone)`, 1},
		{`{kind: label, key: "a\nb"}`, schema.Selector{}, `1:20: selectors[0].key: "a\nb" holds a control character (remove it)`, 2},
		{`{kind: "\u0007"}`, schema.Selector{}, `1:8: selectors[0].kind: unknown kind of selector "\a" (allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 1},
		{`{kind: [gpu, ram]}`, schema.Selector{}, `1:8: selectors[0].kind: the kind of a selector is a word`, 2},
		{`{weight: 1}`, schema.Selector{}, `1:1: selectors[0]: a selector needs a kind (allowed are cuda, rocm, oneapi, gpu, cpu, ram, label, service, resource)`, 1},
		{`[gpu]`, schema.Selector{}, `1:1: selectors[0]: a selector is a mapping (write it as {kind: cuda, cudaVersion: "11.2"})`, 1},
	}
	for _, tt := range tests {
		got, problems := decodeSelector(t, tt.text, false)
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("DecodeSelector(%s) (-want +got)\n%s", tt.text, diff)
		}
		if len(problems.Errors()) > 0 || len(problems) != tt.notices {
			t.Errorf("DecodeSelector(%s): want %d notices and no error, got %v", tt.text, tt.notices, problems)
		}
		_, problems = decodeSelector(t, tt.text, true)
		if len(problems) == 0 || problems[0].Notice || problems[0].Error() != tt.strict {
			t.Errorf("DecodeSelector(%s, strict):\nwant %s\ngot  %v", tt.text, tt.strict, problems)
		}
	}
}

// Each field of each kind can be set by each of its spellings and has what an
// editor shows.
func TestSelectorFields(t *testing.T) {
	sample := map[schema.SelectorFieldType]string{
		schema.SelectorText: "x", schema.SelectorVersion: "7", schema.SelectorCount: "7",
		schema.SelectorMemory: "7", schema.SelectorFlag: "false",
	}
	for _, kind := range schema.SelectorKind("").Values() {
		var needed strings.Builder
		for _, f := range schema.SelectorFields(schema.SelectorKind(kind)) {
			if f.Required {
				needed.WriteString(", " + f.Name + ": needed")
			}
		}
		plain, _ := decodeSelector(t, "{kind: "+kind+needed.String()+"}", true)
		for _, f := range schema.SelectorFields(schema.SelectorKind(kind)) {
			if f.Doc == "" || f.Type == "" {
				t.Errorf("%s.%s is not described", kind, f.Name)
			}
			for _, name := range append([]string{f.Name}, f.Aliases...) {
				others := strings.ReplaceAll(needed.String(), ", "+f.Name+": needed", "")
				got, problems := decodeSelector(t, "{kind: "+kind+", "+name+": "+sample[f.Type]+others+"}", true)
				if len(problems) > 0 || got == plain {
					t.Errorf("%s.%s sets nothing: %v", kind, name, problems)
				}
			}
		}
	}
}

func TestSameKey(t *testing.T) {
	tests := []struct {
		a, b string
		want bool
	}{
		{"flavourName", "flavour_name", true}, {"FlavourName", "flavour-name", true}, {"APP_IMAGE_ID", "appImageId", true},
		{"name_", "name", true}, {"_", "", true}, {"", "", true},
		{"name", "names", false}, {"names", "name", false}, {"", "a", false}, {"naïve", "naive", false},
	}
	for _, tt := range tests {
		if got := schema.SameKey(tt.a, tt.b); got != tt.want {
			t.Errorf("SameKey(%q, %q) = %t", tt.a, tt.b, got)
		}
	}
}

func FuzzDecodeSelector(f *testing.F) {
	for _, text := range []string{
		"gpu", "{kind: cuda, cudaVersion: 11.20, memory: 8GB}", "{type: rocm, api_version: '6', min: 1e99}",
		"{kind: ram, min: -.5}", "{kind: label, key: a, value: {b: c}}", "[{kind: tpu}]", "{kind: ~, type: [x]}",
	} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, strict bool) {
		docs, _ := schema.ParseYAML("fuzz.yaml", []byte(text))
		for _, node := range docs {
			s, problems := schema.DecodeSelector(node, "s", strict)
			if !strict && len(problems.Errors()) > 0 {
				t.Errorf("a lenient selector has errors: %v", problems)
			}
			if len(problems) == 0 && s.Kind == "" {
				t.Error("no selector and no problem")
			}
			if s.Count < 0 || s.Cores < 0 || s.Weight < 0 || s.Frequency < 0 || s.Memory < 0 {
				t.Errorf("a negative number: %+v", s)
			}
		}
	})
}
