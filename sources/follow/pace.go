package follow

import (
	"math/rand/v2"
	"time"

	"github.com/berthdev/berth/schema"
)

const (
	defaultDesiredInterval = 30 * time.Second
	defaultRepoInterval    = time.Minute
	minLocalInterval       = time.Second     // asking a local repository costs a few file reads
	minRemoteInterval      = 5 * time.Second // of a remote one, a request to somebody's server
	maxInterval            = 24 * time.Hour

	backoffBase = time.Second
	backoffMax  = 5 * time.Minute

	// jitter spreads everything periodic by so much of its time, both ways.
	jitter = 0.1

	// A wake is answered at once, unless wakeBurst of them came within
	// wakeBurst times wakeSpacing: then they are wakeSpacing apart.
	wakeSpacing = 500 * time.Millisecond
	wakeBurst   = 8
)

// interval is how often a source is polled.
func interval(configured *schema.Duration, byDefault time.Duration, local bool) time.Duration {
	least := minRemoteInterval
	if local {
		least = minLocalInterval
	}
	if configured == nil {
		return byDefault
	}
	return min(max(time.Duration(*configured), least), maxInterval)
}

// backoff is the time until the next attempt after so many failures in a row,
// the last of this kind. What a push mends is looked for as often as ever; what
// a person must mend, ever less often, as servers lock out who insists.
func backoff(kind schema.ErrorKind, failures int, interval time.Duration) time.Duration {
	switch kind {
	case schema.Invalid:
		return interval
	case schema.Terminal:
		return max(interval, doubled(interval, failures))
	default:
		return doubled(backoffBase, failures)
	}
}

// doubled doubles a time for each failure after the first, up to backoffMax.
func doubled(d time.Duration, failures int) time.Duration {
	for ; failures > 1 && d < backoffMax; failures-- {
		d *= 2
	}
	return min(d, backoffMax)
}

// spread moves a time by up to a tenth, so that sources that were started
// together are not asked together for ever.
func spread(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (1 + jitter*(2*rand.Float64()-1)))
}

// spacing keeps floods of wakes apart and lets single ones through at once. The
// zero value is ready.
type spacing struct{ free time.Time }

// next takes the wake of now and returns how long it must wait.
func (s *spacing) next(now time.Time) time.Duration {
	if s.free.Before(now) {
		s.free = now
	}
	wait := s.free.Sub(now) - (wakeBurst-1)*wakeSpacing
	s.free = s.free.Add(wakeSpacing)
	return max(wait, 0)
}
