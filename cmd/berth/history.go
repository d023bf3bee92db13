package main

import (
	"context"
	"log/slog"

	"github.com/berthdev/berth/reconciler/journal"
	"github.com/berthdev/berth/sources"
)

// historyLength is how many commits of the desired state are remembered.
const historyLength = 200

// history tells the journal who made the commits of the desired state, and what
// they said of them: git knows, the engine does not.
type history struct {
	of      func(ctx context.Context, n int) ([]sources.Commit, error)
	journal *journal.Journal
	log     *slog.Logger
	wake    chan struct{} // one slot
	newest  string        // the commit that was told of last
}

func newHistory(of func(context.Context, int) ([]sources.Commit, error), j *journal.Journal, log *slog.Logger) *history {
	return &history{of: of, journal: j, log: log, wake: make(chan struct{}, 1)}
}

// changed says at which commit the desired state is. It does not wait, and is
// called by one at a time.
func (h *history) changed(commit string) {
	if commit == h.newest {
		return
	}
	h.newest = commit
	select {
	case h.wake <- struct{}{}:
	default: // what is read next holds it too
	}
}

// run reads the history whenever there is a new commit, until ctx ends.
func (h *history) run(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		}
		commits, err := h.of(ctx, historyLength)
		if err != nil {
			h.log.Debug("the history of the desired state cannot be read", "error", err)
			continue // the next commit asks again
		}
		records := make([]journal.CommitRecord, len(commits))
		for i, c := range commits {
			records[i] = journal.CommitRecord{Hash: c.Hash, Message: c.Message, Author: c.Author, Time: c.Time}
		}
		h.journal.Seed(records)
	}
}
