package follow

import (
	"cmp"
	"context"
	"errors"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
)

// A ManifestProposal is what a ref of an app repository would publish. The catalog
// knows nothing of it.
type ManifestProposal struct {
	Base string // the commit that is followed
	Head string // the commit that is proposed
	// MergeBase is what Head is compared with; empty: it is not known, as of most
	// app repositories, and Head is compared with Base.
	MergeBase string
	Files     []ManifestFile // that differ, by path
}

// A ManifestFile is one manifest that is proposed.
type ManifestFile struct {
	Path     string
	Removed  bool
	Releases []string // that it publishes, as "org.fiji 1.2.0", in its order
	Problems schema.Problems
}

// ProposeManifests returns what the manifests say that a ref of an app repository
// changes: a branch, refs/pull/7/head, a commit.
func (h *Hub) ProposeManifests(ctx context.Context, repo, ref string) (p *ManifestProposal, err error) {
	for _, f := range h.all()[1:] {
		if f.name != repo {
			continue
		}
		err = f.beside(ctx, func(ctx context.Context, source sources.Source) error {
			p, err = h.proposeManifests(ctx, f, source, ref)
			return err
		})
		return p, err
	}
	return nil, &schema.Error{Op: "propose", Resource: repo, Kind: schema.Waiting, Err: errors.New("no such repo is followed")}
}

func (h *Hub) proposeManifests(ctx context.Context, f *follower, source sources.Source, ref string) (*ManifestProposal, error) {
	base := f.taken.Load()
	if base == nil {
		return nil, f.fail("propose", schema.Waiting, errors.New("the repo was not read yet"))
	}
	head, err := source.At(ctx, ref)
	if err != nil {
		return nil, err
	}
	p := &ManifestProposal{Base: base.Commit, Head: head.Commit}
	ancestor, err := mergeBase(ctx, source, base, head)
	if err != nil {
		return nil, err
	}
	if ancestor != nil {
		p.MergeBase = ancestor.Commit
	}
	changes, err := scan(ctx, cmp.Or(ancestor, base), head, f.selected)
	if err != nil {
		return nil, err
	}
	_, files := apart(changes)
	readings, err := h.proposed.manifests.read(ctx, head.Tree, files)
	if err != nil {
		return nil, err
	}
	for _, c := range changes {
		if c.After.IsZero() {
			p.Files = append(p.Files, ManifestFile{Path: c.Path, Removed: true})
			continue
		}
		p.Files = append(p.Files, manifestFile(c.Path, readings[0]))
		readings = readings[1:]
	}
	return p, nil
}

func manifestFile(path string, r reading[schema.Publication]) ManifestFile {
	f := ManifestFile{Path: path, Problems: r.value.Problems}
	if r.unreadable != "" {
		f.Problems = schema.Problems{{File: path, Message: r.unreadable}}
	}
	seen := map[string]bool{}
	for _, release := range r.value.Releases { // one for each flavour, in some forms
		if name := release.Identifier + " " + release.Version; !seen[name] {
			seen[name] = true
			f.Releases = append(f.Releases, name)
		}
	}
	return f
}
