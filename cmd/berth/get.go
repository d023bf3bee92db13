package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

// getOptions are the flags of "berth get".
type getOptions struct {
	output   string
	selector []string
	search   string
	sortBy   string
	limit    int
	watch    bool
}

func newGet(c console) *cobra.Command {
	var o getOptions
	kinds := make([]string, len(resources))
	for i, r := range resources {
		kinds[i] = r.name
	}
	cmd := &cobra.Command{
		Use:   "get KIND [NAME...]",
		Short: "List what a running Berth knows: deployments, pods, apps, commits and more",
		Long: `Ask a running Berth for things of one kind, and print them as a table or for
programs. The kinds are ` + strings.Join(kinds[:5], ", ") + ",\n" + strings.Join(kinds[5:len(kinds)-1], ", ") + ` and ` + kinds[len(kinds)-1] + `.

A release is named IDENTIFIER@VERSION, a flavour IDENTIFIER@VERSION/NAME, a
commit by seven digits or more of its hash; KIND/NAME in one word is understood
too. A name after "get events" is a deployment's.

A selector (-l) keeps what matches all its keys: key=value or key!=value, with *
for any text; one key given several times means any of the values. A wrong key
or value is answered with those that there are.`,
		Example: `  berth get deployments
  berth get deployments -l state=failed,state=held -o wide
  berth get pods --sort-by=-restarts --watch
  berth get releases -l app=org.stardist,prerelease=false
  berth get flavours --search cuda -o name
  berth get deployment stardist-john -o yaml
  berth get events -l severity!=info,since=1h`,
		Args:              cobra.MinimumNArgs(1),
		ValidArgsFunction: completeKindAndNames(kinds, anyMore),
	}
	flags := addServerFlags(cmd)
	outputFlag(cmd, &o.output, "table", "wide", "json", "yaml", "name")
	cmd.Flags().StringSliceVarP(&o.selector, "selector", "l", nil, "only what matches: key=value[,key!=value...]")
	cmd.Flags().StringVar(&o.search, "search", "", "only where all these words are found")
	cmd.Flags().StringVar(&o.sortBy, "sort-by", "", "sort by this key; -KEY or KEY:desc is the other way round")
	cmd.Flags().IntVar(&o.limit, "limit", 0, "the most things to list; 0 lists all")
	cmd.Flags().BoolVarP(&o.watch, "watch", "w", false, "go on, with a line for each change, until interrupted")
	_ = cmd.RegisterFlagCompletionFunc("sort-by", completeSortKeys)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		q, err := o.query(args, time.Now())
		if err != nil {
			return err
		}
		server, err := flags.open()
		if err != nil {
			return err
		}
		defer server.Close()
		return q.run(cmd.Context(), c, server)
	}
	return cmd
}

// completeKindAndNames completes a kind and then, as more says, names of it.
func completeKindAndNames(kinds []string, more completer) completion {
	return func(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) == 0 {
			return kinds, cobra.ShellCompDirectiveNoFileComp
		}
		r, err := resourceOf(args[0])
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		if r.byField != "" {
			r, _ = resourceOf(r.byField) // their names are those of another kind
		}
		return completeNames(more, r.name)(cmd, args[1:], begun)
	}
}

// completeSortKeys completes the keys by which a kind can be sorted.
func completeSortKeys(_ *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) == 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	r, err := resourceOf(args[0])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	keys, err := r.sortKeys()
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	return keys, cobra.ShellCompDirectiveNoFileComp
}

// A getQuery is a command line of "berth get" that was understood.
type getQuery struct {
	getOptions
	kind  *resource
	names []string
	what  listing
}

