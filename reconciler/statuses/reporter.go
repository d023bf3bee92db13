package statuses

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/forge"
)

// MaxContexts is how many of the deployments that a commit changed have a context
// of their own. The summary tells of all.
const MaxContexts = 30

// The contexts besides those of deployments, below the one of the instance.
// Deployments of these names have none of their own.
const (
	ContextManifest = "manifest" // on commits of app repos
	ContextPlan     = "plan"     // on pull requests
)

// Outbox delivers statuses, as [Sender] does.
type Outbox interface {
	Set(repo, commit string, s forge.Status)
	Known(ctx context.Context, repo, commit string) ([]forge.Status, error)
}

// Engine is what a [Reporter] follows; see [engine.Engine].
type Engine interface {
	View() *engine.View
	Outcome() engine.Outcome
	Follow(ctx context.Context, each func(deployments []string) error) error
}

// ReporterOptions are what a [Reporter] tells of, and to whom.
type ReporterOptions struct {
	Engine  Engine
	Journal *journal.Journal // knows which deployments a commit changed
	Outbox  Outbox
	// History returns the newest commits of the desired state, the one in force first.
	History func(ctx context.Context, n int) ([]sources.Commit, error)
	// Changed returns the deployments that a commit of the desired state changed,
	// as far as its history tells. It is asked for commits that were in force before
	// already: of others the journal knows.
	Changed func(ctx context.Context, commit string) ([]string, error)
	Repo    string                     // the clone URL of the desired state
	Context string                     // of the instance
	Page    func(commit string) string // where people read more of a commit; nil: nowhere
	Logger  *slog.Logger
}

// A Reporter says of the commits of the desired state and of the app repos what
// became of them. It decides what to say; the outbox says it.
type Reporter struct {
	o       ReporterOptions
	running sync.WaitGroup

	mu        sync.Mutex
	began     bool // every deployment was looked at once
	desired   desiredReport
	manifests manifests
	again     *time.Timer // looks again at what was not said yet; nil: nothing was left
	againAt   time.Time
}

// NewReporter returns a reporter that has said nothing yet.
func NewReporter(o ReporterOptions) *Reporter {
	if o.Page == nil {
		o.Page = func(string) string { return "" }
	}
	return &Reporter{o: o, desired: newDesiredReport(), manifests: newManifests()}
}

// Run reports until ctx ends. Of an engine that only looks on it says nothing.
func (r *Reporter) Run(ctx context.Context) error {
	defer r.running.Wait()
	defer r.hush()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	err := r.o.Engine.Follow(ctx, func(names []string) error {
		r.update(ctx, names)
		return nil
	})
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// Standing returns where the commit of the desired state in force stands, or one
// of its deployments if one is named, as the forge is told or soon will be; false:
// another commit is in force.
func (r *Reporter) Standing(commit, deployment string) (forge.State, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, o := r.look()
	if !r.began || v.State == nil || commit != v.State.Commit || commit != r.desired.commit {
		return "", false
	}
	if deployment != "" {
		return r.desired.ofDeployment(v, deployment), true
	}
	return r.desired.overall(o.Verdict), true
}

// update says what the newest view tells of deployments that changed.
func (r *Reporter) update(ctx context.Context, names []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, o := r.look()
	if v.DryRun || v.Standby {
		return
	}
	if !r.began {
		r.began = true
		for s := range v.Statuses() {
			names = append(names, s.Deployment)
		}
	}
	r.updateDesired(ctx, v, o, names)
	r.updateManifests(ctx, v, names)
}

// look returns the newest view, and the outcome that goes with it.
func (r *Reporter) look() (*engine.View, engine.Outcome) {
	for {
		v := r.o.Engine.View()
		o := r.o.Engine.Outcome()
		if v != r.o.Engine.View() {
			continue // the outcome may be of either
		}
		if v.State != nil && v.State.Commit == o.Commit {
			o = v.Outcome
		}
		return v, o
	}
}

// below returns what a context adds to that of the instance; false: it is another's.
func (r *Reporter) below(context string) (string, bool) {
	if context == r.o.Context {
		return "", true
	}
	return strings.CutPrefix(context, r.o.Context+"/")
}

// The pauses between two questions that a forge does not answer, or refuses to, or
// that there is no forge for: somebody may mend that. While no forge is known, the
// outbox answers without asking anybody.
const (
	firstPause = time.Second
	lastPause  = 5 * time.Minute
)

// recall asks the forge what it has of a commit until it answers, and has then
// told, with mu held.
func (r *Reporter) recall(ctx context.Context, repo, commit string, then func([]forge.Status)) {
	r.running.Go(func() {
		known, err := r.known(ctx, repo, commit)
		if err != nil {
			return
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		then(known)
	})
}

func (r *Reporter) known(ctx context.Context, repo, commit string) ([]forge.Status, error) {
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		known, err := r.o.Outbox.Known(ctx, repo, commit)
		if err == nil || ctx.Err() != nil {
			return known, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(pause/2 + rand.N(pause/2)):
		}
	}
}

// line returns a text as the one line of a description.
func line(text string) string {
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	return text
}

// short is a commit as people write it.
func short(commit string) string { return commit[:min(len(commit), 7)] }
