package statuses

import (
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// How many requests may be under way at once.
const (
	hostPlaces    = 4 // to one host
	repoPlaces    = 3 // about one repository: where one hangs, another still gets through
	failingPlaces = 2 // to one host, about repositories that failed last time; one about each
)

const (
	// requestTime bounds one request.
	requestTime = 30 * time.Second
	// A forge that asks to wait is not asked before; but no longer than limitMax is
	// believed. GitHub counts by the hour.
	limitMin = time.Second
	limitMax = 2 * time.Hour
)

// GitHub lets nobody create content more than 80 times in a minute and 500 times
// in an hour, comments and what people do included
// (docs.github.com/rest/using-the-rest-api/rate-limits-for-the-rest-api). A
// bucket lets at most burst + period/every pass in a period: 80 and 450. What is
// kept of the burst is for summaries, which so never wait behind many deployments.
var (
	perMinute = bucket{every: time.Minute / 55, burst: 25, kept: 5}
	perHour   = bucket{every: time.Hour / 330, burst: 120, kept: 20}
)

// A bucket lets a burst pass, and then one in a while.
type bucket struct {
	every time.Duration // one more may pass
	burst int
	kept  int       // of the burst, for summaries
	full  time.Time // when the whole burst may pass again
}

// at returns when the next one may pass.
func (b *bucket) at(summary bool) time.Time {
	n := b.burst - 1
	if !summary {
		n -= b.kept
	}
	return b.full.Add(-time.Duration(n) * b.every)
}

func (b *bucket) take(now time.Time) { b.full = latest(b.full, now).Add(b.every) }

// A host is what requests to one host share.
type host struct {
	name  string
	repos int            // that are known
	busy  map[*repo]bool // those with busy commits
	next  time.Time      // when something may be done, unless something happens; zero: never

	underway int
	failing  int       // of these, those about repositories that failed last time
	until    time.Time // it asked to wait
	limits   int       // how often in a row it did
	minute   bucket
	hour     bucket
}

// host returns what is known of a host. The caller holds mu.
func (s *Sender) host(name string) *host {
	h := s.hosts[name]
	if h == nil {
		h = &host{name: name, busy: map[*repo]bool{}, minute: perMinute, hour: perHour}
		s.hosts[name] = h
	}
	return h
}

// Admit tells whether something else than a status may be written to a repository's
// forge now, as a comment, for which forges have one limit with statuses: true
// counts it. It comes before no summary, and waits for nothing.
func (s *Sender) Admit(repo string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	now, h := time.Now(), s.repo(repo).host
	if now.Before(h.until) || now.Before(h.sendAt(false)) {
		return false
	}
	h.take(now)
	return true
}

// forgetHosts forgets the hosts of no repository, once they limit nothing.
func (s *Sender) forgetHosts(now time.Time) {
	for name, h := range s.hosts {
		if h.repos == 0 && h.underway == 0 && now.After(latest(h.until, h.minute.full, h.hour.full)) {
			delete(s.hosts, name)
		}
	}
}

// places is how many requests may be under way at once. Where the forge asked to
// wait, the first one after that shows whether it was long enough.
func (h *host) places() int {
	if h.limits > 0 {
		return 1
	}
	return hostPlaces
}

// sendAt returns when the next status may be sent.
func (h *host) sendAt(summary bool) time.Time {
	return latest(h.minute.at(summary), h.hour.at(summary))
}

// take counts what is written.
func (h *host) take(now time.Time) {
	h.minute.take(now)
	h.hour.take(now)
}

// free tells whether another request about a repository may be made; if not, one
// that is under way will end.
func (r *repo) free() bool {
	if r.trouble.failures > 0 {
		return r.underway == 0 && r.host.failing < failingPlaces
	}
	return r.underway < repoPlaces
}

// limited takes in that a host asks to wait. Several answers of the same moment
// are one.
func (s *Sender) limited(h *host, l *forge.Limited, now time.Time) {
	if now.Before(h.until) && !l.Until.After(h.until) {
		return
	}
	if !now.Before(h.until) {
		h.limits++
	}
	wait := min(max(l.Until.Sub(now), doubled(limitMin, h.limits, lastRetry)), limitMax)
	h.until = now.Add(wait + min(s.spread(wait)-wait, 30*time.Second))
	s.log.Warn("a forge asks to wait before more statuses are told", "host", h.name, "retry", h.until.Sub(now).Round(time.Millisecond))
}

func latest(times ...time.Time) (last time.Time) {
	for _, t := range times {
		if t.After(last) {
			last = t
		}
	}
	return last
}
