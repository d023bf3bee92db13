package catalog

import (
	"cmp"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// A Query is what is searched for.
type Query struct {
	// Text holds words, all of which must be found, and filters written as
	// repo:NAME, selector:KIND and scope:NAME. No words find everything.
	Text     string
	Repo     string // the repo that publishes it; empty: any
	Selector string // the kind of a selector that a flavour has; gpu stands for every kind of GPU; empty: any
	Scope    string // a scope that the release needs; empty: any
	Limit    int    // most hits; 0: all
}

// A Hit is an app that matches a [Query].
type Hit struct {
	App     *App
	Release *Release // the first that matches: stable ones first, then by age, shadowed ones last; nil for an app without releases
	Score   int      // higher is better
	Matches []Match  // what was found, the best first
}

// A Match is where a word of a query was found.
type Match struct {
	Field   string // identifier, name, description, author, repo, definition or argument
	Snippet string // the text around it, as written, but for line breaks and the like
}

// Search returns the apps that match a query, the best first, and in the order
// of identifiers where they are equal. A word matches as a whole, as the
// beginning of a word and, from three letters, as part of one; case and accents
// do not count. An app is found as its newest release that has all words.
//
// The texts of an app are prepared when it is first searched after a change: at
// 10,000 releases, the very first search takes some 0.1 s, later ones 1 or 2 ms.
func (c *Catalog) Search(q Query) []Hit {
	s := q.parse()
	hits := []Hit{}
	for a := range c.apps.Values() {
		if !a.listed {
			continue
		}
		if h, ok := s.find(a); ok {
			hits = append(hits, h)
		}
	}
	slices.SortStableFunc(hits, func(a, b Hit) int { return cmp.Compare(b.Score, a.Score) })
	if q.Limit > 0 && len(hits) > q.Limit {
		hits = hits[:q.Limit]
	}
	return hits
}

// maxWords is how many words of a query count.
const maxWords = 16

// A search is a parsed [Query].
type search struct {
	words                    []string // folded, each once
	phrase                   string   // the words as they were written, folded
	repos, selectors, scopes []string
}

func (q Query) parse() search {
	var s search
	filters := map[string]*[]string{"repo": &s.repos, "selector": &s.selectors, "scope": &s.scopes}
	for name, value := range map[string]string{"repo": q.Repo, "selector": q.Selector, "scope": q.Scope} {
		if value != "" {
			*filters[name] = append(*filters[name], value)
		}
	}
	var rest []string
	for _, part := range strings.Fields(clip(q.Text, maxTextSearched)) {
		name, value, _ := strings.Cut(part, ":")
		if into := filters[strings.ToLower(name)]; into != nil && value != "" {
			*into = append(*into, value)
			continue
		}
		rest = append(rest, part)
	}
	s.phrase = fold(strings.Join(rest, " "))
	for _, word := range runs(s.phrase) {
		if len(s.words) < maxWords && !slices.Contains(s.words, word) {
			s.words = append(s.words, word)
		}
	}
	return s
}

// find returns the app's first release that the search matches.
func (s *search) find(a *app) (Hit, bool) {
	var missed *corpus // releases in a row often share a corpus: it is looked at once
	for _, c := range a.search() {
		if c.corpus == missed || !s.admits(a, c.release) {
			continue
		}
		score, matches, found := s.score(c.corpus)
		if !found {
			missed = c.corpus
			continue
		}
		if s.phrase != "" && (s.phrase == fold(a.Identifier) || s.phrase == fold(a.Name)) {
			score += exactPhrase
		}
		if c.release != nil && c.release.ShadowedBy != "" {
			score /= 2
		}
		return Hit{App: &a.App, Release: c.release, Score: score, Matches: matches}, true
	}
	return Hit{}, false
}

// admits tells whether a release passes the filters; nil is an app without releases.
func (s *search) admits(a *app, r *Release) bool {
	repo := a.Owner
	if r != nil {
		repo = r.Repo
	}
	for _, want := range s.repos {
		if !strings.EqualFold(want, repo) {
			return false
		}
	}
	for _, want := range s.selectors {
		if r == nil || !hasSelector(r, want) {
			return false
		}
	}
	for _, want := range s.scopes {
		if r == nil || !slices.ContainsFunc(r.Scopes, func(scope string) bool { return strings.EqualFold(scope, want) }) {
			return false
		}
	}
	return true
}

func hasSelector(r *Release, kind string) bool {
	for _, f := range r.Flavours {
		for _, s := range f.Selectors {
			if strings.EqualFold(string(s.Kind), kind) || strings.EqualFold(kind, string(schema.SelectGPU)) && s.GPU() {
				return true
			}
		}
	}
	return false
}
