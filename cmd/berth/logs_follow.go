package main

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

// overlap is how far back a log is asked for again after the connection was lost:
// pods are read side by side, and their clocks differ.
const overlap = 10 * time.Second

// followOn prints what pods write until the server says that nothing can come
// any more. It outlives the server, and prints no line twice.
func (l *logs) followOn(ctx context.Context, printer *logPrinter) error {
	p, told := &persistence{ask: l.ask, err: l.console.err, planned: true}, toldLines{}
	began := time.Now()
	for begun := false; ; begun = true {
		err := l.ask.Logs(ctx, l.query, func(line client.LogLine) error {
			if told.again(line) || l.unwanted(line) {
				return nil
			}
			p.progress()
			return printer.print(line)
		})
		if begun && schema.KindOf(err) == schema.Invalid {
			return nil // what was followed is there no more
		}
		if err == nil {
			return nil
		}
		if err := p.again(ctx, err); err != nil {
			return err
		}
		switch since := told.rewind(); {
		case !since.IsZero():
			l.query.Tail, l.query.Since = -1, since
		case l.query.Tail >= 0: // of what was written before enough was told: nothing
			l.query.Tail, l.query.Since = -1, began
		}
	}
}

// maxSameTime is how many lines of one time are remembered. Engines tell
// nanoseconds: it takes an odd one to reach this.
const maxSameTime = 1000

// A logKey tells pods apart: those of two backends may have one name.
type logKey struct{ backend, pod string }

func keyOfLine(l client.LogLine) logKey { return logKey{l.Backend, l.Pod} }

// toldLines remembers, by pod, where telling its log stands.
type toldLines map[logKey]*toldLog

type toldLog struct {
	last  time.Time
	texts []string // of the lines at that time

	until time.Time // what is older was told over a former connection
	skip  []string  // told of the lines at that time
}

// again tells whether a line was told over a former connection, and remembers it.
func (t toldLines) again(l client.LogLine) bool {
	pod := t.of(keyOfLine(l))
	if l.Time.Before(pod.until) {
		return true
	}
	if l.Time.Equal(pod.until) {
		if i := slices.Index(pod.skip, l.Text); i >= 0 {
			pod.skip = slices.Delete(pod.skip, i, i+1)
			return true
		}
	}
	if l.Time.After(pod.last) {
		pod.last, pod.texts = l.Time, nil
	}
	if l.Time.Equal(pod.last) && len(pod.texts) < maxSameTime {
		pod.texts = append(pod.texts, l.Text)
	}
	return false
}

// of returns where telling the log of a pod stands. One that failed was perhaps
// told by the name that it had before: engines then add a dot and more to it.
func (t toldLines) of(key logKey) *toldLog {
	if pod := t[key]; pod != nil {
		return pod
	}
	pod := &toldLog{}
	if name, _, failed := strings.Cut(key.pod, "."); failed {
		if before := (logKey{key.backend, name}); t[before] != nil {
			pod = t[before]
			delete(t, before)
		}
	}
	t[key] = pod
	return pod
}

// rewind prepares for another connection. It returns since when lines are to be
// asked for over it: a little before the last one that was told; zero when none was.
func (t toldLines) rewind() time.Time {
	var latest time.Time
	for _, pod := range t {
		pod.until, pod.skip = pod.last, slices.Clone(pod.texts)
		if pod.last.After(latest) {
			latest = pod.last
		}
	}
	if latest.IsZero() {
		return latest
	}
	return latest.Add(-overlap)
}
