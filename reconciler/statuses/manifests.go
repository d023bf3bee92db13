package statuses

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/forge"
)

// maxFormer is how many commits that are the newest of no repo any more are
// spoken of, because deployments are still on their way to what they brought.
const maxFormer = 100

// manifests is what was said of the commits of app repos.
type manifests struct {
	catalog *catalog.Catalog                    // the last that was looked at
	newest  map[string]*manifestReport          // by repo
	former  []*manifestReport                   // that were the newest, the oldest first
	watched map[string]map[*manifestReport]bool // by deployment
	commits map[commitOf]*manifestCommit
	unsaid  map[*manifestCommit]bool // about which there may be news
	held    map[*manifestCommit]bool // about which there is news that has to wait
}

// A commitOf names a commit.
type commitOf struct{ repo, commit string }

// A manifestCommit is what is said of a commit: several repos may be read from it,
// each with its own paths.
type manifestCommit struct {
	commitOf
	reports []*manifestReport
	asking  bool          // the forge is asked what a former process said
	before  *forge.Status // which was this
	forget  context.CancelFunc
	said    saying
}

// A manifestReport is what one repo found in a commit, and what followed.
type manifestReport struct {
	source  string // its name
	commit  *manifestCommit
	first   bool // that this process has read: it cannot tell what the commit brought
	state   forge.State
	read    string                    // what is wrong in it, or what it brought to the catalog
	fresh   map[release]bool          // the releases that it brought
	watches map[string]bool           // deployments that may follow, or are on their way
	follow  map[string]engine.Verdict // those that did, or are on their way
}

type release struct{ app, version string }

func newManifests() manifests {
	return manifests{
		newest: map[string]*manifestReport{}, watched: map[string]map[*manifestReport]bool{},
		commits: map[commitOf]*manifestCommit{}, unsaid: map[*manifestCommit]bool{}, held: map[*manifestCommit]bool{},
	}
}

// updateManifests says of the newest commits of app repos what was found in them,
// and what followed.
func (r *Reporter) updateManifests(ctx context.Context, v *engine.View, names []string) {
	all := &r.manifests
	if before := all.catalog; before != v.Catalog {
		all.catalog = v.Catalog
		for name, m := range all.newest {
			if _, followed := v.Catalog.Repo(name); !followed {
				delete(all.newest, name)
				all.leave(m)
			}
		}
		for repo := range v.Catalog.Repos() {
			if repo.Commit != "" && !v.Catalog.SameRepo(before, repo.Name) {
				r.readManifests(ctx, v, repo)
			}
		}
	}
	for _, name := range names {
		for m := range all.watched[name] {
			all.note(m, v, name)
		}
	}
	for c := range all.unsaid {
		r.sayManifests(ctx, c)
	}
	all.former = slices.DeleteFunc(all.former, func(m *manifestReport) bool {
		over := !m.waits() && !all.held[m.commit]
		if over {
			all.drop(m)
		}
		return over
	})
}

// readManifests looks at a repo that was read anew.
func (r *Reporter) readManifests(ctx context.Context, v *engine.View, repo catalog.Repo) {
	all := &r.manifests
	m, at := all.newest[repo.Name], commitOf{repo.URL, repo.Commit}
	if before := m; m == nil || m.commit.commitOf != at {
		m = &manifestReport{
			source: repo.Name, first: m == nil || m.commit.repo != repo.URL,
			watches: map[string]bool{}, follow: map[string]engine.Verdict{},
		}
		all.newest[repo.Name] = m
		r.join(ctx, m, at)
		if before != nil {
			all.leave(before)
		}
	}
	m.state, m.fresh = forge.Success, map[release]bool{}
	bad, brought := v.Catalog.Errors(repo.Name), v.Catalog.Published(repo.Name, repo.Commit)
	switch {
	case len(bad) > 0:
		m.state, m.read = forge.Failure, bad[0]
		if len(bad) > 1 {
			m.read += fmt.Sprintf(" (and %d more)", len(bad)-1)
		}
	case m.first:
		m.read = count(len(v.Catalog.Published(repo.Name, "")), "release") + " in the catalog"
	default:
		m.read = inCatalog(brought)
	}
	if !m.first {
		all.watch(m, v, brought)
	}
	all.unsaid[m.commit] = true
}

// inCatalog says in words what came into the catalog.
func inCatalog(brought []*catalog.Release) string {
	var texts []string
	for _, b := range brought[:min(len(brought), 2)] {
		text := b.Identifier + " " + b.Version
		if b.ShadowedBy != "" {
			text += " (shadowed by " + b.ShadowedBy + ")"
		}
		texts = append(texts, text)
	}
	switch len(brought) {
	case 0:
		return "no release is new"
	case 1, 2:
		return strings.Join(texts, " and ") + " in the catalog"
	default:
		return fmt.Sprintf("%s and %d more in the catalog", texts[0], len(brought)-1)
	}
}

// join adds a report to what is said of a commit. Of what is read first, a former
// process may have said more.
func (r *Reporter) join(ctx context.Context, m *manifestReport, at commitOf) {
	c := r.manifests.commits[at]
	if c == nil {
		c = &manifestCommit{commitOf: at, asking: m.first}
		r.manifests.commits[at] = c
		ctx, c.forget = context.WithCancel(ctx)
		if c.asking {
			r.recall(ctx, at.repo, at.commit, func(known []forge.Status) { r.takeManifest(ctx, c, known) })
		}
	}
	m.commit = c
	c.reports = append(c.reports, m)
}

