package follow

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// An outcome is what a snapshot changed.
type outcome struct {
	files   int      // that differ
	what    string   // of what changed are the names
	changed []string // names
}

// takeDesired turns a snapshot of the desired-state repository into the desired
// state, and follows the repos that it names.
func (h *Hub) takeDesired(ctx context.Context, before, now *sources.Snapshot, read func(string)) (outcome, error) {
	changes, files, err := h.readDocuments(ctx, h.documents, before, now)
	if err != nil {
		return outcome{}, err
	}
	rewound, furthest, err := h.rewound(ctx, now)
	if err != nil {
		return outcome{}, err
	}
	h.swapping.Lock()
	defer h.swapping.Unlock()
	old := h.State()
	if old == nil {
		old = desired.New(h.options.Redact(h.options.Desired.URL))
	}
	state, diff := old.With(now.Commit, changes...)
	change := Change{Deployments: diff.Deployments, Holds: diff.Holds}
	var repos []catalog.Change
	if len(diff.Repos) > 0 || diff.Holds {
		repos, change.Sources = h.followRepos(state)
	}
	change.Sources = append(change.Sources, DesiredName)
	slices.Sort(change.Sources)
	h.swapCatalog(&change, repos...)
	h.furthest = furthest
	h.view.Store(&View{State: state, Head: now, Rewound: rewound})
	h.logProblems(old, state, diff)
	if rewound != "" {
		h.options.Logger.Warn("the desired state went back", "commit", short(now.Commit), "reason", rewound)
	}
	read(rewound)
	h.notify(change)
	return outcome{files: files, what: "deployments", changed: diff.Deployments}, nil
}

// readDocuments reads the documents that differ between two snapshots.
func (h *Hub) readDocuments(ctx context.Context, r *reader[schema.DesiredFile], before, now *sources.Snapshot) ([]desired.FileChange, int, error) {
	folder := h.folder()
	// A folder that is not there was not emptied: a typo, or a rename, must
	// remove nothing.
	if found, err := hasFolder(ctx, now, folder); err != nil {
		return nil, 0, err
	} else if !found {
		return nil, 0, noFolder(now, folder)
	}
	found, err := scan(ctx, before, now, documents(folder))
	if err != nil {
		return nil, 0, err
	}
	gone, files := apart(found)
	readings, err := r.read(ctx, now.Tree, files)
	if err != nil {
		return nil, 0, err
	}
	changes := make([]desired.FileChange, 0, len(found))
	for _, name := range gone {
		changes = append(changes, desired.FileChange{Path: name, Removed: true})
	}
	for i, r := range readings {
		changes = append(changes, desired.FileChange{Path: files[i].Path, Unreadable: r.unreadable, Parsed: r.value, Raw: r.raw})
	}
	return changes, len(found), nil
}

// folder returns the folder of the documents.
func (h *Hub) folder() string {
	return path.Clean(strings.TrimPrefix(h.options.Desired.Path, "/"))
}

func noFolder(now *sources.Snapshot, folder string) error {
	return &schema.Error{
		Op: "read", Resource: now.URL, Kind: schema.Invalid,
		Err:  fmt.Errorf("there is no folder %q at commit %s", folder, short(now.Commit)),
		Hint: "desired.path names the folder of the documents; what runs keeps running",
	}
}

// rewound tells whether a snapshot is older than the furthest one that was seen,
// in words, and which one is the furthest from now on.
func (h *Hub) rewound(ctx context.Context, now *sources.Snapshot) (string, *sources.Snapshot, error) {
	if h.furthest == nil || h.furthest.Commit == now.Commit || Confirmed(now.Message) {
		return "", now, nil
	}
	back, err := h.Contains(ctx, h.furthest.Commit, now.Commit)
	if err != nil {
		return "", nil, err
	}
	if !back {
		return "", now, nil
	}
	return fmt.Sprintf("the desired state went back from commit %s to %s", short(h.furthest.Commit), short(now.Commit)), h.furthest, nil
}

// apart separates files that are no more from those to read.
func apart(changes []sources.Change) (gone []string, files []sources.Change) {
	for _, c := range changes {
		if c.After.IsZero() {
			gone = append(gone, c.Path)
		} else {
			files = append(files, c)
		}
	}
	return gone, files
}
