// Package api answers questions about a running Berth, and takes requests: GraphQL
// at /graphql (schema.graphql says what there is), and the logs of pods at /logs.
//
// A query is answered from one snapshot ([engine.View], the catalog, the statuses
// of the sources), which no reader changes and no writer waits for.
package api

import (
	"context"
	_ "embed"
	"log/slog"
	"time"

	"github.com/berthdev/berth/backends"
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
	Reconcile(deployment, backend string) error
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
	Logger   *slog.Logger
}

var (
	_ Engine = (*engine.Engine)(nil)
	_ Hub    = (*follow.Hub)(nil)
)
