package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/berthdev/berth/schema"
)

// A resource is a kind of thing that the server can be asked for.
type resource struct {
	name    string   // of the list: deployments
	one     string   // of one: deployment
	short   []string // other names for it
	graphql string   // the type in the schema: Deployment
	fields  string   // that are asked for
	page    int      // how many are asked for at once
	columns []column
	read    func(json.RawMessage) (item, error)

	// How one is asked for by its name: the arguments of the query of this name.
	// Without them a name is a value of the filter's field byField.
	args    []string
	split   func(name string) (map[string]any, error)
	byField string
	nameBy  string // the field that is the name, for whoever lists names only

	unordered bool   // the list has no order but its own
	live      string // the subscription that tells of changes; empty: there is none
}

// A column of a table.
type column struct {
	header string
	wide   bool // shown with -o wide only
}

// columnsOf reads headers; one that begins with + is shown with -o wide only.
func columnsOf(headers ...string) []column {
	out := make([]column, len(headers))
	for i, h := range headers {
		name, wide := strings.CutPrefix(h, "+")
		out[i] = column{name, wide}
	}
	return out
}

// read decodes an item of a type.
func read[T any, P interface {
	*T
	item
}](text json.RawMessage) (item, error) {
	into := P(new(T))
	if err := json.Unmarshal(text, into); err != nil {
		return nil, err
	}
	return into, nil
}

const maxPage = 500 // things that the server gives at once

// resources are all kinds, in the order in which help names them.
var resources = []*resource{
	{
		name: "repos", one: "repo", short: []string{"repository", "repositories"}, graphql: "Repo", page: maxPage, read: read[repoItem],
		fields: `name url ref priority mayPublish commit problem
			declared { file line column } source { state lastAttempt lastSuccess }`,
		columns: columnsOf("NAME", "STATE", "COMMIT", "REF", "URL", "PROBLEM", "+PRIORITY", "+MAY PUBLISH", "+DECLARED", "READ"),
		args:    []string{"name"}, split: whole("name"), nameBy: "name",
	},
	{
		name: "apps", one: "app", graphql: "App", page: 100, read: read[appItem],
		fields:  `identifier name description author logo repo { name } newest { version flavours { name } }`,
		columns: columnsOf("APP", "VERSION", "FLAVOURS", "REPO", "NAME", "+AUTHOR", "DESCRIPTION"),
		args:    []string{"identifier"}, split: whole("identifier"), nameBy: "identifier",
	},
	{
		name: "releases", one: "release", short: []string{"rel"}, graphql: "Release", page: 100, read: read[releaseItem],
		fields: `app { identifier } version name prerelease channels scopes repo { name }
			file commit createdAt shadowedBy flavours { name }`,
		columns: columnsOf("APP", "VERSION", "FLAVOURS", "CHANNELS", "REPO", "+SCOPES", "+SHADOWED BY", "+FILE", "+COMMIT", "AGE"),
		args:    []string{"app", "version"}, split: splitRelease, nameBy: "id",
	},
	{
		name: "flavours", one: "flavour", short: []string{"flavor", "flavors", "fl"}, graphql: "Flavour", page: 100, read: read[flavourItem],
		fields: `name release { version app { identifier } } description image priority
			selectors { kind text required weight } command args env ports volumes size`,
		columns: columnsOf("APP", "VERSION", "FLAVOUR", "IMAGE", "NEEDS", "+PRIORITY", "+PORTS", "+SIZE"),
		args:    []string{"app", "version", "name"}, split: splitFlavour, nameBy: "id",
	},
	{
		name: "deployments", one: "deployment", short: []string{"deploy", "deploys"}, graphql: "Deployment", page: maxPage, read: read[deploymentItem],
		fields: `name state reason hint since declared position { file line column } appIdentifier versionAsked version
			flavourName backendName user scopes replicas readyReplicas suspended why commit { hash short }`,
		columns: columnsOf("NAME", "STATE", "READY", "APP", "VERSION", "FLAVOUR", "BACKEND", "REASON", "+USER", "+ASKED", "+COMMIT", "+DECLARED", "SINCE"),
		args:    []string{"name"}, split: whole("name"), nameBy: "name",
		live: `subscription($filter: DeploymentFilter) {
			change: deployments(filter: $filter) { kind name item: deployment { ...item } } }`,
	},
	{
		name: "pods", one: "pod", short: []string{"po"}, graphql: "Pod", page: maxPage, read: read[podItem],
		fields: `name engineId deploymentName ordinal appIdentifier version flavourName backendName state health ready reason
			exitCode restarts image digest cpu memory gpus endpoints { address containerPort protocol }
			file commit { hash short } createdAt startedAt`,
		columns: columnsOf("NAME", "STATE", "READY", "RESTARTS", "DEPLOYMENT", "VERSION", "FLAVOUR", "BACKEND", "REASON", "+HEALTH", "+ENDPOINTS", "+IMAGE", "+COMMIT", "AGE"),
		args:    []string{"name", "backend"}, split: splitPod, nameBy: "name",
		live: `subscription($filter: PodFilter) {
			change: pods(filter: $filter) { kind name backend item: pod { ...item } } }`,
	},
	{
		name: "backends", one: "backend", short: []string{"be"}, graphql: "Backend", page: 100, read: read[backendItem],
		fields: `name type priority answers problem engine given { cpu memory gpus pods }
			capacity { cpu memory arch os gpus { name vendor version capability architecture memory } labels { key value } }`,
		columns: columnsOf("NAME", "TYPE", "ANSWERS", "PODS", "CPU", "MEMORY", "GPUS", "ENGINE", "PROBLEM", "+PRIORITY", "+PLATFORM", "+LABELS"),
		args:    []string{"name"}, split: whole("name"), nameBy: "name",
	},
	{
		name: "sources", one: "source", short: []string{"src"}, graphql: "Source", page: maxPage, read: read[sourceItem],
		fields:  `name kind url ref commit message state problem failures lastAttempt lastSuccess nextAttempt`,
		columns: columnsOf("NAME", "KIND", "STATE", "COMMIT", "REF", "URL", "PROBLEM", "+MESSAGE", "+FAILURES", "READ"),
		args:    []string{"name"}, split: whole("name"), nameBy: "name",
	},
	{
		name: "commits", one: "commit", graphql: "Commit", page: maxPage, read: read[commitItem],
		fields:  `hash short message author time inForce verdict summary since changed`,
		columns: columnsOf("COMMIT", "VERDICT", "IN FORCE", "AUTHOR", "MESSAGE", "SUMMARY", "+HASH", "+CHANGED", "AGE"),
		args:    []string{"hash"}, split: splitCommit, nameBy: "short", unordered: true,
	},
	{
		name: "events", one: "event", short: []string{"ev"}, graphql: "Event", page: maxPage, read: read[eventItem],
		fields:  eventFields,
		columns: columnsOf("KIND", "SEVERITY", "ABOUT", "MESSAGE", "+POD", "+BACKEND", "+COMMIT", "AGE"),
		byField: "deployment", unordered: true,
		live: `subscription($filter: EventFilter, $last: Int = 0) { change: events(filter: $filter, last: $last) { ...item } }`,
	},
}

