package pulls

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/forge"
)

// A round is what is known of the pull requests of one repository. While it is
// busy, told and err belong to whoever visits the repository.
type round struct {
	next    Repo      // as it is now
	repo    Repo      // as it was when it was visited last
	due     time.Time // when it is visited again
	again   time.Time // as due, set while it was busy; zero: it was not
	until   time.Time // the forge asks to wait until then
	planned time.Time // when the last visit ended
	busy    bool
	fails   int // visits in a row that failed

	told map[int]*told // by number
	err  error         // of the last visit
}

// told is what was told of a pull request.
type told struct {
	head    string
	against any
	state   forge.State
	summary string
	comment string // that is to be written; empty: none is
	written string // the digest of the one that this process wrote last; empty: none
	planned bool   // for what it is, and what it is planned against
	slow    int    // how often planning it took too long, in vain

	left mergeBase
}

// A mergeBase is what the forge said of where a head left its base.
type mergeBase struct {
	head   string // of which it was asked; empty: of none
	commit string // empty: it could not tell
}

// hurry has the repository visited at a time, if that is not later than it is due.
func (r *round) hurry(at time.Time) {
	at = later(at, r.until)
	if r.busy {
		if r.again.IsZero() || at.Before(r.again) {
			r.again = at
		}
		return
	}
	if at.Before(r.due) {
		r.due = at
	}
}

func (r *round) begin() { r.busy, r.repo = true, r.next }

// finish notes that the repository was visited, and when it is again.
func (r *round) finish(now time.Time, interval time.Duration) {
	r.busy, r.planned, r.due = false, now, now.Add(interval)
	r.until = limited(r.err)
	switch {
	case r.err == nil, errors.Is(r.err, forge.ErrNone):
		r.fails = 0
	case r.until.After(now):
		r.due = r.until
	default:
		pause := min(firstPause<<min(r.fails, 20), lastPause)
		r.fails++
		r.due = now.Add(pause/2 + rand.N(pause/2))
	}
	again := r.again
	r.again = time.Time{}
	if !again.IsZero() {
		r.hurry(again)
	}
}