// takeManifest notes what a former process said of a commit. The caller holds mu.
func (r *Reporter) takeManifest(ctx context.Context, c *manifestCommit, known []forge.Status) {
	if r.manifests.commits[c.commitOf] != c {
		return // another one came meanwhile
	}
	c.asking = false
	for _, s := range known {
		if name, ours := r.below(s.Context); ours && name == ContextManifest {
			c.before, c.said = &s, saying{state: s.State, text: s.Description}
		}
	}
	r.sayManifests(ctx, c)
}

// watch watches the deployments of the apps that a commit brought. Those that are
// declared later do not follow from it.
func (all *manifests) watch(m *manifestReport, v *engine.View, brought []*catalog.Release) {
	apps := map[string]bool{}
	for _, b := range brought {
		apps[b.Identifier], m.fresh[release{b.Identifier, b.Version}] = true, true
	}
	if v.State == nil || len(apps) == 0 {
		return
	}
	for name, d := range v.State.Deployments() {
		if !apps[d.App] {
			continue
		}
		if all.watched[name] == nil {
			all.watched[name] = map[*manifestReport]bool{}
		}
		all.watched[name][m], m.watches[name] = true, true
		all.note(m, v, name)
	}
}

// note takes in where a deployment stands that a report watches. Once it runs what
// the commit brought, it has followed, whatever comes later.
func (all *manifests) note(m *manifestReport, v *engine.View, name string) {
	var d, declared = (*schema.Deployment)(nil), false
	if v.State != nil {
		d, declared = v.State.Deployment(name)
	}
	s, there := v.Status(name)
	before := m.follow[name]
	switch {
	case !there || !declared:
		delete(m.follow, name)
		all.unwatch(m, name)
	case m.fresh[release{d.App, s.Release}]:
		m.follow[name] = s.Verdict()
		if m.follow[name] == engine.Success {
			all.unwatch(m, name)
		}
	default:
		delete(m.follow, name)
		if all.newest[m.source] != m {
			all.unwatch(m, name)
		}
	}
	if m.follow[name] != before {
		all.unsaid[m.commit] = true
	}
}

func (all *manifests) unwatch(m *manifestReport, name string) {
	delete(m.watches, name)
	delete(all.watched[name], m)
	if len(all.watched[name]) == 0 {
		delete(all.watched, name)
	}
}

// waits tells whether a deployment is on its way to what the commit brought.
func (m *manifestReport) waits() bool {
	for _, verdict := range m.follow {
		if verdict == engine.Pending {
			return true
		}
	}
	return false
}

// leave notes that a report is not of the newest commit any more, or that its repo
// is followed no more. What is on its way is still waited for.
func (all *manifests) leave(m *manifestReport) {
	for name := range m.watches {
		if m.follow[name] != engine.Pending {
			all.unwatch(m, name)
		}
	}
	if all.former = append(all.former, m); len(all.former) > maxFormer {
		all.drop(all.former[0])
		all.former = slices.Delete(all.former, 0, 1)
	}
}

// drop forgets a report.
func (all *manifests) drop(m *manifestReport) {
	for name := range m.watches {
		all.unwatch(m, name)
	}
	c := m.commit
	if c.reports = slices.DeleteFunc(c.reports, func(other *manifestReport) bool { return other == m }); len(c.reports) == 0 {
		c.forget()
		delete(all.commits, c.commitOf)
		delete(all.unsaid, c)
		delete(all.held, c)
	}
}

// onTheWay is how a text ends that does not tell the outcome yet.
const onTheWay = "on the way"

// followed says in words what became of the deployments that follow.
func (c *manifestCommit) followed() string {
	n := map[engine.Verdict]int{}
	for _, m := range c.reports {
		for _, verdict := range m.follow {
			n[verdict]++
		}
	}
	text := ""
	if done := n[engine.Success]; done > 0 {
		text += "; " + count(done, "deployment") + " updated"
	}
	if failed := n[engine.Failure]; failed > 0 {
		text += "; " + count(failed, "deployment") + " failed"
	}
	if open := n[engine.Pending]; open > 0 {
		text += "; " + count(open, "deployment") + " " + onTheWay
	}
	return text
}

// sayManifests says what is known of a commit. The caller holds mu.
func (r *Reporter) sayManifests(ctx context.Context, c *manifestCommit) {
	all := &r.manifests
	delete(all.unsaid, c)
	delete(all.held, c)
	if c.asking {
		return // it is said when the forge has answered
	}
	state, first := forge.Success, true
	var reads []string
	for _, m := range c.reports {
		first = first && m.first
		if m.state == forge.Failure && state != forge.Failure {
			state, reads = forge.Failure, nil // what else was read matters less
		}
		if m.state == state && !slices.Contains(reads, m.read) {
			reads = append(reads, m.read)
		}
	}
	if s := c.before; first && s != nil && s.State == state && !strings.HasSuffix(s.Description, onTheWay) {
		return // a former process said more
	}
	text := line(strings.Join(reads, "; ") + c.followed())
	if c.said = r.say(ctx, c.repo, c.commit, ContextManifest, c.said, state, text); c.said.state != state || c.said.text != text {
		all.held[c] = true
	}
}

func count(n int, of string) string {
	if n == 1 {
		return "1 " + of
	}
	return fmt.Sprintf("%d %ss", n, of)
}
