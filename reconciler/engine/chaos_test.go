package engine_test

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// TestChaos lets everything happen to Berth that can: pushes, broken documents,
// pods that die, engines that go and come back, and its own end at any moment.
// While it lasts nothing is doubled, nothing is touched that must not be, and no
// success is told that is none. When it is over, everything is as it is declared,
// and stays so without a write.
func TestChaos(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		seed := rapid.Uint64().Draw(rt, "seed")
		acts := rapid.SliceOfN(rapid.Custom(drawAct), 1, 40).Draw(rt, "acts")
		var c *chaos
		synctest.Test(t, func(t *testing.T) {
			c = newChaos(t.Context(), seed)
			c.run(acts)
		})
		if len(c.wrong) > 0 {
			rt.Fatalf("%s\n%s", strings.Join(c.wrong, "\n"), c.log.String())
		}
	})
}

const (
	chaosDeployments = 5
	chaosEngines     = 2
)

// The versions of the app, and what becomes of their pods.
var chaosImages = map[string]memory.Image{
	"1.0.0": {Lingers: 8 * time.Second},
	"1.1.0": {StartError: "exec: no such file"},
	"1.2.0": {HealthCheck: true, After: 5 * time.Second},
	"1.3.0": {HealthCheck: true, Starting: true},
	"1.4.0": {Exits: true, ExitCode: 1, After: time.Second},
	"1.5.0": {Pull: func(context.Context) error { return errors.New("the registry does not answer") }},
	"1.6.0": {Pull: func(ctx context.Context) error {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(20 * time.Second):
			return nil
		}
	}},
}

// runs tells whether pods of a version become ready.
func runs(version string) bool {
	return version == "1.0.0" || version == "1.2.0" || version == "1.6.0"
}

// chaos is Berth on two engines, in a bubble of testing/synctest, and all that a
// test needs to know to judge it.
type chaos struct {
	ctx      context.Context
	engines  []*memory.Engine
	stranger string // the ID of the container on each engine that is not Berth's
	sources  *fakeSources
	engine   *engine.Engine // nil: Berth does not run
	cancel   context.CancelFunc
	ended    chan error
	log      logBook
	journal  *journal.Journal // of the last start
	commits  int
	retries  sync.WaitGroup // that were not answered yet

	published map[string]bool
	suspended map[string]*schema.Deployment
	broken    map[string]*schema.Deployment
	pinned    map[string]bool // deployments that ever named a backend

	mu     sync.Mutex
	seed   uint64
	random map[string]*rand.Rand
	writes map[string]int // by deployment
	frozen map[string]int // the writes of a deployment when it was no longer to be touched
	asked  map[string]int // answers that Berth waits for, by deployment; "": lists
	wrong  []string
}

func newChaos(ctx context.Context, seed uint64) *chaos {
	c := &chaos{
		ctx: ctx, sources: &fakeSources{catalog: catalog.New(), desired: engine.Desired{State: desired.New("test")}},
		published: map[string]bool{}, suspended: map[string]*schema.Deployment{}, broken: map[string]*schema.Deployment{},
		pinned: map[string]bool{}, seed: seed, random: map[string]*rand.Rand{},
		writes: map[string]int{}, frozen: map[string]int{}, asked: map[string]int{},
	}
	for range chaosEngines {
		e := memory.NewEngine(memory.Options{})
		for version, image := range chaosImages {
			e.SetImage("hello:"+version, image)
		}
		other := backends.Workload{Deployment: "d0", Replicas: 1, Pod: backends.PodSpec{Image: "other"}}
		if _, err := e.Open("other", "b0").Apply(ctx, other, nil); err != nil {
			panic(err)
		}
		c.engines, c.stranger = append(c.engines, e), e.Containers()[0].ID
	}
	return c
}

// state is the desired state.
func (c *chaos) state() *desired.State { return c.sources.Desired().State }

// stale is why the desired state may not be current.
func (c *chaos) stale() string { return c.sources.Desired().Stale }

