// Package journal remembers, in memory and within bounds, what happened: events,
// the rollouts of each deployment, and what became of each commit of the desired
// state. It is for people who ask; nothing is decided by it. After a restart it
// begins with what pods and git tell.
package journal

import (
	"context"
	"time"
)

// Kind says what an event is about.
type Kind string

// The kinds of events.
const (
	Commit  Kind = "commit"  // a commit came into force, or its outcome became known
	App     Kind = "app"     // releases of an app came, changed or went
	State   Kind = "state"   // a deployment turned to another state, or its reason changed
	Step    Kind = "step"    // Berth took a step on a backend
	Pod     Kind = "pod"     // an engine told of a change that Berth did not make
	Source  Kind = "source"  // a source failed, or answers again
	Backend Kind = "backend" // a backend does not answer, or does again
	Request Kind = "request" // a person asked for something
)

// Severity is how much an event matters.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warning Severity = "warning"
	Error   Severity = "error"
)

// An Event is something that happened. Fields that do not concern it are empty.
type Event struct {
	ID         uint64 // rises with each event; the first is 1
	Time       time.Time
	Kind       Kind
	Severity   Severity // empty: Info
	Message    string   // in words; holds no secret
	Deployment string
	App        string
	Pod        string
	Backend    string
	Source     string
	Commit     string
	State      string // that the deployment turned to
}

// RolloutState is where a rollout stands.
type RolloutState string

// The states of rollouts.
const (
	Progressing RolloutState = "progressing"
	Ready       RolloutState = "ready"
	Failed      RolloutState = "failed"
	Superseded  RolloutState = "superseded" // another one began before it ended
)

// A Rollout is a deployment's way to a release.
type Rollout struct {
	Deployment string
	Version    string
	Flavour    string
	Backend    string
	Commit     string // of the desired state, that led to it
	Input      string // the hash of what it shall run: another one is another rollout
	State      RolloutState
	Reason     string
	Started    time.Time
	Ended      time.Time // zero: it goes on
}

// A CommitRecord is what became of a commit of the desired state.
type CommitRecord struct {
	Hash    string
	Message string // the first line
	Author  string // the name, without address
	Time    time.Time
	Verdict string    // pending, success, failure, superseded or unknown
	Summary string    // in words
	Since   time.Time // when it came into force; zero: not known
	Changed []string  // the deployments that it changed, sorted, at most 100; nil: not known
}

// Journal is safe for concurrent use. Writers never wait for readers: what is
// read is a value that no write changes. A nil *Journal records nothing.
type Journal struct{}

// Options bound a journal.
type Options struct {
	Events        int // in all; default 10,000
	PerDeployment int // of them, kept for one deployment although others press: default 50
	Rollouts      int // for each deployment; default 10
	Commits       int // default 200
	Now           func() time.Time
}

// New returns an empty journal.
func New(o Options) *Journal { return &Journal{} }

// Record takes in an event; it fills in ID and Time.
func (j *Journal) Record(e Event) {}

// Events returns the events that match, the newest first.
func (j *Journal) Events(match func(*Event) bool) []*Event { return nil }

// Of returns the events of one deployment, the newest first.
func (j *Journal) Of(deployment string) []*Event { return nil }

// Follow calls each for every event after the one with this ID (0: all that are
// remembered), the oldest first, until ctx ends or each fails. A reader that is
// too slow misses the oldest, never delays a writer.
func (j *Journal) Follow(ctx context.Context, after uint64, each func(*Event) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// Last returns the ID of the newest event.
func (j *Journal) Last() uint64 { return 0 }

// Rollouts returns the rollouts of one deployment, the newest first.
func (j *Journal) Rollouts(deployment string) []Rollout { return nil }

// Commits returns the commits of the desired state, the newest first.
func (j *Journal) Commits() []CommitRecord { return nil }
