package rest

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// defaultWait is for a limit that does not say until when; it doubles each time,
	// as GitHub asks.
	defaultWait = time.Minute
	// maxWait bounds how long a forge may ask to wait. GitHub's longest window is an
	// hour.
	maxWait = time.Hour
)

// A pause is the time until which the forge asked to wait.
type pause struct {
	mu    sync.Mutex
	last  time.Time
	vague int // refusals in a row that did not say until when
}

func (p *pause) until(now time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, now.Before(p.last)
}

// passed takes note of an answer. One that says that nothing remains is the last
// one for now.
func (p *pause) passed(header http.Header, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.vague = 0
	if wait, ok := nothingRemains(header, now); ok {
		p.extend(now, wait)
	}
}

// refused takes note of a refusal, and tells until when it asks to wait, if it
// does.
func (p *pause) refused(r *Refusal, header http.Header, now time.Time) (time.Time, bool) {
	wait, ok := asksToWait(r, header, now)
	if !ok {
		return time.Time{}, false
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait == 0 {
		wait = defaultWait << min(p.vague, 10)
		p.vague++
	}
	p.extend(now, wait)
	return p.last, true
}

func (p *pause) extend(now time.Time, wait time.Duration) {
	if until := now.Add(min(max(wait, time.Second), maxWait)); until.After(p.last) {
		p.last = until
	}
}

// asksToWait tells how long an answer asks to wait; 0: it does not say. The rules
// are those of https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api;
// the headers of GitLab say the same.
func asksToWait(r *Refusal, header http.Header, now time.Time) (time.Duration, bool) {
	limits := r.Status == http.StatusForbidden || r.Status == http.StatusTooManyRequests
	if limits || r.Status == http.StatusServiceUnavailable {
		if wait, ok := retryAfter(header, now); ok {
			return wait, true
		}
	}
	if !limits {
		return 0, false
	}
	if wait, ok := nothingRemains(header, now); ok {
		return wait, true
	}
	if r.Status == http.StatusTooManyRequests {
		wait, _ := untilReset(header, now)
		return wait, true
	}
	return 0, isSecondary(r.Message)
}

// isSecondary tells GitHub's secondary limit, a 403 that may say no more than
// this, from a missing permission.
func isSecondary(message string) bool {
	message = strings.ToLower(message)
	return strings.Contains(message, "rate limit") || strings.Contains(message, "abuse detection")
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds, or a date.
func retryAfter(header http.Header, now time.Time) (time.Duration, bool) {
	text := strings.TrimSpace(header.Get("Retry-After"))
	if n, err := strconv.ParseInt(text, 10, 32); err == nil {
		return time.Duration(max(n, 1)) * time.Second, true
	}
	at, err := http.ParseTime(text)
	wait := at.Sub(serverTime(header, now))
	return wait, err == nil && wait > 0
}

// nothingRemains returns how long nothing may be asked because all that may be
// asked in a window was.
func nothingRemains(header http.Header, now time.Time) (time.Duration, bool) {
	if header.Get("RateLimit-Remaining") != "0" && header.Get("X-RateLimit-Remaining") != "0" {
		return 0, false
	}
	return untilReset(header, now)
}

// untilReset reads RateLimit-Reset, which GitLab gives as Unix time, beside the
// X-RateLimit-Reset of GitHub and those that speak like it.
func untilReset(header http.Header, now time.Time) (time.Duration, bool) {
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset"} {
		n, err := strconv.ParseInt(strings.TrimSpace(header.Get(name)), 10, 64)
		if wait := time.Unix(min(n, 1<<40), 0).Sub(serverTime(header, now)); err == nil && wait > 0 {
			return wait, true
		}
	}
	return 0, false
}

// serverTime is the time by the clock of the forge, which names moments by it.
func serverTime(header http.Header, now time.Time) time.Time {
	if at, err := http.ParseTime(header.Get("Date")); err == nil {
		return at
	}
	return now
}
