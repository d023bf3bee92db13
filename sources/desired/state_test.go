package desired_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

const remote = "https://git.example.org/lab/desired.git"

// deployment returns a document at a line of a file.
func deployment(name, file string, line int, dependsOn ...string) *schema.Deployment {
	return &schema.Deployment{
		Name: name, App: "org.example", DependsOn: dependsOn,
		Position: schema.Position{File: file, Line: line, Column: 1},
	}
}

func repo(name, url, file string, line int) *schema.Repo {
	return &schema.Repo{Name: name, URL: url, Position: schema.Position{File: file, Line: line, Column: 1}}
}

// declares is a file without errors.
func declares(path string, deployments ...*schema.Deployment) desired.FileChange {
	return desired.FileChange{Path: path, Parsed: schema.DesiredFile{Deployments: deployments}}
}

// cannotParse is a file of which nothing could be told but its text.
func cannotParse(path, text string) desired.FileChange {
	return desired.FileChange{
		Path: path, Raw: []byte(text),
		Parsed: schema.DesiredFile{Problems: schema.Problems{{File: path, Line: 3, Column: 7, Message: "did not find expected key"}}},
	}
}

func messages(s *desired.State) []string {
	out := []string{}
	for _, p := range s.Problems() {
		out = append(out, p.Error())
	}
	return out
}

func names[T any](seq func(func(string, T) bool)) []string {
	out := []string{}
	for name := range seq {
		out = append(out, name)
	}
	return out
}

func TestValidDocumentsAreFoundInOrder(t *testing.T) {
	s := desired.Of(remote, "c1",
		[]*schema.Deployment{deployment("web", "b.yaml", 1, "db"), deployment("db", "a.yaml", 1)},
		repo("apps", "https://git.example.org/apps.git", "a.yaml", 5))
	if got := names(s.Deployments()); !slices.Equal(got, []string{"db", "web"}) || s.Len() != 2 {
		t.Errorf("deployments %q, len %d", got, s.Len())
	}
	if d, ok := s.Deployment("web"); !ok || d.Position.File != "b.yaml" {
		t.Errorf("web is %+v, %t", d, ok)
	}
	if _, ok := s.Deployment("apps"); ok {
		t.Error("a repo is found as a deployment")
	}
	if got := names(s.Repos()); !slices.Equal(got, []string{"apps"}) {
		t.Errorf("repos %q", got)
	}
	if got := s.Dependents("db"); !slices.Equal(got, []string{"web"}) {
		t.Errorf("dependents of db: %q", got)
	}
	if got := messages(s); len(got) > 0 {
		t.Errorf("problems: %q", got)
	}
}

