package follow

import (
	"context"
	"fmt"
	"path"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// A selection says which files of a repository are read.
type selection struct {
	enter func(dir string) bool
	match func(path string) bool
}

// documents selects the desired-state documents below a folder: .yaml and .yml,
// outside folders whose name begins with a dot.
func documents(folder string) selection {
	below := func(name string) (string, bool) {
		if folder == "." {
			return name, true
		}
		return strings.CutPrefix(name, folder+"/")
	}
	return selection{
		enter: func(dir string) bool {
			if dir == folder || strings.HasPrefix(folder, dir+"/") {
				return true
			}
			rest, ok := below(dir)
			return ok && !strings.HasPrefix(path.Base(rest), ".")
		},
		match: func(name string) bool {
			_, ok := below(name)
			ext := path.Ext(name)
			return ok && (ext == ".yaml" || ext == ".yml")
		},
	}
}

// manifests selects the files that match one of the globs.
func manifests(globs []string) selection {
	if len(globs) == 0 {
		globs = schema.DefaultManifestPaths()
	}
	bases := make([]string, len(globs))
	for i, glob := range globs {
		bases[i], _ = doublestar.SplitPattern(glob)
	}
	return selection{
		enter: func(dir string) bool {
			for _, base := range bases {
				if base == "." || within(dir, base) || within(base, dir) {
					return true
				}
			}
			return false
		},
		match: func(name string) bool {
			for _, glob := range globs {
				if doublestar.MatchUnvalidated(glob, name) {
					return true
				}
			}
			return false
		},
	}
}

// within tells whether a folder is another one, or stands somewhere in it.
func within(dir, other string) bool { return dir == other || strings.HasPrefix(dir, other+"/") }

// scan returns the selected files that differ between two snapshots, in the
// order of paths. Before is nil when nothing was read yet.
func scan(ctx context.Context, before, now *sources.Snapshot, s selection) ([]sources.Change, error) {
	var old sources.Tree
	if before != nil {
		old = before.Tree
	}
	var changes []sources.Change
	err := now.Tree.Diff(ctx, old, s.enter, func(c sources.Change) error {
		if !s.match(c.Path) {
			return nil
		}
		if len(changes) == sources.MaxFiles {
			return &schema.Error{
				Op: "read", Resource: now.URL, Kind: schema.Invalid,
				Err:  fmt.Errorf("more than %d files match", sources.MaxFiles),
				Hint: "name fewer files with paths",
			}
		}
		changes = append(changes, c)
		return nil
	})
	return changes, err
}

// hasFolder tells whether a snapshot has a folder. Only the folders above it
// are looked at.
func hasFolder(ctx context.Context, now *sources.Snapshot, folder string) (bool, error) {
	if folder == "." {
		return true, nil
	}
	found := false
	err := now.Tree.Diff(ctx, nil, func(dir string) bool {
		found = found || dir == folder
		return strings.HasPrefix(folder, dir+"/")
	}, func(sources.Change) error { return nil })
	return found, err
}
