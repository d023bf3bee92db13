package api

import (
	"context"
	"errors"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
)

// The kinds of changes, as the schema names them.
const (
	added    = "ADDED"
	modified = "MODIFIED"
	removed  = "REMOVED"
)

const maxLast = 1000 // events from before that a subscription gives

// subscription resolves the fields of Subscription. Each answer looks at a
// snapshot of its own.
type subscription struct{ api *API }

type deploymentChange struct {
	Kind       string
	Name       string
	Deployment *deployment
}

type podChange struct {
	Kind    string
	Name    string
	Backend string
	Pod     *pod
}

// Subscribe answers a subscription. The channel is closed when ctx ends, or when
// the subscription does, as after an answer that reached a bound; until then the
// caller reads it.
func (a *API) Subscribe(ctx context.Context, query, operation string, variables map[string]any) (<-chan *graphql.Response, error) {
	turns := newTurns(a, query)
	ctx, cancel := context.WithCancel(context.WithValue(ctx, turnKey{}, turns))
	answers, err := a.schema.Subscribe(ctx, query, operation, variables)
	if err != nil {
		cancel()
		return nil, err
	}
	out := make(chan *graphql.Response)
	go func() {
		defer close(out)
		defer turns.end()
		a.pass(ctx, turns, out, answers)
		cancel()
		for range answers { // it is closed soon after ctx ended
		}
	}()
	return out, nil
}

// pass passes answers on, until ctx ends or one is stopped: those that follow
// would be as large. An answer counts until the next one is taken, for then it was
// read.
func (a *API) pass(ctx context.Context, t *turns, to chan<- *graphql.Response, answers <-chan any) {
	read := func() {}
	defer func() { read() }()
	for answer := range answers {
		stopped := t.stopped()
		t.end()
		r, ok := answer.(*graphql.Response)
		if !ok {
			return
		}
		if stopped != nil {
			r = failed(stopped, r.Errors...)
		}
		done, full := a.hold(ctx, r)
		if full != nil {
			_ = send(ctx, to, failed(full.err)) // ctx ended: nobody takes it
			return
		}
		sent := send(ctx, to, explained(r))
		read()
		read = done
		if !sent || stopped != nil {
			return
		}
		t.next()
	}
}

func send[T any](ctx context.Context, to chan<- T, v T) bool {
	select {
	case to <- v:
		return true
	case <-ctx.Done():
		return false
	}
}

// Deployments tells of deployments that match.
func (s *subscription) Deployments(ctx context.Context, args struct {
	Filter  *deploymentFilter
	Initial bool
}) (<-chan *deploymentChange, error) {
	match, err := watching(args.Filter.filter(0))
	if err != nil {
		return nil, err
	}
	out := make(chan *deploymentChange)
	known := map[string]bool{} // the deployments that were told and not removed
	tell := func(name string, first bool) bool {
		var w *world
		var d *deployment
		matches := false
		if !inTurn(ctx, func() {
			w = s.api.look(ctx)
			d = w.deployment(name)
			matches = d != nil && match(*d)
		}) {
			return false
		}
		change := &deploymentChange{Name: name, Deployment: d}
		switch {
		case matches && !known[name]:
			change.Kind, known[name] = added, true
		case matches:
			change.Kind = modified
		case known[name]:
			change.Kind, change.Deployment = removed, nil
			delete(known, name)
		default:
			return true
		}
		return first && !args.Initial || reply(ctx, w, out, change)
	}
	go func() {
		defer close(out)
		s.api.watch(ctx, tell)
	}()
	return out, nil
}

// podKey names a pod: backends may have pods of one name.
type podKey struct{ backend, name string }

// Pods tells of pods that match: of those of each deployment that changed, what
// is another than before.
func (s *subscription) Pods(ctx context.Context, args struct {
	Filter  *podFilter
	Initial bool
}) (<-chan *podChange, error) {
	match, err := watching(args.Filter.filter(0))
	if err != nil {
		return nil, err
	}
	out := make(chan *podChange)
	known := map[string]map[podKey]seenPod{} // the pods that were told and not removed, by deployment
	tell := func(name string, first bool) bool {
		var w *world
		var now map[podKey]seenPod
		var changes []*podChange
		if !inTurn(ctx, func() {
			w = s.api.look(ctx)
			now = matchingPods(w, name, match)
			changes = diffPods(w, known[name], now)
		}) {
			return false
		}
		if known[name] = now; len(now) == 0 {
			delete(known, name)
		}
		for _, change := range changes {
			if (!first || args.Initial) && !reply(ctx, w, out, change) {
				return false
			}
		}
		return true
	}
	go func() {
		defer close(out)
		s.api.watch(ctx, tell)
	}()
	return out, nil
}

// A seenPod is a pod as it was told. That it is ready may come by time alone.
type seenPod struct {
	backends.Pod
	ready bool
}

func matchingPods(w *world, deployment string, match func(pod) bool) map[podKey]seenPod {
	out := map[podKey]seenPod{}
	s, ok := w.view.Status(deployment)
	if !ok {
		return out
	}
	for i := range s.Pods {
		p := pod{w, &s.Pods[i]}
		if match(p) {
			out[podKey{p.p.Backend, p.p.Name}] = seenPod{*p.p, p.Ready()}
		}
	}
	return out
}

