package statuses

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

// manifestReport is what is to be said of the newest commit of an app repo.
type manifestReport struct {
	repo, commit string
	// silent: a former process has said it, and what it said stands.
	silent  bool
	state   forge.State
	read    string                     // what is wrong in it, or what it brought to the catalog
	brought map[string]map[string]bool // the releases that it brought: versions by identifier
	follow  map[string]engine.Verdict  // the deployments that run them, or are on their way to
	said    saying
}

// updateManifests says of the newest commits of app repos what was found in them,
// and what followed.
func (r *Reporter) updateManifests(ctx context.Context, v *engine.View, names []string) {
	if r.catalog != v.Catalog {
		r.catalog = v.Catalog
		for name := range r.manifests {
			if _, followed := v.Catalog.Repo(name); !followed {
				delete(r.manifests, name)
			}
		}
		for repo := range v.Catalog.Repos() {
			r.readManifests(ctx, v.Catalog, repo)
		}
	}
	for _, m := range r.manifests {
		m.note(v, names)
		r.sayManifests(ctx, m)
	}
}

// readManifests begins with the newest commit of a repo, if it is another one.
func (r *Reporter) readManifests(ctx context.Context, c *catalog.Catalog, repo catalog.Repo) {
	before := r.manifests[repo.Name]
	if repo.Commit == "" || before != nil && before.commit == repo.Commit && before.repo == repo.URL {
		return
	}
	m := &manifestReport{repo: repo.URL, commit: repo.Commit, state: forge.Success, follow: map[string]engine.Verdict{}}
	r.manifests[repo.Name] = m
	if bad := c.Errors(repo.Name); len(bad) > 0 {
		m.state, m.read = forge.Failure, bad[0]
		if len(bad) > 1 {
			m.read += fmt.Sprintf(" (and %d more)", len(bad)-1)
		}
	}
	if before != nil && before.repo == repo.URL {
		m.bring(c, repo.Name)
		return
	}
	// What a process reads first is not what that commit brought.
	if m.read == "" {
		m.read = fmt.Sprintf("%s in the catalog", count(len(c.Published(repo.Name, "")), "release"))
	}
	m.silent = true
	r.recall(ctx, m.repo, m.commit, func(known []forge.Status) {
		if r.manifests[repo.Name] != m {
			return // another one came meanwhile
		}
		m.silent = slices.ContainsFunc(known, func(s forge.Status) bool {
			context, ours := r.below(s.Context)
			return ours && context == ContextManifest && s.State == m.state
		})
		r.sayManifests(ctx, m)
	})
}

// bring notes what the commit brought to the catalog.
func (m *manifestReport) bring(c *catalog.Catalog, repo string) {
	m.brought = map[string]map[string]bool{}
	brought := c.Published(repo, m.commit)
	var texts []string
	for _, release := range brought {
		text := release.Identifier + " " + release.Version
		if release.ShadowedBy != "" {
			text += " (shadowed by " + release.ShadowedBy + ")"
		}
		texts = append(texts, text)
		if m.brought[release.Identifier] == nil {
			m.brought[release.Identifier] = map[string]bool{}
		}
		m.brought[release.Identifier][release.Version] = true
	}
	switch {
	case m.read != "":
	case len(texts) == 0:
		m.read = "no release is new"
	case len(texts) <= 2:
		m.read = strings.Join(texts, " and ") + " in the catalog"
	default:
		m.read = fmt.Sprintf("%s and %d more in the catalog", texts[0], len(texts)-1)
	}
}

// note takes in where deployments stand that use what the commit brought.
func (m *manifestReport) note(v *engine.View, names []string) {
	if len(m.brought) == 0 || v.State == nil {
		return
	}
	for _, name := range names {
		s, there := v.Status(name)
		d, declared := v.State.Deployment(name)
		if there && declared && m.brought[d.App][s.Release] {
			m.follow[name] = s.Verdict()
		} else {
			delete(m.follow, name)
		}
	}
}

// followed says in words what became of the deployments that use it.
func (m *manifestReport) followed() string {
	done, failed := 0, 0
	for _, verdict := range m.follow {
		switch verdict {
		case engine.Success:
			done++
		case engine.Failure:
			failed++
		}
	}
	text := ""
	switch n := len(m.follow); {
	case n == 0:
	case done == n:
		text = fmt.Sprintf("; %s updated", count(n, "deployment"))
	default:
		text = fmt.Sprintf("; %d of %s updated", done, count(n, "deployment"))
	}
	if failed > 0 {
		text += fmt.Sprintf(", %d failed", failed)
	}
	return text
}

// sayManifests says what is known of a repo's newest commit. The caller holds mu.
func (r *Reporter) sayManifests(ctx context.Context, m *manifestReport) {
	if !m.silent {
		m.said = r.say(ctx, m.repo, m.commit, ContextManifest, m.said, m.state, m.read+m.followed())
	}
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
