package backendtest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// all asks for the whole of a log.
var all = backends.LogOptions{Tail: -1}

// log reads a pod's log as it is now.
func (f *fixture) log(pod string, o backends.LogOptions) []backends.LogLine {
	f.Helper()
	var lines []backends.LogLine
	err := f.b.Logs(f.ctx(), pod, o, func(l backends.LogLine) error {
		lines = append(lines, l)
		return nil
	})
	if err != nil {
		f.Fatalf("log of %s: %v", pod, err)
	}
	return lines
}

// wrote reads a pod's log until it ends with a line: engines write logs a moment later.
func (f *fixture) wrote(pod, last string) []backends.LogLine {
	f.Helper()
	for ctx := f.ctx(); ; {
		lines := f.log(pod, all)
		if n := len(lines); n > 0 && strings.HasSuffix(lines[n-1].Text, last) {
			return lines
		}
		select {
		case <-ctx.Done():
			f.Fatalf("%q does not come: %.1000v", last, lines)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// A reading is a log that is followed.
type reading struct {
	*fixture
	lines chan backends.LogLine
	ended chan error
}

// follow follows a pod's log until ctx ends.
func (f *fixture) follow(ctx context.Context, pod string, o backends.LogOptions) reading {
	o.Follow = true
	ctx, cancel := context.WithCancel(ctx)
	r := reading{f, make(chan backends.LogLine, 1000), make(chan error, 1)}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		r.ended <- f.b.Logs(ctx, pod, o, func(l backends.LogLine) error {
			r.lines <- l
			return nil
		})
	}()
	f.Cleanup(func() { cancel(); <-gone })
	return r
}

// until reads up to a line, and returns the texts before it.
func (r reading) until(last string) (before []string) {
	r.Helper()
	for limit := time.After(r.Patience); ; {
		select {
		case l := <-r.lines:
			if l.Text == last {
				return before
			}
			before = append(before, l.Text)
		case err := <-r.ended:
			r.Fatalf("the log ended before %q: %v; it had %q", last, err, before)
		case <-limit:
			r.Fatalf("%q does not come after %q", last, before)
		}
	}
}

// end waits until the log ends, and returns the texts that were left and why it ended.
func (r reading) end(limit time.Duration) (left []string, err error) {
	r.Helper()
	select {
	case err = <-r.ended:
	case <-time.After(limit):
		r.Fatal("the log does not end")
	}
	for len(r.lines) > 0 {
		left = append(left, (<-r.lines).Text)
	}
	return left, err
}

func texts(lines []backends.LogLine) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = l.Text
	}
	return out
}

// What a pod wrote is told in its order, from where it is asked for.
func testLog(f *fixture) {
	p := f.ready(f.workload(f.Good))[0]
	var want []string
	for i := range 5 {
		want = append(want, fmt.Sprintf("line %d", i))
		f.Write(f, p, false, want[i]+"\n")
	}
	lines := f.wrote(p.Name, want[4])
	lines = lines[max(0, len(lines)-5):] // the app may have said something before
	if got := texts(lines); !slices.Equal(got, want) {
		f.Fatalf("log %q, want %q", got, want)
	}
	for i, l := range lines {
		if l.Stderr || l.Time.Before(p.CreatedAt) || i > 0 && l.Time.Before(lines[i-1].Time) {
			f.Errorf("line %d: %+v", i, l)
		}
	}
	since := slices.DeleteFunc(slices.Clone(lines), func(l backends.LogLine) bool { return l.Time.Before(lines[2].Time) })
	for name, test := range map[string]struct {
		ask  backends.LogOptions
		want []backends.LogLine
	}{
		"tail":           {backends.LogOptions{Tail: 2}, lines[3:]},
		"no tail":        {backends.LogOptions{}, nil},
		"since":          {backends.LogOptions{Tail: -1, Since: lines[2].Time}, since},
		"tail of since":  {backends.LogOptions{Tail: 1, Since: lines[2].Time}, lines[4:]},
		"since its end":  {backends.LogOptions{Tail: -1, Since: lines[4].Time.Add(time.Nanosecond)}, nil},
		"since tomorrow": {backends.LogOptions{Tail: 5, Since: lines[4].Time.Add(24 * time.Hour)}, nil},
	} {
		if got := f.log(p.Name, test.ask); !slices.Equal(got, test.want) {
			f.Errorf("%s: log %q, want %q", name, texts(got), texts(test.want))
		}
	}
}

