package api

import (
	"cmp"
	"sort"
	"strings"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/reconciler/journal"
)

// commit resolves Commit.
type commit struct {
	w  *world
	c  *journal.CommitRecord
	at int // its place in the history: even; odd between two commits
}

func (c commit) ID() id               { return id(c.c.Hash) }
func (c commit) Hash() string         { return c.c.Hash }
func (c commit) Short() string        { return c.c.Hash[:min(len(c.c.Hash), 7)] }
func (c commit) Message() string      { return c.w.meter.takeText(c.c.Message) }
func (c commit) Author() string       { return c.w.meter.takeText(c.c.Author) }
func (c commit) Time() *graphql.Time  { return momentOrNone(c.c.Time) }
func (c commit) InForce() bool        { return c.w.inForce() == c.c.Hash }
func (c commit) Verdict() string      { return enum(cmp.Or(c.c.Verdict, journal.VerdictUnknown)) }
func (c commit) Summary() string      { return c.w.meter.takeText(c.c.Summary) }
func (c commit) Since() *graphql.Time { return momentOrNone(c.c.Since) }
func (c commit) Changed() []string    { return c.w.texts(c.c.Changed) }

func (c commit) Deployments(args paging) (*connection[deployment], error) {
	return c.w.listDeployments(c.w.index.ofCommit(c.c.Hash), nil, nil, nil, args)
}

func (c commit) Pods(args paging) (*connection[pod], error) {
	all := c.w.index.allPods()
	if err := c.w.meter.spend(len(all)); err != nil {
		return nil, err
	}
	var found []*backends.Pod
	for _, p := range all {
		if p.Commit == c.c.Hash {
			found = append(found, p)
		}
	}
	return c.w.listPods(found, nil, nil, nil, args)
}

// inForce is the commit that is in force; empty: none was read yet.
func (w *world) inForce() string {
	if w.view.State == nil {
		return ""
	}
	return w.view.State.Commit
}

// commits are listed as they stand in the history, which times need not tell.
var commits = noun[commit]{
	name: "commit", usual: historical,
	orders: map[string]order[commit]{historical: func(a, b commit) int { return cmp.Compare(a.at, b.at) }},
	mark:   func(c commit) []string { return []string{c.c.Hash, markTime(c.c.Time)} },
	probe: func(w *world, left []string) (commit, bool) {
		m := marks{left: left}
		c := commit{w: w, c: &journal.CommitRecord{Hash: m.text(), Time: m.time()}}
		h := w.history()
		if i, ok := h.at[c.c.Hash]; ok {
			c.at = 2 * i
		} else { // it was forgotten: what is older comes next
			c.at = 2*sort.Search(len(h.commits), func(i int) bool { return h.commits[i].Time.Before(c.c.Time) }) - 1
		}
		return c, m.ok()
	},
}

const historical = "HISTORY"

type commitFilter struct {
	Verdict, Author *[]string
	Not             *commitFilter
}

func (f *commitFilter) filter(depth int) (filter[commit], error) {
	if f == nil {
		return filter[commit]{}, nil
	}
	var c conditions[commit]
	c.enum("verdict", f.Verdict, commit.Verdict)
	c.text("author", f.Author, func(c commit) string { return c.c.Author })
	if f.Not != nil {
		c.not(depth, f.Not.filter)
	}
	return c.filter()
}

func (w *world) listCommits(f *commitFilter, words *string, p paging) (*connection[commit], error) {
	keep, err := f.filter(0)
	if err != nil {
		return nil, err
	}
	if keep, err = search(keep, words, func(c commit) []string {
		return []string{c.c.Hash, c.c.Message, c.c.Author, c.c.Summary}
	}); err != nil {
		return nil, err
	}
	h := w.history()
	return commits.page(w, listing[commit]{len(h.commits), func(i int) commit { return commit{w, &h.commits[i], 2 * i} }, historical}, keep, nil, p)
}

// findCommit returns the commit of a hash, or of its first digits; nil when none
// is known, or several are.
func (w *world) findCommit(hash string) *commit {
	const fewest = 7 // digits
	if len(hash) < fewest {
		return nil
	}
	known := map[string]bool{w.inForce(): true}
	for _, c := range w.history().commits {
		known[c.Hash] = true
	}
	found := ""
	for full := range known {
		if !strings.HasPrefix(full, hash) {
			continue
		}
		if found != "" {
			return nil
		}
		found = full
	}
	return w.commit(found)
}