// diffPods returns what changed between two sets of pods, in the order of names;
// what went comes first.
func diffPods(w *world, before, now map[podKey]seenPod) []*podChange {
	var out []*podChange
	for _, key := range sortedKeys(before) {
		if _, there := now[key]; !there {
			out = append(out, &podChange{Kind: removed, Name: key.name, Backend: key.backend})
		}
	}
	for _, key := range sortedKeys(now) {
		seen := now[key]
		former, there := before[key]
		if there && reflect.DeepEqual(former, seen) {
			continue
		}
		change := &podChange{Kind: added, Name: key.name, Backend: key.backend, Pod: &pod{w, &seen.Pod}}
		if there {
			change.Kind = modified
		}
		out = append(out, change)
	}
	return out
}

func sortedKeys(pods map[podKey]seenPod) []podKey {
	return slices.SortedFunc(maps.Keys(pods), func(a, b podKey) int {
		return slices.Compare([]string{a.backend, a.name}, []string{b.backend, b.name})
	})
}

// Events tells of events that match, the last ones first if they are asked for.
func (s *subscription) Events(ctx context.Context, args struct {
	Filter *eventFilter
	Last   int32
}) (<-chan *event, error) {
	match, err := watching(args.Filter.filter(0))
	if err != nil {
		return nil, err
	}
	if args.Last < 0 || args.Last > maxLast {
		return nil, badInput("ask for 0 to 1000", "last: %d events cannot be asked for", args.Last)
	}
	out := make(chan *event)
	tell := func(e *journal.Event) error {
		var told *event
		matches := false
		if !inTurn(ctx, func() {
			told = s.api.look(ctx).event(e)
			matches = match(*told)
		}) || matches && !reply(ctx, told.w, out, told) {
			return ctx.Err()
		}
		return nil
	}
	go func() {
		defer close(out)
		after := s.api.o.Journal.Last()
		for _, e := range s.before(ctx, after, int(args.Last), match) {
			if tell(e) != nil {
				return
			}
		}
		s.api.ended(ctx, "events", s.api.o.Journal.Follow(ctx, after, tell))
	}()
	return out, nil
}

// before returns the last events up to one that match, the oldest first.
func (s *subscription) before(ctx context.Context, upTo uint64, last int, match func(event) bool) []*journal.Event {
	if last == 0 {
		return nil
	}
	found := 0
	var events []*journal.Event
	inTurn(ctx, func() {
		w := s.api.look(ctx)
		events = s.api.o.Journal.Events(func(e *journal.Event) bool {
			if found == last || e.ID > upTo || !match(event{w, e}) {
				return false
			}
			found++
			return true
		})
	})
	slices.Reverse(events)
	return events
}

// ended logs that following ended though nobody ended it.
func (a *API) ended(ctx context.Context, what string, err error) {
	if ctx.Err() == nil && err != nil && !errors.Is(err, context.Canceled) {
		a.o.Logger.Error("a subscription ended by itself", "to", what, "error", err)
	}
}

// watch calls tell for every deployment that there is, and then for each about
// which something changed, until ctx ends or tell returns false. first says that
// it is of the former. What changes while tell runs is told once.
func (a *API) watch(ctx context.Context, tell func(name string, first bool) bool) {
	ctx, cancel := context.WithCancel(ctx)
	news := newNews()
	var following sync.WaitGroup
	following.Go(func() {
		a.ended(ctx, "deployments", a.o.Engine.Follow(ctx, news.add))
		cancel()
	})
	defer following.Wait()
	defer cancel()
	begin := a.o.Engine.View()
	for s := range begin.Statuses() {
		if !tell(s.Deployment, true) {
			return
		}
	}
	// What changed between the first look and the moment from which the engine
	// tells is told by nobody; it is found by looking once more.
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-settled.C:
			_ = news.add(differing(begin, a.o.Engine.View()))
			begin = nil
		case <-news.there:
		}
		for _, name := range news.take() {
			if !tell(name, false) {
				return
			}
		}
	}
}

// settleTime is after what time the engine surely tells of changes.
const settleTime = time.Second

// differing returns the deployments that are not the same in two views.
func differing(a, b *engine.View) []string {
	var names []string
	if a == b {
		return nil
	}
	for s := range a.Statuses() {
		if now, ok := b.Status(s.Deployment); !ok || !reflect.DeepEqual(*s, now) {
			names = append(names, s.Deployment)
		}
	}
	for s := range b.Statuses() {
		if _, ok := a.Status(s.Deployment); !ok {
			names = append(names, s.Deployment)
		}
	}
	return names
}

// news gathers names until they are taken.
type news struct {
	there chan struct{} // holds one while there are some
	mu    sync.Mutex
	names map[string]bool
}

func newNews() *news { return &news{there: make(chan struct{}, 1), names: map[string]bool{}} }

func (n *news) add(names []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, name := range names {
		n.names[name] = true
	}
	if len(n.names) > 0 {
		select {
		case n.there <- struct{}{}:
		default: // it is known
		}
	}
	return nil
}

func (n *news) take() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := slices.Sorted(maps.Keys(n.names))
	clear(n.names)
	return out
}
