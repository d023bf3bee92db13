package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
)

func newDescribe(c console) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "describe [KIND] NAME",
		Short: "Tell the whole story of one thing: its state, why, since when, and what to do",
		Long: `Ask a running Berth for all that it knows of one thing, and print it on one
screen. A name without a kind is a deployment's: its state and the reason, what
to do, which release, flavour and backend it got and why, the commit and file
that declare it, its pods with the last lines of those that failed, rollouts and
last events.

The kinds are those of "berth get", but for events.`,
		Example: `  berth describe stardist-john
  berth describe app org.stardist
  berth describe release org.stardist@0.4.10
  berth describe backend lab
  berth describe commit 1f0c9ab -o json`,
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: completeDescribed,
	}
	flags := addServerFlags(cmd)
	outputFlag(cmd, &output, "table", "json", "yaml")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		r, name, err := describeArgs(args)
		if err != nil {
			return err
		}
		server, err := flags.open()
		if err != nil {
			return err
		}
		defer server.Close()
		told, err := describe(cmd.Context(), server, r, name)
		if err != nil {
			return err
		}
		if output != "table" {
			return writeAs(output, c.out, told)
		}
		s := newStory(c.out, time.Now())
		told.tell(s)
		return s.flush()
	}
	return cmd
}

// completeDescribed completes a deployment or a kind, and then a name of it.
func completeDescribed(cmd *cobra.Command, args []string, begun string) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return completeKindAndNames(nil, firstOnly)(cmd, args, begun)
	}
	out, directive := completeNames(firstOnly, "deployments")(cmd, args, begun)
	for _, r := range resources {
		if stories[r.one].document != "" && r.one != "deployment" {
			out = append(out, r.one)
		}
	}
	return out, directive
}

// describeArgs reads NAME, KIND NAME or KIND/NAME.
func describeArgs(args []string) (*resource, string, error) {
	kind, name := "deployment", args[0]
	if len(args) == 2 {
		kind, name = args[0], args[1]
	} else if before, after, ok := strings.Cut(args[0], "/"); ok {
		kind, name = before, after
	} else if r, err := resourceOf(args[0]); err == nil && (r.name == args[0] || r.one == args[0]) {
		return nil, "", loneKind(r)
	}
	r, err := resourceAmong(kind, func(r *resource) string {
		if stories[r.one].document == "" {
			return ""
		}
		return r.one
	})
	if err != nil {
		return nil, "", err
	}
	if stories[r.one].document == "" {
		return nil, "", untold(r)
	}
	_, err = r.split(name)
	return r, name, err
}

// loneKind says what is missing beside a kind.
func loneKind(r *resource) error {
	if stories[r.one].document == "" {
		return untold(r)
	}
	return usageErrorf("name one of the %s, as in 'berth describe %s NAME'; 'berth get %s' lists them", r.name, r.one, r.name)
}

func untold(r *resource) error {
	return usageErrorf("%s have no more to tell than 'berth get %s -o yaml' does", r.name, r.name)
}

// A teller is what is known of one thing; its JSON is what programs get.
type teller interface{ tell(*story) }

// A tale is how a kind of thing is described: what is asked, and how it is read.
type tale struct {
	document string
	read     func(json.RawMessage) (teller, error)
}

func tellerOf[T any, P interface {
	*T
	teller
}](text json.RawMessage) (teller, error) {
	into := P(new(T))
	return into, json.Unmarshal(text, into)
}

// stories are the kinds that can be described, by the name of one.
var stories = map[string]tale{
	"deployment": {deploymentDocument, tellerOf[deploymentStory]},
	"pod":        {podDocument, tellerOf[podStory]},
	"app":        {appDocument, tellerOf[appStory]},
	"release":    {releaseDocument, tellerOf[releaseStory]},
	"flavour":    {flavourDocument, tellerOf[flavourStory]},
	"repo":       {repoDocument, tellerOf[repoStory]},
	"backend":    {backendDocument, tellerOf[backendStory]},
	"source":     {sourceDocument, tellerOf[sourceStory]},
	"commit":     {commitDocument, tellerOf[commitStory]},
}

// describe asks for one thing. What a document asks beside the thing is read as
// if it were part of it.
func describe(ctx context.Context, c querier, r *resource, name string) (teller, error) {
	variables, err := r.split(name)
	if err != nil {
		return nil, err
	}
	var answer map[string]json.RawMessage
	if err := c.Query(ctx, stories[r.one].document, variables, &answer); err != nil {
		return nil, err
	}
	text := answer["item"]
	if len(text) == 0 || string(text) == "null" {
		return nil, r.missing(ctx, c, name)
	}
	if events, ok := answer["events"]; ok {
		text = append(bytes.TrimSuffix(text, []byte("}")), fmt.Appendf(nil, `,"events":%s}`, events)...)
	}
	return stories[r.one].read(text)
}

