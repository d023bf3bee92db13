// Package api answers questions about a running Berth, and takes requests: GraphQL
// at /graphql (schema.graphql says what there is), and the logs of pods at /logs.
//
// A query is answered from one snapshot ([engine.View], the catalog, the statuses
// of the sources), which no reader changes and no writer waits for.
package api

import (
	"context"
	_ "embed"
	"fmt"
	"log/slog"
	"runtime"
	"time"

	graphql "github.com/graph-gophers/graphql-go"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/internal/relay"
	"github.com/berthdev/berth/reconciler/engine"
	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/sources/follow"
)

// Schema is the GraphQL schema.
//
//go:embed schema.graphql
var Schema string

// Engine is what the API asks of the engine.
type Engine interface {
	View() *engine.View
	Follow(ctx context.Context, each func(deployments []string) error) error
	Reconcile(ctx context.Context, deployment, backend string) error
	Retry(ctx context.Context, deployment string) (pods []string, err error)
	Ready() (ok bool, why string)
}

// Hub is what the API asks of who follows the sources.
type Hub interface {
	// Sources returns where following each source stands, the desired state first.
	// It does not wait.
	Sources() []follow.Status
	// WakeSource makes a source be asked soon; false when there is none of this name.
	WakeSource(name string) bool
	WakeAll()
}

// Options are what an API speaks of.
type Options struct {
	Instance string
	Version  string // of Berth
	Started  time.Time
	Engine   Engine
	Hub      Hub
	Journal  *journal.Journal
	Backends []backends.Backend // for logs and usage
	// Leader names the replica that leads; empty: none does. Nil: there are no replicas.
	Leader func() string
	// Relay hands mutations to the replica that leads; nil: they are refused here.
	Relay  *relay.Relay
	Logger *slog.Logger
}

// API answers queries. It is safe for concurrent use.
type API struct {
	o      Options
	schema *graphql.Schema
	turns  chan struct{} // one for each query that may be answered at once
	lanes  lanes         // to the turns
	views  indexes
	// bytes of answers that were made and not yet read
	answers *pool
}

// New returns an API; it fails where the schema and its resolvers disagree.
func New(o Options) (*API, error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	a := &API{o: o, lanes: lanes{by: map[string]*lane{}}, turns: make(chan struct{}, max(1, runtime.GOMAXPROCS(0)-1)), answers: newPool(maxAnswers, bytesHeld)}
	var err error
	a.schema, err = graphql.ParseSchema(Schema, &root{api: a},
		graphql.UseStringDescriptions(), graphql.UseFieldResolvers(), graphql.DisableFieldSelections(),
		graphql.MaxDepth(maxDepth), graphql.MaxQueryLength(maxQuery), graphql.MaxSelections(maxSelections),
		graphql.OverlapValidationLimit(maxOverlaps), graphql.MaxParallelism(parallelism),
		// Within this time an answer is also taken by the client, or it is cut off: the
		// library forgets answers that are not.
		graphql.SubscribeResolverTimeout(limit+2*streamTime),
		graphql.Tracer(tracer{}), graphql.Logger(panicLog{o.Logger}), graphql.PanicHandler(panicErrors{}),
	)
	if err != nil {
		return nil, fmt.Errorf("api: %w", err)
	}
	return a, nil
}

// root leads to the three kinds of operations.
type root struct{ api *API }

func (r *root) Query() any        { return &query{r.api} }
func (r *root) Mutation() any     { return &mutation{r.api} }
func (r *root) Subscription() any { return &subscription{r.api} }

// Execute answers a query or carries out a mutation. It takes a snapshot first,
// so that all parts of the answer agree, and returns when that is done, after
// the time limit, or soon after ctx ends. The caller checks who may ask.
func (a *API) Execute(ctx context.Context, query, operation string, variables map[string]any) *graphql.Response {
	if err := checkLength(query); err != nil {
		return failed(err)
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	leave, ok := a.take(ctx)
	if !ok {
		return failed(late(ctx))
	}
	defer leave()
	w := a.look(ctx)
	w.meter.panics, w.meter.keys = true, aliases(query)
	// The library is not told when ctx ends: it would list every field that it
	// could not answer. The meter ends the query instead, with one error.
	r := a.schema.Exec(with(context.WithoutCancel(ctx), w), query, operation, variables)
	if err := w.meter.stopped(); err != nil {
		return failed(err, r.Errors...)
	}
	return explained(r)
}

// leader names the replica that leads.
func (a *API) leader() string {
	if a.o.Leader == nil {
		return ""
	}
	return a.o.Leader()
}

var (
	_ Engine = (*engine.Engine)(nil)
	_ Hub    = (*follow.Hub)(nil)
)