func TestProblemsBetweenDocuments(t *testing.T) {
	tests := []struct {
		name  string
		url   string
		files []desired.FileChange
		valid []string
		want  []string
	}{
		{
			name: "two of one name are both invalid",
			files: []desired.FileChange{
				declares("a.yaml", deployment("web", "a.yaml", 1), deployment("db", "a.yaml", 9)),
				declares("b.yaml", deployment("web", "b.yaml", 4)),
			},
			valid: []string{"db"},
			want: []string{
				`a.yaml:1:1: name: Deployment "web" is declared also at b.yaml:4:1 (remove or rename one; until then neither counts)`,
				`b.yaml:4:1: name: Deployment "web" is declared also at a.yaml:1:1 (remove or rename one; until then neither counts)`,
			},
		},
		{
			name: "three of one name in one file",
			files: []desired.FileChange{
				declares("a.yaml", deployment("web", "a.yaml", 1), deployment("web", "a.yaml", 5), deployment("web", "a.yaml", 9)),
			},
			want: []string{
				`a.yaml:1:1: name: Deployment "web" is declared also at a.yaml:5:1 and 1 more times (remove or rename one; until then neither counts)`,
				`a.yaml:5:1: name: Deployment "web" is declared also at a.yaml:1:1 and 1 more times (remove or rename one; until then neither counts)`,
				`a.yaml:9:1: name: Deployment "web" is declared also at a.yaml:1:1 and 1 more times (remove or rename one; until then neither counts)`,
			},
		},
		{
			name: "one valid and one invalid of a name",
			files: []desired.FileChange{
				declares("a.yaml", deployment("web", "a.yaml", 1)),
				{Path: "b.yaml", Parsed: schema.DesiredFile{
					Broken:   []schema.Ref{{Kind: "Deployment", Name: "web"}},
					Problems: schema.Problems{{File: "b.yaml", Line: 2, Column: 3, Path: "app", Message: "is required"}},
				}},
			},
			want: []string{
				`a.yaml:1:1: name: Deployment "web" is declared also at b.yaml (remove or rename one; until then neither counts)`,
				`b.yaml:2:3: app: is required`,
			},
		},
		{
			name:  "a dependency that nobody declares stops only who has it",
			files: []desired.FileChange{declares("a.yaml", deployment("web", "a.yaml", 1, "db", "cache"), deployment("db", "a.yaml", 5), deployment("ui", "a.yaml", 9, "web"))},
			valid: []string{"db", "ui"},
			want:  []string{`a.yaml:1:1: dependsOn[1]: there is no deployment "cache" (declare it, or remove it here)`},
		},
		{
			name: "a dependency that is declared and invalid is no unknown one",
			files: []desired.FileChange{
				declares("a.yaml", deployment("web", "a.yaml", 1, "db")),
				{Path: "b.yaml", Parsed: schema.DesiredFile{
					Broken:   []schema.Ref{{Kind: "Deployment", Name: "db"}},
					Problems: schema.Problems{{Line: 2, Column: 3, Message: "is required"}},
				}},
			},
			valid: []string{"web"},
			want:  []string{`b.yaml:2:3: is required`},
		},
		{
			name: "a cycle is an error of each member, not of who depends on it",
			files: []desired.FileChange{declares("a.yaml",
				deployment("a", "a.yaml", 1, "b"), deployment("b", "a.yaml", 2, "c"), deployment("c", "a.yaml", 3, "a", "d"),
				deployment("d", "a.yaml", 4), deployment("e", "a.yaml", 5, "a"))},
			valid: []string{"d", "e"},
			want: []string{
				`a.yaml:1:1: dependsOn: a, b, c wait for each other (remove one dependency of them)`,
				`a.yaml:2:1: dependsOn: a, b, c wait for each other (remove one dependency of them)`,
				`a.yaml:3:1: dependsOn: a, b, c wait for each other (remove one dependency of them)`,
			},
		},
		{
			name:  "on itself",
			files: []desired.FileChange{declares("a.yaml", deployment("a", "a.yaml", 1, "a"))},
			want:  []string{`a.yaml:1:1: dependsOn: it depends on itself (remove one dependency of them)`},
		},
		{
			name: "a remote desired state names no local repository",
			files: []desired.FileChange{{Path: "r.yaml", Parsed: schema.DesiredFile{Repos: []*schema.Repo{
				repo("file", "file:///srv/apps", "r.yaml", 1), repo("path", "/srv/apps", "r.yaml", 2), repo("relative", "./a:b", "r.yaml", 3),
				repo("https", "https://git.example.org/a", "r.yaml", 4), repo("scp", "git@git.example.org:a", "r.yaml", 5),
			}}}},
			want: []string{
				`r.yaml:1:1: url: a repository on this machine is followed only where the desired state is on this machine too (name it by https or ssh)`,
				`r.yaml:2:1: url: a repository on this machine is followed only where the desired state is on this machine too (name it by https or ssh)`,
				`r.yaml:3:1: url: a repository on this machine is followed only where the desired state is on this machine too (name it by https or ssh)`,
			},
		},
		{
			name: "a local desired state may",
			url:  "/srv/desired",
			files: []desired.FileChange{{Path: "r.yaml", Parsed: schema.DesiredFile{Repos: []*schema.Repo{
				repo("file", "file:///srv/apps", "r.yaml", 1), repo("path", "/srv/apps", "r.yaml", 2),
			}}}},
			want: []string{},
		},
		{
			name:  "a file that cannot be read",
			files: []desired.FileChange{{Path: "big.yaml", Unreadable: "it is larger than 4 MiB"}},
			want:  []string{"big.yaml: it is larger than 4 MiB"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.url == "" {
				tt.url = remote
			}
			s, _ := desired.New(tt.url).With("c1", tt.files...)
			if diff := cmp.Diff(tt.want, messages(s)); diff != "" {
				t.Errorf("problems (-want +got):\n%s", diff)
			}
			if got := names(s.Deployments()); !slices.Equal(got, tt.valid) {
				t.Errorf("valid deployments %q, want %q", got, tt.valid)
			}
			for ref, p := range s.AllBroken() {
				if again, ok := s.Broken(ref); !ok || again != p || p.Message == "" {
					t.Errorf("Broken(%v) is %v, AllBroken tells %v", ref, again, p)
				}
				if _, ok := s.Deployment(ref.Name); ok && ref.Kind == "Deployment" {
					t.Errorf("%s is valid and broken", ref.Name)
				}
			}
		})
	}
}