// connection is a page of a list within a thing. As JSON it is the list alone.
type connection[T any] struct {
	Nodes      []T `json:"nodes"`
	TotalCount int `json:"totalCount"`
}

// MarshalJSON writes the list.
func (c connection[T]) MarshalJSON() ([]byte, error) {
	if c.Nodes == nil {
		return []byte("[]"), nil
	}
	var text bytes.Buffer
	err := writeLine(&text, c.Nodes)
	return text.Bytes(), err
}

// A story writes what is known of one thing: fields, then sections.
type story struct {
	out     io.Writer
	now     time.Time
	colours colours
	failed  error

	fields [][2]string // that were not written yet
}

func newStory(out io.Writer, now time.Time) *story {
	return &story{out: out, now: now, colours: coloursOf(out)}
}

// field tells one thing; nothing is told of what is empty.
func (s *story) field(name, value string) {
	if value = strings.TrimSpace(value); value != "" {
		s.fields = append(s.fields, [2]string{name, oneLine(value)})
	}
}

// state tells a word for how it is, since when, and why.
func (s *story) state(state word, since, reason string) {
	text := s.colours.state(string(state))
	if since != "" {
		text += " for " + since
	}
	s.flush()
	s.fields = append(s.fields, [2]string{"State", text})
	s.field("Reason", reason)
}

// flush writes the fields, aligned.
func (s *story) flush() error {
	const most = 12 // the longest name of a field
	for _, f := range s.fields {
		s.print("%s%s\n", s.colours.paint(bold, fmt.Sprintf("%-*s", most, f[0]+":"))+" ", f[1])
	}
	s.fields = nil
	return s.failed
}

func (s *story) print(format string, args ...any) {
	if s.failed == nil {
		_, s.failed = fmt.Fprintf(s.out, format, args...)
	}
}

// table writes a section of rows; nothing when there are none.
func (s *story) table(title string, header []string, rows [][]string) {
	if len(rows) == 0 {
		return
	}
	_ = s.flush() // it keeps the error
	s.print("\n%s\n", s.colours.paint(bold, title+":"))
	t := newTable(s.out, header...)
	t.indent = "  "
	for _, row := range rows {
		t.row(row...)
	}
	if err := t.flush(); s.failed == nil {
		s.failed = err
	}
}

// lines writes a section of what a pod wrote; nothing when that is nothing.
func (s *story) lines(title string, lines []string) {
	if len(lines) == 0 {
		return
	}
	_ = s.flush() // it keeps the error
	s.print("\n%s\n", s.colours.paint(bold, printable(title)+":"))
	for _, line := range lines {
		s.print("  %s\n", printable(line))
	}
}

// events writes the last events, the newest last as in a log.
func (s *story) events(events []eventItem) {
	var rows [][]string
	for _, e := range slices.Backward(events) {
		rows = append(rows, []string{string(e.Kind), string(e.Severity), e.text(), shortHash(e.Commit), age(s.now, e.Time)})
	}
	s.table("Last events", []string{"KIND", "SEVERITY", "MESSAGE", "COMMIT", "AGE"}, rows)
}

// deployments writes those that have to do with a thing.
func (s *story) deployments(title string, of connection[deploymentRef]) {
	var rows [][]string
	for _, d := range of.Nodes {
		rows = append(rows, []string{d.Name, string(d.State), fmt.Sprintf("%d/%d", d.ReadyReplicas, d.Replicas), d.Version, d.FlavourName, d.BackendName, d.Reason, age(s.now, d.Since)})
	}
	s.table(title, []string{"NAME", "STATE", "READY", "VERSION", "FLAVOUR", "BACKEND", "REASON", "SINCE"}, rows)
	s.more(len(rows), of.TotalCount)
}

// more says how many there are that were not written.
func (s *story) more(shown, total int) {
	if total > shown {
		s.print("  and %d more\n", total-shown)
	}
}

// deploymentRef is a deployment as the story of another thing tells it.
type deploymentRef struct {
	Name          string    `json:"name"`
	State         word      `json:"state"`
	Reason        string    `json:"reason"`
	Since         time.Time `json:"since"`
	Version       string    `json:"version"`
	FlavourName   string    `json:"flavourName"`
	BackendName   string    `json:"backendName"`
	Replicas      int       `json:"replicas"`
	ReadyReplicas int       `json:"readyReplicas"`
}

const (
	deploymentRefFields = `name state reason since version flavourName backendName replicas readyReplicas`
	eventFields         = `id time kind severity message deploymentName app pod backend source commit state`
)
