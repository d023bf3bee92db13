package sorted_test

import (
	"maps"
	"slices"
	"strconv"
	"testing"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/sources/sorted"
)

func content(m sorted.Map[int]) map[string]int {
	out := map[string]int{}
	for key, value := range m.All() {
		out[key] = *value
	}
	return out
}

// A map behaves as Go's own, in order, and an edit changes no earlier map.
func TestMapBehavesAsGoMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var m sorted.Map[int]
		model := map[string]int{}
		key := rapid.StringMatching(`[a-h]{0,3}`) // some 600 keys: several chunks
		for range rapid.IntRange(1, 8).Draw(t, "steps") {
			before, beforeModel := m, maps.Clone(model)
			edits := map[string]*int{}
			for range rapid.SampledFrom([]int{0, 1, 5, 300}).Draw(t, "edits") {
				k := key.Draw(t, "key")
				if rapid.Bool().Draw(t, "gone") {
					edits[k] = nil
					delete(model, k)
					continue
				}
				v := rapid.Int().Draw(t, "value")
				edits[k] = &v
				model[k] = v
			}
			m = m.With(edits)
			if !maps.Equal(content(m), model) || m.Len() != len(model) {
				t.Fatalf("map holds %v, want %v", content(m), model)
			}
			if !maps.Equal(content(before), beforeModel) {
				t.Fatalf("an edit changed the map before it: %v, want %v", content(before), beforeModel)
			}
			var keys []string
			for k, v := range m.All() {
				if m.Get(k) != v {
					t.Fatalf("Get(%q) does not find what All yields", k)
				}
				keys = append(keys, k)
			}
			if !slices.IsSorted(keys) {
				t.Fatalf("keys are out of order: %q", keys)
			}
		}
		if k := key.Draw(t, "absent"); m.Get(k) == nil {
			if _, ok := model[k]; ok {
				t.Fatalf("%q is lost", k)
			}
		}
	})
}

func BenchmarkOneEditOf10000(b *testing.B) {
	edits := map[string]*int{}
	for i := range 10_000 {
		edits[strconv.Itoa(i)] = &i
	}
	m := sorted.Map[int]{}.With(edits)
	one := 1
	b.ReportAllocs()
	for b.Loop() {
		m = m.With(map[string]*int{"5000": &one})
	}
}
