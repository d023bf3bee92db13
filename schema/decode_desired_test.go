package schema

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDecodeDesiredReadsEveryField(t *testing.T) {
	f := DecodeDesired("f.yaml", []byte(`
kind: Deployment
name: john
app: org.example.app
version: 1.10
flavour: cuda
user: john
scopes: [read]
replicas: 2
env: {N: 1.50, B: true}
ports: [80, "127.0.0.1:5353:53/udp"]
volumes: ["data:/data", "/srv:/srv:ro", {tmpfs: true, path: /tmp, size: 64Mi}]
resources: {cpu: 500m, memory: 4GB, gpus: 0}
dependsOn: [db]
rollout: {strategy: recreate, timeout: 1m30s, rollback: false}
healthcheck: {command: exit 0}
runAs: "1000"
---
kind: Repo
name: apps
url: git@git.example.org:apps.git
interval: 5m
priority: -1
`))
	if len(f.Problems) > 0 {
		t.Fatal(f.Problems)
	}
	want := DesiredFile{
		Deployments: []*Deployment{{
			Name: "john", App: "org.example.app", Version: "1.10", Flavour: "cuda", User: "john",
			Scopes: []string{"read"}, Replicas: ptr(2), DependsOn: []string{"db"}, RunAs: "1000",
			Rollout: Rollout{Strategy: Recreate, Timeout: ptr(Duration(90e9)), Rollback: ptr(false)},
			Container: Container{
				Env:   map[string]string{"N": "1.50", "B": "true"},
				Ports: []Port{{Container: 80, Protocol: TCP}, {HostIP: "127.0.0.1", Host: 5353, Container: 53, Protocol: UDP}},
				Volumes: []Volume{
					{Name: "data", Path: "/data"}, {Host: "/srv", Path: "/srv", ReadOnly: true},
					{Tmpfs: true, Path: "/tmp", Size: ptr(Bytes(64 << 20))},
				},
				Resources:   &Resources{CPU: ptr(CPU(500)), Memory: ptr(Bytes(4e9)), GPUs: ptr(0)},
				Healthcheck: &Healthcheck{Command: []string{"/bin/sh", "-c", "exit 0"}},
			},
			Position: Position{File: "f.yaml", Line: 2, Column: 1},
		}},
		Repos: []*Repo{{
			Name: "apps", URL: "git@git.example.org:apps.git", Interval: ptr(Duration(300e9)), Priority: -1,
			Position: Position{File: "f.yaml", Line: 19, Column: 1},
		}},
	}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
}

func ptr[T any](v T) *T { return &v }

// A document that cannot be used stops no other, and its name is not forgotten.
func TestDecodeDesiredNamesWhatIsBroken(t *testing.T) {
	const good = "kind: Deployment\nname: good\napp: a\n---\n"
	deployment := func(name string) []Ref { return []Ref{{KindDeployment, name}} }
	for _, tt := range []struct {
		name, doc string
		broken    []Ref
	}{
		{"a wrong value", "kind: Deployment\nname: john\napp: a\nreplicas: x\n", deployment("john")},
		{"an unknown key", "kind: Repo\nname: apps\nurl: /x\nfoo: 1\n", []Ref{{KindRepo, "apps"}}},
		{"a key twice", "kind: Deployment\nname: john\napp: a\napp: b\n", deployment("john")},
		{"no name", "kind: Deployment\napp: a\n", nil},
		{"a name that is none", "kind: Deployment\nname: John Doe\napp: a\n", deployment("John Doe")},
		{"a kind misspelled", "kind: deployment\nname: john\napp: a\n", deployment("john")},
		{"the key kind misspelled", "knid: Deployment\nname: john\napp: a\n", deployment("john")},
		{"a kind of others", "kind: ConfigMap\nname: john\n", nil},
		{"no YAML", "kind: Deployment\nname: john # him\nenv: {A: [\n", deployment("john")},
		{"no YAML, quoted, Windows", "kind: 'Deployment'\r\nname: \"john\"\r\n\tx\r\n", deployment("john")},
		{"no YAML and no name", "kind: Deployment\nenv: {A: [\n", nil},
		{"a zero byte", "kind: Deployment\nname: john\napp: \x00\n", deployment("john")},
		{"an alias to itself", "kind: Deployment\nname: john\nenv: &x {A: *x}\n", deployment("john")},
		{"twins", "kind: Deployment\nname: john\napp: a\n---\nkind: Deployment\nname: john\napp: a\n", deployment("john")},
		{"twins, one broken", "kind: Deployment\nname: john\napp: a\n---\nkind: Deployment\nname: john\n", deployment("john")},
		{"triplets", strings.Repeat("kind: Deployment\nname: john\napp: a\n---\n", 3), deployment("john")},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := DecodeDesired("f.yaml", []byte(good+tt.doc+"\n---\n"+strings.ReplaceAll(good, "good", "last")))
			if diff := cmp.Diff(tt.broken, f.Broken); diff != "" {
				t.Errorf("broken: %s\n%s", diff, f.Problems.Error())
			}
			if len(f.Problems.Errors()) == 0 {
				t.Error("no errors")
			}
			var names []string
			for _, d := range f.Deployments {
				names = append(names, d.Name)
			}
			if diff := cmp.Diff([]string{"good", "last"}, names); diff != "" || len(f.Repos) != 0 {
				t.Errorf("deployments: %s, %d repos", diff, len(f.Repos))
			}
		})
	}
}

func TestDecodeDesiredPassesOverOthersDocuments(t *testing.T) {
	f := DecodeDesired("f.yaml", []byte("name: x\nreplicas: 2\n---\n- a\n---\ntext\n"))
	if len(f.Problems) != 3 || len(f.Problems.Errors()) != 0 || len(f.Broken) != 0 {
		t.Errorf("problems: %v, broken: %v", f.Problems, f.Broken)
	}
	if got := f.Problems[1].Line; got != 4 {
		t.Errorf("the second notice is at line %d", got)
	}
}

func TestDecodeDesiredWarnsOfHTTP(t *testing.T) {
	for url, notices := range map[string]int{"http://git.example.org/a.git": 1, "http://localhost:3000/a.git": 0, "http://[::1]:3000/a.git": 0} {
		f := DecodeDesired("f.yaml", fmt.Appendf(nil, "kind: Repo\nname: a\nurl: %q\n", url))
		if len(f.Repos) != 1 || len(f.Problems) != notices || len(f.Problems.Errors()) != 0 {
			t.Errorf("%s: %d repos, %v", url, len(f.Repos), f.Problems)
		}
	}
}

// A file with endless mistakes is told of in a page, in good time.
func TestDecodeDesiredCutsOffProblems(t *testing.T) {
	var b strings.Builder
	b.WriteString("kind: Deployment\nname: john\napp: a\n")
	for i := range 100_000 {
		fmt.Fprintf(&b, "key%d: x\n", i)
	}
	f := DecodeDesired("f.yaml", []byte(b.String()))
	if n := len(f.Problems); n != MaxProblems+1 || !strings.Contains(f.Problems[n-1].Message, "more problems") {
		t.Errorf("%d problems, the last: %v", n, f.Problems[n-1])
	}
}
