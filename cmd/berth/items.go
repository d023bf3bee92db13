package main

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// What the server tells of each kind of thing. The JSON names are those of the
// GraphQL fields, so that what a command prints can be asked for by a program;
// the fragments in resources.go ask for exactly these.

// An item is one thing of a kind.
type item interface {
	key() string                  // by which the server can be asked for it
	cells(now time.Time) []string // one for each column of its kind
}

type named struct {
	Name string `json:"name"`
}

type position struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
}

// String renders the place as editors understand it.
func (p *position) String() string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

type commitRef struct {
	Hash  string `json:"hash"`
	Short string `json:"short"`
}

func (c *commitRef) short() string {
	if c == nil {
		return ""
	}
	return c.Short
}

func (n *named) name() string {
	if n == nil {
		return ""
	}
	return n.Name
}

type repoItem struct {
	Name       string    `json:"name"`
	URL        string    `json:"url"`
	Ref        string    `json:"ref"`
	Priority   int       `json:"priority"`
	MayPublish []string  `json:"mayPublish"`
	Commit     string    `json:"commit"`
	Problem    string    `json:"problem"`
	Declared   *position `json:"declared"`
	Source     *struct {
		State       word       `json:"state"`
		LastAttempt *time.Time `json:"lastAttempt"`
		LastSuccess *time.Time `json:"lastSuccess"`
	} `json:"source"`
}

func (r *repoItem) key() string { return r.Name }

func (r *repoItem) cells(now time.Time) []string {
	var state, read string
	if r.Source != nil {
		state, read = string(r.Source.State), ageOf(now, r.Source.LastSuccess)
	}
	return []string{r.Name, state, shortHash(r.Commit), r.Ref, r.URL, r.Problem,
		strconv.Itoa(r.Priority), strings.Join(r.MayPublish, ","), r.Declared.String(), read}
}

type appItem struct {
	Identifier  string `json:"identifier"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Author      string `json:"author"`
	Logo        string `json:"logo"`
	Repo        *named `json:"repo"`
	Newest      *struct {
		Version  string  `json:"version"`
		Flavours []named `json:"flavours"`
	} `json:"newest"`
}

func (a *appItem) key() string { return a.Identifier }

func (a *appItem) cells(time.Time) []string {
	var version, flavours string
	if a.Newest != nil {
		version, flavours = a.Newest.Version, names(a.Newest.Flavours)
	}
	return []string{a.Identifier, version, flavours, a.Repo.name(), a.Name, a.Author, a.Description}
}

type releaseItem struct {
	App struct {
		Identifier string `json:"identifier"`
	} `json:"app"`
	Version    string     `json:"version"`
	Name       string     `json:"name"`
	Prerelease bool       `json:"prerelease"`
	Channels   []string   `json:"channels"`
	Scopes     []string   `json:"scopes"`
	Repo       *named     `json:"repo"`
	File       string     `json:"file"`
	Commit     string     `json:"commit"`
	CreatedAt  *time.Time `json:"createdAt"`
	ShadowedBy string     `json:"shadowedBy"`
	Flavours   []named    `json:"flavours"`
}

func (r *releaseItem) key() string { return r.App.Identifier + "@" + r.Version }

func (r *releaseItem) cells(now time.Time) []string {
	return []string{r.App.Identifier, r.Version, names(r.Flavours), strings.Join(r.Channels, ","), r.Repo.name(),
		strings.Join(r.Scopes, ","), r.ShadowedBy, r.File, shortHash(r.Commit), ageOf(now, r.CreatedAt)}
}

type flavourItem struct {
	Name    string `json:"name"`
	Release struct {
		Version string `json:"version"`
		App     struct {
			Identifier string `json:"identifier"`
		} `json:"app"`
	} `json:"release"`
	Description string         `json:"description"`
	Image       string         `json:"image"`
	Priority    int            `json:"priority"`
	Selectors   []selectorItem `json:"selectors"`
	Command     []string       `json:"command"`
	Args        []string       `json:"args"`
	Env         []string       `json:"env"`
	Ports       []string       `json:"ports"`
	Volumes     []string       `json:"volumes"`
	Size        *int64         `json:"size"`
}

type selectorItem struct {
	Kind     word   `json:"kind"`
	Text     string `json:"text"`
	Required bool   `json:"required"`
	Weight   int    `json:"weight"`
}

// String tells what is needed, in words.
func (s selectorItem) String() string {
	if s.Required {
		return s.Text
	}
	return fmt.Sprintf("%s (optional, weight %d)", s.Text, s.Weight)
}

func (f *flavourItem) key() string {
	return f.Release.App.Identifier + "@" + f.Release.Version + "/" + f.Name
}

func (f *flavourItem) needs() []string {
	out := make([]string, len(f.Selectors))
	for i, s := range f.Selectors {
		out[i] = s.String()
	}
	return out
}

func (f *flavourItem) cells(time.Time) []string {
	return []string{f.Release.App.Identifier, f.Release.Version, f.Name, f.Image, strings.Join(f.needs(), "; "),
		strconv.Itoa(f.Priority), strings.Join(f.Ports, ","), bytesOf(f.Size)}
}
