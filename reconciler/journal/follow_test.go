package journal_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/berthdev/berth/reconciler/journal"
)

var errEnough = errors.New("enough")

func TestFollowTellsWhatWasAndWhatComes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := journal.New(journal.Options{})
		record := func(n int) {
			for range n {
				j.Record(journal.Event{Message: fmt.Sprint(j.Last() + 1)})
			}
		}
		record(3)
		ctx, cancel := context.WithCancel(t.Context())
		follow := func(after uint64) (*[]string, chan error) {
			got, ended := &[]string{}, make(chan error, 1)
			go func() {
				ended <- j.Follow(ctx, after, func(e *journal.Event) error { *got = append(*got, e.Message); return nil })
			}()
			return got, ended
		}
		all, allEnded := follow(0)
		late, lateEnded := follow(2)
		foreign, foreignEnded := follow(99) // an ID of a process that was before
		synctest.Wait()
		record(2)
		synctest.Wait()
		cancel()
		for _, ended := range []chan error{allEnded, lateEnded, foreignEnded} {
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("it ended with %v", err)
			}
		}
		if want := []string{"1", "2", "3", "4", "5"}; !slices.Equal(*all, want) || !slices.Equal(*late, want[2:]) || !slices.Equal(*foreign, want) {
			t.Errorf("told %v, %v and %v", *all, *late, *foreign)
		}
	})
}

func TestFollowEndsWithItsReader(t *testing.T) {
	j := journal.New(journal.Options{})
	j.Record(journal.Event{})
	if err := j.Follow(t.Context(), 0, func(*journal.Event) error { return errEnough }); !errors.Is(err, errEnough) {
		t.Errorf("it ended with %v", err)
	}
}

func TestASlowReaderMissesTheOldestAndDelaysNobody(t *testing.T) {
	j := journal.New(journal.Options{Events: 10})
	j.Record(journal.Event{})
	var got []uint64
	err := j.Follow(t.Context(), 0, func(e *journal.Event) error {
		if got = append(got, e.ID); len(got) == 1 {
			for range 100 { // none of these may wait for this reader
				j.Record(journal.Event{})
			}
		}
		if e.ID == 101 {
			return errEnough
		}
		return nil
	})
	want := []uint64{1, 92, 93, 94, 95, 96, 97, 98, 99, 100, 101}
	if !errors.Is(err, errEnough) || !slices.Equal(got, want) {
		t.Errorf("told %v (%v), want %v", got, err, want)
	}
}

// Several write and several read at once: every reader sees IDs that rise, whole
// events, and the last one in the end.
func TestWritersAndReadersAtOnce(t *testing.T) {
	const writers, each = 4, 2000
	j := journal.New(journal.Options{Events: 64})
	var group sync.WaitGroup
	for w := range writers {
		group.Go(func() {
			for i := range each {
				name := fmt.Sprintf("d%d", i%100)
				j.Record(journal.Event{Deployment: name, Message: fmt.Sprint(name, w, i)})
				j.Begin(journal.Rollout{Deployment: name, Input: fmt.Sprint(w, i)})
			}
		})
	}
	for range 2 {
		group.Go(func() {
			last := uint64(0)
			err := j.Follow(t.Context(), 0, func(e *journal.Event) error {
				if e.ID <= last || e.Message[:len(e.Deployment)] != e.Deployment {
					return fmt.Errorf("after %d: %+v", last, e)
				}
				if last = e.ID; last == writers*each {
					return errEnough
				}
				return nil
			})
			if !errors.Is(err, errEnough) {
				t.Error(err)
			}
		})
		group.Go(func() {
			for j.Last() < writers*each {
				checkFalling(t, j.Events(nil))
				checkFalling(t, j.Of("d7"))
				if r := j.Rollouts("d7"); len(r) > 10 {
					t.Errorf("%d rollouts", len(r))
				}
			}
		})
	}
	group.Wait()
}

func checkFalling(t *testing.T, events []*journal.Event) {
	for i := 1; i < len(events); i++ {
		if events[i].ID >= events[i-1].ID {
			t.Errorf("event %d comes after %d", events[i].ID, events[i-1].ID)
			return
		}
	}
}
