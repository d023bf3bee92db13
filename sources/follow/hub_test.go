package follow

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
)

func TestAPushBecomesValues(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", map[string]string{"fiji/manifest.yaml": manifest("org.fiji", "1.0.0"), "README.md": "read me"})
		head := w.desired.push("first\n\nwith a body", map[string]string{
			"fiji.yaml": deployment("fiji-ada", "org.fiji"), "repos.yaml": repoDocument("apps"), ".git-hooks/x.yaml": "kind: Nothing",
		})
		w.run()
		synctest.Wait()
		w.wantApps("org.fiji@1.0.0")
		w.wantDeployments("fiji-ada")
		if w.Head() != head || w.State().Commit != head.Commit {
			t.Errorf("head is %v", w.Head())
		}
		if s := w.status(DesiredName); s.Commit != head.Commit || s.Message != "first" || s.Problem != "" || s.Stored || s.Success.IsZero() {
			t.Errorf("status: %+v", s)
		}
		want := []Change{
			{Deployments: []string{"fiji-ada"}, Commit: head.Commit, Readiness: true, Sources: []string{"apps", DesiredName}},
			{Identifiers: []string{"org.fiji"}, Commit: head.Commit, Readiness: true, Sources: []string{"apps"}},
		}
		got, _ := w.takeChanges()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}

		apps.push("second", map[string]string{"fiji/manifest.yaml": manifest("org.fiji", "1.1.0")})
		if n := w.Wake(hint("https://git.example.org/apps", "main")); n != 1 {
			t.Errorf("woken: %d", n)
		}
		synctest.Wait()
		w.wantApps("org.fiji@1.1.0")
		got, _ = w.takeChanges()
		if diff := cmp.Diff([]Change{{Identifiers: []string{"org.fiji"}, Commit: head.Commit, Sources: []string{"apps"}}}, got); diff != "" {
			t.Errorf("changes (-want +got):\n%s", diff)
		}
	})
}

// TestOneFileOfManyIsWorkForOne holds invariant 3: 300 repos of 20 files, and
// one file changes.
func TestOneFileOfManyIsWorkForOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		documents := map[string]string{}
		var repos []*fakeRepo
		for i := range 300 {
			name := fmt.Sprintf("repo-%03d", i)
			documents["repos/"+name+".yaml"] = repoDocument(name)
			r := w.repo(name)
			files := map[string]string{}
			for j := range 20 {
				files[fmt.Sprintf("app-%d/manifest.yaml", j)] = manifest(fmt.Sprintf("org.r%d.a%d", i, j), "1.0.0")
			}
			r.push("first", files)
			repos = append(repos, r)
		}
		w.desired.push("first", documents)
		w.run()
		synctest.Wait()
		if n := w.Catalog().Releases(); n != 6000 {
			t.Fatalf("%d releases", n)
		}
		if _, parsed := w.takeChanges(); len(parsed) != 300+6000 {
			t.Errorf("%d files were parsed", len(parsed))
		}

		repos[7].push("second", map[string]string{"app-3/manifest.yaml": manifest("org.r7.a3", "1.0.1")})
		before := repos[7].readCount()
		time.Sleep(2 * time.Minute) // every repo is polled
		synctest.Wait()
		changes, parsed := w.takeChanges()
		if !slices.Equal(parsed, []string{"app-3/manifest.yaml"}) || repos[7].readCount() != before+1 {
			t.Errorf("parsed: %q, read: %d", parsed, repos[7].readCount()-before)
		}
		if len(changes) != 1 || !slices.Equal(changes[0].Identifiers, []string{"org.r7.a3"}) || changes[0].Deployments != nil {
			t.Errorf("changes: %+v", changes)
		}
	})
}

func TestTheSameFileIsNotParsedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps, fork := w.repo("apps"), w.repo("fork")
		old := apps.push("first", map[string]string{"a/manifest.yaml": manifest("org.a", "1.0.0"), "b/manifest.yaml": manifest("org.b", "1.0.0")})
		fork.push("first", map[string]string{"a/manifest.yaml": manifest("org.a", "1.0.0")})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps") + "---\n" + repoDocument("fork")})
		w.run()
		synctest.Wait()
		w.takeChanges()
		if n := apps.readCount() + fork.readCount(); n > 3 {
			t.Errorf("%d files were read", n)
		}

		apps.push("second", map[string]string{"a/manifest.yaml": manifest("org.a", "2.0.0")})
		w.WakeAll()
		synctest.Wait()
		w.takeChanges()
		apps.set(func(r *fakeRepo) { r.head = old }) // a force push
		w.WakeAll()
		synctest.Wait()
		w.wantApps("org.a@1.0.0", "org.b@1.0.0")
		if _, parsed := w.takeChanges(); len(parsed) != 0 {
			t.Errorf("after a force push: %q", parsed)
		}

		w.desired.push("second", map[string]string{"repos.yaml": repoDocument("apps", "paths: ['**/manifest.yaml']")})
		w.WakeAll()
		synctest.Wait()
		w.wantApps("org.a@1.0.0", "org.b@1.0.0")
		if _, parsed := w.takeChanges(); !slices.Equal(parsed, []string{"repos.yaml"}) {
			t.Errorf("after other paths: %q", parsed)
		}
	})
}

func TestABadFileStopsOnlyItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) {
			o.parseManifest = func(path string, data []byte) schema.Publication {
				if strings.Contains(string(data), "boom") {
					panic("out of range")
				}
				return schema.Publication{Releases: []schema.Release{{Identifier: "org." + path[:1], Version: "1.0.0", Flavours: []schema.Flavour{{Image: "x"}}}}}
			}
		})
		w.repo("apps").push("first", map[string]string{
			"a/manifest.yaml": "good", "b/manifest.yaml": "boom", "c/manifest.yaml": "pretend to be huge", "d/manifest.yaml": "good",
		})
		w.desired.push("first", map[string]string{
			"repos.yaml": repoDocument("apps"), "good.yaml": deployment("good", "org.a"),
			"broken.yaml": "kind: Deployment\nname: broken\nap: org.a\n", "huge.yaml": "pretend to be huge",
		})
		w.run()
		synctest.Wait()
		w.wantApps("org.a@1.0.0", "org.d@1.0.0")
		w.wantDeployments("good")
		if s := w.status("apps"); s.Problem != "" {
			t.Errorf("the repo has a problem: %s", s.Problem)
		}
		var told []string
		for _, n := range w.Catalog().Notices() {
			told = append(told, n.Message)
		}
		for _, want := range []string{"b/manifest.yaml", "out of range", "c/manifest.yaml", "too large"} {
			if !strings.Contains(strings.Join(told, "\n"), want) {
				t.Errorf("no notice says %q: %q", want, told)
			}
		}
		for _, want := range []string{`"document is invalid" at=broken.yaml:`, `at=huge.yaml`, `source=apps commit=`} {
			if !strings.Contains(w.logged(), want) {
				t.Errorf("%q is not in the log:\n%s", want, w.logged())
			}
		}
	})
}

func TestAReadThatFailsMidwayChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", map[string]string{"a/manifest.yaml": manifest("org.a", "1.0.0"), "b/manifest.yaml": manifest("org.b", "1.0.0")})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.run()
		synctest.Wait()
		w.takeChanges()

		apps.set(func(r *fakeRepo) { r.readFail, r.readFrom = errors.New("object is missing"), 2 })
		files := map[string]string{"a/manifest.yaml": "", "b/manifest.yaml": manifest("org.b", "2.0.0")}
		for i := range 4 {
			files[fmt.Sprintf("c%d/manifest.yaml", i)] = manifest(fmt.Sprintf("org.c%d", i), "1.0.0")
		}
		apps.push("second", files)
		w.WakeAll()
		synctest.Wait()
		w.wantApps("org.a@1.0.0", "org.b@1.0.0")
		if s := w.status("apps"); !strings.Contains(s.Problem, "object is missing") || s.Failures != 1 {
			t.Errorf("status: %+v", s)
		}
		if r, _ := w.Catalog().Repo("apps"); !strings.Contains(r.Problem, "object is missing") {
			t.Errorf("the catalog says: %+v", r)
		}
		apps.set(func(r *fakeRepo) { r.readFail = nil })
		time.Sleep(2 * time.Second)
		synctest.Wait()
		w.wantApps("org.b@2.0.0", "org.c0@1.0.0", "org.c1@1.0.0", "org.c2@1.0.0", "org.c3@1.0.0")
		if _, parsed := w.takeChanges(); len(parsed) != 5 {
			t.Errorf("parsed: %q", parsed)
		}
		if r, _ := w.Catalog().Repo("apps"); r.Problem != "" {
			t.Errorf("the catalog says: %+v", r)
		}
	})
}

func TestAMissingFolderRemovesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, func(o *Options) { o.Desired.Path = "lab/desired" })
		w.desired.push("first", map[string]string{"lab/desired/a.yaml": deployment("a", "org.a"), "other/b.yaml": deployment("b", "org.b")})
		w.run()
		synctest.Wait()
		w.wantDeployments("a")
		first := w.State().Commit

		w.desired.push("second", map[string]string{"lab/desired/a.yaml": "", "lab/wanted/a.yaml": deployment("a", "org.a")})
		w.WakeAll()
		synctest.Wait()
		w.wantDeployments("a")
		if s := w.status(DesiredName); s.Commit != first || !strings.Contains(s.Problem, `no folder "lab/desired"`) || s.Kind != schema.Invalid {
			t.Errorf("status: %+v", s)
		}
		w.desired.push("third", map[string]string{"lab/desired/c.yaml": deployment("c", "org.a")})
		w.WakeAll()
		synctest.Wait()
		w.wantDeployments("c")
	})
}

func TestTooMuchTextIsRefusedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.manifests.most = 1000
		apps := w.repo("apps")
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.run()
		synctest.Wait()
		files := map[string]string{"manifest.yaml": ""}
		for i := range 20 {
			files[fmt.Sprintf("%d/manifest.yaml", i)] = manifest("org.b", fmt.Sprintf("1.%d.0", i))
		}
		apps.push("second", files)
		w.WakeAll()
		synctest.Wait()
		w.wantApps("org.a@1.0.0")
		if s := w.status("apps"); !strings.Contains(s.Problem, "more than 1kB of text") || s.Kind != schema.Invalid {
			t.Errorf("status: %+v", s)
		}
		before := apps.readCount()
		time.Sleep(10 * time.Minute)
		if n := apps.readCount() - before; n != 0 {
			t.Errorf("%d files were read again of a snapshot that was refused", n)
		}
		for name := range files {
			files[name] = ""
		}
		files["manifest.yaml"] = manifest("org.a", "1.1.0")
		apps.push("third", files)
		w.WakeAll()
		synctest.Wait()
		w.wantApps("org.a@1.1.0")
	})
}

func TestOnce(t *testing.T) {
	w := newWorld(t)
	w.repo("apps").push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
	w.repo("dead").set(func(r *fakeRepo) { r.failure = away("connection refused") })
	w.desired.push("first", map[string]string{
		"a.yaml": deployment("a", "org.a"), "repos.yaml": repoDocument("apps") + "---\n" + repoDocument("dead") + "---\n" + repoDocument("unknown"),
	})
	err := w.Once(t.Context())
	if err == nil || !strings.Contains(err.Error(), "repo dead: ") || !strings.Contains(err.Error(), "repo unknown: ") || strings.Contains(err.Error(), "repo apps") {
		t.Errorf("got %v", err)
	}
	w.wantApps("org.a@1.0.0")
	w.wantDeployments("a")
	if ok, missing := w.Catalog().Ready("org.b"); ok || !slices.Equal(missing, []string{"dead", "unknown"}) {
		t.Errorf("ready: %v %q", ok, missing)
	}
	if ok, err := w.Contains(t.Context(), w.Head().Commit, w.Head().Commit); !ok || err != nil {
		t.Errorf("contains: %v %v", ok, err)
	}
	w.Close()
	if n := w.desired.opened(); n != 0 {
		t.Errorf("%d sources are open", n)
	}
}

