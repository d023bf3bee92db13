package arkitekt_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/arkitekt"
)

// Whatever a document holds, each release is complete and can be shown, and
// nothing is published by what is not Arkitekt's.
func FuzzRead(f *testing.F) {
	files, _ := filepath.Glob("testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		docs, _ := schema.ParseYAML("fuzz.yaml", data)
		for _, doc := range docs {
			pub, ok := arkitekt.Read("fuzz.yaml", doc)
			if ok == (pub.Form == schema.FormUnknown) || pub.Form != arkitekt.Detect(doc) {
				t.Errorf("form %s, but %t", pub.Form, ok)
			}
			if !ok && len(pub.Releases)+len(pub.Identities)+len(pub.Problems) > 0 {
				t.Errorf("a foreign document publishes: %+v", pub)
			}
			for _, r := range pub.Releases {
				checkRelease(t, r)
			}
			if _, err := json.Marshal(pub); err != nil {
				t.Error(err)
			}
		}
	})
}
