package api

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
)

// A liveLog reads the logs of pods as they are written. It is run by one goroutine.
type liveLog struct {
	*logReader
	running sync.WaitGroup
	lines   chan liveLine
	ended   chan liveEnd
	reading int
	full    bool // that no more pods are read was told
}

type liveLine struct {
	pod  *logPod
	line backends.LogLine
}

type liveEnd struct {
	pod *logPod
	err error
}

// live tells what the pods write, and those that come to the deployments later,
// until all have ended, or, where deployments are followed, until those are gone.
func (l *logReader) live(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	v := &liveLog{logReader: l, lines: make(chan liveLine), ended: make(chan liveEnd)}
	defer v.running.Wait()
	defer cancel()
	for _, p := range sortedPods(l.pods) {
		if !p.failed {
			v.start(ctx, p)
		}
	}
	news := newNews()
	if len(l.query.deployments) > 0 {
		v.running.Go(func() { l.api.ended(ctx, "deployments", l.api.o.Engine.Follow(ctx, l.query.ofInterest(news))) })
		_ = news.add(l.query.deployments) // of which something may have come since they were looked at
	}
	return v.run(ctx, news)
}

// ofInterest returns what takes in the names of changed deployments.
func (q *logQuery) ofInterest(to *news) func([]string) error {
	return func(names []string) error {
		return to.add(slices.DeleteFunc(slices.Clone(names), func(name string) bool { return !slices.Contains(q.deployments, name) }))
	}
}

func (v *liveLog) run(ctx context.Context, news *news) error {
	alive := time.NewTicker(v.alive)
	defer alive.Stop()
	settled := time.NewTimer(settleTime)
	defer settled.Stop()
	for v.reading > 0 || v.awaits() {
		var err error
		select {
		case l := <-v.lines: // as long as there are lines, they are sent together
			if err := v.tell(l.pod, l.line); err != nil {
				return err
			}
			continue
		default:
			err = v.out.flush()
		}
		if err != nil {
			return err
		}
		select {
		case l := <-v.lines:
			err = v.tell(l.pod, l.line)
		case e := <-v.ended:
			err = v.end(ctx, e)
		case <-settled.C: // as in watch
			err = v.refresh(ctx)
		case <-news.there:
			news.take()
			err = v.refresh(ctx)
		case <-alive.C:
			err = v.out.alive()
		case <-ctx.Done():
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
	}
	return v.out.flush()
}

// start reads a pod from the last line that was told.
func (v *liveLog) start(ctx context.Context, p *logPod) {
	o := backends.LogOptions{Follow: true, Tail: -1, Since: v.query.since}
	if p.until.IsZero() && v.query.tail == 0 && !p.later {
		o.Tail = 0
	}
	if p.until.After(o.Since) {
		o.Since = p.until
	}
	skip, backend, name := repeats{p.until, p.same}, p.backend, p.name
	p.reading = true
	v.reading++
	v.running.Go(func() {
		err := v.read(ctx, backend, name, o, func(line backends.LogLine) error {
			if !skip.repeat(line) && !send(ctx, v.lines, liveLine{p, line}) {
				return ctx.Err()
			}
			return nil
		})
		send(ctx, v.ended, liveEnd{p, err})
	})
}

// repeats tells the lines that were told before from those that are new: a log is
// taken up at the time of its last line, and other lines may have that time too.
type repeats struct {
	until time.Time
	same  int
}

func (r *repeats) repeat(line backends.LogLine) bool {
	switch c := line.Time.Compare(r.until); {
	case c < 0:
		return !r.until.IsZero()
	case c == 0 && r.same > 0:
		r.same--
		return true
	case c > 0:
		*r = repeats{} // what comes now is new
	}
	return false
}

func (v *liveLog) end(ctx context.Context, e liveEnd) error {
	e.pod.reading = false
	v.reading--
	v.held.give(1)
	if e.err != nil && ctx.Err() == nil {
		return v.fail(e.pod, e.err)
	}
	return nil
}

// awaits tells whether pods may come: a deployment that is followed is there.
func (v *liveLog) awaits() bool {
	view := v.api.o.Engine.View()
	return slices.ContainsFunc(v.query.deployments, func(name string) bool {
		_, there := view.Status(name)
		return there
	})
}

// refresh reads pods that came to the deployments, and those that run again.
func (v *liveLog) refresh(ctx context.Context) error {
	view := v.api.o.Engine.View()
	for _, name := range v.query.deployments {
		s, _ := view.Status(name)
		for _, p := range v.query.on(s.Pods) {
			known := v.know(p)
			switch {
			case known != nil && !v.room():
				delete(v.pods, keyOf(p))
				return v.tellFull()
			case known != nil:
				known.later = true
				v.start(ctx, known)
			case p.State == backends.PodRunning:
				v.again(ctx, v.pods[keyOf(p)])
			}
		}
	}
	return nil
}

// again reads a pod that ended and runs again.
func (v *liveLog) again(ctx context.Context, p *logPod) {
	if !p.reading && !p.failed && v.room() {
		v.start(ctx, p)
	}
}

// room takes a place for one more pod, if there is one.
func (v *liveLog) room() bool {
	return v.reading < maxLogPods && v.held.take(1) == nil
}

func (v *liveLog) tellFull() error {
	if v.full {
		return nil
	}
	v.full = true
	return v.out.fail(&Error{Code: TooMuch, Message: "no more pods can be followed: those that come now are left out", Hint: "follow fewer deployments"})
}
