package publication_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/schema/publication"
)

const ownManifest = `identifier: org.example.app
version: 1.2.0
flavours:
- name: cuda
  image: example/app:1.2.0-cuda
  priority: 1
  selectors: [{kind: cuda, cuda_version: 11.20}]
- name: cpu
  image: example/app:1.2.0
`

// summary renders what a file publishes in a few words.
func summary(pub schema.Publication) []string {
	lines := []string{string(pub.Form)}
	for _, r := range pub.Releases {
		for _, f := range r.Flavours {
			lines = append(lines, fmt.Sprintf("%s %s %s %s", r.Identifier, r.Version, f.Name, f.Image))
		}
	}
	for _, r := range pub.Identities {
		lines = append(lines, fmt.Sprintf("%s %s is described", r.Identifier, r.Version))
	}
	for _, p := range pub.Problems {
		if p.Notice {
			lines = append(lines, "notice "+p.Position())
		} else {
			lines = append(lines, "error "+p.Position()+" "+p.Message)
		}
	}
	return lines
}

func TestRead(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"own", ownManifest, []string{"app", "org.example.app 1.2.0 cuda example/app:1.2.0-cuda", "org.example.app 1.2.0 cpu example/app:1.2.0"}},
		{"own, without any flavour", "identifier: org.example.app\nversion: 1.2.0\nflavours: []\n",
			[]string{"app-identity", "org.example.app 1.2.0 is described"}},
		{"own, an unknown key", ownManifest + "descripton: x\n", []string{"app", `error f:10:1 unknown key "descripton"`}},
		{"own, a key twice", ownManifest + "version: 1.3.0\n", []string{"app", "error f:10:1 the key version stands twice"}},
		{"own, flavours misspelled", strings.Replace(ownManifest, "flavours", "flavors", 1),
			[]string{"app", `error f:3:1 unknown key "flavors"`}},
		{"own, without identifier", strings.Replace(ownManifest, "identifier: org.example.app\n", "", 1),
			[]string{"app", "error f:1:1 identifier is missing"}},
		{"own, with a kind", "kind: App\n" + ownManifest, []string{"app", `error f:1:1 unknown key "kind"`}},
		{"an identity of Arkitekt's", "identifier: a\nversion: 1\nentrypoint: app\nrequirements: [gpu]\nwhatever: 1\n",
			[]string{"app-identity", "a 1 is described"}},
		{"an identity that cannot be shown", "identifier: \"a\\u0007\"\nversion: 1\n",
			[]string{"app-identity", `error f:1:1 the identifier "a\a" holds a character that cannot be shown`}},
		{"several documents, one of them broken",
			ownManifest + "---\ndeployments:\n- {identifier: b, version: 1, image: i}\n---\na: [\n---\nidentifier: c\nversion: 2\n",
			[]string{
				"app", "org.example.app 1.2.0 cuda example/app:1.2.0-cuda", "org.example.app 1.2.0 cpu example/app:1.2.0",
				"b 1 vanilla i", "c 2 is described", "error f:15:1 the YAML is not well-formed: did not find expected node content",
			}},
		{"an identity before what publishes", "identifier: c\n---\napp_images: [{manifest: {identifier: c, version: 1}, image: i}]\n",
			[]string{"F1", "c 1 vanilla i", "c  is described"}},
		{"Arkitekt's, a key twice", "deployments:\n- {identifier: b, version: 1, version: 2, image: i}\n",
			[]string{"B", "b 2 vanilla i", "notice f:2:31"}},
		{"Arkitekt's, half of it broken", "deployments:\n- {identifier: b, version: 1}\n- {identifier: b, version: 2, image: i}\n",
			[]string{"B", "b 2 vanilla i", "error f:2:3 the entry lacks image"}},
		{"Arkitekt's, with an apiVersion", "apiVersion: 1\ndeployments: [{identifier: b, version: 1, image: i}]\n", []string{"B", "b 1 vanilla i"}},
		{"of Kubernetes", "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n", []string{"unknown", "notice f:1:1"}},
		{"of the desired state", "kind: Deployment\nname: web\napp: org.example.app\n", []string{"desired", "notice f:1:1"}},
		{"a configuration", "desired: {url: x}\nlisten: ':1'\n", []string{"config", "notice f:1:1"}},
		{"text", "hello\n", []string{"unknown", "notice f:1:1"}},
		{"empty", "# nothing\n", []string{"unknown", "notice f"}},
		{"not YAML", "\x00", []string{"unknown", "error f:1:1 the control character 0x00 is not allowed", "notice f:1:1"}},
		{"own, not UTF-8", ownManifest + "description: caf\xe9\n", []string{"app",
			"error f:10:14 \"caf\ufffd\" holds characters that cannot be shown", "error f:10:17 the text is not UTF-8"}},
		{"Arkitekt's, a list twice", "deployments:\n- {identifier: a, version: 1, image: i}\ndeployments:\n- {identifier: b, version: 1, image: i}\n",
			[]string{"B", "a 1 vanilla i", "b 1 vanilla i", "notice f:3:1"}},
		{"Arkitekt's, places that cannot be read", "deployments:\n" +
			"- {identifier: a, version: 1, image: i, description: caf\xe9}\n" +
			"- {identifier: b, version: \"\x01\", image: i}\n" +
			"- &c {identifier: c, version: 1, image: i, self: *c}\n" +
			"- {identifier: d, version: 1, image: i, x: " + strings.Repeat("[", 70) + strings.Repeat("]", 70) + "}\n" +
			"- {identifier: e, version: " + strings.Repeat("1", schema.MaxScalar+1) + ", image: i}\n" +
			"- {identifier: f, version: 1, image: i}\n",
			[]string{
				"B", "a 1 vanilla i", "c 1 vanilla i", "d 1 vanilla i", "f 1 vanilla i",
				"error f:2:57 the text is not UTF-8",
				"error f:3:3 the version \"\ufffd\" holds a character that cannot be shown",
				"error f:3:29 the control character 0x01 is not allowed",
				"error f:4:3 the anchor c stands for something that holds itself",
				"error f:5:105 the document is nested deeper than 64 levels",
				"error f:6:3 the entry lacks version",
				"error f:6:28 the text is longer than 256Ki",
			}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, summary(publication.Read("f", []byte(tt.text)))); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// However much is wrong, the problems stay readable, and errors go before notices.