func TestDiffNamesWhatChanged(t *testing.T) {
	base, diff := desired.New(remote).With("c1",
		declares("a.yaml", deployment("a", "a.yaml", 1), deployment("b", "a.yaml", 5)),
		declares("w.yaml", deployment("w", "w.yaml", 1, "a")),
		desired.FileChange{Path: "r.yaml", Parsed: schema.DesiredFile{Repos: []*schema.Repo{repo("r", "https://x.example.org/r", "r.yaml", 1)}}})
	if want := (desired.Diff{Deployments: []string{"a", "b", "w"}, Repos: []string{"r"}}); cmp.Diff(want, diff) != "" {
		t.Fatalf("first: %+v", diff)
	}
	changed := deployment("b", "a.yaml", 5)
	changed.Version = "^1"
	tests := []struct {
		name   string
		change desired.FileChange
		want   desired.Diff
	}{
		{"nothing", declares("a.yaml", deployment("a", "a.yaml", 1), deployment("b", "a.yaml", 5)), desired.Diff{}},
		{"one changed", declares("a.yaml", deployment("a", "a.yaml", 1), changed), desired.Diff{Deployments: []string{"b"}}},
		{"one gone", declares("a.yaml", deployment("a", "a.yaml", 1)), desired.Diff{Deployments: []string{"b"}}},
		{"a dependency gone", declares("a.yaml", deployment("b", "a.yaml", 5)), desired.Diff{Deployments: []string{"a", "w"}}},
		{"a second one", declares("c.yaml", deployment("a", "c.yaml", 1)), desired.Diff{Deployments: []string{"a"}}},
		{"a file gone", desired.FileChange{Path: "r.yaml", Removed: true}, desired.Diff{Repos: []string{"r"}}},
		{"an unknown file gone", desired.FileChange{Path: "x.yaml", Removed: true}, desired.Diff{}},
		{"a file breaks", cannotParse("r.yaml", "kind: Repo"), desired.Diff{Repos: []string{"r"}, Holds: true}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			next, diff := base.With("c2", tt.change)
			if d := cmp.Diff(tt.want, diff); d != "" {
				t.Errorf("diff (-want +got):\n%s", d)
			}
			if next.Commit != "c2" || base.Commit != "c1" {
				t.Errorf("commits %s, %s", next.Commit, base.Commit)
			}
		})
	}
	broken, _ := base.With("c2", cannotParse("r.yaml", "kind: Repo"))
	if _, diff := broken.With("c3", desired.FileChange{Path: "r.yaml", Removed: true}); !diff.Holds {
		t.Error("a file that is mended does not tell that holds change")
	}
}

