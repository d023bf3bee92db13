package api

import (
	"cmp"
	"container/heap"
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

// logs answers a request for the logs of pods: first what was written before, in
// the order of time, then, if it follows, what is written.
func (h *Handler) logs(w http.ResponseWriter, r *http.Request) {
	q, refusal := readLogQuery(w, r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	ctx, done, refusal := h.begin(r)
	if refusal != nil {
		refusal.write(w)
		return
	}
	defer done()
	pods, wrong := q.find(h.api.look(ctx))
	if wrong != nil {
		refuseLogs(w, wrong)
		return
	}
	held := &lease{of: h.reading, caller: access.From(ctx)}
	if refusal := held.take(len(pods)); refusal != nil {
		refusal.write(w)
		return
	}
	defer held.end()
	l := &logReader{api: h.api, query: q, pods: map[string]*logPod{}, held: held, alive: h.alive}
	for _, p := range pods {
		l.know(p)
	}
	l.out = h.newLogWriter(w, q, len(l.pods) > 1 || q.follow && len(q.deployments) > 0)
	err := l.run(ctx)
	var own *Error
	switch {
	case errors.As(err, &own) && l.out.stream == nil:
		refuseLogs(w, own)
	case ctx.Err() == nil && l.out.stream == nil:
		_ = l.out.flush() // an empty log
	case h.ending.Err() != nil:
		_ = l.out.fail(&Error{Code: Unavailable, Message: "the server stops", Hint: "ask again when it runs"})
		_ = l.out.flush()
	}
}

func refuseLogs(w http.ResponseWriter, e *Error) {
	status := statuses[e.Code]
	switch {
	case e.Code == NotFound:
		status = http.StatusNotFound
	case status == 0:
		status = http.StatusBadRequest
	}
	(&refusal{status, e}).write(w)
}

// A logReader makes one log of those of several pods. Its goroutines read one
// pod each and hold one line; everything else is done by the one that runs it.
type logReader struct {
	api   *API
	query *logQuery
	out   *logWriter
	pods  map[string]*logPod // by backend and the engine's ID: a failed pod is renamed
	held  *lease             // one for each pod that is read, or will be
	alive time.Duration
}

// A logPod is a pod whose log is read. It belongs to who runs the reader.
type logPod struct {
	name, backend string
	label         string // before its lines
	later         bool   // it came while its deployment was followed: its whole log is new
	reading       bool
	failed        bool
	until         time.Time // of the newest line that was told
	same          int       // how many lines of that time were told
}

// know takes in a pod; it returns it if it was not known.
func (l *logReader) know(p backends.Pod) *logPod {
	key := keyOf(p)
	if known := l.pods[key]; known != nil {
		known.name = p.Name
		return nil
	}
	fresh := &logPod{name: p.Name, backend: p.Backend, label: p.Name}
	for _, other := range l.pods {
		if other.name == fresh.name && other.backend != fresh.backend {
			fresh.label, other.label = fresh.backend+"/"+fresh.name, other.backend+"/"+other.name
		}
	}
	l.pods[key] = fresh
	return fresh
}

func keyOf(p backends.Pod) string { return p.Backend + "/" + cmp.Or(p.ID, p.Name) }

// run reads until all was told, ctx ends or the client does not take it. An
// [Error] says that nothing could be told at all.
func (l *logReader) run(ctx context.Context) error {
	if !l.query.follow || l.query.tail != 0 {
		if err := l.past(ctx); err != nil {
			return err
		}
	}
	if !l.query.follow {
		return nil
	}
	return l.live(ctx)
}

// read calls each for every line of a pod. The error is an [Error], unless it is
// each's own or ctx's.
func (l *logReader) read(ctx context.Context, backend, pod string, o backends.LogOptions, each func(backends.LogLine) error) error {
	for _, b := range l.api.o.Backends {
		if b.Name() != backend {
			continue
		}
		err := b.Logs(ctx, pod, o, each)
		if err == nil || ctx.Err() != nil {
			return err
		}
		e := asError(err)
		if schema.KindOf(err) == schema.Invalid {
			e.Code = NotFound // it went in the meantime
		}
		return e
	}
	return missing("backend", backend, nil)
}

// tell passes a line on.
func (l *logReader) tell(p *logPod, line backends.LogLine) error {
	switch {
	case line.Time.After(p.until):
		p.until, p.same = line.Time, 1
	case line.Time.Equal(p.until):
		p.same++
	}
	return l.out.line(client.LogLine{Pod: p.name, Backend: p.backend, Time: line.Time, Stderr: line.Stderr, Text: line.Text}, p.label)
}

// fail tells that a pod cannot be read; the others go on. Where there is no
// other, and nothing was told, it is the answer.
func (l *logReader) fail(p *logPod, err error) error {
	p.failed = true
	if len(l.pods) == 1 && l.out.stream == nil {
		return err
	}
	return l.out.fail(asError(err))
}

// past tells what the pods wrote before, merged by time. No more than one line of
// each pod is held.
func (l *logReader) past(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	var heads lineHeap
	for _, p := range sortedPods(l.pods) {
		s := &pastLog{pod: p, lines: make(chan backends.LogLine)}
		running.Go(func() {
			defer close(s.lines)
			s.err = l.read(ctx, p.backend, p.name, l.query.past(), func(line backends.LogLine) error {
				if !send(ctx, s.lines, line) {
					return ctx.Err()
				}
				return nil
			})
		})
		heads = append(heads, s)
	}
	return l.merge(ctx, heads)
}

func (l *logReader) merge(ctx context.Context, logs lineHeap) error {
	var heads lineHeap
	next := func(s *pastLog) error {
		line, more := <-s.lines
		switch {
		case more:
			s.head = line
			heap.Push(&heads, s)
		case ctx.Err() != nil:
			return ctx.Err()
		case s.err != nil:
			return l.fail(s.pod, s.err)
		}
		return nil
	}
	for _, s := range logs {
		if err := next(s); err != nil {
			return err
		}
	}
	for len(heads) > 0 {
		s := heap.Pop(&heads).(*pastLog)
		if err := l.tell(s.pod, s.head); err != nil {
			return err
		}
		if err := next(s); err != nil {
			return err
		}
	}
	if l.out.stream == nil {
		return nil
	}
	return l.out.flush()
}

// A pastLog is the log of one pod as it is read.
type pastLog struct {
	pod   *logPod
	lines chan backends.LogLine
	err   error // valid when lines is closed
	head  backends.LogLine
}

// lineHeap has the log with the oldest head first; of those of one time, in the
// order of labels.
type lineHeap []*pastLog

func (h lineHeap) Len() int      { return len(h) }
func (h lineHeap) Swap(i, j int) { h[i], h[j] = h[j], h[i] }
func (h lineHeap) Less(i, j int) bool {
	if c := h[i].head.Time.Compare(h[j].head.Time); c != 0 {
		return c < 0
	}
	return h[i].pod.label < h[j].pod.label
}
func (h *lineHeap) Push(x any) { *h = append(*h, x.(*pastLog)) }
func (h *lineHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}

func sortedPods(pods map[string]*logPod) []*logPod {
	out := make([]*logPod, 0, len(pods))
	for _, p := range pods {
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b *logPod) int {
		return slices.Compare([]string{a.name, a.backend}, []string{b.name, b.backend})
	})
	return out
}
