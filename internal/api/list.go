package api

import (
	"fmt"
	"slices"
	"sort"
)

// A connection is a page of a list.
type connection[T any] struct {
	Nodes      []T
	TotalCount int32
	PageInfo   pageInfo
}

type pageInfo struct {
	HasNextPage bool
	EndCursor   *string
}

// paging says which page is asked for.
type paging struct {
	First int32
	After *string
}

// orderBy says in which order, as the inputs named …Order do.
type orderBy struct {
	By        string
	Direction string
}

const (
	ascending  = "ASC"
	descending = "DESC"
)

// An order is a way to sort things. It is total: no two things are equal in it.
type order[T any] func(a, b T) int

// A noun is a kind of thing that is listed.
type noun[T any] struct {
	name   string
	orders map[string]order[T] // by the names in the schema
	usual  string              // the order where none is asked for
	// mark returns what a cursor must remember of a thing to find its place in any
	// order; probe makes a thing of that which stands in this place, though the
	// thing itself may be gone. It returns false for what mark cannot have made.
	mark  func(T) []string
	probe func(*world, []string) (T, bool)
}

// A listing is what there is to list.
type listing[T any] struct {
	len int
	at  func(i int) T
	in  string // the name of the order in which the things stand, ascending
}

// all returns a listing of a slice; of makes a thing of what stands there.
func all[T, R any](items []R, in string, of func(R) T) listing[T] {
	return listing[T]{len(items), func(i int) T { return of(items[i]) }, in}
}

// page returns the page that is asked for of the things that a filter keeps.
func (n *noun[T]) page(w *world, things listing[T], keep filter[T], by *orderBy, p paging) (*connection[T], error) {
	if by == nil {
		by = &orderBy{n.usual, ascending}
	}
	at, err := n.position(w, *by, p)
	if err != nil {
		return nil, err
	}
	if things, err = n.arrange(w, things, keep, by.By); err != nil {
		return nil, err
	}
	if by.Direction == descending {
		forward := things.at
		things.at = func(i int) T { return forward(things.len - 1 - i) }
	}
	from := 0
	if at != nil {
		compare := n.orders[by.By]
		from = sort.Search(things.len, func(i int) bool {
			c := compare(things.at(i), *at)
			return c > 0 && by.Direction == ascending || c < 0 && by.Direction == descending
		})
	}
	to := min(things.len, from+int(p.First))
	if err := w.meter.spendObjects(to - from); err != nil {
		return nil, err
	}
	return n.cut(things, from, to, *by), nil
}

// position returns what stands where the page begins, after which it goes on;
// nil: it is the first page.
func (n *noun[T]) position(w *world, by orderBy, p paging) (*T, error) {
	if p.First < 1 || p.First > maxPage {
		return nil, badInput(fmt.Sprintf("ask for 1 to %d, and for the next ones with `after`", maxPage), "first: %d things cannot be asked for at once", p.First)
	}
	if p.After == nil {
		return nil, nil
	}
	marks, err := readCursor(*p.After, n.name, by)
	if err != nil {
		return nil, err
	}
	at, ok := n.probe(w, marks)
	if !ok {
		return nil, errCursor()
	}
	return &at, nil
}

// arrange returns the things that are kept, in an order.
func (n *noun[T]) arrange(w *world, things listing[T], keep filter[T], by string) (listing[T], error) {
	if keep.admits == nil && things.in == by {
		return things, nil
	}
	if err := w.meter.spend(things.len * (1 + keep.size)); err != nil {
		return things, err
	}
	var kept []T
	for i := range things.len {
		if t := things.at(i); keep.admits == nil || keep.admits(t) {
			kept = append(kept, t)
		}
	}
	if things.in != by {
		slices.SortFunc(kept, n.orders[by])
	}
	return listing[T]{len(kept), func(i int) T { return kept[i] }, by}, nil
}

// cut makes a connection of the things from one place to another.
func (n *noun[T]) cut(things listing[T], from, to int, by orderBy) *connection[T] {
	c := &connection[T]{TotalCount: count(things.len), Nodes: make([]T, to-from), PageInfo: pageInfo{HasNextPage: to < things.len}}
	for i := range c.Nodes {
		c.Nodes[i] = things.at(from + i)
	}
	if from < to {
		cursor := writeCursor(n.name, by, n.mark(c.Nodes[to-from-1]))
		c.PageInfo.EndCursor = &cursor
	}
	return c
}