func TestHolds(t *testing.T) {
	s, _ := desired.New(remote).With("c1",
		declares("good.yaml", deployment("good", "good.yaml", 1), deployment("twice", "good.yaml", 4)),
		declares("other.yaml", deployment("twice", "other.yaml", 1)),
		cannotParse("bad.yaml", "kind: Deployment\nname:db---\nname: \u00a0cache\nkind: Repo\nname: apps\n"),
		desired.FileChange{Path: "half.yaml", Raw: []byte("x"), Parsed: schema.DesiredFile{
			Deployments: []*schema.Deployment{deployment("sound", "half.yaml", 1)},
			Broken:      []schema.Ref{{Kind: "Deployment", Name: "ill"}},
			Problems:    schema.Problems{{Line: 8, Column: 2, Path: "app", Message: "is required"}},
		}})
	tests := []struct {
		name, deployment, file string
		want                   string // part of the reason; empty: not held
	}{
		{"valid", "good", "good.yaml", ""},
		{"valid in a file with errors", "sound", "half.yaml", ""},
		{"gone from a good file", "gone", "good.yaml", ""},
		{"gone with its file", "gone", "gone.yaml", ""},
		{"its file does not parse", "gone", "bad.yaml", "bad.yaml:3:7: did not find expected key"},
		{"its file has an error elsewhere", "gone", "half.yaml", "half.yaml:8:2: app: is required"},
		{"invalid itself, moved", "ill", "good.yaml", "half.yaml:8:2: app: is required"},
		{"declared twice", "twice", "good.yaml", `good.yaml:4:1: name: Deployment "twice" is declared also at other.yaml:1:1`},
		{"named by a file that does not parse", "db", "good.yaml", "bad.yaml:3:7: did not find expected key"},
		{"named after a space that is none", "cache", "good.yaml", "bad.yaml:3:7"},
		{"part of a word is no name", "d", "good.yaml", ""},
		{"nobody knows what declared it", "gone", "", "may have declared it"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			reason, hold := s.Holds(tt.deployment, tt.file)
			if hold != (tt.want != "") || !strings.Contains(reason, tt.want) {
				t.Errorf("Holds is %t: %q, want %q", hold, reason, tt.want)
			}
		})
	}
	if _, hold := s.HoldsRepo("apps", "repos.yaml"); !hold {
		t.Error("a repo that a broken file names is not held")
	}
	if _, hold := s.HoldsRepo("others", "repos.yaml"); hold {
		t.Error("a repo that nothing names is held")
	}
}

// What cannot be searched for names may name anything.
func TestUnknownTextHoldsEverything(t *testing.T) {
	utf16 := []byte("\xff\xfed\x00b\x00")
	for name, change := range map[string]desired.FileChange{
		"unreadable": {Path: "x.yaml", Unreadable: "it is larger than 4 MiB"},
		"UTF-16":     {Path: "x.yaml", Raw: utf16, Parsed: cannotParse("x.yaml", "").Parsed},
		"too long":   cannotParse("x.yaml", strings.Repeat("x", 2<<20)),
		"not given":  cannotParse("x.yaml", ""),
	} {
		s, _ := desired.New(remote).With("c1", change)
		if _, hold := s.Holds("db", "gone.yaml"); !hold {
			t.Errorf("%s: db is not held", name)
		}
		s, diff := s.With("c2", desired.FileChange{Path: "x.yaml", Removed: true})
		if _, hold := s.Holds("db", "gone.yaml"); hold || !diff.Holds {
			t.Errorf("%s: db is held after the file is gone", name)
		}
	}
}

// As a person lives through it: a document breaks, is mended, and goes.
func TestABrokenDocumentIsHeldUntilItIsMended(t *testing.T) {
	text := func(path, content string) desired.FileChange {
		return desired.FileChange{Path: path, Parsed: schema.DecodeDesired(path, []byte(content)), Raw: []byte(content)}
	}
	const web, db = "kind: Deployment\nname: web\napp: org.web\n", "kind: Deployment\nname: db\napp: org.db\n"
	s, _ := desired.New(remote).With("c1", text("all.yaml", web+"---\n"+db))
	if got := messages(s); len(got) > 0 || s.Len() != 2 {
		t.Fatalf("%d deployments, problems %q", s.Len(), got)
	}
	s, diff := s.With("c2", text("all.yaml", strings.Replace(web, "app: org.web", "app: [", 1)+"---\n"+db))
	reason, hold := s.Holds("web", "all.yaml")
	if !hold || !strings.Contains(reason, "all.yaml:") {
		t.Errorf("web, whose document does not parse, is held: %t, %q", hold, reason)
	}
	if !slices.Contains(diff.Deployments, "web") || !diff.Holds || len(s.Problems().Errors()) == 0 {
		t.Errorf("diff %+v, problems %q", diff, messages(s))
	}
	s, diff = s.With("c3", text("all.yaml", db))
	if _, hold := s.Holds("web", "all.yaml"); hold || !diff.Holds || s.Len() != 1 {
		t.Errorf("web, which is gone from a good file, is held: %t; diff %+v", hold, diff)
	}
}
