package statuses

import (
	"errors"
	"log/slog"
	"time"

	"github.com/berthdev/berth/sources/forge"
)

// Bounds on what is remembered. What is forgotten is asked of the forge again
// when there is something new to say about it.
const (
	maxRepos    = 2000
	maxCommits  = 32   // of a repository, those last spoken of about which nothing is to be done
	maxContexts = 2000 // of a commit
	maxForeign  = 1000 // of those, contexts that others may have made
)

// Bounds on what waits. Nobody says it again, so it is dropped only where a forge
// is away and there is no end to what is said.
const (
	maxWaiting = 2 * forge.MaxPullRequests // commits of a repository
	maxBeyond  = 20_000                    // commits of all repositories, beyond maxCommits of each
)

// Of one commit and context GitHub takes forge.MaxStatuses, ever. The last of them
// are kept for what matters.
const (
	lastWords    = forge.MaxStatuses - 100 // from here on only another state is told
	lastStatuses = forge.MaxStatuses - 10  // from here on nothing is
)

var errCrowded = errors.New("too many repositories are spoken of")

// A repo is what is known of one repository.
type repo struct {
	host    *host
	url     string // as the caller spells it: it may hold a password
	name    string // the same, fit for logs
	commits map[string]*commit
	busy    map[*commit]bool // those that something may be to do about

	underway int
	trouble  trouble
	misses   int             // errors that went away by themselves, as the log counts them
	missed   time.Time       // the last of them
	warned   bool            // that it fails is in the log
	strikes  int             // commits in a row that came to nothing until a person acts
	told     map[string]bool // what was logged already
	used     uint64          // the turn at which it was last spoken of
}

// A commit is what is known of one commit.
type commit struct {
	repo  *repo
	hash  string
	order uint64 // the turn at which it was first spoken of: newer ones go first
	used  uint64 // the turn at which it was last spoken of
	keys  map[string]*key

	// listed tells that it is known what the forge has. Requests that set statuses
	// are made only then, and none of them while the forge is asked.
	listed  bool
	listing bool
	sending int // requests under way that set a status
	// doubt is when the forge is to be asked again, for a request that was given up
	// may have arrived late, after a newer one; zero: there is none.
	doubt   time.Time
	asks    []chan error // who waits to know what the forge has
	trouble trouble
	strikes int // contexts in a row that came to nothing until a person acts
}

// A key is one context of a commit.
type key struct {
	commit  *commit
	wanted  bool
	want    forge.Status // what was said last, if wanted
	known   bool
	has     forge.Status // what the forge has, if known
	hearsay bool         // has is what the forge told, not what was sent
	turn    uint64       // its place among those that wait
	since   time.Time    // when want was said
	sending bool
	waiting bool // as the metrics count it
	count   int  // statuses of it that the forge has at least, and at most since the start
	trouble trouble
}

// waits tells whether something is to be said.
func (k *key) waits() bool {
	switch {
	case !k.wanted, k.fits(), k.count >= lastStatuses:
		return false
	case k.count >= lastWords && k.known:
		return k.has.State != k.want.State
	}
	return true
}

// waits tells whether something may be to do about a repository that has a forge.
func (r *repo) waits() bool { return len(r.busy) > 0 && !r.absent() }

// wanted tells whether anything was said of a commit.
func (c *commit) wanted() bool {
	for _, k := range c.keys {
		if k.wanted {
			return true
		}
	}
	return false
}

// idle tells that nothing is under way, and nobody waits for anything.
func (c *commit) idle() bool { return !c.listing && c.sending == 0 && len(c.asks) == 0 }

// repo returns what is known of a repository. The caller holds mu.
func (s *Sender) repo(url string) *repo {
	r := s.repos[url]
	if r == nil {
		if len(s.repos) >= maxRepos {
			s.forgetRepo()
		}
		at, name := place(url)
		r = &repo{
			host: s.host(at), url: url, name: name,
			commits: map[string]*commit{}, busy: map[*commit]bool{}, told: map[string]bool{},
		}
		r.host.repos++
		s.repos[url] = r
	}
	s.turn++
	r.used = s.turn
	return r
}