// resourceOf finds a kind by any of its names.
func resourceOf(name string) (*resource, error) {
	return resourceAmong(name, func(r *resource) string { return r.name })
}

// resourceAmong finds a kind by any of its names. Where there is none, the error
// names those that the command takes: as offer spells them, empty for none.
func resourceAmong(name string, offer func(*resource) string) (*resource, error) {
	var known, all []string
	for _, r := range resources {
		spellings := append([]string{r.name, r.one}, r.short...)
		if slices.Contains(spellings, strings.ToLower(name)) {
			return r, nil
		}
		if word := offer(r); word != "" {
			known, all = append(known, word), append(all, spellings...)
		}
	}
	if near := schema.Nearest(name, all); near != "" {
		return nil, usageErrorf("unknown kind %q; did you mean %s?", name, near)
	}
	return nil, usageErrorf("unknown kind %q; use one of %s", name, strings.Join(known, ", "))
}

// whole takes a name as one argument.
func whole(arg string) func(string) (map[string]any, error) {
	return func(name string) (map[string]any, error) { return map[string]any{arg: name}, nil }
}

func splitRelease(name string) (map[string]any, error) {
	app, version, ok := strings.Cut(name, "@")
	if !ok || app == "" || version == "" {
		return nil, usageErrorf("a release is named IDENTIFIER@VERSION, not %q", name)
	}
	return map[string]any{"app": app, "version": version}, nil
}

func splitFlavour(name string) (map[string]any, error) {
	slash := strings.LastIndex(name, "/")
	if slash > 0 && slash < len(name)-1 {
		if args, err := splitRelease(name[:slash]); err == nil {
			args["name"] = name[slash+1:]
			return args, nil
		}
	}
	return nil, usageErrorf("a flavour is named IDENTIFIER@VERSION/NAME, not %q", name)
}

// splitCommit reads a hash or the beginning of one.
func splitCommit(name string) (map[string]any, error) {
	if len(name) < 7 || strings.Trim(strings.ToLower(name), "0123456789abcdef") != "" {
		return nil, usageErrorf("a commit is named by seven digits or more of its hash, not %q", name)
	}
	return map[string]any{"hash": name}, nil
}

// splitPod reads NAME, or BACKEND/NAME where two backends have a pod of one name.
func splitPod(name string) (map[string]any, error) {
	if backend, pod, ok := strings.Cut(name, "/"); ok {
		return map[string]any{"name": pod, "backend": backend}, nil
	}
	return map[string]any{"name": name}, nil
}

// fragment is the GraphQL fragment of what is asked of each item.
func (r *resource) fragment() string {
	return fmt.Sprintf("fragment item on %s { %s }", r.graphql, r.fields)
}

// listDocument asks for a page of a list.
func (r *resource) listDocument() string { return r.pageDocument("...item") + "\n" + r.fragment() }

// namesDocument asks for a page of names.
func (r *resource) namesDocument() string { return r.pageDocument("name: " + r.nameBy) }

func (r *resource) pageDocument(nodes string) string {
	order, ordered := ", $order: "+r.graphql+"Order", ", order: $order"
	if r.unordered {
		order, ordered = "", ""
	}
	return fmt.Sprintf(`query($filter: %sFilter, $search: String%s, $first: Int!, $after: String) {
	page: %s(filter: $filter, search: $search%s, first: $first, after: $after) {
		nodes { %s } totalCount pageInfo { hasNextPage endCursor } } }`, r.graphql, order, r.name, ordered, nodes)
}

// oneDocument asks for one by its name, and of it for the fields.
func (r *resource) oneDocument(fields string) string {
	variables, args := make([]string, len(r.args)), make([]string, len(r.args))
	for i, arg := range r.args {
		kind := "String!"
		if arg == "backend" {
			kind = "String"
		}
		variables[i], args[i] = "$"+arg+": "+kind, arg+": $"+arg
	}
	return fmt.Sprintf("query(%s) { item: %s(%s) { %s } }", strings.Join(variables, ", "), r.one, strings.Join(args, ", "), fields)
}

// liveDocument asks to be told of changes.
func (r *resource) liveDocument() string { return r.live + "\n" + r.fragment() }
