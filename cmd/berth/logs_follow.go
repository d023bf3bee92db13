package main

import (
	"context"
	"io"
	"slices"
	"time"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
)

// followPods prints what pods write until all have ended, those included that a
// deployment gets meanwhile. It outlives the server, and prints no line twice.
func (l *logs) followPods(ctx context.Context, pods []logPod, printer *logPrinter) error {
	p, told := &persistence{err: l.console.err}, toldLines{}
	query := l.query(pods)
	for {
		err := l.ask.Logs(ctx, query, func(line client.LogLine) error {
			p.back()
			p.progress()
			if told.again(line) {
				return nil
			}
			return printer.print(line)
		})
		if err == nil {
			// Either the pods have ended, or the server has.
			err = p.rest(ctx)
		} else {
			err = p.again(ctx, err)
		}
		if err != nil {
			return err
		}
		if pods, err = l.podsAgain(ctx, p); err != nil {
			return err
		}
		if !slices.ContainsFunc(pods, func(p logPod) bool { return !p.ended() }) {
			return nil
		}
		query = l.query(pods)
		query.Tail, query.Since = -1, told.rewind(pods, l.since)
	}
}

// podsAgain finds what is to be followed, once the server answers. Pods that are
// there no more have ended.
func (l *logs) podsAgain(ctx context.Context, p *persistence) ([]logPod, error) {
	for {
		pods, err := l.pods(ctx, io.Discard)
		switch {
		case err == nil:
			p.back()
			return pods, nil
		case schema.KindOf(err) == schema.Invalid:
			return nil, nil
		}
		if err := p.again(ctx, err); err != nil {
			return nil, err
		}
	}
}

// maxSameTime is how many lines of one time are remembered. Engines tell
// nanoseconds: it takes an odd one to reach this.
const maxSameTime = 1000

// toldLines remembers, by pod, where telling its log stands.
type toldLines map[string]*toldLog

type toldLog struct {
	last  time.Time
	texts []string // of the lines at that time

	until time.Time // what is older was told over a former connection
	skip  []string  // told of the lines at that time
}

// again tells whether a line was told over a former connection, and remembers it.
func (t toldLines) again(l client.LogLine) bool {
	pod := t[l.Pod]
	if pod == nil {
		pod = &toldLog{}
		t[l.Pod] = pod
	}
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

// rewind prepares for another connection and returns since when lines are to be
// asked for: since the last that was told of each pod, or, as long as nothing
// came of one, from where a person wants it.
func (t toldLines) rewind(pods []logPod, since time.Time) time.Time {
	for _, pod := range t {
		pod.until, pod.skip = pod.last, slices.Clone(pod.texts)
	}
	var earliest time.Time
	for _, p := range pods {
		pod := t[p.Name]
		if pod == nil {
			return since
		}
		if earliest.IsZero() || pod.last.Before(earliest) {
			earliest = pod.last
		}
	}
	return earliest
}
