package catalog

import (
	"bytes"
	"fmt"

	"github.com/berthdev/berth/schema"
)

const (
	// maxText is how much of the text of a file with errors is searched for
	// releases, in bytes. A longer one is taken to publish anything.
	maxText = 1 << 20
	// maxNotices is how many errors of one file become notices.
	maxNotices = 16
)

// A file is what one file of a repo publishes.
type file struct {
	path    string
	claims  map[string]*claim // by identifier
	notices []Notice          // what of it cannot be used

	// Of a file with errors: the first, and its text. Without the text it may
	// publish anything.
	bad  string
	text []byte
}

// A claim is what one file publishes of one identifier, in the file's order.
type claim struct {
	repo, path string
	releases   []*schema.Release // with flavours
	identities []*schema.Release // without: they describe the app
}

func newFile(repo string, f File) *file {
	out := &file{path: f.Path, claims: map[string]*claim{}}
	if f.Unreadable != "" {
		out.bad = schema.Problem{File: f.Path, Message: f.Unreadable}.Error()
		out.notices = []Notice{{Kind: NoticeInvalid, Repo: repo, Message: out.bad}}
		return out
	}
	claimed := func(identifier string) *claim {
		if out.claims[identifier] == nil {
			out.claims[identifier] = &claim{repo: repo, path: f.Path}
		}
		return out.claims[identifier]
	}
	for i := range f.Publication.Releases {
		r := &f.Publication.Releases[i]
		c := claimed(r.Identifier)
		if len(r.Flavours) > 0 {
			c.releases = append(c.releases, r)
		} else {
			c.identities = append(c.identities, r)
		}
	}
	for i := range f.Publication.Identities {
		r := &f.Publication.Identities[i]
		c := claimed(r.Identifier)
		c.identities = append(c.identities, r)
	}
	out.report(repo, f)
	return out
}

// report turns the file's errors into notices.
func (f *file) report(repo string, from File) {
	errs := from.Publication.Problems.Errors()
	for i, p := range errs {
		if i == maxNotices {
			message := fmt.Sprintf("%s: %d more errors", f.path, len(errs)-i)
			f.notices = append(f.notices, Notice{Kind: NoticeInvalid, Repo: repo, Message: message})
			break
		}
		if p.File == "" {
			p.File = f.path
		}
		f.notices = append(f.notices, Notice{Kind: NoticeInvalid, Repo: repo, Message: p.Error()})
	}
	if len(errs) > 0 {
		f.bad = f.notices[0].Message
		if len(from.Raw) <= maxText {
			f.text = from.Raw
		}
	}
}

// mayPublish tells whether the file has errors that may hide a release.
func (f *file) mayPublish(identifier, version string) bool {
	if f.bad == "" {
		return false
	}
	return len(f.text) == 0 || mentions(f.text, identifier) && mentions(f.text, version)
}

// mentions tells whether a text holds a word that is no part of a longer one.
func mentions(text []byte, word string) bool {
	for from := 0; ; {
		i := bytes.Index(text[from:], []byte(word))
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(word)
		if (start == 0 || !wordByte(text[start-1])) && (end == len(text) || !wordByte(text[end])) {
			return true
		}
		from = start + 1
	}
}

func wordByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b == '.' || b == '-' || b == '_' || b == '+'
}

// Unread tells why releases that there are may be missing from the catalog: a repo
// was not read yet or cannot be read now, or a file has errors. Empty: none is.
func (c *Catalog) Unread() string {
	for r := range c.repos.Values() {
		switch {
		case r.Commit == "":
			return fmt.Sprintf("repo %s was not read yet", r.Name)
		case r.Problem != "":
			return fmt.Sprintf("repo %s cannot be read: %s", r.Name, r.Problem)
		}
		for f := range r.bad.Values() {
			return fmt.Sprintf("a file of repo %s has errors: %s", r.Name, f.bad)
		}
	}
	return ""
}

// Holds tells whether a release that is not in the catalog may be missing only
// because a file that publishes it cannot be read, and why: then what runs of it
// must not be replaced by another release. It may, where a file with errors, of
// a repo that may publish the identifier, names the identifier and the version,
// or its text is not known.
func (c *Catalog) Holds(identifier, version string) (reason string, hold bool) {
	if a := c.apps.Get(identifier); a != nil && a.byVersion[version] != nil {
		return "", false
	}
	for r := range c.repos.Values() {
		if r.bad.Len() == 0 || !r.allows(identifier) {
			continue
		}
		for f := range r.bad.Values() {
			if f.mayPublish(identifier, version) {
				return fmt.Sprintf("a file of repo %s that may publish %s %s has errors: %s", r.Name, identifier, version, f.bad), true
			}
		}
	}
	return "", false
}
