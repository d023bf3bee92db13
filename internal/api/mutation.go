package api

import (
	"cmp"
	"context"
	"strings"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/internal/access"
	"github.com/berthdev/berth/reconciler/journal"
)

// mutation resolves the fields of Mutation.
type mutation struct{ api *API }

type reconcileResult struct {
	Time graphql.Time
	What []string
}

type retryResult struct {
	Time       graphql.Time
	Deployment *deployment
	Pods       []string
}

// handedOn is the key of a context whose work the replica that leads does: this one
// only looks again.
type handedOn struct{}

// admit returns the name of who asks for work, if they may.
func admit(ctx context.Context) (string, error) {
	caller := access.From(ctx)
	if !caller.May(access.Admin) {
		return "", &Error{Code: Forbidden, Message: "the role admin is needed to ask for work",
			Hint: "use a token with the role admin, which 'berth token NAME --role admin' makes, and send the request with POST"}
	}
	if w := worldOf(ctx); w.view.Standby && ctx.Value(handedOn{}) == nil {
		hint := "ask the one that leads, or try again in some seconds"
		if caller.Name == access.Local {
			hint = "ask the one that leads, or use a token: then it is handed on"
		}
		return "", &Error{Code: Unavailable, Message: "this replica does not lead: " + cmp.Or(w.api.leader(), "none") + " does", Hint: hint}
	}
	return caller.Name, nil
}

// Reconcile has what is named looked at again at once, and all of it must be
// there before anything is done.
func (m *mutation) Reconcile(ctx context.Context, args struct{ Source, Deployment, Backend *string }) (*reconcileResult, error) {
	caller, err := admit(ctx)
	if err != nil {
		return nil, err
	}
	acts, err := m.acts(ctx, args.Source, args.Deployment, args.Backend)
	if err != nil {
		return nil, err
	}
	result := &reconcileResult{Time: graphql.Time{Time: time.Now().UTC()}}
	request := journal.Event{Kind: journal.Request, Deployment: valueOf(args.Deployment), Backend: valueOf(args.Backend), Source: valueOf(args.Source)}
	for _, act := range acts {
		if err := act.do(); err != nil {
			return nil, err
		}
		result.What = append(result.What, act.what)
	}
	request.Message = caller + " asked to look again at " + strings.Join(result.What, ", ")
	m.api.o.Journal.Record(request)
	return result, nil
}

// An act is a piece of work that was asked for.
type act struct {
	what string // is looked at again, in words
	do   func() error
}

// acts returns what looks again at the things that are named, or at everything.
func (m *mutation) acts(ctx context.Context, source, deployment, backend *string) ([]act, error) {
	w, hub, engine := worldOf(ctx), m.api.o.Hub, m.api.o.Engine
	var acts []act
	if source != nil {
		if w.source(*source) == nil {
			return nil, missing("source", *source, w.sourceNames())
		}
		acts = append(acts, act{"source " + *source, func() error {
			if !hub.WakeSource(*source) { // it went in the meantime
				return missing("source", *source, w.sourceNames())
			}
			return nil
		}})
	}
	if deployment != nil {
		if w.deployment(*deployment) == nil {
			return nil, missing("deployment", *deployment, w.deploymentNames())
		}
		acts = append(acts, act{"deployment " + *deployment, func() error { return engine.Reconcile(ctx, *deployment, "") }})
	}
	if backend != nil {
		if w.backend(*backend) == nil {
			return nil, missing("backend", *backend, w.backendNames())
		}
		acts = append(acts, act{"backend " + *backend, func() error { return engine.Reconcile(ctx, "", *backend) }})
	}
	if len(acts) == 0 {
		acts = []act{
			{"all sources", func() error { hub.WakeAll(); return nil }},
			{"all deployments", func() error { return engine.Reconcile(ctx, "", "") }},
		}
	}
	return acts, nil
}

// Retry has a failed rollout tried again.
func (m *mutation) Retry(ctx context.Context, args struct{ Deployment string }) (*retryResult, error) {
	caller, err := admit(ctx)
	if err != nil {
		return nil, err
	}
	w := worldOf(ctx)
	if w.deployment(args.Deployment) == nil {
		return nil, missing("deployment", args.Deployment, w.deploymentNames())
	}
	result := &retryResult{Time: graphql.Time{Time: time.Now().UTC()}}
	if result.Pods, err = m.api.o.Engine.Retry(w.meter.ctx, args.Deployment); err != nil {
		return nil, err
	}
	m.api.o.Journal.Record(journal.Event{Kind: journal.Request, Deployment: args.Deployment, Message: caller + " asked to try the rollout again"})
	after := m.api.look(w.meter.ctx)
	after.meter = w.meter // what the answer holds is bounded as a whole
	if result.Deployment = after.deployment(args.Deployment); result.Deployment == nil {
		result.Deployment = w.deployment(args.Deployment)
	}
	return result, nil
}

func valueOf(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
