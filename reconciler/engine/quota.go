package engine

import (
	"context"
	"log/slog"
	"time"
)

// How many lines are logged about what one deployment does by itself: a few at
// once, then one in a while. A pod that crashes for months must not fill the log.
const (
	quotaLines = 20
	quotaPause = 10 * time.Minute // until one more may be told
)

// A quota limits what is told about one deployment. What a person did, each step
// that Berth takes, and errors are told anyway.
type quota struct {
	used    int
	since   time.Time // when used was last made less
	leftOut int       // lines, since one was told
}

// tell logs a line, unless too many were told.
func (q *quota) tell(log *slog.Logger, level slog.Level, text string, args ...any) {
	now := time.Now()
	if freed := int(now.Sub(q.since) / quotaPause); freed > 0 {
		q.used, q.since = max(0, q.used-freed), now
	}
	if q.used >= quotaLines && level < slog.LevelError {
		q.leftOut++
		log.Log(context.Background(), slog.LevelDebug, text, args...)
		return
	}
	if q.used++; q.leftOut > 0 {
		args = append(args, "leftOut", q.leftOut)
		q.leftOut = 0
	}
	log.Log(context.Background(), level, text, args...)
}

// refill lets all be told again: there is a new input.
func (q *quota) refill() { q.used = 0 }
