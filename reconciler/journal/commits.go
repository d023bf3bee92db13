package journal

import (
	"cmp"
	"slices"
	"strings"
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

// InForce notes that a commit came into force. One that was pending until then
// is superseded. changed are the deployments that it changed; nil: not known.
func (j *Journal) InForce(hash string, since time.Time, changed []string) {
	if j == nil || hash == "" {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(*j.commits.Load())
	for i := range all {
		if all[i].Verdict == VerdictPending && all[i].Hash != hash {
			all[i].Verdict = VerdictSuperseded
		}
	}
	at := find(all, hash)
	if at < 0 { // it is the newest, until the history says otherwise
		at, all = 0, slices.Insert(all, 0, CommitRecord{Hash: hash})
	}
	c := &all[at]
	c.Verdict, c.Summary, c.Since = VerdictPending, "", since
	if changed != nil {
		c.Changed = changed
	}
	*c = c.bounded()
	j.inForce = hash
	j.store(all)
}

// Outcome notes what became of a commit that was in force.
func (j *Journal) Outcome(hash, verdict, summary string) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	all := slices.Clone(*j.commits.Load())
	if at := find(all, hash); at >= 0 {
		all[at].Verdict, all[at].Summary = verdict, cut(summary, MaxMessage)
		j.store(all)
	}
}

// Seed takes in the history of the desired state, the newest commit first: whole,
// or its newest part. It gives the order, and message, author and time; what is
// known of a commit already stands, of others nothing is known but that they were.
// Commits that the history does not have stay next to those that they were next to.
func (j *Journal) Seed(history []CommitRecord) {
	if j == nil {
		return
	}
	history = history[:min(len(history), j.most)]
	j.mu.Lock()
	defer j.mu.Unlock()
	known := *j.commits.Load()
	all := make([]CommitRecord, 0, len(known)+len(history))
	before, after := strays(known, history)
	all = append(all, before[""]...)
	for i, c := range history {
		if c.Hash == "" || find(history[:i], c.Hash) >= 0 {
			continue
		}
		all = append(all, before[c.Hash]...)
		all = append(all, merged(known, c))
		all = append(all, after[c.Hash]...)
	}
	j.store(all)
}

// strays returns the known commits that the history does not have: by the commit
// of the history that they stand before, or, if there is none, after. Where the
// history has none of the known commits, all stand before "", which is its newest.
func strays(known, history []CommitRecord) (before, after map[string][]CommitRecord) {
	before, after = map[string][]CommitRecord{}, map[string][]CommitRecord{}
	var row []CommitRecord
	last := ""
	for _, c := range known {
		if find(history, c.Hash) < 0 {
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
func merged(known []CommitRecord, c CommitRecord) CommitRecord {
	c = c.bounded()
	c.Verdict = cmp.Or(c.Verdict, VerdictUnknown)
	if at := find(known, c.Hash); at >= 0 {
		k := known[at]
		c.Verdict, c.Summary, c.Since, c.Changed = k.Verdict, k.Summary, k.Since, k.Changed
	}
	return c
}

// store publishes the commits, without the oldest that are too many; the one in
// force stays. The caller holds mu.
func (j *Journal) store(all []CommitRecord) {
	if len(all) > j.most {
		if at := find(all, j.inForce); at >= j.most {
			all[j.most-1] = all[at]
		}
		all = slices.Clone(all[:j.most])
	}
	j.commits.Store(&all)
}

func find(all []CommitRecord, hash string) int {
	return slices.IndexFunc(all, func(c CommitRecord) bool { return c.Hash == hash })
}

// Commits returns the commits of the desired state, the newest first, as far as
// they are known. The slice is the journal's own: it is read only.
func (j *Journal) Commits() []CommitRecord {
	if j == nil {
		return nil
	}
	return *j.commits.Load()
}