// Lines are text of a length that can be borne, whatever a pod writes.
func testLogText(f *fixture) {
	p := f.ready(f.workload(f.Good))[0]
	long := strings.Repeat("grüße ", backends.MaxLogLine/3)
	f.Write(f, p, true, "to err\n")
	f.Write(f, p, false, "a\xffb\n\n"+long+"\nend\n")
	lines := f.wrote(p.Name, "end")
	i := slices.IndexFunc(lines, func(l backends.LogLine) bool { return strings.HasPrefix(l.Text, "a") })
	if i < 1 || lines[i].Text != "a\ufffdb" || lines[i+1].Text != "" {
		f.Fatalf("log %.300q", texts(lines))
	}
	if err := lines[i-1]; err.Text != "to err" || err.Stderr == f.OneStream || lines[i].Stderr {
		f.Errorf("standard error is not told apart: %+v", lines[i-1:i+1])
	}
	var got strings.Builder
	for _, l := range lines[i+2 : len(lines)-1] {
		if len(l.Text) > backends.MaxLogLine || !utf8.ValidString(l.Text) {
			f.Errorf("a line of %d bytes", len(l.Text))
		}
		got.WriteString(l.Text)
	}
	if got.String() != long {
		f.Errorf("the long line came as %d bytes, want %d", got.Len(), len(long))
	}
}

// A log that is followed goes on with what is written, until its pod is removed.
func testLogFollow(f *fixture) {
	w := f.workload(f.Good)
	p := f.ready(w)[0]
	f.Write(f, p, false, "early\nbefore\n")
	past := f.wrote(p.Name, "before")
	r := f.follow(f.ctx(), p.Name, backends.LogOptions{Tail: 1})
	if earlier := r.until("before"); len(earlier) > 0 {
		f.Errorf("more than the tail: %q", earlier)
	}
	since := past[len(past)-1].Time.Add(time.Nanosecond)
	live := f.follow(f.ctx(), p.Name, backends.LogOptions{Tail: -1, Since: since})
	f.Write(f, p, false, "after\n")
	for name, r := range map[string]reading{"tail": r, "since": live} {
		if between := r.until("after"); len(between) > 0 {
			f.Errorf("%s: %q came before", name, between)
		}
	}
	if err := f.b.Remove(f.ctx(), w.Deployment, nil); err != nil {
		f.Fatal(err)
	}
	for name, r := range map[string]reading{"tail": r, "since": live} {
		if left, err := r.end(f.Patience); err != nil || slices.Contains(left, "after") {
			f.Errorf("%s: the log of a removed pod ended with %v; left %q", name, err, left)
		}
	}
}

// A log that is followed goes on when the engine starts the pod again, and tells
// nothing twice.
func testLogCrash(f *fixture) {
	p := f.ready(f.workload(f.Good))[0]
	r := f.follow(f.ctx(), p.Name, all)
	for i := range 2 {
		before := fmt.Sprintf("before crash %d", i)
		f.Write(f, p, false, before+"\n")
		if again := r.until(before); slices.ContainsFunc(again, isBeforeCrash) {
			f.Errorf("told twice: %q", again)
		}
		crashed := p
		f.Crash(f, p)
		for ctx := f.ctx(); !startedAfter(p, crashed); p = f.pods(p.Deployment)[0] {
			select {
			case <-ctx.Done():
				f.Fatalf("it is not started again: %+v", p)
			case <-time.After(20 * time.Millisecond):
			}
		}
	}
	f.Write(f, p, false, "well again\n")
	if again := r.until("well again"); slices.ContainsFunc(again, isBeforeCrash) {
		f.Errorf("told twice: %q", again)
	}
}

// startedAfter tells whether a pod that crashed was started again and can be reached.
func startedAfter(p, crashed backends.Pod) bool {
	return p.State == backends.PodRunning && p.StartedAt.After(crashed.StartedAt) && len(p.Endpoints) == len(crashed.Endpoints)
}

func isBeforeCrash(text string) bool { return strings.HasPrefix(text, "before crash") }

