package follow

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/git"
)

const pullRef = "refs/pull/7/head"

// settled reads everything once, for tests that propose something.
func settled(t *testing.T, change ...func(*Options)) *world {
	w := newWorld(t, change...)
	t.Cleanup(w.Close)
	return w
}

func (w *world) once() {
	w.t.Helper()
	if err := w.Once(context.Background()); err != nil {
		w.t.Fatal(err)
	}
	w.takeChanges()
}

func (w *world) propose(ref string) *Proposal {
	w.t.Helper()
	p, err := w.Propose(context.Background(), Ref{Name: ref})
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

// summary is what a proposal is about, in a line.
func summary(p *Proposal) string {
	deployments, repos := map[string]bool{}, map[string]bool{} // that are declared otherwise
	for _, s := range []*desired.State{p.Before, p.State} {
		for name := range s.Deployments() {
			was, _ := p.Before.Deployment(name)
			is, _ := p.State.Deployment(name)
			if !was.Same(is) {
				deployments[name] = true
			}
		}
		for name := range s.Repos() {
			was, _ := p.Before.Repo(name)
			is, _ := p.State.Repo(name)
			if !was.Same(is) {
				repos[name] = true
			}
		}
	}
	return fmt.Sprintf("conflicts %v deployments %v repos %v", p.Conflicts, slices.Sorted(maps.Keys(deployments)), slices.Sorted(maps.Keys(repos)))
}

func TestPropose(t *testing.T) {
	w := settled(t, func(o *Options) { o.Desired.Path = "lab" })
	start := w.desired.push("first", map[string]string{
		"lab/web.yaml": deployment("web", "org.web"), "lab/db.yaml": deployment("db", "org.db"),
		"lab/ui.yaml": deployment("ui", "org.ui"), "lab/both.yaml": deployment("both", "org.both"), "other.yaml": "x: 1",
	})
	head := w.desired.propose(pullRef, start, map[string]string{
		"lab/web.yaml": deployment("web", "org.web") + "replicas: 2\n", "lab/ui.yaml": "", "other.yaml": "x: 2", "lab/README.md": "text",
		"lab/new.yaml": deployment("new", "org.new") + "---\n" + repoDocument("apps"), "lab/both.yaml": deployment("both", "org.theirs"),
		"lab/db.yaml": "# a comment moves the line\n" + deployment("db", "org.db"),
	})
	base := w.desired.push("second", map[string]string{
		"lab/both.yaml": deployment("both", "org.ours"), "lab/late.yaml": deployment("late", "org.late"),
	})
	w.once()
	before := w.View()
	p := w.propose(pullRef)
	if p.Base != base.Commit || p.Head != head.Commit || p.MergeBase != start.Commit {
		t.Errorf("commits are %s %s %s", p.Base, p.Head, p.MergeBase)
	}
	want := "conflicts [lab/both.yaml] deployments [new ui web] repos [apps]"
	if got := summary(p); got != want {
		t.Errorf("proposal is about\n%s, want\n%s", got, want)
	}
	var apps []string
	for _, d := range p.State.Deployments() {
		apps = append(apps, d.App)
	}
	if want := []string{"org.ours", "org.db", "org.late", "org.new", "org.web"}; !slices.Equal(apps, want) {
		t.Errorf("apps are %q, want %q", apps, want)
	}
	if d, _ := p.State.Deployment("new"); d.Position != (schema.Position{File: "lab/new.yaml", Line: 1, Column: 1}) {
		t.Errorf("position is %+v", d.Position)
	}
	if web, _ := p.State.Deployment("web"); web.Replicas == nil || *web.Replicas != 2 || p.State.Commit != head.Commit || p.Before != before.State {
		t.Errorf("web is %+v at %s", web, p.State.Commit)
	}
	if changes, parsed := w.takeChanges(); len(changes) > 0 || !slices.Equal(parsed, []string{"lab/db.yaml", "lab/new.yaml", "lab/web.yaml"}) {
		t.Errorf("told of %+v, parsed %q", changes, parsed)
	}
	if w.View() != before || len(w.Sources()) != 1 || w.desired.opened() != 1 {
		t.Error("what is followed changed")
	}
	asked := w.desired.lookups
	known, err := w.Propose(context.Background(), Ref{Name: pullRef, Head: head.Commit})
	if err != nil || summary(known) != want || w.desired.lookups != asked+1 { // the one is for the merge base
		t.Errorf("where the head is known: %v, %v, asked %d times", known, err, w.desired.lookups-asked)
	}
	if again := w.propose(head.Commit); summary(again) != want {
		t.Errorf("the second time: %s", summary(again))
	}
	if _, parsed := w.takeChanges(); len(parsed) > 0 {
		t.Errorf("parsed again: %q", parsed)
	}
}

func TestProposeWhatIsThere(t *testing.T) {
	w := settled(t)
	start := w.desired.push("first", map[string]string{"web.yaml": deployment("web", "org.web")})
	merged := w.desired.propose(pullRef, start, map[string]string{"web.yaml": deployment("web", "org.other")})
	w.desired.propose("refs/pull/8/head", start, map[string]string{"web.yaml": deployment("web", "org.same")})
	w.desired.push("second", map[string]string{"web.yaml": deployment("web", "org.same")})
	w.once()
	for ref, want := range map[string]string{
		start.Commit:       "conflicts [] deployments [] repos []",         // an old commit
		w.Head().Commit:    "conflicts [] deployments [] repos []",         // the one in force
		"refs/pull/8/head": "conflicts [] deployments [] repos []",         // both did the same
		merged.Commit:      "conflicts [web.yaml] deployments [] repos []", // nothing but a conflict
	} {
		p := w.propose(ref)
		if got := summary(p); got != want {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
		if d, _ := p.State.Deployment("web"); d.App != "org.same" || len(p.Problems()) > 0 {
			t.Errorf("web is %+v, problems %v", d, p.Problems())
		}
	}
}

func TestProposalProblems(t *testing.T) {
	broken := "kind: Deployment\nname: old\napp: org.old\ncolour: red\n"
	w := settled(t)
	start := w.desired.push("first", map[string]string{
		"old.yaml": broken + "---\n" + deployment("fine", "org.fine"), "web.yaml": deployment("web", "org.web") + "dependsOn: [db]\n",
		"db.yaml": deployment("db", "org.db"),
	})
	w.desired.propose(pullRef, start, map[string]string{
		"old.yaml": "# moved\n" + broken + "---\n" + strings.ReplaceAll(broken, "old", "more"), "new.yaml": "kind: Deployment\nname: new\n  app: x\n", "db.yaml": "",
	})
	w.once()
	p := w.propose(pullRef)
	var got []string
	for _, one := range p.Problems().Errors() {
		got = append(got, fmt.Sprintf("%s:%d", one.File, one.Line))
	}
	if want := []string{"new.yaml:3", "old.yaml:10", "web.yaml:1"}; !slices.Equal(got, want) {
		t.Errorf("new problems are at %q, want %q:\n%v\nbefore:\n%v", got, want, p.Problems(), p.Before.Problems())
	}
	if all := len(p.State.Problems().Errors()); all <= len(got) {
		t.Errorf("%d problems in all", all)
	}
}

func TestProposeErrors(t *testing.T) {
	w := settled(t, func(o *Options) { o.Desired.Path = "lab" })
	_, err := w.Propose(context.Background(), Ref{Name: pullRef})
	wantKind(t, err, schema.Waiting, "not read yet")
	start := w.desired.push("first", map[string]string{"lab/web.yaml": deployment("web", "org.web")})
	w.desired.propose("emptied", start, map[string]string{"lab/web.yaml": ""})
	w.desired.propose("unrelated", nil, map[string]string{"lab/web.yaml": "x"})
	w.once()
	_, err = w.Propose(context.Background(), Ref{Name: "refs/pull/8/head"})
	wantKind(t, err, schema.Terminal, "does not exist")
	_, err = w.Propose(context.Background(), Ref{Name: "emptied"})
	wantKind(t, err, schema.Invalid, `no folder "lab"`)
	_, err = w.Propose(context.Background(), Ref{Name: "unrelated"})
	wantKind(t, err, schema.Invalid, "no history in common")
	w.desired.set(func(r *fakeRepo) { r.panics = true })
	_, err = w.Propose(context.Background(), Ref{Name: start.Commit})
	wantKind(t, err, schema.Transient, "a bug of Berth's")
	w.desired.set(func(r *fakeRepo) { r.panics = false })
	w.Close()
	_, err = w.Propose(context.Background(), Ref{Name: start.Commit})
	wantKind(t, err, schema.Terminal, "followed no more")
}

func wantKind(t *testing.T, err error, kind schema.ErrorKind, part string) {
	t.Helper()
	var e *schema.Error
	if !errors.As(err, &e) || e.Kind != kind || !strings.Contains(e.Error(), part) {
		t.Errorf("error is %v, want a %s one with %q", err, kind, part)
	}
}

// However many proposals hang, the desired state is followed on, and a caller
// who has enough of waiting gets away.
func TestProposalsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		start := w.desired.push("first", map[string]string{"web.yaml": deployment("web", "org.web")})
		w.desired.propose(pullRef, start, map[string]string{"db.yaml": deployment("db", "org.db")})
		w.run()
		synctest.Wait()
		answer := make(chan struct{})
		w.desired.set(func(r *fakeRepo) { r.answer = answer })
		const many = 3 * maxLooks
		ended := make(chan error, many)
		for range many {
			go func() {
				_, err := w.Propose(context.Background(), Ref{Name: pullRef})
				ended <- err
			}()
		}
		synctest.Wait()
		if n := len(w.Hub.desired.looks); n != maxLooks {
			t.Errorf("%d are looked at", n)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_, err := w.Propose(ctx, Ref{Name: pullRef})
		wantKind(t, err, schema.Transient, "deadline")

		w.desired.set(func(r *fakeRepo) { r.answer = nil })
		w.desired.push("second", map[string]string{"ui.yaml": deployment("ui", "org.ui")})
		w.Wake(hint(desiredURL, ""))
		synctest.Wait()
		w.wantDeployments("ui", "web")
		close(answer)
		for range many {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	})
}

// A head that holds too much is an error of the proposal alone.
func TestProposalOfTooMuch(t *testing.T) {
	w := settled(t)
	start := w.desired.push("first", map[string]string{"web.yaml": deployment("web", "org.web")})
	files := map[string]string{"big.yaml": "pretend to be huge"}
	w.desired.propose("big", start, files)
	files = map[string]string{}
	for i := range 20 {
		files[fmt.Sprintf("much-%d.yaml", i)] = fmt.Sprintf("# %d %s", i, strings.Repeat("x", 1000))
	}
	w.desired.propose("much", start, files)
	w.Hub.proposed.documents.most = 10_000
	w.once()
	if p := w.propose("big"); len(p.Problems()) != 1 || !strings.Contains(p.Problems()[0].Error(), "big.yaml: it cannot be read") {
		t.Errorf("problems are %v", p.Problems())
	}
	_, err := w.Propose(context.Background(), Ref{Name: "much"})
	wantKind(t, err, schema.Invalid, "of text")
	w.wantDeployments("web")
}

// Real repositories: a mirror's pull request, a folder, and a clone.
func TestProposeFromARepository(t *testing.T) {
	r := newRepository(t, "desired")
	r.commit("first", map[string]string{"lab/web.yaml": deployment("web", "org.web"), "lab/ui.yaml": deployment("ui", "org.ui")})
	r.git("checkout", "-q", "-b", "topic")
	r.commit("topic", map[string]string{"lab/db.yaml": deployment("db", "org.db"), "lab/ui.yaml": ""})
	r.git("update-ref", pullRef, "HEAD")
	r.git("checkout", "-q", "main")
	r.commit("second", map[string]string{"lab/late.yaml": deployment("late", "org.late")})
	data, err := git.OpenDir(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer data.Close()
	w := settled(t, func(o *Options) {
		o.Desired = schema.Desired{URL: "file://" + r.dir, Path: "lab"}
		o.Folder = git.Folder
		o.Open = func(s Spec) (sources.Source, error) {
			return git.Open(git.Options{Dir: data, URL: s.URL, History: s.History})
		}
	})
	w.once()
	want := "conflicts [] deployments [db ui] repos []"
	for _, ref := range []string{"topic", pullRef} {
		p := w.propose(ref)
		if got := summary(p); got != want || p.State.Len() != 3 {
			t.Errorf("%s: %s, want %s", ref, got, want)
		}
	}
	r.git("checkout", "-q", "-b", "deep", "main")
	r.commit("deep", map[string]string{"lab/" + strings.Repeat("d/", sources.MaxDepth+1) + "x.yaml": "x"})
	_, err = w.Propose(context.Background(), Ref{Name: "deep"})
	wantKind(t, err, schema.Invalid, "folders deep")
	// A work tree stands for all that is desired: what it lacks goes.
	r.git("checkout", "-q", "topic")
	p, err := w.ProposeDir(context.Background(), r.dir)
	if err != nil {
		t.Fatal(err)
	}
	want = "conflicts [] deployments [db late ui] repos []"
	if got := summary(p); got != want || p.Head != "" || p.MergeBase != p.Base || p.Base != w.Head().Commit {
		t.Errorf("folder: %s, want %s; %+v", got, want, p)
	}
	r.git("checkout", "-q", "main")
	if p, err := w.ProposeDir(context.Background(), r.dir); err != nil || summary(p) != "conflicts [] deployments [] repos []" {
		t.Errorf("the same: %v, %v", p, err)
	}
	_, err = w.ProposeDir(context.Background(), filepath.Join(r.dir, "nowhere"))
	wantKind(t, err, schema.Terminal, "no such file")
	_, err = w.ProposeDir(context.Background(), t.TempDir())
	wantKind(t, err, schema.Invalid, `no folder "lab"`)
	if p, err := w.ProposeManifests(context.Background(), "none", Ref{Name: "topic"}); err == nil {
		t.Errorf("proposal is %+v", p)
	}
}

// What a commit changed is told of the one in force, also after a restart.
func TestChangedBy(t *testing.T) {
	w := settled(t)
	changed := func(commit string) string {
		t.Helper()
		names, err := w.ChangedBy(context.Background(), commit)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(names)
	}
	w.desired.push("first", map[string]string{"web.yaml": deployment("web", "org.web"), "db.yaml": deployment("db", "org.db"), "ui.yaml": deployment("ui", "org.ui")})
	w.once()
	if got := changed(w.Head().Commit); got != "[db ui web]" {
		t.Errorf("the first commit changed %s", got)
	}
	first := w.Head().Commit
	w.desired.push("second", map[string]string{
		"web.yaml": deployment("web", "org.web") + "replicas: 2\n", "db.yaml": "", "new.yaml": deployment("new", "org.new"),
		"ui.yaml": "# moved by a line\n" + deployment("ui", "org.ui"),
	})
	w.once()
	if got := changed(w.Head().Commit); got != "[db new web]" {
		t.Errorf("the second commit changed %s", got)
	}
	if got := changed(first); got != "[]" {
		t.Errorf("a commit that is not in force changed %s", got)
	}
}

// Hints at proposals wake who follows those, not the source.
func TestHintsAtProposals(t *testing.T) {
	var proposed []string
	w := settled(t, func(o *Options) { o.Proposed = func(source string) { proposed = append(proposed, source) } })
	for _, ref := range []string{"refs/pull/7/head", "refs/merge-requests/7/head"} {
		if n := w.Wake(hint(w.desired.url, ref)); n != 1 {
			t.Errorf("%s woke %d", ref, n)
		}
	}
	if n := w.Wake(hint("https://elsewhere.example/x", "refs/pull/7/head")); n != 0 {
		t.Errorf("a hint at another repository woke %d", n)
	}
	if fmt.Sprint(proposed) != "[desired-state desired-state]" {
		t.Errorf("told of %v", proposed)
	}
}
