// Package pages serves what commit statuses link to: for people, without a script,
// from the same values as the API.
package pages

import (
	"bytes"
	_ "embed"
	"fmt"
	"html/template"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/sources/catalog"
)

// Bounds on what one page shows.
const (
	maxDeployments = 200
	maxEvents      = 100
	maxReleases    = 200
)

// Commits is where pages of commits are.
const Commits = "/commits/"

// Options are what pages tell of.
type Options struct {
	Instance string
	View     func() *engine.View
	Journal  *journal.Journal
	// Standing returns what is said of the commit in force elsewhere, or of one of
	// its deployments if one is named: the page must not say another thing than the
	// status that links to it. False: nothing is said; nil: nothing ever is.
	Standing func(commit, deployment string) (string, bool)
	Logger   *slog.Logger
}

//go:embed commit.gohtml
var commitText string

var commitPage = template.Must(template.New("commit").Parse(commitText))

// New returns the handler of all pages.
func New(o Options) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Commits+"{hash}", func(w http.ResponseWriter, r *http.Request) {
		page, ok := o.commit(r.PathValue("hash"), time.Now())
		if !ok {
			http.Error(w, "Berth does not know this commit: it tells of the newest of the desired state, and of the one of each app repo that it has read last.", http.StatusNotFound)
			return
		}
		var body bytes.Buffer
		if err := commitPage.Execute(&body, page); err != nil {
			o.Logger.Error("a page cannot be made", "path", r.URL.Path, "error", err)
			http.Error(w, "this page cannot be made", http.StatusInternalServerError)
			return
		}
		h := w.Header()
		h.Set("Content-Type", "text/html; charset=utf-8")
		h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		_, _ = body.WriteTo(w) // the client is gone
	})
	return mux
}

// commit is what the page of a commit shows.
type commit struct {
	Instance, Hash, Short          string
	Message, Author, Time, Summary string
	Verdict                        string
	InForce                        bool
	Now                            string
	Deployments                    []deployment
	More                           int
	Releases                       []*catalog.Release
	Errors                         []string
	Events                         []event
}

type deployment struct {
	Name, State, Release, Flavour, Backend, Reason, Hint string
	Verdict                                              string
}

type event struct{ Time, Deployment, Message string }

// commit returns what is known of a commit, of the desired state or of an app
// repo; false: nothing is.
func (o Options) commit(hash string, now time.Time) (commit, bool) {
	v := o.View()
	page := commit{Instance: o.Instance, Now: stamp(now)}
	if c, ok := o.desired(hash); ok {
		page.Hash, page.Message, page.Author, page.Time = c.Hash, c.Message, c.Author, stamp(c.Time)
		page.Verdict, page.Summary = c.Verdict, c.Summary
		page.InForce = v.State != nil && v.State.Commit == c.Hash
		if page.InForce {
			page.Verdict, page.Summary = string(v.Outcome.Verdict), v.Outcome.Summary
			page.deployments(v, c.Changed)
			o.agree(&page)
		}
		page.events(o.Journal, c.Hash)
	} else if !page.app(v, hash) {
		return page, false
	}
	page.Short = page.Hash[:min(len(page.Hash), 7)]
	return page, true
}

// minHash is how much of a hash must be given.
const minHash = 7

func (o Options) desired(hash string) (journal.CommitRecord, bool) {
	for _, c := range o.Journal.Commits() {
		if c.Hash == hash || len(hash) >= minHash && strings.HasPrefix(c.Hash, hash) {
			return c, true
		}
	}
	return journal.CommitRecord{}, false
}

// deployments adds those that the commit changed, and those that do not run.
func (c *commit) deployments(v *engine.View, changed []string) {
	for s := range v.Statuses() {
		verdict := s.Verdict()
		if _, named := slices.BinarySearch(changed, s.Deployment); !named && verdict == engine.Success || len(c.Deployments) == maxDeployments {
			c.More++
			continue
		}
		c.Deployments = append(c.Deployments, deployment{
			Name: s.Deployment, State: string(s.State), Release: s.Release, Flavour: s.Flavour, Backend: s.Backend,
			Reason: s.Reason, Hint: s.Hint(), Verdict: string(verdict),
		})
	}
}

// agree says of the commit in force what is said elsewhere.
func (o Options) agree(page *commit) {
	if o.Standing == nil {
		return
	}
	if state, ok := o.Standing(page.Hash, ""); ok {
		page.Verdict = state
	}
	for i := range page.Deployments {
		if state, ok := o.Standing(page.Hash, page.Deployments[i].Name); ok {
			page.Deployments[i].Verdict = state
		}
	}
}

func (c *commit) events(j *journal.Journal, hash string) {
	for _, e := range j.Events(func(e *journal.Event) bool { return e.Commit == hash }) {
		if len(c.Events) == maxEvents {
			return
		}
		c.Events = append(c.Events, event{stamp(e.Time), e.Deployment, e.Message})
	}
}

// app fills the page in for the newest commit of an app repo.
func (c *commit) app(v *engine.View, hash string) bool {
	if v.Catalog == nil {
		return false
	}
	for repo := range v.Catalog.Repos() {
		if repo.Commit == "" || repo.Commit != hash && (len(hash) < minHash || !strings.HasPrefix(repo.Commit, hash)) {
			continue
		}
		c.Hash, c.Message, c.Verdict = repo.Commit, "in the app repo "+repo.Name, string(engine.Success)
		c.Errors = v.Catalog.Errors(repo.Name)
		if len(c.Errors) > 0 {
			c.Verdict = string(engine.Failure)
		}
		all := v.Catalog.Published(repo.Name, "")
		c.Releases = all[:min(len(all), maxReleases)]
		c.Summary = fmt.Sprintf("Releases that the repo publishes: %d; errors in its manifests: %d.", len(all), len(c.Errors))
		return true
	}
	return false
}

// stamp renders a time for people everywhere; empty for none.
func stamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
