package git

import (
	"fmt"
	"strings"
	"testing"

	"github.com/berthdev/berth/schema"
)

func TestRefs(t *testing.T) {
	r := newRepo(t)
	commits := map[string]string{}
	for _, name := range []string{"c1", "c2", "c3", "c4", "c5"} {
		commits[name] = r.push(name, "a.yaml", name)
	}
	tag := func(name, commit string, annotated bool) {
		if annotated {
			r.git("tag", "-a", "-m", name, name, commits[commit])
		} else {
			r.git("tag", name, commits[commit])
		}
	}
	tag("v1.0.0", "c1", false)
	tag("1.2.0", "c2", true)
	tag("v1.10.0", "c3", true)
	tag("v2.0.0-rc.1", "c4", false)
	tag("v2.0.0-rc.2", "c5", false)
	tag("v1", "c5", false) // moved about by people; no version
	tag("release", "c2", true)
	tag("both", "c1", false)
	tag("1.x", "c1", false)
	r.git("tag", "-a", "-m", "tag of a tag", "nested", "release")
	r.git("branch", "both", commits["c4"])
	r.git("branch", "feature/x", commits["c3"])
	r.git("tag", "blob", r.git("rev-parse", "HEAD:a.yaml"))
	r.git("push", "-q", "origin", "--all")
	r.git("push", "-q", "origin", "--tags")
	s := newServer(t, r)

	for ref, test := range map[string]struct {
		name, commit string
		kind         schema.ErrorKind
		part         string
	}{
		"":                     {name: "refs/heads/main", commit: "c5"},
		"HEAD":                 {name: "refs/heads/main", commit: "c5"},
		"main":                 {name: "refs/heads/main", commit: "c5"},
		"feature/x":            {name: "refs/heads/feature/x", commit: "c3"},
		"refs/heads/feature/x": {name: "refs/heads/feature/x", commit: "c3"},
		"both":                 {name: "refs/heads/both", commit: "c4"},
		"refs/tags/both":       {name: "refs/tags/both", commit: "c1"},
		"release":              {name: "refs/tags/release", commit: "c2"},
		"nested":               {name: "refs/tags/nested", commit: "c2"},
		"v1.0.0":               {name: "refs/tags/v1.0.0", commit: "c1"},
		"1.x":                  {name: "refs/tags/1.x", commit: "c1"},
		"^1.0":                 {name: "refs/tags/v1.10.0", commit: "c3"},
		"~1.2":                 {name: "refs/tags/1.2.0", commit: "c2"},
		">=1.0.0 <1.10.0":      {name: "refs/tags/1.2.0", commit: "c2"},
		"*":                    {name: "refs/tags/v1.10.0", commit: "c3"},
		">=2.0.0-0":            {name: "refs/tags/v2.0.0-rc.2", commit: "c5"},
		"^2":                   {kind: schema.Terminal, part: "no branch, tag or version matches"},
		"gone":                 {kind: schema.Terminal, part: "branches are: both, feature/x, main"},
		"blob":                 {kind: schema.Invalid, part: "no commit"},
	} {
		for where, opts := range map[string]Options{
			"local":   {URL: r.bare},
			"shallow": {Dir: openDir(t), URL: s.repoURL()},
			"history": {Dir: openDir(t), URL: s.repoURL(), History: true},
		} {
			if where == "history" && test.commit == "" {
				continue
			}
			t.Run(fmt.Sprintf("%s/%q", where, ref), func(t *testing.T) {
				opts.Ref = ref
				src := open(t, opts)
				if test.commit == "" {
					updateError(t, src, test.kind, test.part)
					return
				}
				snap := update(t, src)
				if snap.Name != test.name || snap.Commit != commits[test.commit] {
					t.Errorf("%s at %s, want %s at %s", snap.Name, snap.Commit, test.name, commits[test.commit])
				}
				wantFile(t, snap, "a.yaml", test.commit)
				if update(t, src) != snap {
					t.Error("another snapshot")
				}
			})
		}
	}
}

func TestRefIsACommit(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	second := r.push("second", "a.yaml", "2")
	r.push("third", "a.yaml", "3")
	s := newServer(t, r)
	unknown := strings.Repeat("a", 40)
	for _, allowed := range []string{"false", "true"} {
		runGit(t, r.bare, "config", "uploadpack.allowReachableSHA1InWant", allowed)
		for _, opts := range []Options{{URL: r.bare}, {Dir: openDir(t), URL: s.repoURL()}, {Dir: openDir(t), URL: s.repoURL(), History: true}} {
			opts.Ref = second
			src := open(t, opts)
			snap := update(t, src)
			if snap.Commit != second || snap.Name != "" {
				t.Errorf("snapshot is %+v", snap)
			}
			wantFile(t, snap, "a.yaml", "2")
			s.requests.Store(0)
			if update(t, src) != snap || s.requests.Load() != 0 {
				t.Errorf("a commit was asked for again, with %d requests", s.requests.Load())
			}
			opts.Ref = unknown
			updateError(t, open(t, opts), schema.Terminal, "the repository has no commit "+unknown)
		}
	}
	// A branch with the name of a commit does not stand in for it.
	r.git("push", "-q", "origin", "main:refs/heads/"+first)
	if snap := update(t, open(t, Options{URL: r.bare, Ref: first})); snap.Commit != first {
		t.Errorf("commit is %s", snap.Commit)
	}
}

func TestMovedTag(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	r.git("tag", "-a", "-m", "x", "v1.0.0")
	r.git("push", "-q", "origin", "v1.0.0")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "^1"})
	one := update(t, src)
	second := r.push("second", "a.yaml", "2")
	r.git("tag", "-f", "-a", "-m", "moved", "v1.0.0")
	r.git("push", "-q", "-f", "origin", "v1.0.0")
	two := update(t, src)
	if two.Commit != second {
		t.Errorf("commit is %s", two.Commit)
	}
	wantChanges(t, one, two, "~a.yaml")
	r.git("tag", "v1.1.0")
	r.git("push", "-q", "origin", "v1.1.0")
	three := update(t, src)
	if three == two || three.Name != "refs/tags/v1.1.0" || three.Commit != second {
		t.Errorf("snapshot is %+v", three)
	}
}

func TestHostileRefs(t *testing.T) {
	for _, ref := range []string{
		"-x", "--upload-pack=x", "a..b", "a b", "a\nb", "a\x00b", "/a", "a/", "a//b", "a.lock", ".a", "a/.b", "@{1}", "a@{0}", "a~1x", "a^{commit}", "a:b", "a?b", "a[b", `a\b`, "a.", strings.Repeat("a", 300), "$(touch x)",
	} {
		_, err := Open(Options{URL: "/srv/repo", Ref: ref})
		if err == nil {
			t.Errorf("%q is accepted", ref)
			continue
		}
		wantError(t, err, schema.Invalid)
		if strings.ContainsAny(err.Error(), "\n\x00") {
			t.Errorf("error is %q", err)
		}
	}
}