func TestReadBoundsProblems(t *testing.T) {
	noticed := "deployments:\n" + strings.Repeat("- {identifier: a, version: 1, image: i, size: huge}\n", 300)
	pub := publication.Read("f", []byte(noticed+"- {}\n"))
	if len(pub.Releases) != 300 || len(pub.Problems) != schema.MaxProblems+1 || len(pub.Problems.Errors()) != 1 {
		t.Errorf("%d releases, %d problems, errors: %v", len(pub.Releases), len(pub.Problems), pub.Problems.Errors())
	}
	pub = publication.Read("f", []byte(noticed+strings.Repeat("- {}\n", 300)))
	if errors := pub.Problems.Errors(); len(errors) != schema.MaxProblems+1 || len(pub.Problems) != len(errors) {
		t.Errorf("%d problems, %d errors", len(pub.Problems), len(errors))
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(ownManifest))
	f.Add([]byte("kind: Repo\n---\nidentifier: a\n---\ndesired: {}\n"))
	files, _ := filepath.Glob("../arkitekt/testdata/*.yaml")
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pub := publication.Read("fuzz.yaml", data)
		for _, r := range pub.Releases {
			if r.Identifier == "" || r.Version == "" || len(r.Flavours) == 0 {
				t.Errorf("incomplete: %+v", r)
			}
		}
		if len(pub.Problems) > schema.MaxProblems+1 {
			t.Errorf("%d problems", len(pub.Problems))
		}
		if len(pub.Releases)+len(pub.Identities)+len(pub.Problems) == 0 && pub.Form == schema.FormUnknown {
			t.Error("nothing is said about the file")
		}
	})
}

// BenchmarkRead reads a file of app images of about 16 KB.
func BenchmarkRead(b *testing.B) {
	entry, err := os.ReadFile("../arkitekt/testdata/form-f2.yaml")
	if err != nil {
		b.Fatal(err)
	}
	_, body, _ := strings.Cut(string(entry), "app_images:\n")
	body, _, _ = strings.Cut(body, "latest_app_image:")
	data := []byte("app_images:\n" + strings.Repeat(body, 16<<10/len(body)))
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if pub := publication.Read("f", data); pub.Form != schema.FormF2 || len(pub.Problems) > 0 {
			b.Fatal(pub.Problems)
		}
	}
}
