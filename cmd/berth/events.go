package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

type eventsOptions struct {
	follow   bool
	since    string
	kinds    []string
	severity string
	limit    int
	output   string
}

var (
	eventKinds = []string{"commit", "app", "state", "step", "pod", "source", "backend", "request"}
	severities = []string{"info", "warning", "error"} // the least first
)

func newEvents(c console) *cobra.Command {
	var o eventsOptions
	cmd := &cobra.Command{
		Use:   "events [DEPLOYMENT]",
		Short: "Print what happened, and go on with -f",
		Long: `Print what happened, the oldest first: commits, releases, steps on backends,
turns of deployments, failures. The server remembers the newest 10,000 events,
and the last of each deployment; after a restart it begins anew, with what pods
and git still tell.`,
		Example: `  berth events
  berth events stardist-john -f
  berth events --since 1h --severity warning
  berth events --kind commit,source -o json`,
		Args:              cobra.MaximumNArgs(1),
		ValidArgsFunction: completeNames(firstOnly, "deployments"),
	}
	server := addServerFlags(cmd)
	outputFlag(cmd, &o.output, "table", "json")
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with what happens")
	cmd.Flags().StringVar(&o.since, "since", "", "only what happened in this time (10m, 2d), or since a moment (2026-11-21T12:00:00Z)")
	cmd.Flags().StringSliceVar(&o.kinds, "kind", nil, "only events of these kinds: "+strings.Join(eventKinds, ", "))
	cmd.Flags().StringVar(&o.severity, "severity", "info", "only events that matter so much or more: "+strings.Join(severities, ", "))
	cmd.Flags().IntVar(&o.limit, "limit", 50, "the most events to print, the newest; 0 prints all")
	completeFixed(cmd, "kind", eventKinds)
	completeFixed(cmd, "severity", severities)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		filter, err := o.filter(time.Now(), args)
		if err != nil {
			return err
		}
		ask, err := server.open()
		if err != nil {
			return err
		}
		name := ""
		if len(args) > 0 {
			name = deploymentName(args[0])
		}
		e := &events{ask: ask, name: name, options: o, filter: filter, console: c, table: newTable(c.out, "TIME", "SEVERITY", "KIND", "ABOUT", "MESSAGE")}
		if !o.follow {
			return e.list(cmd.Context())
		}
		if err := e.goOn(cmd.Context()); cmd.Context().Err() == nil {
			return err
		}
		return nil // a person had enough
	}
	return cmd
}

// deploymentName is the name in a word that may say its kind.
func deploymentName(arg string) string { return strings.TrimPrefix(arg, "deployment/") }

// filter is the EventFilter that the options mean.
func (o *eventsOptions) filter(now time.Time, args []string) (map[string]any, error) {
	if o.limit < 0 || o.limit > maxEvents {
		return nil, usageErrorf("--limit: %d is not between 0 and %d", o.limit, maxEvents)
	}
	filter := map[string]any{}
	since, err := parseSince(now, o.since)
	if err != nil {
		return nil, err
	}
	if !since.IsZero() {
		filter["since"] = since.UTC().Format(time.RFC3339Nano)
	}
	if len(args) > 0 {
		filter["deployment"] = []string{deploymentName(args[0])}
	}
	var kinds []string
	for _, kind := range o.kinds {
		if !slices.Contains(eventKinds, strings.ToLower(kind)) {
			return nil, usageErrorf("--kind: %q is none of %s", kind, strings.Join(eventKinds, ", "))
		}
		kinds = append(kinds, enumWord(kind))
	}
	if kinds != nil {
		filter["kind"] = kinds
	}
	least := slices.Index(severities, strings.ToLower(o.severity))
	if least < 0 {
		return nil, usageErrorf("--severity: %q is none of %s", o.severity, strings.Join(severities, ", "))
	}
	if least > 0 {
		var wanted []string
		for _, s := range severities[least:] {
			wanted = append(wanted, enumWord(s))
		}
		filter["severity"] = wanted
	}
	return filter, nil
}

// maxEvents is how many events the server remembers unless it is told otherwise.
const maxEvents = 10000

const (
	eventsQuery = `query($filter: EventFilter, $first: Int!, $after: String) {
	events(filter: $filter, first: $first, after: $after) { nodes { ` + eventFields + ` } pageInfo { hasNextPage endCursor } } }`
	eventsSubscription = `subscription($filter: EventFilter, $last: Int!) {
	events(filter: $filter, last: $last) { ` + eventFields + ` } }`
)

