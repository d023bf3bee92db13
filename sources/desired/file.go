package desired

import (
	"bytes"
	"slices"
	"unicode/utf8"

	"github.com/berthdev/berth/schema"
)

// maxText is how much of the text of a file with errors is searched for names,
// in bytes. A longer one is taken to name anything.
const maxText = 1 << 20

// A FileChange is a file of the desired-state repository that came, changed or went.
type FileChange struct {
	Path       string
	Removed    bool               // it is no more
	Unreadable string             // why it could not be read at all, as too large; empty: it could
	Parsed     schema.DesiredFile // what it declares
	Raw        []byte             // its text; only looked at where Parsed has errors
}

// A file is what one file declares.
type file struct {
	path        string
	deployments []*schema.Deployment
	repos       []*schema.Repo
	broken      []schema.Ref
	problems    schema.Problems
	bad         *schema.Problem // its first error; nil: it has none

	// Of a file with errors: the words of its text, sorted. Where they are not
	// known, it may name anything.
	words  []string
	opaque bool
}

func newFile(c FileChange) *file {
	if c.Unreadable != "" {
		p := schema.Problem{File: c.Path, Message: c.Unreadable}
		return &file{path: c.Path, problems: schema.Problems{p}, bad: &p, opaque: true}
	}
	f := &file{
		path: c.Path, deployments: c.Parsed.Deployments, repos: c.Parsed.Repos,
		broken: c.Parsed.Broken, problems: slices.Clone(c.Parsed.Problems),
	}
	for i := range f.problems {
		if f.problems[i].File == "" {
			f.problems[i].File = c.Path
		}
	}
	f.problems.Sort()
	if errs := f.problems.Errors(); len(errs) > 0 {
		f.bad = &errs[0]
		f.words, f.opaque = words(c.Raw)
	}
	return f
}

// mentions tells whether the file may declare a document of this name.
func (f *file) mentions(name string) bool {
	if f.opaque {
		return true
	}
	if slices.ContainsFunc(f.broken, func(r schema.Ref) bool { return r.Name == name }) {
		return true
	}
	_, found := slices.BinarySearch(f.words, name)
	return found
}

// words returns the distinct words of a text that may be names, sorted. It is
// opaque where it cannot be told which words it holds: too long, or in another
// encoding.
func words(text []byte) (found []string, opaque bool) {
	if len(text) == 0 || len(text) > maxText || !utf8.Valid(text) || bytes.IndexByte(text, 0) >= 0 {
		return nil, true
	}
	seen := map[string]bool{}
	for word := range bytes.FieldsFuncSeq(text, func(r rune) bool { return !wordRune(r) }) {
		// No name begins or ends with a dash; a list item or the next
		// document's --- may stand too close.
		word = bytes.Trim(word, "-")
		if len(word) > 0 && !seen[string(word)] {
			seen[string(word)] = true
			found = append(found, string(word))
		}
	}
	slices.Sort(found)
	return found, false
}

func wordRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
}
