package githubtest

import (
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// limits are how often may be asked, of
// https://docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api.
type limits struct {
	limit, remaining int
	reset            time.Time

	secondary  int // how many writes are refused next
	retryAfter time.Duration
}

func newLimits() limits {
	return limits{limit: 5000, remaining: 5000, reset: time.Now().Add(time.Hour)}
}

// Limit lets so many requests more be made until then.
func (s *Server) Limit(remaining int, reset time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.remaining, s.limits.reset = remaining, reset
}

// Secondary refuses the next writes, so many of them, for being too fast. Whoever
// writes is asked to wait so long; 0: it is not said how long.
func (s *Server) Secondary(writes int, retryAfter time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.limits.secondary, s.limits.retryAfter = writes, retryAfter
}

// check refuses who asks too often.
func (l *limits) check(c *call) answer {
	if now := time.Now(); now.After(l.reset) {
		l.remaining, l.reset = l.limit, now.Add(time.Hour)
	}
	if l.remaining <= 0 {
		return problem(http.StatusForbidden, fmt.Sprintf("API rate limit exceeded for user ID 1 (%s).", c.by.login))
	}
	if c.Method != http.MethodGet && l.secondary > 0 {
		l.secondary--
		if l.retryAfter > 0 {
			c.header.Set("Retry-After", strconv.Itoa(int(l.retryAfter.Seconds())))
		}
		return problem(http.StatusForbidden, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.")
	}
	return answer{}
}

// count counts a request, unless it cost nothing, and says how many are left.
func (l *limits) count(c *call, status int) {
	if l.remaining > 0 && status != http.StatusNotModified {
		l.remaining--
	}
	c.header.Set("X-RateLimit-Limit", strconv.Itoa(l.limit))
	c.header.Set("X-RateLimit-Remaining", strconv.Itoa(l.remaining))
	c.header.Set("X-RateLimit-Used", strconv.Itoa(l.limit-l.remaining))
	c.header.Set("X-RateLimit-Reset", strconv.FormatInt(l.reset.Unix(), 10))
	c.header.Set("X-RateLimit-Resource", "core")
}
