package catalog

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/sorted"
)

// An app is what the catalog knows of one identifier.
type app struct {
	App
	claims    []*claim            // by repo and path
	listed    bool                // some repo that may publish it does: the owner, the first by rank
	byVersion map[string]*Release // those that count
	notices   []Notice
	// republished is kept from catalog to catalog, for as long as the release is
	// there: what changed under a version, by version.
	republished map[string]Notice
	search      func() []candidate // what a search looks at, made when first asked for
}

func (a *app) count() int {
	if a == nil {
		return 0
	}
	return len(a.Releases)
}

func (a *app) noticed() []Notice {
	if a == nil {
		return nil
	}
	return a.notices
}

// same tells whether nothing changed that could matter to a deployment.
func (a *app) same(b *app) bool {
	if a == nil || b == nil {
		return (a == nil || !a.listed) && (b == nil || !b.listed)
	}
	return a.listed == b.listed && a.Owner == b.Owner && a.Name == b.Name && a.Description == b.Description && a.Author == b.Author && a.Logo == b.Logo &&
		slices.EqualFunc(a.Releases, b.Releases, sameContent) && slices.EqualFunc(a.Shadowed, b.Shadowed, sameContent)
}

// sameContent tells whether two releases say the same, wherever they stand.
func sameContent(a, b *Release) bool {
	if a == b {
		return true
	}
	x, y := a.Release, b.Release
	x.Line, x.Column, y.Line, y.Column = 0, 0, 0, 0
	return a.Repo == b.Repo && a.ShadowedBy == b.ShadowedBy && reflect.DeepEqual(&x, &y)
}

// build makes the app of an identifier from what is claimed of it; nil when
// nothing is. Apart from what it keeps of the old one (the commit at which a
// content was first seen, and what was republished) it depends on the claims and
// the repos alone.
func build(identifier string, claims []*claim, repos *sorted.Map[repo], old *app) *app {
	if len(claims) == 0 {
		return nil
	}
	a := &app{App: App{Identifier: identifier}, claims: claims, byVersion: map[string]*Release{}}
	publishers := a.publishers(repos)
	if len(publishers) > 0 {
		a.listed, a.Owner = true, publishers[0].Name
		a.collect(publishers, old)
		a.describe(publishers[0])
	}
	a.republish(old)
	slices.SortFunc(a.notices, compareNotices)
	a.search = sync.OnceValue(a.indexed)
	return a
}

// A publisher is a repo with what it publishes of one identifier.
type publisher struct {
	*repo
	claims   []*claim // by path
	releases bool     // it has some, not only identities
}

// publishers returns the repos that publish the identifier and may, the owner
// first. Only where none has releases, one with an identity alone is the owner.
func (a *app) publishers(repos *sorted.Map[repo]) []publisher {
	var out []publisher
	for i := 0; i < len(a.claims); {
		p := publisher{repo: repos.Get(a.claims[i].repo)}
		for ; i < len(a.claims) && a.claims[i].repo == p.Name; i++ {
			p.claims = append(p.claims, a.claims[i])
			p.releases = p.releases || len(a.claims[i].releases) > 0
		}
		if !p.allows(a.Identifier) {
			a.notice(NoticeNotAllowed, p.Name, "", fmt.Sprintf("repo %s publishes %s in %s, and may publish %s only",
				p.Name, a.Identifier, p.claims[0].path, clip(strings.Join(p.Apps, ", "), 200)))
			continue
		}
		out = append(out, p)
	}
	slices.SortFunc(out, func(a, b publisher) int {
		switch {
		case a.releases != b.releases && a.releases, a.releases == b.releases && a.outranks(b.repo):
			return -1
		default:
			return 1
		}
	})
	return out
}

func (a *app) notice(kind NoticeKind, repo, version, message string) {
	a.notices = append(a.notices, Notice{Kind: kind, Repo: repo, Identifier: a.Identifier, Version: version, Message: message})
}

// collect merges what each repo publishes into releases. Those of the first
// repo count; the others are shadowed.
func (a *app) collect(publishers []publisher, old *app) {
	owner := publishers[0].repo
	for i, p := range publishers {
		releases := a.merge(p)
		if i > 0 && len(releases) > 0 {
			a.notice(NoticeShadowed, p.Name, "", fmt.Sprintf("repo %s publishes %s too (%s); it belongs to repo %s, %s",
				p.Name, a.Identifier, plural(len(releases), "release"), owner.Name, whyOwner(owner, p.repo)))
		}
		for _, r := range releases {
			r.SemVer = ParseSemVer(r.Version)
			if i > 0 {
				r.ShadowedBy = owner.Name
				a.Shadowed = append(a.Shadowed, r)
			} else {
				a.Releases = append(a.Releases, r)
			}
		}
	}
	slices.SortFunc(a.Releases, Compare)
	slices.SortFunc(a.Shadowed, Compare)
	if old != nil {
		inherit(a.Releases, old.Releases)
		inherit(a.Shadowed, old.Shadowed)
	}
	for _, r := range a.Releases {
		a.byVersion[r.Version] = r
	}
}

func whyOwner(owner, other *repo) string {
	if owner.Priority != other.Priority {
		return fmt.Sprintf("whose priority is higher (%d, not %d)", owner.Priority, other.Priority)
	}
	return "the first by name of equal priority"
}

func plural(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}

// inherit keeps what old releases say of when their content was first seen, and
// the very values where nothing changed.
func inherit(releases, old []*Release) {
	type source struct{ repo, version string }
	known := make(map[source]*Release, len(old))
	for _, r := range old {
		known[source{r.Repo, r.Version}] = r
	}
	for i, r := range releases {
		before := known[source{r.Repo, r.Version}]
		if before == nil || !sameContent(before, r) {
			continue
		}
		r.Commit = before.Commit
		if r.File == before.File && r.Line == before.Line && r.Column == before.Column {
			releases[i] = before
		}
	}
}

// describe says what the app is: as the newest release does, or else an
// identity of the owner, or else an older release.
func (a *app) describe(owner publisher) {
	var sources []*schema.Release
	for _, c := range owner.claims {
		sources = append(sources, c.identities...)
	}
	for i, r := range a.Releases {
		if i == 0 {
			sources = slices.Insert(sources, 0, &r.Release)
		} else {
			sources = append(sources, &r.Release)
		}
	}
	for _, s := range sources {
		a.Name = cmp.Or(a.Name, s.Name)
		a.Description = cmp.Or(a.Description, s.Description)
		a.Author = cmp.Or(a.Author, s.Author)
		a.Logo = cmp.Or(a.Logo, s.Logo)
	}
}

func compareNotices(a, b Notice) int {
	return cmp.Or(
		strings.Compare(string(a.Kind), string(b.Kind)), strings.Compare(a.Identifier, b.Identifier),
		strings.Compare(a.Version, b.Version), strings.Compare(a.Repo, b.Repo), strings.Compare(a.Message, b.Message),
	)
}
