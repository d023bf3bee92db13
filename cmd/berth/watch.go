package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/berthdev/berth/schema"
)

// A subscriber is what a watch asks of a [client.Client].
type subscriber interface {
	querier
	Subscribe(ctx context.Context, query string, variables map[string]any, each func(json.RawMessage) error) error
}

const watchPause = 2 * time.Second // between two looks at what has no subscription

// A watch prints what there is, and then a line for each change. It looks at the
// whole first and after every loss of the connection, and remembers what it
// printed: so nothing is missed between a look and the subscription that follows
// it, and nothing is told twice.
type watch struct {
	q      getQuery
	c      console
	server subscriber
	pause  time.Duration // between two looks
	table  *table

	seen   map[string]shown // by key
	newest *eventItem       // of the events that were printed
	begun  bool             // whether the server answered once
	link   persistence
}

// shown is how a thing was printed last.
type shown struct {
	text string   // without its age, which changes by itself
	row  []string // of a table
}

func newWatch(q getQuery, c console, server subscriber) *watch {
	return &watch{q: q, c: c, server: server, pause: watchPause, table: q.table(c), seen: map[string]shown{}, link: persistence{ask: server, err: c.err, planned: !unplanned[q.kind.name]}}
}

// unplanned are the kinds that a server knows of before it planned.
var unplanned = words("backends sources events")

