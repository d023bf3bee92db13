package access

import (
	"maps"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Bounds on failed attempts.
const (
	limitTime  = time.Minute      // how long attempts are counted
	limitTries = 20               // in that time, from one address
	limitMost  = 4096             // addresses that are remembered
	quietTime  = 10 * time.Second // how long refusals of one sort are not logged again
)

// A limit counts failed attempts by address. It never stands in the way of a
// right token: behind a proxy all share one address, and who guesses would lock
// the others out; what it saves is the work of answering.
type limit struct {
	now   func() time.Time
	mu    sync.Mutex
	tries map[netip.Prefix]*tries
}

type tries struct {
	since time.Time
	count int
}

func newLimit(now func() time.Time) *limit {
	return &limit{now: now, tries: map[netip.Prefix]*tries{}}
}

// failed counts an attempt; it returns how long the address has to wait, zero
// while it may go on.
func (l *limit) failed(remote string) time.Duration {
	from := network(remote)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	t := l.tries[from]
	if t == nil || now.Sub(t.since) >= limitTime {
		l.makeRoom(now)
		t = &tries{since: now}
		l.tries[from] = t
	}
	t.count++
	if t.count <= limitTries {
		return 0
	}
	return limitTime - now.Sub(t.since)
}

// makeRoom forgets what is over when the memory is full, and all if that is not
// enough: whoever has so many addresses is not held by a limit for each.
func (l *limit) makeRoom(now time.Time) {
	if len(l.tries) < limitMost {
		return
	}
	maps.DeleteFunc(l.tries, func(_ netip.Prefix, t *tries) bool { return now.Sub(t.since) >= limitTime })
	if len(l.tries) > limitMost/2 {
		clear(l.tries)
	}
}

// network is what one client has of addresses: one of IPv4, 2^64 of IPv6.
func network(remote string) netip.Prefix {
	host, _, err := net.SplitHostPort(remote)
	if err != nil {
		host = remote
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return netip.Prefix{}
	}
	ip = ip.Unmap().WithZone("")
	bits := ip.BitLen()
	if ip.Is6() {
		bits = 64
	}
	prefix, _ := ip.Prefix(bits) // bits are of this kind of address
	return prefix
}

// A quiet lets one line of each sort into the log, and then none for a while:
// whoever can send requests must not be able to fill a disk.
type quiet struct {
	now   func() time.Time
	mu    sync.Mutex
	until map[reason]time.Time
	held  map[reason]int
}

func newQuiet(now func() time.Time) *quiet {
	return &quiet{now: now, until: map[reason]time.Time{}, held: map[reason]int{}}
}

// allow tells whether a line may be logged now, and how many were kept back.
func (q *quiet) allow(why reason) (held int, ok bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	now := q.now()
	if now.Before(q.until[why]) {
		q.held[why]++
		return 0, false
	}
	held, q.held[why], q.until[why] = q.held[why], 0, now.Add(quietTime)
	return held, true
}
