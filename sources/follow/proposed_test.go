package follow

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/sources"
)

// A calls remembers of which sources it was told that a proposal moved.
type calls struct {
	mu  sync.Mutex
	all []string
}

func (c *calls) add(source string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, source)
}

func (c *calls) take() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := c.all
	c.all = nil
	return all
}

// Without any webhook, a proposal that moved is told of at the poll of its source,
// which costs nothing more, and nothing else comes of it.
func TestProposalsThatMoved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told calls
		w := newWorld(t, func(o *Options) { o.Proposed = told.add })
		apps := w.repo("apps")
		apps.push("first", map[string]string{"fiji/manifest.yaml": manifest("org.fiji", "1.0.0")})
		w.desired.push("first", map[string]string{"fiji.yaml": deployment("fiji", "org.fiji"), "repos.yaml": repoDocument("apps")})
		heads := func(r *fakeRepo, fingerprint string) { r.set(func(r *fakeRepo) { r.heads = fingerprint }) }
		heads(w.desired, "one")
		poll := func(step string, want ...string) {
			t.Helper()
			asked := len(w.desired.asked())
			time.Sleep(defaultRepoInterval * 3 / 2)
			synctest.Wait()
			if n := len(w.desired.asked()) - asked; n < 2 || n > 4 {
				t.Errorf("%s: it was asked %d times", step, n)
			}
			got := told.take()
			slices.Sort(got)
			if !slices.Equal(got, want) {
				t.Errorf("%s: told of %q, want %q", step, got, want)
			}
		}
		w.run()
		poll("what was there before")
		w.takeChanges()
		view, catalog := w.View(), w.Catalog()
		poll("nothing")
		heads(w.desired, "two")
		poll("one moved", DesiredName)
		heads(apps, "first")
		poll("an app repo whose proposals were not known")
		heads(apps, "second")
		heads(w.desired, "three")
		poll("one of each", "apps", DesiredName)
		heads(apps, "")
		poll("they are not known")
		heads(apps, "second")
		poll("and known again")
		if changes, parsed := w.takeChanges(); len(changes)+len(parsed) > 0 || w.View() != view || w.Catalog() != catalog {
			t.Errorf("changes %+v, parsed %q", changes, parsed)
		}
	})
}

// That a fetch failed does not hold back what the list of refs told before, and
// tells it no second time.
func TestProposalsBesideAFailure(t *testing.T) {
	var told calls
	w := settled(t, func(o *Options) { o.Proposed = told.add })
	w.desired.push("first", map[string]string{"fiji.yaml": deployment("fiji", "org.fiji")})
	w.desired.set(func(r *fakeRepo) { r.heads = "one" })
	w.once()
	w.desired.set(func(r *fakeRepo) { r.heads, r.failure = "two", away("it hung up") })
	if err := w.Once(t.Context()); err == nil {
		t.Error("the failure is not told")
	}
	if got := told.take(); !slices.Equal(got, []string{DesiredName}) {
		t.Errorf("told of %q", got)
	}
	w.desired.set(func(r *fakeRepo) { r.failure = nil })
	w.once()
	if got := told.take(); len(got) > 0 {
		t.Errorf("told again of %q", got)
	}
}

// Who does not want to know has no fingerprints taken.
func TestNobodyWantsToKnowOfProposals(t *testing.T) {
	for name, proposed := range map[string]func(string){"nobody": nil, "somebody": func(string) {}} {
		var asked []bool
		w := settled(t, func(o *Options) {
			o.Proposed = proposed
			open := o.Open
			o.Open = func(s Spec) (sources.Source, error) {
				asked = append(asked, s.Proposals)
				return open(s)
			}
		})
		w.desired.push("first", map[string]string{"repos.yaml": repoDocument("apps")})
		w.repo("apps").push("first", map[string]string{"README.md": "empty"})
		for _, heads := range []string{"one", "two"} {
			w.desired.set(func(r *fakeRepo) { r.heads = heads })
			w.once()
		}
		wanted := proposed != nil
		if !slices.Equal(asked, []bool{wanted, wanted}) {
			t.Errorf("%s: %v", name, asked)
		}
	}
}
