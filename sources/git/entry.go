package git

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/go-git/go-git/v5/plumbing"

	"github.com/berthdev/berth/sources"
)

const (
	maxTreeSize = 64 << 20 // bytes of one tree object
	maxName     = 255      // bytes of one name
)

// errMalformed is content that we do not accept; what was wrong before stays
// wrong until the repository changes.
var errMalformed = errors.New("the repository holds what is not acceptable")

// An entry is a file or folder in a folder.
type entry struct {
	name   string
	folder bool
	hash   sources.Hash
}

// Modes of entries, as git writes them.
const (
	modeFolder = "40000"
	modeFile   = "100644"
	modeExec   = "100755"
	modeGroup  = "100664" // written by old versions of git
)

func readTree(o *objects, hash plumbing.Hash) ([]entry, error) {
	data, err := o.get(hash, plumbing.TreeObject, maxTreeSize)
	if err != nil {
		return nil, err
	}
	return parseTree(string(data))
}

// parseTree reads a tree object: for each entry the mode in octal, a space, the
// name, a zero byte and the hash. Entries come in the order of paths; a tree in
// any other order is refused. Symlinks, submodules and names that have a meaning
// of their own on some file system are passed over.
func parseTree(data string) ([]entry, error) {
	var entries []entry
	var last entry
	for len(data) > 0 {
		mode, rest, ok := strings.Cut(data, " ")
		name, rest, ok2 := strings.Cut(rest, "\x00")
		if !ok || !ok2 || len(rest) < len(sources.Hash{}) || len(mode) > 6 || name == "" {
			return nil, fmt.Errorf("%w: a folder cannot be read", errMalformed)
		}
		e := entry{name: name, folder: mode == modeFolder || mode == "0"+modeFolder}
		copy(e.hash[:], rest)
		data = rest[len(e.hash):]
		if last.name != "" && compareEntries(last, e) >= 0 {
			return nil, fmt.Errorf("%w: a folder is out of order", errMalformed)
		}
		last = e
		isFile := mode == modeFile || mode == modeExec || mode == modeGroup
		if (e.folder || isFile) && acceptable(name) && !e.hash.IsZero() {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// compareEntries orders entries as git does: by name, a folder as if its name
// ended in a slash. That is the order of the paths below them.
func compareEntries(a, b entry) int {
	n := min(len(a.name), len(b.name))
	if c := strings.Compare(a.name[:n], b.name[:n]); c != 0 {
		return c
	}
	return int(a.at(n)) - int(b.at(n))
}

// at is the byte at a position of the name as it is ordered; zero past its end.
func (e entry) at(i int) byte {
	switch {
	case i < len(e.name):
		return e.name[i]
	case i == len(e.name) && e.folder:
		return '/'
	}
	return 0
}

// acceptable tells whether a name is one that we look at.
func acceptable(name string) bool {
	return name != "." && name != ".." && len(name) <= maxName &&
		!strings.EqualFold(name, ".git") && !strings.ContainsAny(name, `/\`) &&
		utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
