package journal

import (
	"cmp"
	"slices"
	"strings"
	"sync"
	"time"
)

// The verdicts of commits.
const (
	VerdictPending    = "pending"
	VerdictSuccess    = "success"
	VerdictFailure    = "failure"
	VerdictSuperseded = "superseded" // a later commit came before it was decided
	VerdictUnknown    = "unknown"    // it was in force before this process began
)

// MaxChanged is how many deployments are named that a commit changed.
const MaxChanged = 100

// A CommitRecord is what became of a commit of the desired state.
type CommitRecord struct {
	Hash    string
	Message string // the first line
	Author  string // the name, without address
	Time    time.Time
	Verdict string    // pending, success, failure, superseded or unknown
	Summary string    // in words
	Since   time.Time // when it came into force; zero: not known
	Changed []string  // the deployments that it changed, sorted, at most 100; nil: not known
}

// bounded returns the record with its texts and lists cut, and in order.
func (c CommitRecord) bounded() CommitRecord {
	line, _, _ := strings.Cut(c.Message, "\n")
	c.Message, c.Author, c.Summary = cut(line, MaxMessage), cut(c.Author, MaxName), cut(c.Summary, MaxMessage)
	if !slices.IsSorted(c.Changed) {
		c.Changed = slices.Sorted(slices.Values(c.Changed))
	}
	if len(c.Changed) > MaxChanged {
		c.Changed = slices.Clone(c.Changed[:MaxChanged])
	}
	return c
}

// history is the commits at one moment, the newest first. It never changes.
type history struct {
	commits []*CommitRecord
	copy    func() []CommitRecord // made when first asked for
}

func newHistory(commits []*CommitRecord) *history {
	return &history{commits, sync.OnceValue(func() []CommitRecord {
		out := make([]CommitRecord, len(commits))
		for i, c := range commits {
			out[i] = *c
		}
		return out
	})}
}

// InForce notes that a commit came into force. One that was pending until then
// is superseded. changed are the deployments that it changed; nil: not known.
func (j *Journal) InForce(hash string, since time.Time, changed []string) {
	if j == nil || hash == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	known := j.commits.Load().commits
	all := make([]*CommitRecord, 0, len(known)+1)
	c := CommitRecord{Hash: hash}
	at := find(known, hash)
	if at >= 0 {
		c = *known[at]
	} else { // it is the newest, until the history says otherwise
		all = append(all, nil)
	}
	for _, k := range known {
		if k.Verdict == VerdictPending {
			k = k.decided(VerdictSuperseded, k.Summary)
		}
		all = append(all, k)
	}
	c.Verdict, c.Summary, c.Since = VerdictPending, "", since
	if changed != nil {
		c.Changed = changed
	}
	c = c.bounded()
	all[max(0, at)] = &c
	j.inForce = hash
	j.store(all)
}

func (c *CommitRecord) decided(verdict, summary string) *CommitRecord {
	d := *c
	d.Verdict, d.Summary = verdict, cut(summary, MaxMessage)
	return &d
}

// Outcome notes what became of a commit that was in force.
func (j *Journal) Outcome(hash, verdict, summary string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(j.commits.Load().commits)
	if at := find(all, hash); at >= 0 {
		all[at] = all[at].decided(verdict, summary)
		j.store(all)
	}
}

// Seed takes in the history of the desired state, the newest commit first: whole,
// or its newest part. It gives the order, and message, author and time; what is
// known of a commit already stands, of others nothing is known but that they were.
// Commits that the history does not have stay next to those that they were next to.
func (j *Journal) Seed(commits []CommitRecord) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	known, seeds := j.commits.Load().commits, []*CommitRecord{}
	for _, c := range commits[:min(len(commits), j.most)] {
		if c.Hash != "" && find(seeds, c.Hash) < 0 {
			seeds = append(seeds, merged(known, c))
		}
	}
	before, after := strays(known, seeds)
	all := before[""]
	for _, c := range seeds {
		all = slices.Concat(all, before[c.Hash], []*CommitRecord{c}, after[c.Hash])
	}
	j.store(all)
}

// strays returns the known commits that the seeds do not have: by the commit of
// the seeds that they stand before, or, if there is none, after. Where the seeds
// have none of the known commits, all stand before "", which is the newest seed.
func strays(known, seeds []*CommitRecord) (before, after map[string][]*CommitRecord) {
	before, after = map[string][]*CommitRecord{}, map[string][]*CommitRecord{}
	var row []*CommitRecord
	last := ""
	for _, c := range known {
		if find(seeds, c.Hash) < 0 {
			row = append(row, c)
			continue
		}
		before[c.Hash], row, last = row, nil, c.Hash
	}
	if last == "" {
		before[""] = row
	} else {
		after[last] = row
	}
	return before, after
}

// merged returns a commit of the history with what is known of it.
func merged(known []*CommitRecord, c CommitRecord) *CommitRecord {
	c = c.bounded()
	c.Verdict = cmp.Or(c.Verdict, VerdictUnknown)
	if at := find(known, c.Hash); at >= 0 {
		k := known[at]
		c.Verdict, c.Summary, c.Since, c.Changed = k.Verdict, k.Summary, k.Since, k.Changed
	}
	return &c
}

// store publishes the commits, without the oldest that are too many; the one in
// force stays. The caller holds mu.
func (j *Journal) store(all []*CommitRecord) {
	if len(all) > j.most {
		if at := find(all, j.inForce); at >= j.most {
			all[j.most-1] = all[at]
		}
		all = slices.Clone(all[:j.most])
	}
	j.commits.Store(newHistory(all))
}

func find(all []*CommitRecord, hash string) int {
	return slices.IndexFunc(all, func(c *CommitRecord) bool { return c.Hash == hash })
}

// Commits returns the commits of the desired state, the newest first, as far as
// they are known. The slice is the journal's own: it is read only.
func (j *Journal) Commits() []CommitRecord {
	if j == nil {
		return nil
	}
	return j.commits.Load().copy()
}