// visit lists the pull requests and tells of those about which there is news. What
// fails with one of them delays no other.
func (r *round) visit(ctx context.Context, f *Follower) error {
	var open []forge.PullRequest
	repo, err := f.o.Open(ctx, r.repo.URL)
	if err == nil {
		open, err = repo.PullRequests(ctx, r.repo.Base)
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, forge.ErrNone):
		return err // nobody is to be told
	case err != nil:
		f.o.Logger.Warn("pull requests cannot be listed: it is tried again", "source", r.repo.Name, "error", err)
		return err
	}
	slices.SortStableFunc(open, func(a, b forge.PullRequest) int { return cmp.Compare(r.slowness(a), r.slowness(b)) })
	there := make(map[int]bool, len(open))
	var problems []error
	for i, pr := range open {
		there[pr.Number] = true
		slow := r.slowness(pr) > 0
		if slow && i > 0 && r.slowness(open[i-1]) > 0 {
			problems = append(problems, errLater)
			continue
		}
		if err := r.tell(ctx, f, repo, pr); err != nil && ctx.Err() == nil {
			level := slog.LevelWarn
			if schema.KindOf(err) == schema.Waiting {
				level = slog.LevelDebug
			}
			f.o.Logger.Log(ctx, level, "a pull request cannot be told about: it is tried again", "source", r.repo.Name, "number", pr.Number, "error", err)
			problems = append(problems, err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	for number := range r.told {
		if !there[number] {
			delete(r.told, number)
		}
	}
	return errors.Join(problems...)
}

var errLater = errors.New("pull requests that take very long are tried one after the other")

// errCrowded is that a comment waits. It is nobody's fault.
var errCrowded = &schema.Error{Op: "comment", Kind: schema.Waiting, Err: errors.New("so much was written lately that the forge might refuse it")}

// slowness tells how often planning a pull request, as it is now, took too long.
// Those for which it did come last, and one of them in a visit, so that others wait
// for one at most.
func (r *round) slowness(pr forge.PullRequest) int {
	if t := r.told[pr.Number]; t != nil && t.head == pr.Head {
		return t.slow
	}
	return 0
}

// tell plans a pull request, if it or what it is planned against is another, and
// tells what is not told yet.
func (r *round) tell(ctx context.Context, f *Follower, repo forge.Repo, pr forge.PullRequest) error {
	t := r.told[pr.Number]
	if t == nil {
		t = &told{}
		r.told[pr.Number] = t
	}
	var problem error
	if !t.planned || t.head != pr.Head || t.against != r.repo.Against {
		if problem = r.plan(ctx, f, repo, pr, t); ctx.Err() != nil {
			return ctx.Err()
		}
	}
	if t.comment == "" {
		return problem
	}
	if !f.o.Admit(r.repo.URL) {
		return errors.Join(problem, errCrowded)
	}
	if err := repo.Comment(ctx, pr.Number, f.o.Marker, f.o.Marker+"\n"+t.comment); err != nil {
		if retry(err) {
			return errors.Join(problem, err)
		}
		f.o.Logger.Warn("a pull request cannot be commented on", "source", r.repo.Name, "number", pr.Number, "error", err)
	}
	t.comment, t.written = "", digest(t.comment)
	return problem
}

// plan plans a pull request, says what comes of it in its status, and notes the
// comment that is to be written. It returns an error for which it is planned again:
// until then a plan of the same commit stands.
func (r *round) plan(ctx context.Context, f *Follower, repo forge.Repo, pr forge.PullRequest, t *told) error {
	limit, cancel := context.WithTimeout(ctx, planTime)
	defer cancel()
	plan, err := r.ask(limit, f, repo, pr, t)
	same := t.head == pr.Head && t.state != ""
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case !retry(err) || limit.Err() == nil:
		t.slow = 0
	case same:
		t.slow++
	default:
		t.slow = 1
	}
	if retry(err) && same || err != nil && schema.KindOf(err) == schema.Waiting {
		t.planned = false
		return err // nothing is to be said yet
	}
	if err != nil {
		plan = Plan{State: forge.Error, Summary: "it cannot be planned: " + reason(err)}
	}
	if !same || t.state != plan.State || t.summary != plan.Summary {
		f.o.Outbox.Set(r.repo.URL, pr.Head, forge.Status{Context: r.repo.Context, State: plan.State, Description: plan.Summary})
	}
	t.head, t.against, t.state, t.summary = pr.Head, r.repo.Against, plan.State, plan.Summary
	t.planned, t.comment = !retry(err), plan.Comment
	if t.comment == "" && t.written != "" {
		t.comment = plan.Summary // what is written there is of something else
	}
	if digest(t.comment) == t.written {
		t.comment = ""
	}
	if t.planned {
		return nil
	}
	return err
}

// ask has a pull request planned. A stranger wrote it: a panic stops nothing but its
// plan.
func (r *round) ask(ctx context.Context, f *Follower, repo forge.Repo, pr forge.PullRequest, t *told) (_ Plan, err error) {
	defer func() {
		if p := recover(); p != nil {
			f.o.Logger.Error("planning a pull request panicked", "source", r.repo.Name, "number", pr.Number, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = &schema.Error{Op: "plan", Resource: fmt.Sprintf("pull request %d", pr.Number), Kind: schema.Terminal, Err: errors.New("a bug of Berth's; its log tells more")}
		}
	}()
	return r.repo.Plan(ctx, Request{PullRequest: pr, MergeBase: func(ctx context.Context) (string, error) {
		return r.mergeBase(ctx, f, repo, pr, t)
	}})
}

// mergeBase asks the forge where a pull request left its base, unless it has told.
func (r *round) mergeBase(ctx context.Context, f *Follower, repo forge.Repo, pr forge.PullRequest, t *told) (string, error) {
	if t.left.head == pr.Head {
		return t.left.commit, nil
	}
	commit, err := repo.MergeBase(ctx, pr)
	if retry(err) {
		return "", err
	}
	if err != nil {
		f.o.Logger.Warn("the forge does not tell where a pull request left its base", "source", r.repo.Name, "number", pr.Number, "error", err)
	}
	t.left = mergeBase{pr.Head, commit}
	return commit, nil
}

// digest stands for a comment, which may be long.
func digest(comment string) string {
	sum := sha256.Sum256([]byte(comment))
	return string(sum[:])
}

// retry tells whether what failed may work later.
func retry(err error) bool {
	kind := schema.KindOf(err)
	return err != nil && (kind == schema.Transient || kind == schema.Waiting)
}

// reason is an error in one line.
func reason(err error) string {
	text, _, _ := strings.Cut(fmt.Sprint(err), "\n")
	return text
}
