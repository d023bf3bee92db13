package planner

import (
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// unread adds a repo that was never read, and could own everything.
func unread(w *world) {
	w.repos = append(w.repos, catalog.Change{Repo: catalog.Repo{Name: "others", Priority: 10}})
}

// withdraw lets a release vanish from its file.
func withdraw(app, version string) func(*world) {
	return func(w *world) {
		for i, r := range w.releases {
			if r.Identifier == app && r.Version == version {
				w.releases = append(w.releases[:i:i], w.releases[i+1:]...)
				return
			}
		}
	}
}

// garble lets a file of the repo have an error, near the named release.
func garble(app, version string) func(*world) {
	return func(w *world) {
		w.broken = append(w.broken, catalog.File{
			Path: "other.yaml", Raw: []byte("identifier: " + app + "\nversion: " + version + "\n"),
			Publication: schema.Publication{Problems: schema.Problems{{Line: 3, Column: 1, Message: "no image"}}},
		})
	}
}

func TestResolve(t *testing.T) {
	scopes := func(of ...string) func(*schema.Deployment) {
		return func(d *schema.Deployment) { d.Scopes = of }
	}
	for _, s := range []story{
		{name: "an app that nobody publishes", after: func(w *world) { w.declare("john", "org.nothing") },
			want: want{action: Wait, kind: schema.Waiting, says: []string{"no repo publishes this app"}}},
		{name: "a version that is not there", after: stardist(version("0.9.0")), want: want{action: Wait, kind: schema.Waiting, says: []string{"0.4.10"}}},
		{name: "a version that is none", after: stardist(version(">=new <2")), want: want{action: Hold, kind: schema.Invalid}},
		{name: "scopes that are not granted", after: stardist(scopes()),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"org.stardist 0.4.10 needs scopes", "read", "add them"}}},
		{name: "no older release is taken for it", before: all(func(w *world) { w.releases[1].Scopes = nil }, stardist(version("^0.4"))),
			after: func(w *world) { w.releases[1].Scopes = []string{"admin", "write"} },
			want:  want{action: Hold, kind: schema.Invalid, says: []string{"admin, write"}}},
		{name: "a flavour that is not there", after: stardist(flavour("rocm")),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"has no flavour rocm", "cuda, cpu"}}},
		{name: "the running release goes from the catalog", before: database(), after: withdraw("org.db", "1.0.0"),
			want: want{action: Hold, kind: schema.Waiting, says: []string{"its pods run on"}}},
		{name: "it goes, and runs no more", before: database(), after: all(withdraw("org.db", "1.0.0"), pod(0, exited(137))),
			want: want{action: Hold, kind: schema.Waiting, says: []string{"its pods stay as they are"}}},
		{name: "the running release goes, and a range takes another", before: stardist(version("^0.4")), after: withdraw("org.stardist", "0.4.10"),
			want: want{action: Replace, says: []string{"release 0.4.10 to 0.4.9"}}},
		{name: "unless its file may only be broken", before: stardist(version("^0.4")), after: all(withdraw("org.stardist", "0.4.10"), garble("org.stardist", "0.4.10")),
			want: want{action: Hold, kind: schema.Invalid, says: []string{"no image", "its pods run on"}}},
		{name: "a broken file does not stop who asks for another version", before: stardist(), after: all(withdraw("org.stardist", "0.4.10"), garble("org.stardist", "0.4.10"),
			stardist(version("0.4.9"))), want: want{action: Replace, says: []string{"0.4.10 to 0.4.9"}}},
		{name: "or another range", before: stardist(), after: all(withdraw("org.stardist", "0.4.10"), garble("org.stardist", "0.4.10"),
			stardist(version("<0.4.10"))), want: want{action: Replace, says: []string{"0.4.10 to 0.4.9"}}},
		{name: "a repo that was never read could own the app: what runs stays", before: stardist(version("0.4.9")), after: all(stardist(), unread),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"others", "its pods stay"}}},
		{name: "and is kept, where nothing would change", before: stardist(), after: unread, want: want{action: Keep}},
		{name: "and comes back, where it is the same", before: stardist(replicas(2)), after: all(unread, pod(0, exited(137))), want: want{action: Create}},
		{name: "a newcomer goes on with what is there", after: all(stardist(), unread), want: want{action: Create}},
		{name: "and waits where nothing is there", after: all(func(w *world) { w.declare("john", "org.nothing") }, unread),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"not read yet", "others"}}},
		{name: "and waits where the version is not there", after: all(stardist(version("0.9.0")), unread),
			want: want{action: Wait, kind: schema.Waiting, says: []string{"not read yet: repo others"}}},
	} {
		s.run(t)
	}
}