// commit returns what is known of a commit. The caller holds mu.
func (s *Sender) commit(r *repo, hash string) *commit {
	c := r.commits[hash]
	if c == nil {
		s.makeRoom(r)
		c = &commit{repo: r, hash: hash, order: s.turn, keys: map[string]*key{}}
		r.commits[hash] = c
		if len(r.commits) > maxCommits {
			s.beyond++
		}
	}
	c.used = s.turn
	return c
}

// key returns a context of a commit; nil if it is one too many.
func (c *commit) key(context string, most int) *key {
	k := c.keys[context]
	if k == nil && len(c.keys) < most {
		k = &key{commit: c}
		c.keys[context] = k
	}
	return k
}

// trim forgets commits of a repository about which nothing is to be done, those
// first that were spoken of longest ago, until there are no more than most.
func (s *Sender) trim(r *repo, most int) {
	for len(r.commits) > most && len(r.commits) > len(r.busy) {
		c := r.oldest(func(c *commit) int {
			if r.busy[c] {
				return -1
			}
			return 0
		})
		if c == nil {
			return
		}
		s.forget(c)
	}
}

// makeRoom makes room for another commit of a repository. What waits is dropped
// only beyond a bound of its own.
func (s *Sender) makeRoom(r *repo) {
	s.trim(r, maxCommits-1)
	if len(r.commits) < s.mostWaiting(r) {
		return
	}
	if c := r.oldest((*commit).weight); c != nil {
		if c.weight() > 0 && !r.absent() {
			s.tell(r, slog.LevelWarn, "too many commits wait to be told of; the oldest are given up", nil)
		}
		s.forget(c)
	}
}

// mostWaiting is how many commits of a repository may wait, also for a forge.
func (s *Sender) mostWaiting(r *repo) int {
	if s.beyond >= maxBeyond || r.absent() {
		return maxCommits
	}
	return maxWaiting
}

// oldest returns the commit that was spoken of longest ago, of those that weigh
// least. What weighs less than nothing does not count, nor what is under way.
func (r *repo) oldest(weight func(*commit) int) (oldest *commit) {
	least := 0
	for _, c := range r.commits {
		if !c.idle() {
			continue
		}
		switch w := weight(c); {
		case w < 0:
		case oldest == nil, w < least, w == least && c.used < oldest.used:
			oldest, least = c, w
		}
	}
	return oldest
}

// weight tells what would be lost with a commit: nothing, what is said of parts of
// it, or what sums it up.
func (c *commit) weight() (weight int) {
	for _, k := range c.keys {
		switch {
		case !k.waits():
		case isSummary(k.want.Context):
			return 2
		default:
			weight = 1
		}
	}
	return weight
}

// forgetRepo makes room for another repository: those go first about which nothing
// is to be done, and of them the one that was spoken of longest ago.
func (s *Sender) forgetRepo() {
	var oldest *repo
	for _, r := range s.repos {
		switch {
		case r.underway > 0:
		case oldest == nil, r.waits() == oldest.waits() && r.used < oldest.used, !r.waits() && oldest.waits():
			oldest = r
		}
	}
	if oldest == nil {
		return
	}
	s.forgetAll(oldest, unknown(oldest, errCrowded))
	delete(s.repos, oldest.url)
	delete(oldest.host.busy, oldest)
	oldest.host.repos--
	s.forgetHosts(time.Now())
}

// forgetAll forgets the commits of a repository, and says why to those who ask.
func (s *Sender) forgetAll(r *repo, why error) {
	for _, c := range r.commits {
		c.answer(why)
		s.forget(c)
	}
}

// forget forgets a commit. What is under way about it is of no consequence.
func (s *Sender) forget(c *commit) {
	for _, k := range c.keys {
		k.wanted = false
		s.tally(k)
	}
	r := c.repo
	if len(r.commits) > maxCommits {
		s.beyond--
	}
	delete(r.commits, c.hash)
	delete(r.busy, c)
}

// answer tells those who wait for it whether it is known what the forge has.
func (c *commit) answer(err error) {
	for _, a := range c.asks {
		a <- err // has room for the one answer
	}
	c.asks = nil
}

// tally keeps the count of what waits.
func (s *Sender) tally(k *key) {
	if w := k.waits() && !k.commit.repo.absent(); w != k.waiting {
		k.waiting = w
		s.metrics.waits(w)
	}
}