// run watches until ctx ends, which is no error.
func (w *watch) run(ctx context.Context) error {
	for {
		err := w.round(ctx)
		switch {
		case err == nil:
			if err = sleep(ctx, w.pause); err == nil {
				err = w.link.check(ctx)
			}
		case w.begun, errors.Is(err, errAnew):
			err = w.link.again(ctx, err)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// bareError is an error without what to do.
func bareError(err error) string {
	var e *schema.Error
	if errors.As(err, &e) && e.Err != nil {
		return oneLine(e.Err.Error())
	}
	return oneLine(err.Error())
}

// round looks at the whole and then hears of changes, for as long as the
// connection stands.
func (w *watch) round(ctx context.Context) error {
	items, err := w.q.fetch(ctx, w.server)
	if err != nil && !errors.Is(err, errMissing) {
		return err
	}
	if err != nil && !w.begun {
		tellError(w.c.err, err)
		fmt.Fprintln(w.c.err, "waiting for", plural(len(w.q.names)-len(items), "it", "them"))
	}
	w.begun = true
	w.link.progress()
	if err := w.look(items); err != nil || !w.live() {
		return err
	}
	variables := map[string]any{"filter": w.q.what.filter}
	if len(w.q.names) > 0 {
		variables["filter"] = map[string]any{"name": w.q.names}
	}
	if w.q.kind.byField != "" {
		variables["last"] = maxPage
	}
	return w.server.Subscribe(ctx, w.q.kind.liveDocument(), variables, w.hear)
}

// live tells whether the server tells of what is asked for by itself.
func (w *watch) live() bool {
	return w.q.kind.live != "" && w.q.search == "" && (len(w.q.names) == 0 || w.q.kind.one == "deployment")
}

// look prints what differs from what was printed last.
func (w *watch) look(items []item) error {
	there := map[string]bool{}
	for _, i := range items {
		there[i.key()] = true
		if err := w.take(i); err != nil {
			return err
		}
	}
	for _, key := range w.gone(there) {
		if err := w.drop(key); err != nil {
			return err
		}
	}
	return w.flush()
}

// gone are the things that were printed and are not there, in the order of names.
func (w *watch) gone(there map[string]bool) []string {
	var out []string
	for key := range w.seen {
		if !there[key] {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}

// hear takes in an answer to the subscription.
func (w *watch) hear(data json.RawMessage) error {
	var answer struct {
		Change json.RawMessage `json:"change"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return err
	}
	text := answer.Change
	if w.q.kind.byField == "" {
		var change struct {
			Kind    word            `json:"kind"`
			Name    string          `json:"name"`
			Backend string          `json:"backend"`
			Item    json.RawMessage `json:"item"`
		}
		if err := json.Unmarshal(text, &change); err != nil {
			return err
		}
		if change.Kind == "removed" {
			key := change.Name
			if change.Backend != "" {
				key = change.Backend + "/" + key
			}
			return errors.Join(w.drop(key), w.flush())
		}
		text = change.Item
	}
	i, err := w.q.kind.read(text)
	if err != nil {
		return err
	}
	return errors.Join(w.take(i), w.flush())
}

// take prints a thing if it is not as it was printed last.
func (w *watch) take(i item) error {
	if e, ok := i.(*eventItem); ok {
		if !e.after(w.newest) {
			return nil
		}
		w.newest = e
		return w.tell("added", i)
	}
	now, err := w.shown(i)
	before, known := w.seen[i.key()]
	if err != nil || known && before.text == now.text {
		return err
	}
	w.seen[i.key()] = now
	if known {
		return w.tell("modified", i)
	}
	return w.tell("added", i)
}

// after tells whether an event is newer than another. Numbers begin again when
// the server does, times do not.
func (e *eventItem) after(other *eventItem) bool {
	if other == nil || !e.Time.Equal(other.Time) {
		return other == nil || e.Time.After(other.Time)
	}
	a, _ := strconv.ParseUint(e.ID, 10, 64) // what is no number is 0, and not newer
	b, _ := strconv.ParseUint(other.ID, 10, 64)
	return a > b
}

// ageColumns change by themselves.
var ageColumns = words("AGE SINCE READ")

func (w *watch) shown(i item) (shown, error) {
	if w.q.output == "json" || w.q.output == "yaml" {
		text, err := json.Marshal(i)
		return shown{text: string(text)}, err
	}
	row := w.q.cells(i, time.Now())
	lasting := row
	if last := len(row) - 1; ageColumns[w.table.header[last]] {
		lasting = row[:last]
	}
	text, err := json.Marshal(lasting)
	return shown{string(text), row}, err
}

// drop prints that a thing is gone.
func (w *watch) drop(key string) error {
	last, known := w.seen[key]
	if !known {
		return nil
	}
	delete(w.seen, key)
	switch w.q.output {
	case "name":
		return nil
	case "json", "yaml":
		return w.write(changed{Change: "removed", Kind: w.q.kind.one, Name: key})
	}
	w.table.row(goneRow(w.table.header, last.row)...)
	return nil
}

// goneRow is the row of a thing that is gone: what it was, not how it was.
func goneRow(header, row []string) []string {
	out, marked := slices.Clone(row), false
	for i, h := range header {
		if !stateColumns[h] && !freeText[h] && !ageColumns[h] {
			continue
		}
		out[i] = ""
		if stateColumns[h] && !marked {
			out[i], marked = "gone", true
		}
	}
	if !marked {
		out[len(out)-1] = "gone"
	}
	return out
}

// changed is what -o json and -o yaml print of a change.
type changed struct {
	Change string `json:"change"` // added, modified or removed
	Kind   string `json:"kind"`
	Name   string `json:"name"`
	Item   item   `json:"item"` // nothing when it was removed
}

func (w *watch) tell(change string, i item) error {
	switch w.q.output {
	case "name":
		_, err := fmt.Fprintln(w.c.out, w.q.kind.one+"/"+oneLine(i.key()))
		return err
	case "json", "yaml":
		return w.write(changed{change, w.q.kind.one, i.key(), i})
	}
	w.table.row(w.q.cells(i, time.Now())...)
	return nil
}

// write prints a change as a line of JSON, or as a document of YAML.
func (w *watch) write(c changed) error {
	if w.q.output == "json" {
		enc := json.NewEncoder(w.c.out)
		enc.SetEscapeHTML(false)
		return enc.Encode(c)
	}
	if _, err := fmt.Fprintln(w.c.out, "---"); err != nil {
		return err
	}
	return writeYAML(w.c.out, c)
}

// flush prints the rows of a table.
func (w *watch) flush() error {
	switch w.q.output {
	case "table", "wide":
		return w.table.flush()
	}
	return nil
}
