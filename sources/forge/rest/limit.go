package rest

import (
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

const (
	// defaultWait is for a limit that does not say until when.
	defaultWait = time.Minute
	// maxWait bounds how long a forge may ask to wait.
	maxWait = 24 * time.Hour
)

// A pause is the time until which the forge asked to wait.
type pause struct {
	mu   sync.Mutex
	last time.Time
}

func (p *pause) until(now time.Time) (time.Time, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last, now.Before(p.last)
}

func (p *pause) extend(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.last) {
		p.last = until
	}
}

// asksToWait tells until when an answer asks to wait: one that says there were
// too many requests, or that names a time after which to try again.
func asksToWait(res *http.Response, now time.Time) (time.Time, bool) {
	after := res.Header.Get("Retry-After")
	switch res.StatusCode {
	case http.StatusTooManyRequests:
	case http.StatusForbidden, http.StatusServiceUnavailable:
		if after == "" {
			return time.Time{}, false
		}
	default:
		return time.Time{}, false
	}
	until, ok := retryAfter(after, now)
	if !ok {
		until, ok = resetTime(res.Header, now)
	}
	if !ok {
		until = now.Add(defaultWait)
	}
	if latest := now.Add(maxWait); until.After(latest) {
		until = latest
	}
	return until, true
}

// retryAfter reads the header of RFC 9110, section 10.2.3: seconds, or a date.
func retryAfter(text string, now time.Time) (time.Time, bool) {
	if n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 32); err == nil {
		return now.Add(time.Duration(max(n, 1)) * time.Second), true
	}
	at, err := http.ParseTime(text)
	return at, err == nil && at.After(now)
}

// resetTime reads RateLimit-Reset, which GitLab gives as Unix time, beside the
// X-RateLimit-Reset of GitHub and those that speak like it.
func resetTime(header http.Header, now time.Time) (time.Time, bool) {
	for _, name := range []string{"RateLimit-Reset", "X-RateLimit-Reset"} {
		n, err := strconv.ParseInt(strings.TrimSpace(header.Get(name)), 10, 64)
		if at := time.Unix(n, 0); err == nil && at.After(now) {
			return at, true
		}
	}
	return time.Time{}, false
}
