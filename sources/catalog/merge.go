package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/berthdev/berth/schema"
)

// An entry is one entry of a file: a release with some of its flavours.
type entry struct {
	*schema.Release
	path   string
	counts bool      // some flavour of it does
	time   time.Time // at which the last flavour of it that counts was published
}

// published is when the entry published a flavour, as far as it says.
func (e *entry) published(f *schema.Flavour) time.Time {
	if f.PublishedAt.IsZero() {
		return e.CreatedAt
	}
	return f.PublishedAt
}

func (e *entry) position() string {
	return schema.Problem{File: e.path, Line: e.Line, Column: e.Column}.Position()
}

// merge returns the releases of a publisher, each made of all its entries.
func (a *app) merge(p publisher) []*Release {
	var versions []string
	entries := map[string][]*entry{}
	for _, c := range p.claims {
		for _, r := range c.releases {
			if entries[r.Version] == nil {
				versions = append(versions, r.Version)
			}
			entries[r.Version] = append(entries[r.Version], &entry{Release: r, path: c.path})
		}
	}
	releases := make([]*Release, 0, len(versions))
	for _, version := range versions {
		r := a.mergeEntries(entries[version], p.repo)
		r.Repo, r.Commit = p.Name, p.Commit
		releases = append(releases, r)
	}
	return releases
}

// mergeEntries makes one release of its entries, which are in the order of files
// and lines. Of a flavour that stands several times, the one published last
// counts, then the last by order. An entry whose flavours were all replaced
// counts no more at all.
func (a *app) mergeEntries(entries []*entry, p *repo) *Release {
	chosen := map[string]*choice{}
	var order []*choice
	for _, e := range entries {
		for i := range e.Flavours {
			f := &e.Flavours[i]
			c := chosen[f.Name]
			if c == nil {
				c = &choice{}
				chosen[f.Name] = c
				order = append(order, c)
			}
			c.times++
			if at := e.published(f); c.entry == nil || !at.Before(c.at) {
				c.flavour, c.entry, c.at = f, e, at
			}
		}
	}
	flavours := make([]schema.Flavour, 0, len(order))
	for _, c := range order {
		flavours = append(flavours, *c.flavour)
		c.entry.counts = true
		if c.at.After(c.entry.time) {
			c.entry.time = c.at
		}
		if c.times > 1 {
			a.notice(NoticeDuplicate, p.Name, c.entry.Version, fmt.Sprintf("flavour %s of %s %s stands %d times; the one at %s counts",
				c.flavour.Name, a.Identifier, c.entry.Version, c.times, c.entry.position()))
		}
	}
	slices.SortStableFunc(flavours, func(a, b schema.Flavour) int { return cmp.Compare(a.Priority, b.Priority) })
	texts, file := mergeTexts(entries)
	texts.Flavours = flavours
	return &Release{Release: texts, File: file}
}

// A choice is the flavour that counts of those of one name.
type choice struct {
	flavour *schema.Flavour
	entry   *entry
	at      time.Time
	times   int // that it stands there
}

// mergeTexts returns what the entries that count say of the release: of texts,
// the last that is given; of scopes and channels, all. The release stands where
// the first of them does.
func mergeTexts(entries []*entry) (schema.Release, string) {
	entries = slices.DeleteFunc(entries, func(e *entry) bool { return !e.counts })
	out, file := *entries[0].Release, entries[0].path
	if len(entries) == 1 {
		return out, file
	}
	slices.SortStableFunc(entries, func(a, b *entry) int { return a.time.Compare(b.time) })
	line, column := out.Line, out.Column
	out = schema.Release{Identifier: out.Identifier, Version: out.Version, Line: line, Column: column}
	for _, e := range entries {
		out.Name = cmp.Or(e.Name, out.Name)
		out.Description = cmp.Or(e.Description, out.Description)
		out.Author = cmp.Or(e.Author, out.Author)
		out.Entrypoint = cmp.Or(e.Entrypoint, out.Entrypoint)
		out.Logo = cmp.Or(e.Logo, out.Logo)
		out.Scopes = union(out.Scopes, e.Scopes)
		out.Channels = union(out.Channels, e.Channels)
		if e.CreatedAt.After(out.CreatedAt) {
			out.CreatedAt = e.CreatedAt
		}
	}
	return out, file
}

func union(all, more []string) []string {
	for _, s := range more {
		if !slices.Contains(all, s) {
			all = append(all, s)
		}
	}
	return all
}