// delay returns how long something takes now: most often nothing. It depends on
// the seed and on how often it was done before, not on what goes on beside it.
func (c *chaos) delay(what string) time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.random[what] == nil {
		h := fnv.New64a()
		h.Write([]byte(what))
		c.random[what] = rand.New(rand.NewPCG(c.seed, h.Sum64()))
	}
	if c.random[what].IntN(3) > 0 {
		return 0
	}
	return time.Duration(c.random[what].IntN(40)) * 10 * time.Millisecond
}

func (c *chaos) errorf(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.wrong) < 10 {
		c.wrong = append(c.wrong, fmt.Sprintf(format, args...))
	}
}

func (c *chaos) run(acts []act) {
	c.publish("1.0.0", true)
	c.start()
	for i, a := range acts {
		fmt.Fprintf(&c.log, "---- %s: %d. %+v\n", time.Now().Format("15:04:05.000"), i+1, a)
		c.do(a)
		synctest.Wait()
		c.check()
		time.Sleep(a.Then)
		synctest.Wait()
		c.check()
		if len(c.wrong) > 0 {
			break
		}
	}
	fmt.Fprintln(&c.log, "---- everything is put right")
	c.putRight()
	time.Sleep(30 * time.Minute)
	synctest.Wait()
	c.check()
	c.checkEnd()
	writes := c.written()
	time.Sleep(time.Hour)
	synctest.Wait()
	if more := c.written() - writes; more > 0 {
		c.errorf("%d writes in an hour in which nothing happened", more)
	}
	c.stop(time.Second)
}

func (c *chaos) written() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := 0
	for _, more := range c.writes {
		n += more
	}
	return n
}

func (c *chaos) start() {
	if c.engine != nil {
		return
	}
	var bs []engine.Backend
	for i, e := range c.engines {
		name := fmt.Sprintf("b%d", i)
		bs = append(bs, engine.Backend{
			Backend: &farBackend{Backend: e.Open("test", name), chaos: c},
			Config:  schema.BackendConfig{Name: name, Type: schema.BackendDocker, Workers: 2},
		})
	}
	c.journal = journal.New(journal.Options{})
	c.engine = engine.New(engine.Options{
		Backends: bs, Sources: c.sources, Logger: slog.New(slog.NewTextHandler(&c.log, &slog.HandlerOptions{ReplaceAttr: plainTime})),
		Journal: c.journal, Grace: time.Second,
		Random: func() float64 { return 0.5 },
	})
	ctx, cancel := context.WithCancel(c.ctx)
	e, ended := c.engine, make(chan error, 1)
	c.cancel, c.ended = cancel, ended
	go func() { ended <- e.Run(ctx) }()
}

func plainTime(_ []string, a slog.Attr) slog.Attr {
	if a.Key == slog.TimeKey {
		a.Value = slog.StringValue(a.Value.Time().Format("15:04:05.000"))
	}
	return a
}

// stop ends Berth. After the grace, work is cut off: then it is as if it died.
func (c *chaos) stop(most time.Duration) {
	if c.engine == nil {
		return
	}
	began := time.Now()
	c.cancel()
	if err := <-c.ended; err != nil {
		c.errorf("Run: %v", err)
	}
	if took := time.Since(began); took > most {
		c.errorf("stopping took %s", took)
	}
	c.engine = nil
	c.retries.Wait()
}

// putRight mends all that is broken, and confirms what was removed.
func (c *chaos) putRight() {
	for i := range c.engines {
		c.engines[i].Restore()
	}
	c.sources.set(func() { c.sources.desired.Stale = "" })
	for _, name := range names() {
		if d := c.suspended[name]; d != nil {
			c.declare(d)
		}
		if d := c.broken[name]; d != nil {
			c.declare(d)
		}
	}
	c.commit(desired.FileChange{Path: "blind.yaml", Removed: true})
	c.start()
	synctest.Wait()
	c.sources.set(func() { c.sources.desired.Confirmed = true })
	c.tell(engine.Change{Everything: true})
}