// Pods that ended have logs, and following one ends by itself.
func testLogOfEnded(f *fixture) {
	w := f.failing(f.workload(f.Exits))
	Converge(f, f.b, w, backends.PhaseFailed, f.Patience)
	failed := f.failedPod(w)
	if got := texts(f.log(failed.Name, all)); !slices.Contains(got, f.Says) {
		f.Errorf("log of a failed pod %q, want %q", got, f.Says)
	}
	left, err := f.follow(f.ctx(), failed.Name, all).end(f.Patience)
	if err != nil || !slices.Contains(left, f.Says) {
		f.Errorf("log of a failed pod, followed: %q, %v", left, err)
	}
	w = f.failing(f.workload(f.BadCommand))
	w.Deployment = "never-started"
	Converge(f, f.b, w, backends.PhaseFailed, f.Patience)
	if left, err := f.follow(f.ctx(), f.failedPod(w).Name, all).end(f.Patience); err != nil || len(left) > 0 {
		f.Errorf("log of a pod that was never started: %q, %v", left, err)
	}
	stop := f.Tamper["stop"]
	if f.Write == nil || stop == nil {
		return
	}
	w = f.workload(f.Good)
	w.Deployment = "stopped"
	p := f.ready(w)[0]
	f.Write(f, p, false, "goodbye\n")
	r := f.follow(f.ctx(), p.Name, all)
	r.until("goodbye")
	stop(f, p)
	if left, err := r.end(f.Patience); err != nil {
		f.Errorf("the log of a stopped pod ended with %v after %q", err, left)
	}
	if got := texts(f.log(p.Name, all)); !slices.Contains(got, "goodbye") {
		f.Errorf("log of a stopped pod %q", got)
	}
}

// A log ends with its context, and with an error of whoever reads it.
func testLogEnds(f *fixture) {
	p := f.ready(f.workload(f.Good))[0]
	f.Write(f, p, false, "one\ntwo\n")
	f.wrote(p.Name, "two")
	ctx, cancel := context.WithCancel(f.ctx())
	defer cancel()
	r := f.follow(ctx, p.Name, all)
	r.until("two")
	cancel()
	if _, err := r.end(soon); schema.KindOf(err) != schema.Transient {
		f.Errorf("its context ended, and it says: %v", err)
	} else {
		f.isContractError(err)
	}
	enough := errors.New("enough")
	for _, follow := range []bool{false, true} {
		calls := 0
		err := f.b.Logs(f.ctx(), p.Name, backends.LogOptions{Follow: follow, Tail: 2}, func(backends.LogLine) error {
			calls++
			return enough
		})
		if !errors.Is(err, enough) || calls != 1 {
			f.Errorf("after %d lines: %v, want the reader's error after 1", calls, err)
		}
	}
}

// Only the instance's own pods can be read, by their names.
func testLogUnknown(f *fixture) {
	other := f.Harness.open(f.T)
	theirs := other.ready(other.workload(f.Good))[0]
	for _, name := range []string{theirs.Name, theirs.ID, "unknown", "", "../" + theirs.ID, ".*", strings.Repeat("a", 1000)} {
		for _, follow := range []bool{false, true} {
			err := f.b.Logs(f.ctx(), name, backends.LogOptions{Follow: follow, Tail: -1}, func(l backends.LogLine) error {
				f.Errorf("%.50q tells %q", name, l.Text)
				return nil
			})
			f.isContractError(err)
			if schema.KindOf(err) != schema.Invalid {
				f.Errorf("%.50q: %v", name, err)
			}
		}
	}
}

// What each running pod uses is told, and nothing of others.
func testUsage(f *fixture) {
	other := f.Harness.open(f.T)
	other.ready(other.workload(f.Good))
	if usage, err := f.b.Usage(f.ctx()); err != nil || len(usage) > 0 {
		f.Errorf("without pods: %+v, %v", usage, err)
	}
	w, bad := f.workload(f.Good), f.failing(f.workload(f.BadCommand))
	w.Replicas, bad.Deployment = 2, "bad"
	pods := f.ready(w)
	Converge(f, f.b, bad, backends.PhaseFailed, f.Patience)
	usage, err := f.b.Usage(f.ctx())
	if err != nil {
		f.Fatal(err)
	}
	used := map[string]backends.Usage{}
	for _, u := range usage {
		used[u.Pod] = u
	}
	for _, p := range pods {
		if u, ok := used[p.Name]; !ok || u.Deployment != w.Deployment || u.CPU < 0 || f.Memory && u.Memory <= 0 {
			f.Errorf("%s uses %+v", p.Name, u)
		}
	}
	if len(usage) != len(pods) {
		f.Errorf("usage of other than the running pods: %+v", usage)
	}
}
