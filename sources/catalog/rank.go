package catalog

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A field is what a text says of a release.
type field uint8

const (
	fieldIdentifier field = iota
	fieldName
	fieldDefinition
	fieldAuthor
	fieldRepo
	fieldDescription
	fieldDefinitionDescription
	fieldArgument
)

// fields tells how fields are called and what a word in them is worth.
var fields = [...]struct {
	name   string
	weight int
}{
	fieldIdentifier:            {"identifier", 12},
	fieldName:                  {"name", 12},
	fieldDefinition:            {"definition", 8},
	fieldAuthor:                {"author", 5},
	fieldRepo:                  {"repo", 4},
	fieldDescription:           {"description", 4},
	fieldDefinitionDescription: {"definition", 3},
	fieldArgument:              {"argument", 2},
}

// How much a word counts by the way in which it matches.
const (
	exactWord   = 6
	wordStart   = 3
	partOfWord  = 1
	exactPhrase = 100 // the query is the whole identifier or name

	// minPart is how long a word must be to match as a part, in bytes: shorter
	// ones stand in nearly every text.
	minPart = 3
)

// A candidate is a release that a search may find; nil stands for an app that
// has none.
type candidate struct {
	release *Release
	corpus  *corpus
}

// indexed returns the app's candidates, the preferred one first.
func (a *app) indexed() []candidate {
	var order []*Release
	for _, prerelease := range []bool{false, true} {
		for _, r := range a.Releases {
			if r.Prerelease() == prerelease {
				order = append(order, r)
			}
		}
	}
	order = append(order, a.Shadowed...)
	if len(order) == 0 {
		order = []*Release{nil}
	}
	out := make([]candidate, len(order))
	for i, r := range order {
		texts := a.textsOf(r)
		if i > 0 && slices.Equal(texts, out[i-1].corpus.texts) {
			out[i] = candidate{r, out[i-1].corpus}
			continue
		}
		out[i] = candidate{r, newCorpus(texts)}
	}
	return out
}

// textsOf returns what can be found of a release, or of an app without any.
func (a *app) textsOf(r *Release) []text {
	if r == nil {
		return compactTexts([]text{
			{fieldIdentifier, a.Identifier}, {fieldName, a.Name}, {fieldAuthor, a.Author},
			{fieldRepo, a.Owner}, {fieldDescription, a.Description},
		})
	}
	texts := []text{
		{fieldIdentifier, a.Identifier}, {fieldName, cmp.Or(r.Name, a.Name)}, {fieldAuthor, cmp.Or(r.Author, a.Author)},
		{fieldRepo, r.Repo}, {fieldDescription, cmp.Or(r.Description, a.Description)},
	}
	for _, f := range r.Flavours {
		for _, d := range f.Definitions {
			texts = append(texts, text{fieldDefinition, d.Name}, text{fieldDefinition, d.Key}, text{fieldDefinitionDescription, d.Description})
			for _, p := range slices.Concat(d.Args, d.Returns) {
				texts = append(texts, text{fieldArgument, p.Key})
			}
		}
	}
	return compactTexts(texts)
}

// compactTexts leaves out what is empty or said already: flavours of a release
// offer the same functions as a rule.
func compactTexts(texts []text) []text {
	seen := make(map[text]bool, len(texts))
	return slices.DeleteFunc(texts, func(t text) bool {
		again := t.text == "" || seen[t]
		seen[t] = true
		return again
	})
}

// score looks for all words of the search in a corpus.
func (s *search) score(c *corpus) (score int, matches []Match, found bool) {
	for _, word := range s.words {
		if !c.holds(word) {
			return 0, nil, false
		}
	}
	type match struct {
		token token
		worth int
	}
	best := make([]match, 0, len(s.words))
	matches = []Match{}
	for _, word := range s.words {
		t, worth := c.best(word)
		if worth == 0 {
			return 0, nil, false
		}
		score += worth
		best = append(best, match{t, worth})
	}
	slices.SortStableFunc(best, func(a, b match) int { return cmp.Compare(b.worth, a.worth) })
	for _, b := range best {
		t := c.texts[b.token.text]
		m := Match{Field: fields[t.field].name, Snippet: snippet(t.text, int(b.token.offset))}
		if !slices.Contains(matches, m) {
			matches = append(matches, m)
		}
	}
	return score, matches, true
}

// holds tells fast whether a word matches any token at all.
func (c *corpus) holds(word string) bool {
	if len(word) < minPart {
		return strings.Contains(c.joined, "\n"+word)
	}
	return strings.Contains(c.joined, word)
}

// best returns the token that a word matches best, and what that is worth.
func (c *corpus) best(word string) (best token, worth int) {
	for _, t := range c.tokens {
		at := strings.Index(t.word, word)
		if at < 0 || at > 0 && len(word) < minPart {
			continue
		}
		how := partOfWord
		if at == 0 {
			how = wordStart
			if len(t.word) == len(word) {
				how = exactWord
			}
		}
		if w := how * fields[c.texts[t.text].field].weight; w > worth {
			best, worth = t, w
		}
	}
	return best, worth
}

// snippet returns the text around a place, on one line and without control
// characters.
func snippet(text string, at int) string {
	const before, after = 40, 80
	start, end := max(0, at-before), min(len(text), at+after)
	for start > 0 && !utf8.RuneStart(text[start]) {
		start--
	}
	for end < len(text) && !utf8.RuneStart(text[end]) {
		end++
	}
	out := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text[start:end])
	out = strings.Join(strings.Fields(out), " ")
	if start > 0 {
		out = "…" + out
	}
	if end < len(text) {
		out += "…"
	}
	return out
}
