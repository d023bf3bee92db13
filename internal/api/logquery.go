package api

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// Bounds on what one request for logs may ask.
const (
	maxTail    = 100_000 // lines of each pod
	maxLogPods = 50      // pods at once
)

// A logQuery is what of which logs is asked for, and how it is told.
type logQuery struct {
	deployments []string
	pods        []string
	backend     string // that has them; empty: any
	follow      bool
	timestamps  bool // in text; JSON has them always
	tail        int  // negative: all
	since       time.Time
	answer      string // the type: text or lines of JSON
}

// past is what is asked for of what was written before.
func (q *logQuery) past() backends.LogOptions {
	return backends.LogOptions{Tail: q.tail, Since: q.since}
}

var logKeys = []string{"deployment", "pod", "backend", "follow", "timestamps", "tail", "since"}

// parseLogQuery reads the query of a URL as it is at a moment.
func parseLogQuery(raw string, now time.Time) (*logQuery, *Error) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, badInput("escape what stands after the question mark", "the URL cannot be understood")
	}
	q := &logQuery{tail: -1, deployments: unique(values["deployment"]), pods: unique(values["pod"])}
	for key, given := range values {
		switch {
		case !slices.Contains(logKeys, key):
			return nil, unknownKey(key)
		case len(given) > 1 && key != "deployment" && key != "pod":
			return nil, badInput("give it once", "%s stands several times", key)
		}
	}
	if n := len(q.deployments) + len(q.pods); n == 0 || n > maxLogPods {
		return nil, badInput("name deployment=NAME or pod=NAME, at most 50 of them", "%d deployments and pods are asked for", n)
	}
	q.backend = values.Get("backend")
	if q.follow, err = yes(values, "follow"); err != nil {
		return nil, asError(err)
	}
	if q.timestamps, err = yes(values, "timestamps"); err != nil {
		return nil, asError(err)
	}
	if err := q.parseBounds(values.Get("tail"), values.Get("since"), now); err != nil {
		return nil, err
	}
	return q, nil
}

func (q *logQuery) parseBounds(tail, since string, now time.Time) *Error {
	if tail != "" {
		n, err := strconv.Atoi(tail)
		if err != nil || n < 0 || n > maxTail {
			return badInput("give a number of lines from 0 to 100000, or leave it out for all", "tail: %q cannot be asked for", shown(tail))
		}
		q.tail = n
	}
	if since == "" {
		return nil
	}
	if at, err := time.Parse(time.RFC3339Nano, since); err == nil {
		q.since = at
		return nil
	}
	ago, err := time.ParseDuration(since)
	if err != nil || ago < 0 {
		return badInput("write a duration, as 10m, or a time, as 2026-11-21T12:00:00Z", "since: %q is neither", shown(since))
	}
	q.since = now.Add(-ago)
	return nil
}

// yes reads a parameter that is 1 or true, 0 or false, or not there.
func yes(values url.Values, key string) (bool, error) {
	text := values.Get(key)
	if text == "" {
		return false, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return false, badInput("write "+key+"=1", "%s: %q is neither yes nor no", key, shown(text))
	}
	return on, nil
}

func unknownKey(key string) *Error {
	hint := "known are " + strings.Join(logKeys, ", ")
	if near := schema.Nearest(key, logKeys); near != "" {
		hint = "did you mean " + near + "?"
	}
	return badInput(hint, "%q is no parameter of /logs", shown(key))
}

func unique(names []string) []string {
	names = slices.Clone(names)
	slices.Sort(names)
	return slices.Compact(names)
}

// find returns the pods that are asked for, as they are now.
func (q *logQuery) find(w *world) ([]backends.Pod, *Error) {
	if q.backend != "" && !slices.Contains(w.backendNames(), q.backend) {
		return nil, missing("backend", q.backend, w.backendNames())
	}
	if w.view.Plan == nil {
		_, why := w.readiness()
		return nil, &Error{Code: Unavailable, Message: "what runs is not known yet: " + cmp.Or(why, "nothing was planned yet"), Hint: "ask again in a moment"}
	}
	var out []backends.Pod
	for _, name := range q.deployments {
		s, ok := w.view.Status(name)
		if !ok {
			return nil, missing("deployment", name, w.deploymentNames())
		}
		found := q.on(s.Pods)
		if len(found) == 0 && !q.follow {
			return nil, &Error{Code: NotFound, Message: fmt.Sprintf("the deployment %q has no pods: %s", name, s.Reason), Hint: "'berth describe deployment " + name + "' says more"}
		}
		out = append(out, found...)
	}
	byName := map[string][]backends.Pod{}
	if len(q.pods) > 0 {
		for _, pods := range w.view.Pods() {
			for _, p := range q.on(pods) {
				byName[p.Name] = append(byName[p.Name], p)
			}
		}
	}
	for _, name := range q.pods {
		if len(byName[name]) == 0 {
			return nil, q.missingPod(w, name)
		}
		out = append(out, byName[name]...)
	}
	if len(out) > maxLogPods {
		return nil, &Error{Code: TooMuch, Message: fmt.Sprintf("%d pods are asked for, and at most %d are read at once", len(out), maxLogPods), Hint: "name fewer deployments or pods"}
	}
	return out, nil
}

// missingPod says that there is no such pod; where a backend was not listed since
// the start, that nobody knows.
func (q *logQuery) missingPod(w *world, name string) *Error {
	for _, b := range w.view.Backends {
		if !b.Known && (q.backend == "" || q.backend == b.Name) {
			return &Error{Code: Unavailable, Message: fmt.Sprintf("the pod %q is not known, and what %s runs is not known yet: %s", shown(name), b.Name, b.Problem), Hint: "look at the name, or ask again when the backend answers"}
		}
	}
	return missing("pod", name, w.podNames())
}

// on returns the pods that are on the backend that is asked for.
func (q *logQuery) on(pods []backends.Pod) []backends.Pod {
	if q.backend == "" {
		return pods
	}
	return slices.DeleteFunc(slices.Clone(pods), func(p backends.Pod) bool { return p.Backend != q.backend })
}

// readLogQuery reads a request for logs.
func readLogQuery(w http.ResponseWriter, r *http.Request) (*logQuery, *refusal) {
	if r.Method != http.MethodGet {
		w.Header().Set("Allow", http.MethodGet)
		return nil, refuse(http.StatusMethodNotAllowed, BadInput, "logs can only be read", "ask with GET")
	}
	q, wrong := parseLogQuery(r.URL.RawQuery, time.Now())
	if wrong != nil {
		return nil, &refusal{http.StatusBadRequest, wrong}
	}
	if q.answer = accepted(r.Header, plainText, lineJSON); q.answer == "" {
		return nil, refuse(http.StatusNotAcceptable, BadInput, "no type of answer is accepted that there is", "accept "+plainText+" or "+lineJSON)
	}
	return q, nil
}
