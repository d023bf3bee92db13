package journal

import (
	"context"
	"sync"
)

// A bell wakes those who wait for something new. Strokes coalesce: who does not
// wait hears nothing, and looks before he waits.
type bell struct {
	mu    sync.Mutex // held for a moment, never while anybody waits
	heard chan struct{}
}

// listen returns a channel that is closed at the next stroke.
func (b *bell) listen() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard == nil {
		b.heard = make(chan struct{})
	}
	return b.heard
}

func (b *bell) ring() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.heard != nil {
		close(b.heard)
		b.heard = nil
	}
}

// Follow calls each for every event after the one with this ID (0: all that are
// remembered), the oldest first, until ctx ends or each fails. An ID that was not
// given yet is one of an earlier process: then all that are remembered are new.
// A reader that is too slow misses the oldest, never delays a writer.
func (j *Journal) Follow(ctx context.Context, after uint64, each func(*Event) error) error {
	if j == nil {
		<-ctx.Done()
		return ctx.Err()
	}
	if after > j.Last() {
		after = 0
	}
	for {
		news := j.bell.listen()
		for after < j.Last() {
			after = max(after+1, j.events.oldest())
			e := j.events.get(after)
			if e == nil {
				continue // it was overwritten just now
			}
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err := each(e); err != nil {
				return err
			}
		}
		select {
		case <-news:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
