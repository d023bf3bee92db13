package api

import (
	"cmp"
	"context"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"github.com/berthdev/berth/backends"
)

// Bounds on what is told of the log of a pod that failed.
const (
	lastLines  = 10
	lastBytes  = 2 << 10
	lastLimit  = 3 * time.Second // for all pods of a query
	leastValue = 6               // bytes of a value that is hidden: what is shorter stands in many words
)

// reading is the time that a query has to read logs, one at a time.
type reading struct {
	mu    sync.Mutex
	until time.Time // zero: it was not begun
}

// LastLines is the end of the log of a pod that failed or keeps crashing. It is
// read when it is asked for and held nowhere: what an app writes is no part of a
// status. That it cannot be read is no error: /logs tells why.
func (p pod) LastLines(ctx context.Context) []string {
	switch p.p.State {
	case backends.PodFailed, backends.PodRestarting, backends.PodExited:
	default:
		return []string{}
	}
	at := slices.IndexFunc(p.w.api.o.Backends, func(b backends.Backend) bool { return b.Name() == p.p.Backend })
	doc := p.w.declared(p.p.Deployment)
	if at < 0 || doc == nil { // of what is declared no more, it is not known what must be hidden
		return []string{}
	}
	var values []string
	for _, value := range doc.Env {
		values = append(values, value)
	}
	if f := p.w.flavour(p.p.App, p.p.Release, p.p.Flavour); f != nil {
		for _, value := range f.f.Env {
			values = append(values, value)
		}
	}
	return p.w.texts(ending(p.w.lastLog(ctx, p.w.api.o.Backends[at], p.p.Name), values))
}

// lastLog reads the last lines of a pod's log. Meanwhile another query may have
// the turn.
func (w *world) lastLog(ctx context.Context, b backends.Backend, pod string) (lines []string) {
	w.reading.mu.Lock()
	defer w.reading.mu.Unlock()
	if w.reading.until.IsZero() {
		w.reading.until = time.Now().Add(lastLimit)
	}
	ctx, cancel := context.WithDeadline(ctx, w.reading.until)
	defer cancel()
	<-w.api.turns
	defer func() { w.api.turns <- struct{}{} }()
	err := b.Logs(ctx, pod, backends.LogOptions{Tail: lastLines}, func(l backends.LogLine) error {
		lines = append(lines, l.Text)
		return nil
	})
	if err != nil {
		return nil
	}
	return lines
}

// ending returns the last lines as whoever may look can be shown them: without what
// a terminal acts on, with the values put as ***, and no more than lastBytes.
func ending(lines, values []string) []string {
	hide := hider(values)
	out, left := []string{}, lastBytes
	for _, line := range slices.Backward(lines) {
		line = hide.Replace(plain(line))
		if len(line) > left {
			if len(out) > 0 {
				break
			}
			line = strings.ToValidUTF8(line[:left], "")
		}
		out, left = append(out, line), left-len(line)
	}
	slices.Reverse(out)
	return out
}

// hider puts *** for values, line by line, the longest first: one may be part of another.
func hider(values []string) *strings.Replacer {
	var parts []string
	for _, value := range values {
		for line := range strings.Lines(value) {
			if line = strings.TrimSpace(plain(line)); len(line) >= leastValue {
				parts = append(parts, line)
			}
		}
	}
	slices.SortFunc(parts, func(a, b string) int { return cmp.Or(len(b)-len(a), strings.Compare(a, b)) })
	var pairs []string
	for _, part := range slices.Compact(parts) {
		pairs = append(pairs, part, "***")
	}
	return strings.NewReplacer(pairs...)
}

// controls are sequences that a terminal acts on (ECMA-48, CSI and OSC).
var controls = regexp.MustCompile("\x1b(?:\\[[0-?]*[ -/]*[@-~]|\\][^\x07\x1b]*(?:\x07|\x1b\\\\)?)")

// plain returns text without control characters; a tab is a space.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp):
			return -1
		}
		return r
	}, controls.ReplaceAllString(text, ""))
}
