package engine_test

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// An act is one thing that happens.
type act struct {
	What    string
	Which   int           // deployment, engine or container
	Version string        // published, withdrawn or declared
	How     int           // in which way
	Then    time.Duration // how long nothing else happens
}

func drawAct(t *rapid.T) act {
	return act{
		What: rapid.SampledFrom([]string{
			"publish", "publish", "withdraw", "declare", "declare", "declare", "declare", "remove", "suspend", "break", "blind", "stale",
			"kill", "stop", "pause", "delete", "crash", "cut", "restore", "restart", "abort", "hint", "wait", "retry", "reconcile",
		}).Draw(t, "what"),
		Which:   rapid.IntRange(0, 9).Draw(t, "which"),
		Version: rapid.SampledFrom([]string{"1.0.0", "1.0.0", "1.1.0", "1.2.0", "1.2.0", "1.3.0", "1.4.0", "1.5.0", "1.6.0"}).Draw(t, "version"),
		How:     rapid.IntRange(0, 63).Draw(t, "how"),
		Then: rapid.SampledFrom([]time.Duration{
			0, 0, time.Millisecond, 50 * time.Millisecond, 300 * time.Millisecond, 2 * time.Second, 4 * time.Second, 30 * time.Second, 3 * time.Minute,
		}).Draw(t, "then"),
	}
}

// do lets one act happen.
func (c *chaos) do(a act) {
	name := fmt.Sprintf("d%d", a.Which%chaosDeployments)
	e := c.engines[a.Which%chaosEngines]
	switch a.What {
	case "publish":
		c.publish(a.Version, true)
	case "withdraw":
		c.publish(a.Version, false)
	case "declare":
		c.declare(c.drawn(name, a))
	case "remove":
		delete(c.suspended, name)
		delete(c.broken, name)
		c.commit(desired.FileChange{Path: name + ".yaml", Removed: true})
	case "suspend":
		c.suspend(name)
	case "break":
		c.breakFile(name, a.How%2 == 0)
	case "blind":
		c.commit(desired.FileChange{Path: "blind.yaml", Unreadable: "too large", Removed: a.How%2 == 0})
	case "stale":
		why := ""
		if a.How%2 == 0 {
			why = "the repository does not answer"
		}
		c.sources.set(func() { c.sources.desired.Stale = why })
		c.tell(engine.Change{Everything: true})
	case "kill", "stop", "pause", "delete", "crash":
		c.harm(a)
	case "cut":
		e.Cut()
	case "restore":
		e.Restore()
	case "restart":
		c.stop(time.Second)
		c.start()
	case "abort":
		c.stop(time.Second)
	case "retry":
		c.retry(name)
	case "reconcile":
		c.reconcile([]string{name, ""}[a.How&1], []string{"b0", "b1", "", ""}[a.How>>1&3])
	case "hint":
		c.start()
		c.tell(engine.Change{Everything: a.How%2 == 0})
	}
}

// retry asks Berth to try a failed rollout again. It is always answered.
func (c *chaos) retry(name string) {
	if e := c.engine; e != nil {
		c.retries.Go(func() { e.Retry(c.ctx, name) })
	}
}

// reconcile asks Berth to look again, perhaps at what is not there.
func (c *chaos) reconcile(name, backend string) {
	if c.engine != nil {
		c.engine.Reconcile(c.ctx, name, backend)
	}
}

// harm does something to a container behind Berth's back.
func (c *chaos) harm(a act) {
	all := c.containers()
	if len(all) == 0 {
		return
	}
	p := all[a.How%len(all)]
	e := c.engines[slices.Index([]string{"b0", "b1"}, p.Backend)]
	switch a.What {
	case "kill":
		e.Kill(p.ID)
	case "stop":
		e.Stop(p.ID)
	case "pause":
		e.Pause(p.ID)
	case "delete":
		e.Delete(p.ID)
	case "crash":
		e.Crash(p.ID, 1)
	}
}

// drawn is a deployment as the act says.
func (c *chaos) drawn(name string, a act) *schema.Deployment {
	c.commits++
	d := hello(name)
	d.Env = map[string]string{"GENERATION": fmt.Sprint(c.commits)}
	if before, ok := c.state().Deployment(name); ok && a.How%4 == 0 {
		d.Env = before.Env // as it was, but for the rest
	}
	replicas := []int{1, 2, 1, 0}[a.How%4]
	d.Replicas = &replicas
	if a.How&4 > 0 {
		d.Version = a.Version
	}
	i := a.Which % chaosDeployments
	if a.How&8 > 0 && i >= 3 {
		d.Backend = fmt.Sprintf("b%d", a.How&1)
	}
	if a.How&16 > 0 {
		d.Rollout.Strategy = schema.Recreate
	}
	if a.How&32 > 0 && i > 0 {
		d.DependsOn = []string{fmt.Sprintf("d%d", i-1)}
	}
	return d
}

func (c *chaos) declare(d *schema.Deployment) {
	delete(c.suspended, d.Name)
	delete(c.broken, d.Name)
	if d.Backend != "" {
		c.mu.Lock()
		c.pinned[d.Name] = true
		c.mu.Unlock()
	}
	c.commit(desired.FileChange{Path: d.Name + ".yaml", Parsed: schema.DesiredFile{Deployments: []*schema.Deployment{d}}})
}

func (c *chaos) suspend(name string) {
	d, ok := c.state().Deployment(name)
	if !ok || d.Suspend {
		return
	}
	held := *d
	held.Suspend = true
	c.declare(&held)
	c.suspended[name] = d
}

// breakFile makes the file of a deployment unreadable, with or without its name
// still to be seen.
func (c *chaos) breakFile(name string, named bool) {
	d, ok := c.state().Deployment(name)
	if !ok || d.Suspend {
		return
	}
	f := desired.FileChange{Path: name + ".yaml", Raw: []byte("kind: Deployment\n")}
	f.Parsed.Problems = schema.Problems{{Message: "did not find expected key"}}
	if named {
		f.Parsed.Broken = []schema.Ref{{Kind: schema.KindDeployment, Name: name}}
	}
	c.commit(f)
	c.broken[name] = d
}

// commit pushes a commit with a changed file.
func (c *chaos) commit(f desired.FileChange) {
	c.commits++
	state, diff := c.state().With(fmt.Sprintf("%040d", c.commits), f)
	c.sources.set(func() { c.sources.desired.State = state })
	c.tell(engine.Change{Deployments: diff.Deployments, Everything: diff.Holds})
}

// publish has the catalog hold a version, or hold it no more.
func (c *chaos) publish(version string, there bool) {
	c.published[version] = there
	var p schema.Publication
	for v := range chaosImages {
		if c.published[v] {
			p.Releases = append(p.Releases, schema.Release{
				Identifier: "hello", Version: v, Flavours: []schema.Flavour{{Name: "cpu", Image: "hello:" + v}},
			})
		}
	}
	c.sources.set(func() {
		c.sources.catalog, _ = c.sources.catalog.With(catalog.Change{
			Repo: catalog.Repo{Name: "apps", Commit: "c"}, Reset: true, Files: []catalog.File{{Path: "manifest.yaml", Publication: p}},
		})
	})
	c.tell(engine.Change{Identifiers: []string{"hello"}})
}

func (c *chaos) tell(ch engine.Change) {
	if c.engine != nil {
		c.engine.Changed(ch)
	}
}
