package follow

import (
	"fmt"
	"log/slog"
	"testing"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/git"
)

// benchRepo is an app repository of 10,000 manifests: 1,000 apps with 10
// releases each.
func benchRepo() *fakeRepo {
	r := newFakeRepo("https://git.example.org/apps.git")
	files := map[string]string{}
	for app := range 1000 {
		for release := range 10 {
			files[fmt.Sprintf("apps/a%03d/r%d/manifest.yaml", app, release)] = manifest(fmt.Sprintf("org.a%03d", app), fmt.Sprintf("1.%d.0", release))
		}
	}
	r.push("first", files)
	return r
}

func benchHub(apps *fakeRepo) *Hub {
	desired := newFakeRepo(desiredURL)
	desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
	return New(Options{
		Desired: schema.Desired{URL: desiredURL},
		Open: func(s Spec) (sources.Source, error) {
			if s.URL == desiredURL {
				return desired.source(), nil
			}
			return apps.source(), nil
		},
		Same: git.SameRepo, Key: git.RepoKey,
		Redact:   func(url string) string { return url },
		LocalDir: func(string) (string, bool) { return "", false },
		Logger:   slog.New(slog.DiscardHandler),
	})
}

// BenchmarkWakeAmong1000 takes what a forge says of one repository of a thousand.
func BenchmarkWakeAmong1000(b *testing.B) {
	h := benchHub(nil)
	all := []*follower{h.desired}
	for i := range 1000 {
		name := fmt.Sprintf("repo-%d", i)
		all = append(all, h.newFollower(name, Spec{URL: "https://git.example.org/lab/" + name + ".git"}))
	}
	h.followers.Store(&all)
	moved := hint("git@git.example.org:lab/repo-7.git", "refs/heads/main")
	moved.URLs = append(moved.URLs, "https://git.example.org/lab/repo-7.git", "https://git.example.org/lab/repo-7")
	for b.Loop() {
		if n := h.Wake(moved); n != 1 {
			b.Fatalf("%d are woken", n)
		}
	}
}

func BenchmarkFirstSnapshotOf10000Files(b *testing.B) {
	apps := benchRepo()
	for b.Loop() {
		h := benchHub(apps)
		if err := h.Once(b.Context()); err != nil || h.Catalog().Releases() != 10_000 {
			b.Fatal(err, h.Catalog().Releases())
		}
	}
}

// BenchmarkOneOf10000Files leaves out the walk of the trees, which is git's.
func BenchmarkOneOf10000Files(b *testing.B) {
	apps := benchRepo()
	h := benchHub(apps)
	if err := h.Once(b.Context()); err != nil {
		b.Fatal(err)
	}
	f := h.all()[1]
	const name = "apps/a500/r5/manifest.yaml"
	n := 0
	for b.Loop() {
		b.StopTimer()
		n++
		files := map[string]string{name: manifest("org.a500", fmt.Sprintf("2.%d.0", n))}
		now := &sources.Snapshot{Commit: fmt.Sprint(n), Tree: newFakeTree(apps, files)}
		before := &sources.Snapshot{Tree: newFakeTree(apps, map[string]string{name: "before"})}
		b.StartTimer()
		if _, err := f.take(b.Context(), before, now, func(string) {}); err != nil {
			b.Fatal(err)
		}
	}
}