// TestAFolderIsRead: for commands that look at files at hand, a folder that is
// no repository is a source too. It has no commit.
func TestAFolderIsRead(t *testing.T) {
	w := newWorld(t)
	apps := w.repo("apps")
	apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")}).Commit = ""
	w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")}).Commit = ""
	if err := w.Once(t.Context()); err != nil {
		t.Error(err)
	}
	w.wantApps("org.a@1.0.0")
	if ok, missing := w.Catalog().Ready("org.a"); !ok {
		t.Errorf("never read: %q", missing)
	}
	w.Close()
}

func TestOnceWithoutDesiredState(t *testing.T) {
	w := newWorld(t)
	w.desired.set(func(r *fakeRepo) { r.failure = away("connection refused") })
	if err := w.Once(t.Context()); schema.KindOf(err) != schema.Transient {
		t.Errorf("got %v", err)
	}
	if w.State() != nil || w.Head() != nil {
		t.Error("there is a desired state")
	}
	w.Close()
}

func TestReadersNeverWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		apps := w.repo("apps")
		apps.push("first", map[string]string{"manifest.yaml": manifest("org.a", "1.0.0")})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		stop := w.run()
		for range 4 {
			go func() {
				for range 200 {
					w.Wake(hint(apps.url, "main"))
					w.WakeAll()
					if s := w.Sources(); s[0].Name != DesiredName {
						t.Errorf("the first source is %q", s[0].Name)
					}
					if v := w.View(); v != nil && v.State.Commit != v.Head.Commit {
						t.Error("the state is of another commit than the head")
					}
					w.apps()
					time.Sleep(10 * time.Millisecond)
				}
			}()
		}
		for i := range 100 {
			apps.push("again", map[string]string{"manifest.yaml": manifest("org.a", fmt.Sprintf("1.0.%d", i))})
			w.desired.push("again", map[string]string{fmt.Sprintf("d%d.yaml", i): deployment(fmt.Sprintf("d%d", i), "org.a")})
			time.Sleep(20 * time.Millisecond)
		}
		time.Sleep(time.Minute)
		w.wantApps("org.a@1.0.99")
		if n := w.State().Len(); n != 100 {
			t.Errorf("%d deployments", n)
		}
		stop()
	})
}

func TestMetricsNameOnlyWhatIsFollowed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.repo("apps").set(func(r *fakeRepo) { r.failure = away("connection refused") })
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.run()
		synctest.Wait()
		series := func() string {
			t.Helper()
			families, err := w.metrics.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var all []string
			for _, family := range families {
				for _, m := range family.GetMetric() {
					name := strings.TrimPrefix(family.GetName(), "berth_source_")
					for _, label := range m.GetLabel() {
						name += " " + label.GetValue()
					}
					all = append(all, name)
				}
			}
			return strings.Join(all, ", ")
		}
		const always = "fetch_seconds moved, files_parsed_total document, files_parsed_total manifest, last_success_timestamp_seconds " + DesiredName
		if got, want := series(), "errors_total apps, errors_total "+DesiredName+", fetch_seconds failed, "+always; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		w.desired.push("second", map[string]string{"repos.yaml": ""})
		w.Wake(hint(desiredURL, ""))
		synctest.Wait()
		if got, want := series(), "errors_total "+DesiredName+", fetch_seconds failed, "+always; got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	})
}
