package statuses

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/berthdev/berth/backends/memory"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
	"github.com/berthdev/berth/sources/forge"
)

// A story is what a property test has happen, and what it knows of it.
type story struct {
	*rig
	tape   []int // what is decided by chance
	wrong  []string
	log    []string         // what happened
	states []*desired.State // those that were in force, the oldest first
	pushed int              // versions of the app
	cut    bool
}

// pick returns a number below n, by chance; 0 at the end of the tape.
func (s *story) pick(n int) int {
	if len(s.tape) == 0 {
		return 0
	}
	i := s.tape[0] % n
	s.tape = s.tape[1:]
	return i
}

func pickOf[V any](s *story, of ...V) V { return of[s.pick(len(of))] }

func (s *story) fault(format string, args ...any) {
	s.wrong = append(s.wrong, fmt.Sprintf(format, args...))
}

var storyNames = []string{"manifest", "one", "plan", "two", "zoo"}

// push declares some deployments, or goes back to a commit that was in force.
func (s *story) push() {
	if len(s.states) > 1 && s.pick(5) == 0 {
		s.force(pickOf(s, s.states...))
		return
	}
	var all []*schema.Deployment
	for _, name := range storyNames {
		if s.pick(4) == 0 {
			continue
		}
		all = append(all, hello(name, func(d *schema.Deployment) {
			d.Env = map[string]string{"A": pickOf(s, "a", "b")}
			d.Suspend = s.pick(7) == 0
			d.Version = pickOf(s, "", "", "1.0.1", "6.6.6")
			n := s.pick(3)
			d.Replicas = &n
		}))
	}
	s.mu.Lock()
	commit := fmt.Sprintf("%03d", len(s.states)+1)
	s.commits = slices.Insert(s.commits, 0, commit)
	s.mu.Unlock()
	state := desired.Of("test", commit, all)
	s.states = append(s.states, state)
	s.force(state)
}

// force has a commit come into force, which changes what is different in it.
func (s *story) force(to *desired.State) {
	s.mu.Lock()
	before := s.desired.State
	var changed []string
	for _, name := range storyNames {
		var old, now *schema.Deployment
		if before != nil {
			old, _ = before.Deployment(name)
		}
		now, _ = to.Deployment(name)
		if fmt.Sprintf("%+v", deref(old)) != fmt.Sprintf("%+v", deref(now)) {
			changed = append(changed, name)
		}
	}
	s.desired.State = to
	if s.changes[to.Commit] == nil {
		s.changes[to.Commit] = changed
	}
	s.mu.Unlock()
	s.log = append(s.log, fmt.Sprintf("commit %s changes %v", to.Commit, changed))
	s.engine.Changed(engine.Change{Deployments: changed})
}

func deref(d *schema.Deployment) any {
	if d == nil {
		return nil
	}
	c := *d
	c.Replicas = nil
	return []any{c, d.ReplicaCount()}
}

// step has one thing happen.
func (s *story) step() {
	what := pickOf(s, "push", "push", "release", "kill", "delete", "cut", "restart", "away", "pass", "pass")
	s.log = append(s.log, what)
	switch what {
	case "push":
		s.push()
	case "release":
		if s.pushed++; s.pick(4) == 0 {
			s.machine.SetImage(fmt.Sprintf("hello:1.0.%d", s.pushed), memory.Image{StartError: "exec: no such file"})
		}
		s.appPush()
	case "kill":
		if all := s.machine.Containers(); len(all) > 0 {
			s.machine.Kill(pickOf(s, all...).ID)
		}
	case "delete":
		if all := s.machine.Containers(); len(all) > 0 {
			s.machine.Delete(pickOf(s, all...).ID)
		}
	case "cut":
		if s.cut = !s.cut; s.cut {
			s.machine.Cut()
		} else {
			s.machine.Restore()
		}
	case "restart":
		s.stop()
		s.start()
	case "away": // the forge
		s.outbox.mu.Lock()
		if s.outbox.fail == nil {
			s.outbox.fail = &schema.Error{Op: "list", Kind: schema.Transient, Err: errors.New("it does not answer")}
		} else {
			s.outbox.fail = nil
		}
		s.outbox.mu.Unlock()
	case "pass":
	}
	time.Sleep(time.Duration(pickOf(s, 0, 1, 500, 3100, 20_000)) * time.Millisecond)
	if s.pick(2) == 0 {
		synctest.Wait()
	}
}

func (s *story) appPush() {
	var versions []string
	for i := range s.pushed + 1 {
		versions = append(versions, fmt.Sprintf("1.0.%d", i))
	}
	s.publish(versions...)
}

// check compares what the forge has, after all has settled, with what is.
func (s *story) check() {
	o := s.engine.Outcome()
	s.outbox.mu.Lock()
	defer s.outbox.mu.Unlock()
	for commit, all := range s.outbox.has {
		for _, st := range all {
			if st.State == forge.Pending && commit != o.Commit {
				s.fault("%s of %s, which is not in force, is pending: %s", st.Context, commit, st.Description)
			}
		}
	}
	want := map[engine.Verdict]forge.State{engine.Success: forge.Success, engine.Failure: forge.Failure, engine.Pending: forge.Pending}
	v := s.engine.View()
	there := map[string]bool{}
	for _, st := range s.outbox.has[o.Commit] {
		if st.Context == "berth/manifest" || st.Context == "berth/plan" {
			s.fault("%s was said of a deployment", st.Context)
		}
		there[st.Context] = true
		name, _ := strings.CutPrefix(st.Context, "berth/")
		verdict := o.Verdict
		if st.Context != "berth" {
			row, known := v.Status(name)
			verdict = row.Verdict()
			if _, declared := v.State.Deployment(name); !known && !declared {
				verdict = engine.Success
			}
		}
		if st.State != want[verdict] {
			s.fault("%s of %s is %s (%s), want %s (%s)", st.Context, o.Commit, st.State, st.Description, verdict, o.Summary)
		}
	}
	for _, name := range append(s.changes[o.Commit], "") {
		context := strings.TrimSuffix("berth/"+name, "/")
		if !there[context] && name != "manifest" && name != "plan" {
			s.fault("%s of %s says nothing", context, o.Commit)
		}
	}
	last := map[string]forge.Status{}
	for _, st := range s.outbox.said {
		if last[st.key] == st.Status {
			s.fault("%s was said twice in a row: %+v", st.key, st.Status)
		}
		last[st.key] = st.Status
	}
}

// Whatever happens, and in whatever order: once all has settled, what the forge
// has of the commit in force is what is, nothing of another one is pending, and
// nothing was said twice.
func TestWhatIsSaidIsWhatIs(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		tape := rapid.SliceOfN(rapid.IntRange(0, 1<<16), 0, 200).Draw(rt, "tape")
		s := &story{tape: tape}
		synctest.Test(t, func(t *testing.T) {
			s.rig = newRig(t)
			s.start()
			s.appPush()
			s.push()
			for range 20 {
				if len(s.tape) > 0 {
					s.step()
				}
			}
			s.calm()
			s.check()
			s.stop()
		})
		if len(s.wrong) > 0 {
			rt.Fatalf("%s\n%s", strings.Join(s.wrong, "\n"), strings.Join(s.log, "\n"))
		}
	})
}

// calm ends all trouble, and waits until all has settled.
func (s *story) calm() {
	if s.cut {
		s.machine.Restore()
	}
	s.outbox.mu.Lock()
	s.outbox.fail = nil
	s.outbox.mu.Unlock()
	time.Sleep(time.Hour)
	synctest.Wait()
}
