package statuses

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

// change has the catalog take in what an app repo holds.
func (r *rig) change(changes ...catalog.Change) {
	r.mu.Lock()
	var diff catalog.Diff
	r.catalog, diff = r.catalog.With(changes...)
	r.mu.Unlock()
	r.engine.Changed(engine.Change{Identifiers: diff.Apps, Everything: diff.Holds || diff.Readiness})
	synctest.Wait()
}

func published(app, version string) catalog.File {
	return catalog.File{Path: app + "-" + version + ".yaml", Publication: schema.Publication{Releases: []schema.Release{
		{Identifier: app, Version: version, Flavours: []schema.Flavour{{Name: "cpu", Image: app + ":" + version}}},
	}}}
}

// Two repos may be read from one repository, each with its own paths: they have
// one context, and what one finds wrong is not hidden by the other.
func TestTwoReposOfOneCommit(t *testing.T) {
	for _, broken := range []string{"a", "b"} {
		bubble(t, func(r *rig) {
			push := func(commit string, bad string) {
				var changes []catalog.Change
				for _, name := range []string{"a", "b"} {
					c := catalog.Change{Repo: catalog.Repo{Name: name, URL: "mono", Commit: commit}, Reset: true, Files: []catalog.File{published("app-"+name, "1.0.0")}}
					if name == bad {
						c.Files = append(c.Files, catalog.File{Path: "bad.yaml", Unreadable: "too large"})
					}
					changes = append(changes, c)
				}
				r.change(changes...)
				r.settle()
			}
			push("m1", "")
			r.outbox.take()
			push("m2", broken)
			if s := r.has("m2", "berth/manifest"); s.State != forge.Failure || s.Description != "bad.yaml: too large" {
				t.Errorf("%s is broken: it said %+v", broken, s)
			}
			push("m3", "")
			if s := r.has("m3", "berth/manifest"); s.State != forge.Success {
				t.Errorf("it said %+v", s)
			}
		})
	}
}

// A push that may not publish an app may, once the desired state says so.
func TestARepoThatIsAllowedLater(t *testing.T) {
	bubble(t, func(r *rig) {
		repo := catalog.Repo{Name: "apps", URL: "apps", Commit: "a1", Apps: []string{"other"}}
		r.change(catalog.Change{Repo: repo, Reset: true})
		r.settle()
		repo.Commit = "a2"
		r.change(catalog.Change{Repo: repo, Files: []catalog.File{published("hello", "1.0.0")}})
		r.settle()
		if s := r.has("a2", "berth/manifest"); s.State != forge.Failure {
			t.Errorf("it said %+v", s)
		}
		repo.Apps = nil
		r.change(catalog.Change{Repo: repo})
		r.settle()
		if s := r.has("a2", "berth/manifest"); s.State != forge.Success || s.Description != "hello 1.0.0 in the catalog" {
			t.Errorf("it said %+v", s)
		}
	})
}

// A push says what follows of it in the end, also when the next one came meanwhile;
// what deployments do later changes nothing of it.
func TestWhatFollowsOfAPush(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		pinned := hello("pinned", func(d *schema.Deployment) { d.Version = "^1.0.0 <1.2.0" })
		r.declare("one pinned", hello("one"), pinned)
		r.settle()
		for _, v := range []string{"1.1.0", "1.2.0"} {
			r.machine.SetImage("hello:"+v, memory.Image{HealthCheck: true, After: 30 * time.Second})
		}
		r.publish("1.0.0", "1.1.0")
		if s := r.has("a2", "berth/manifest"); s.Description != "hello 1.1.0 in the catalog; 2 deployments on the way" {
			t.Errorf("at first: %q", s.Description)
		}
		r.publish("1.0.0", "1.1.0", "1.2.0")
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		for commit, want := range map[string]string{
			"a2": "hello 1.1.0 in the catalog; 1 deployment updated",
			"a3": "hello 1.2.0 in the catalog; 1 deployment updated",
		} {
			if s := r.has(commit, "berth/manifest"); s.State != forge.Success || s.Description != want {
				t.Errorf("%s in the end: %+v", commit, s)
			}
		}
		r.outbox.take()
		r.machine.Delete(r.pod("one").ID)
		r.declare("more", hello("one"), pinned, hello("more"))
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if got := r.states("apps a3 berth/manifest"); got != "" {
			t.Errorf("later: %s", got)
		}
	})
}

// What a former process left unfinished is finished.
func TestAPushBeforeARestart(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one", hello("one"))
		r.settle()
		r.machine.SetImage("hello:1.1.0", memory.Image{HealthCheck: true, After: 30 * time.Second})
		r.publish("1.0.0", "1.1.0")
		r.stop()
		r.start()
		time.Sleep(2 * time.Minute)
		synctest.Wait()
		if s := r.has("a2", "berth/manifest"); s.Description != "2 releases in the catalog" {
			t.Errorf("it says %q", s.Description)
		}
	})
}

// Whatever is pushed, nothing is kept of commits that are over.
func TestPushesAreForgotten(t *testing.T) {
	bubble(t, func(r *rig) {
		r.publish("1.0.0")
		r.declare("one pinned", hello("one"), hello("pinned", func(d *schema.Deployment) { d.Version = "9.9.9" }))
		r.settle()
		for i := range 300 {
			repo := catalog.Repo{Name: "apps", URL: "apps", Commit: fmt.Sprintf("b%d", i)}
			r.change(catalog.Change{Repo: repo, Reset: true, Files: []catalog.File{published("hello", fmt.Sprintf("1.0.%d", i+1))}})
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		r.reporter.mu.Lock()
		defer r.reporter.mu.Unlock()
		all := &r.reporter.manifests
		if len(all.commits) != 1 || len(all.former) > 0 || len(all.watched) > 2 || len(all.unsaid) > 0 {
			t.Errorf("kept: %d commits, %d former reports, %d watched, %d unsaid", len(all.commits), len(all.former), len(all.watched), len(all.unsaid))
		}
	})
}