func (o getOptions) query(args []string, now time.Time) (getQuery, error) {
	kind, names := args[0], args[1:]
	if word, name, ok := strings.Cut(kind, "/"); ok {
		kind, names = word, append([]string{name}, names...)
	}
	r, err := resourceOf(kind)
	if err != nil {
		return getQuery{}, err
	}
	q := getQuery{getOptions: o, kind: r, names: names}
	if len(names) > 0 && (len(o.selector) > 0 || o.search != "" || o.limit > 0) && r.byField == "" {
		return q, usageError{errors.New("names leave nothing to select; leave out the names, or -l, --search and --limit")}
	}
	if o.watch && o.limit > 0 && r.byField == "" {
		return q, usageError{errors.New("--watch shows all that matches; leave out --limit")}
	}
	if o.limit < 0 {
		return q, usageErrorf("--limit: a number of things cannot be negative")
	}
	q.what = listing{search: o.search, limit: o.limit}
	if q.what.filter, err = r.filter(o.selector, now); err != nil {
		return q, err
	}
	if q.what.order, err = r.order(o.sortBy); err != nil {
		return q, err
	}
	if r.byField != "" && len(names) > 0 {
		if q.what.filter == nil {
			q.what.filter = map[string]any{}
		}
		q.what.filter[r.byField] = names
		q.names = nil
	}
	for _, name := range q.names {
		if _, err := r.split(name); err != nil {
			return q, err
		}
	}
	return q, nil
}

func (q getQuery) run(ctx context.Context, c console, server subscriber) error {
	if q.watch {
		return newWatch(q, c, server).run(ctx)
	}
	items, err := q.fetch(ctx, server)
	if len(items) == 0 && err == nil && !unplanned[q.kind.name] {
		err = unplannedError(ctx, server)
	}
	if err != nil && len(items) == 0 {
		return err
	}
	if len(items) == 0 && q.output != "json" && q.output != "yaml" {
		fmt.Fprintf(c.err, "no %s\n", q.kind.name)
		return nil
	}
	if printErr := q.print(c, items, time.Now()); printErr != nil {
		return printErr
	}
	return err
}

// fetch asks for what is asked for. Of several names those that are there are
// returned, with the error about the others.
func (q getQuery) fetch(ctx context.Context, c querier) ([]item, error) {
	if len(q.names) == 0 {
		items, err := q.kind.list(ctx, c, q.what)
		if q.kind.name == "events" {
			slices.Reverse(items) // the newest stands last, as in a log
		}
		return items, err
	}
	document := q.kind.oneDocument("...item") + "\n" + q.kind.fragment()
	var out []item
	var failed error
	for _, name := range q.names {
		text, err := q.kind.find(ctx, c, name, document)
		if err != nil {
			if !errors.Is(err, errMissing) {
				return out, err
			}
			failed = errors.Join(failed, err)
			continue
		}
		i, err := q.kind.read(text)
		if err != nil {
			return out, err
		}
		out = append(out, i)
	}
	return out, failed
}

// print prints things in the format that is asked for: for programs one object
// where one name was given, an array otherwise.
func (q getQuery) print(c console, items []item, now time.Time) error {
	switch q.output {
	case "name":
		for _, i := range items {
			if _, err := fmt.Fprintln(c.out, q.kind.one+"/"+oneLine(i.key())); err != nil {
				return err
			}
		}
		return nil
	case "json", "yaml":
		if len(q.names) == 1 && len(items) == 1 {
			return writeAs(q.output, c.out, items[0])
		}
		if items == nil {
			items = []item{}
		}
		return writeAs(q.output, c.out, items)
	default:
		t := q.table(c)
		for _, i := range items {
			t.row(q.cells(i, now)...)
		}
		return t.flush()
	}
}

func (q getQuery) table(c console) *table {
	var header []string
	for _, col := range q.kind.columns {
		if !col.wide || q.output == "wide" {
			header = append(header, col.header)
		}
	}
	return newTable(c.out, header...)
}

// cells are those of the columns that are shown.
func (q getQuery) cells(i item, now time.Time) []string {
	var out []string
	for n, cell := range i.cells(now) {
		if !q.kind.columns[n].wide || q.output == "wide" {
			out = append(out, cell)
		}
	}
	return out
}
