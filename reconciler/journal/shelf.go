package journal

import (
	"container/list"
	"sync"
	"sync/atomic"
)

// A shelf holds the last things of each of many deployments: of one at most
// each, in all at most most. When they are too many, one that has the most loses
// its oldest: of those, the one that was added to the longest ago. So what is
// noisy takes nothing from what is quiet.
//
// One writer at a time puts; readers take lists, which are never changed.
type shelf[T any] struct {
	each, most int
	rows       sync.Map // from the name of a deployment to its *row
	total      int
	full       []*list.List // rows by how many things they have, the longest untouched first
}

type row[T any] struct {
	key   string
	items atomic.Pointer[[]*T] // the oldest first
	at    *list.Element        // in the shelf's list for so many items
}

func newShelf[T any](each, most int) *shelf[T] {
	s := &shelf[T]{each: each, most: most, full: make([]*list.List, each+1)}
	for n := range s.full {
		s.full[n] = list.New()
	}
	return s
}

// get returns what is held of a deployment, the oldest first. It is read only.
func (s *shelf[T]) get(key string) []*T {
	if r := s.row(key); r != nil {
		return *r.items.Load()
	}
	return nil
}

func (s *shelf[T]) row(key string) *row[T] {
	r, _ := s.rows.Load(key)
	found, _ := r.(*row[T])
	return found
}

// put replaces what is held of a deployment by items, which the shelf keeps; it
// leaves out the oldest that are too many.
func (s *shelf[T]) put(key string, items []*T) {
	if len(items) == 0 {
		return
	}
	r := s.row(key)
	if r == nil {
		r = &row[T]{key: key}
		s.set(r, items)
		s.rows.Store(key, r)
	} else {
		s.set(r, items)
	}
	for s.total > s.most {
		s.squeeze()
	}
}

// set has a row hold the items, as far as it may.
func (s *shelf[T]) set(r *row[T], items []*T) {
	if over := len(items) - s.each; over > 0 {
		items = append([]*T(nil), items[over:]...)
	}
	if r.at != nil {
		before := len(*r.items.Load())
		s.full[before].Remove(r.at)
		s.total -= before
	}
	r.items.Store(&items)
	r.at = s.full[len(items)].PushBack(r)
	s.total += len(items)
}

// squeeze takes the oldest thing from a row that has the most. A row that has
// one only, as all the others, is taken away.
func (s *shelf[T]) squeeze() {
	n := s.each
	for s.full[n].Len() == 0 {
		n--
	}
	r := s.full[n].Front().Value.(*row[T])
	if n > 1 {
		s.set(r, append([]*T(nil), (*r.items.Load())[1:]...))
		return
	}
	s.full[n].Remove(r.at)
	s.rows.Delete(r.key)
	s.total--
}