// events prints events.
type events struct {
	ask        subscriber
	options    eventsOptions
	filter     map[string]any
	name       string // of the deployment that is asked for; empty: all
	console    console
	table      *table
	newestTold *eventItem
}

func (e *events) list(ctx context.Context) error {
	found, err := e.newest(ctx, e.limit())
	if err != nil {
		return err
	}
	slices.Reverse(found)
	if e.options.output == "json" {
		return writeJSON(e.console.out, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(e.console.err, "nothing happened that the server remembers and that matches")
		return e.doubt(ctx)
	}
	for _, event := range found {
		e.row(event)
	}
	return e.table.flush()
}

// doubt says which deployment was perhaps meant, where none of the name is there:
// of one that went the server may remember events, so that this is no error.
func (e *events) doubt(ctx context.Context) error {
	if e.name == "" {
		return nil
	}
	r, err := resourceOf("deployment")
	if err != nil {
		return err
	}
	known, err := r.names(ctx, e.ask, 2000)
	if err != nil || slices.Contains(known, e.name) {
		return err
	}
	hint := "there is no deployment " + oneLine(e.name)
	if near := nearestNames(e.name, known); len(near) > 0 {
		hint += "; did you mean " + strings.Join(near, " or ") + "?"
	}
	fmt.Fprintln(e.console.err, "hint: "+hint)
	return nil
}

// limit is how many events are asked for at first.
func (e *events) limit() int { return cmp.Or(e.options.limit, maxEvents) }

// newest returns the newest events that match, at most so many, the newest first.
func (e *events) newest(ctx context.Context, limit int) ([]*eventItem, error) {
	variables := map[string]any{"filter": e.filter}
	found := []*eventItem{}
	for len(found) < limit {
		variables["first"] = min(limit-len(found), maxPage)
		var answer struct {
			Events struct {
				Nodes    []*eventItem
				PageInfo pageInfo
			}
		}
		if err := e.ask.Query(ctx, eventsQuery, variables, &answer); err != nil {
			return nil, err
		}
		found = append(found, answer.Events.Nodes...)
		if !answer.Events.PageInfo.HasNextPage {
			break
		}
		variables["after"] = answer.Events.PageInfo.EndCursor
	}
	return found, nil
}

// goOn prints the last events, and then those that happen. After a lost
// connection it goes on behind the last that was printed: the identities of
// events begin anew with the server, their times do not.
func (e *events) goOn(ctx context.Context) error {
	if err := e.catchUp(ctx, e.limit()); err != nil {
		return err
	}
	p := &persistence{ask: e.ask, err: e.console.err}
	for {
		err := e.hear(ctx, p)
		if err == nil {
			err = p.rest(ctx) // the server ends: it may come again
		} else {
			err = p.again(ctx, err)
		}
		for err == nil {
			if err = e.catchUp(ctx, maxEvents); err == nil {
				break
			}
			err = p.again(ctx, err)
		}
		if err != nil {
			return err
		}
	}
}

// catchUp prints what happened since the last event that was printed: a
// subscription gives only so many of before.
func (e *events) catchUp(ctx context.Context, limit int) error {
	e.begin()
	found, err := e.newest(ctx, limit)
	if err != nil {
		return err
	}
	for _, event := range slices.Backward(found) {
		if err := e.tell(event); err != nil {
			return err
		}
	}
	return nil
}

// begin has the server asked for nothing that was printed.
func (e *events) begin() {
	if e.newestTold != nil {
		e.filter["since"] = e.newestTold.Time.UTC().Format(time.RFC3339Nano)
	}
}

// hear prints what happens until the connection ends.
func (e *events) hear(ctx context.Context, p *persistence) error {
	e.begin()
	return e.ask.Subscribe(ctx, eventsSubscription, map[string]any{"filter": e.filter, "last": maxPage}, func(data json.RawMessage) error {
		p.progress()
		var answer struct{ Events *eventItem }
		if err := json.Unmarshal(data, &answer); err != nil {
			return err
		}
		return e.tell(answer.Events)
	})
}

// tell prints an event, if a former connection did not tell it.
func (e *events) tell(event *eventItem) error {
	if !event.after(e.newestTold) {
		return nil
	}
	e.newestTold = event
	if e.options.output == "json" {
		return writeLine(e.console.out, event)
	}
	e.row(event)
	return e.table.flush()
}

func (e *events) row(event *eventItem) {
	e.table.row(event.Time.Local().Format(time.DateTime), string(event.Severity), string(event.Kind), event.about(), event.text())
}
