package follow

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

// proposeManifests returns in lines what a ref of the repo apps would publish.
func (w *world) proposeManifests(ref Ref) string {
	w.t.Helper()
	p, err := w.ProposeManifests(context.Background(), "apps", ref)
	if err != nil {
		w.t.Fatal(err)
	}
	var out strings.Builder
	fmt.Fprintln(&out, "merge base", p.MergeBase != "")
	for _, r := range p.Releases {
		fmt.Fprintln(&out, strings.TrimSpace(r.Identifier+" "+r.Version+" "+r.ShadowedBy))
	}
	for _, one := range p.Problems {
		fmt.Fprintln(&out, one.Error())
	}
	return out.String()
}

// saying has somebody else tell a merge base, and counts how often.
func saying(commit string, asked *int) func(context.Context) (string, error) {
	return func(context.Context) (string, error) {
		*asked++
		return commit, nil
	}
}

func TestProposeManifests(t *testing.T) {
	w := settled(t)
	apps := w.repo("apps")
	w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps", `paths: ["apps/**"]`)})
	start := apps.push("first", map[string]string{
		"apps/a.yaml": manifest("org.a", "1.0.0"), "apps/b.yaml": manifest("org.b", "1.0.0"), "apps/c.yaml": manifest("org.c", "1.0.0"),
		"apps/mended.yaml": "identifier: org.mended\nversion: 1.0.0\nflavours: 7\n",
		"apps/old.yaml":    "identifier: org.old\nversion: 1.0.0\nflavours: 7\n",
	})
	head := apps.propose(pullRef, start, map[string]string{
		"apps/a.yaml": manifest("org.a", "1.1.0"), "apps/b.yaml": "", "elsewhere.yaml": manifest("org.x", "1.0.0"),
		"apps/d.yaml": "# a comment\n" + manifest("org.d", "1.0.0"), "apps/e.yaml": manifest("org.e", "1.0.0"),
		"apps/bad.yaml": "identifier: org.bad\nversion: 1.0.0\nflavours: 7\n", "apps/huge.yaml": "pretend to be huge",
	})
	base := apps.push("second", map[string]string{
		"apps/c.yaml": manifest("org.c", "2.0.0"), "apps/mended.yaml": manifest("org.mended", "1.0.0"),
		"apps/old.yaml": "# moved\nidentifier: org.old\nversion: 1.0.0\nflavours: 7\n",
		"apps/d.yaml":   manifest("org.d", "1.0.0"), "apps/e.yaml": manifest("org.e", "1.0.0"),
	})
	w.once()
	catalog := w.Catalog()
	const wrong = `apps/bad.yaml:3:11: flavours: must be a list, not text (write it as flavours: [7])
apps/huge.yaml: it cannot be read: too large
`
	// What head changed is told alone: neither what base changed since, nor what
	// both did alike.
	want := "merge base true\norg.a 1.1.0\n" + wrong
	if d := cmp.Diff(want, w.proposeManifests(Ref{Name: pullRef})); d != "" {
		t.Error(d)
	}
	if p, err := w.ProposeManifests(context.Background(), "apps", Ref{Name: pullRef}); err != nil || p.Base != base.Commit || p.Head != head.Commit || p.MergeBase != start.Commit {
		t.Errorf("commits are %+v, %v", p, err)
	}
	// A shallow history reaches to no merge base: somebody else is asked.
	apps.set(func(r *fakeRepo) { r.shallow = true })
	asked := 0
	if d := cmp.Diff(want, w.proposeManifests(Ref{Name: pullRef, MergeBase: saying(start.Commit, &asked)})); d != "" || asked != 1 {
		t.Errorf("asked %d times: %s", asked, d)
	}
	// Where nobody knows, all that differs is told, but not what is wrong in base too.
	want = `merge base false
org.a 1.1.0
org.c 1.0.0
apps/bad.yaml:3:11: flavours: must be a list, not text (write it as flavours: [7])
apps/huge.yaml: it cannot be read: too large
apps/mended.yaml:3:11: flavours: must be a list, not text (write it as flavours: [7])
`
	for name, told := range map[string]func(context.Context) (string, error){
		"nobody to ask": nil, "no answer": saying("", &asked), "a commit that cannot be had": saying(strings.Repeat("a", 40), &asked),
	} {
		if d := cmp.Diff(want, w.proposeManifests(Ref{Name: pullRef, MergeBase: told})); d != "" {
			t.Errorf("%s: %s", name, d)
		}
	}
	if changes, _ := w.takeChanges(); len(changes) > 0 || w.Catalog() != catalog {
		t.Errorf("told of %+v", changes)
	}
}

func TestProposeManifestsErrors(t *testing.T) {
	w := settled(t)
	apps := w.repo("apps")
	w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
	start := apps.push("first", map[string]string{"README.md": "empty"})
	apps.propose(pullRef, start, map[string]string{"README.md": "text"})
	apps.set(func(r *fakeRepo) { r.shallow = true })
	w.once()
	for _, test := range []struct {
		repo string
		ref  Ref
		kind schema.ErrorKind
		part string
	}{
		{"other", Ref{Name: pullRef}, schema.Waiting, "no such repo"},
		{"apps", Ref{Name: "refs/pull/8/head"}, schema.Terminal, "does not exist"},
		{"apps", Ref{Name: pullRef, MergeBase: func(context.Context) (string, error) { return "", away("it is away") }}, schema.Transient, "it is away"},
	} {
		_, err := w.ProposeManifests(context.Background(), test.repo, test.ref)
		wantKind(t, err, test.kind, test.part)
	}
}

// What a repo may not publish is told before the merge, and so is to whom an
// identifier belongs.
func TestProposeWhatIsNotAllowed(t *testing.T) {
	w := settled(t)
	apps, other := w.repo("apps"), w.repo("other")
	w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps", `apps: ["org.*"]`) + "---\n" + repoDocument("other", "priority: 10")})
	other.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
	start := apps.push("first", map[string]string{"old/manifest.yaml": manifest("com.old", "1.0.0")})
	apps.propose(pullRef, start, map[string]string{
		"a/manifest.yaml": manifest("org.a", "1.0.0"), "x/manifest.yaml": manifest("com.x", "1.0.0"),
	})
	touched := apps.propose("touched", start, map[string]string{"old/manifest.yaml": manifest("com.old", "1.1.0")})
	w.once()
	want := `merge base true
org.a 1.0.0 other
repo apps publishes com.x in x/manifest.yaml, and may publish org.* only
`
	if d := cmp.Diff(want, w.proposeManifests(Ref{Name: pullRef})); d != "" {
		t.Error(d)
	}
	refused := "repo apps publishes com.old in old/manifest.yaml, and may publish org.* only\n"
	if d := cmp.Diff("merge base true\n"+refused, w.proposeManifests(Ref{Name: touched.Commit})); d != "" {
		t.Error(d)
	}
	apps.set(func(r *fakeRepo) { r.shallow = true })
	if d := cmp.Diff("merge base false\n", w.proposeManifests(Ref{Name: touched.Commit})); d != "" {
		t.Error(d)
	}
}
