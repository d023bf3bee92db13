package follow

import (
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// opened returns the source, and opens it before its first use.
func (f *follower) opened() (sources.Source, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, f.fail("open", schema.Terminal, errors.New("it is followed no more"))
	}
	if f.source == nil {
		source, err := f.open(f.spec)
		if err != nil {
			return nil, err
		}
		f.source = source
	}
	return f.source, nil
}

func (f *follower) close() {
	f.mu.Lock()
	source := f.source
	f.source, f.closed = nil, true
	f.mu.Unlock()
	if source == nil {
		return
	}
	if err := source.Close(); err != nil {
		f.logger.Warn("source cannot be closed", "source", f.name, "error", err)
	}
}

// recovered turns a panic into an error: what a stranger pushes must not stop
// the others. Deferred.
func (f *follower) recovered(err *error) {
	if p := recover(); p != nil {
		f.logger.Error("reading a source panicked", "source", f.name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
		*err = f.fail("read", schema.Transient, fmt.Errorf("a bug of Berth's: %v", p))
	}
}

func (f *follower) fail(op string, kind schema.ErrorKind, err error) error {
	return &schema.Error{Op: op, Resource: f.status().URL, Kind: kind, Err: err}
}

// note changes where the follower stands, and returns the status after it. change
// may be called again, when another one came before it.
func (f *follower) note(change func(*standing)) Status {
	for {
		before := f.standing.Load()
		after := *before
		change(&after)
		if f.standing.CompareAndSwap(before, &after) {
			return after.Status
		}
	}
}

func (f *follower) status() Status {
	now := f.standing.Load()
	s := now.Status
	s.Branch, _ = strings.CutPrefix(now.resolved, branchPrefix)
	if s.Branch == now.resolved {
		s.Branch = "" // a tag or a commit
	}
	return s
}

func (f *follower) failing() bool { return f.standing.Load().Failures > 0 }

// setInterval changes how often the source is polled, from now on.
func (f *follower) setInterval(every time.Duration) {
	if f.interval.Swap(int64(every)) != int64(every) {
		f.wake()
	}
}

// concerned tells whether a hint that a ref moved concerns the source.
func (f *follower) concerned(ref string) bool {
	now := f.standing.Load()
	return now.Failures > 0 || concerns(f.spec.Ref, now.resolved, ref)
}
