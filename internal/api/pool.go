package api

import (
	"fmt"
	"net/http"
	"sync"

	"github.com/berthdev/berth/internal/access"
)

// A pool is what there is a bounded amount of for all callers. None gets more than
// half of it, so that who asks without end leaves something to the others, and a
// tenth is left to who may ask for work.
type pool struct {
	most   int
	share  int // of one caller
	spared int // for admins
	// what is taken, in words, of which pool there is no more
	says func(n int) string

	mu   sync.Mutex
	used int
	by   map[string]int // by the name of the caller
}

func newPool(most int, says func(n int) string) *pool {
	return &pool{most: most, share: most / 2, spared: most / 10, says: says, by: map[string]int{}}
}

// take takes n, or nothing and tells why. What was taken is given back once.
func (p *pool) take(c access.Caller, n int) *refusal {
	most := p.most
	if !c.May(access.Admin) {
		most -= p.spared
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.by[c.Name]+n > p.share:
		return refuse(http.StatusServiceUnavailable, Unavailable, p.says(p.share)+", which is the most for one caller", fullHint)
	case p.used+n > most:
		return refuse(http.StatusServiceUnavailable, Unavailable, p.says(most)+", which is the most", fullHint)
	}
	p.used += n
	p.by[c.Name] += n
	return nil
}

const fullHint = "end what is followed, or wait for what was asked, and try again"

// give gives back.
func (p *pool) give(c access.Caller, n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.used -= n
	if p.by[c.Name] -= n; p.by[c.Name] == 0 {
		delete(p.by, c.Name)
	}
}

// A lease is what one caller has of a pool, more or less in the course of time. It
// belongs to one goroutine.
type lease struct {
	of     *pool
	caller access.Caller
	n      int
}

func (l *lease) take(n int) *refusal {
	refusal := l.of.take(l.caller, n)
	if refusal == nil {
		l.n += n
	}
	return refusal
}

func (l *lease) give(n int) {
	l.of.give(l.caller, n)
	l.n -= n
}

// end gives back what is left.
func (l *lease) end() { l.give(l.n) }

// taken is how much is taken.
func (p *pool) taken() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.used
}

func streamsOpen(n int) string  { return fmt.Sprintf("%d streams are open", n) }
func queriesAsked(n int) string { return fmt.Sprintf("%d queries are being answered", n) }
func podsRead(n int) string     { return fmt.Sprintf("the logs of %d pods are being read", n) }
func bytesHeld(n int) string {
	return fmt.Sprintf("answers of %d MiB wait for who reads them", n>>20)
}
