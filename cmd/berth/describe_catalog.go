package main

import (
	"fmt"
	"strings"
	"time"
)

const (
	appDocument = `query($identifier: String!) {
	item: app(identifier: $identifier) {
		identifier name description author logo repo { name } newest { version flavours { name } }
		releases(first: 20) { nodes { version channels scopes createdAt flavours { name } } totalCount }
		shadowed { version repo { name } }
		deployments(first: 50) { nodes { ` + deploymentRefFields + ` } totalCount }
		notices { ` + noticeFields + ` }
	}
	events(filter: {app: [$identifier]}, first: 10) { nodes { ` + eventFields + ` } totalCount }
}`

	releaseDocument = `query($app: String!, $version: String!) {
	item: release(app: $app, version: $version) {
		app { identifier } version name prerelease channels scopes repo { name }
		file commit createdAt shadowedBy description author
		flavours { name image priority selectors { kind text required weight } }
		definitions { name kind description }
		deployments(first: 50) { nodes { ` + deploymentRefFields + ` } totalCount }
	}
}`

	flavourDocument = `query($app: String!, $version: String!, $name: String!) {
	item: flavour(app: $app, version: $version, name: $name) {
		name release { version app { identifier } } description image priority
		selectors { kind text required weight } command args env ports volumes size
		requirements { key service optional description }
		definitions { name kind description }
		deployments(first: 50) { nodes { ` + deploymentRefFields + ` } totalCount }
	}
}`

	repoDocument = `query($name: String!) {
	item: repo(name: $name) {
		name url ref priority mayPublish commit problem
		declared { file line column } source { state lastAttempt lastSuccess }
		apps(first: 50) { nodes { identifier newest { version } } totalCount }
		notices { ` + noticeFields + ` }
	}
	events(filter: {source: [$name]}, first: 10) { nodes { ` + eventFields + ` } totalCount }
}`

	noticeFields = `kind repo identifier version message`
)

type noticeItem struct {
	Kind       word   `json:"kind"`
	Repo       string `json:"repo"`
	Identifier string `json:"identifier"`
	Version    string `json:"version"`
	Message    string `json:"message"`
}

type definitionItem struct {
	Name        string `json:"name"`
	Kind        string `json:"kind"`
	Description string `json:"description"`
}

// appStory is the answer to appDocument.
type appStory struct {
	appItem
	Releases connection[struct {
		Version   string     `json:"version"`
		Channels  []string   `json:"channels"`
		Scopes    []string   `json:"scopes"`
		CreatedAt *time.Time `json:"createdAt"`
		Flavours  []named    `json:"flavours"`
	}] `json:"releases"`
	Shadowed []struct {
		Version string `json:"version"`
		Repo    *named `json:"repo"`
	} `json:"shadowed"`
	Deployments connection[deploymentRef] `json:"deployments"`
	Notices     []noticeItem              `json:"notices"`
	Events      connection[eventItem]     `json:"events"`
}

func (a *appStory) tell(s *story) {
	s.field("App", a.Identifier)
	s.field("Name", a.Name)
	s.field("About", a.Description)
	s.field("Author", a.Author)
	s.field("Repo", a.Repo.name())
	if a.Newest != nil {
		s.field("Newest", a.Newest.Version)
	}
	var rows [][]string
	for _, r := range a.Releases.Nodes {
		rows = append(rows, []string{r.Version, names(r.Flavours), strings.Join(r.Channels, ","), strings.Join(r.Scopes, ","), ageOf(s.now, r.CreatedAt)})
	}
	s.table("Releases", []string{"VERSION", "FLAVOURS", "CHANNELS", "SCOPES", "AGE"}, rows)
	s.more(len(rows), a.Releases.TotalCount)
	rows = nil
	for _, r := range a.Shadowed {
		rows = append(rows, []string{r.Version, r.Repo.name()})
	}
	s.table("Shadowed releases, which never run", []string{"VERSION", "REPO"}, rows)
	s.deployments("Deployments", a.Deployments)
	s.notices(a.Notices)
	s.events(a.Events.Nodes)
}

// releaseStory is the answer to releaseDocument.
type releaseStory struct {
	releaseItem
	Description string `json:"description"`
	Author      string `json:"author"`
	Flavours    []struct {
		Name      string         `json:"name"`
		Image     string         `json:"image"`
		Priority  int            `json:"priority"`
		Selectors []selectorItem `json:"selectors"`
	} `json:"flavours"`
	Definitions []definitionItem          `json:"definitions"`
	Deployments connection[deploymentRef] `json:"deployments"`
}

func (r *releaseStory) tell(s *story) {
	s.field("Release", r.key())
	s.field("Name", r.Name)
	s.field("About", r.Description)
	s.field("Author", r.Author)
	if r.Prerelease {
		s.field("Prerelease", "yes: only a deployment that asks for it gets it")
	}
	s.field("Channels", strings.Join(r.Channels, ", "))
	s.field("Scopes", strings.Join(r.Scopes, ", "))
	s.field("Published", strings.TrimSpace(r.published()))
	if r.ShadowedBy != "" {
		s.field("Shadowed", "by repo "+r.ShadowedBy+", which owns the identifier: it never runs")
	}
	if r.CreatedAt != nil {
		s.field("Made", ageOf(s.now, r.CreatedAt)+" ago")
	}
	var rows [][]string
	for _, f := range r.Flavours {
		needs := make([]string, len(f.Selectors))
		for i, n := range f.Selectors {
			needs[i] = n.String()
		}
		rows = append(rows, []string{f.Name, f.Image, fmt.Sprint(f.Priority), strings.Join(needs, "; ")})
	}
	s.table("Flavours", []string{"NAME", "IMAGE", "PRIORITY", "NEEDS"}, rows)
	s.definitions(r.Definitions)
	s.deployments("Deployments", r.Deployments)
}

func (r *releaseStory) published() string {
	out := "in " + r.File
	if r.Repo != nil {
		out = "by repo " + r.Repo.Name + " " + out
	}
	if r.Commit != "" {
		out += " at " + shortHash(r.Commit)
	}
	return out
}

// flavourStory is the answer to flavourDocument.
type flavourStory struct {
	flavourItem
	Requirements []struct {
		Key         string `json:"key"`
		Service     string `json:"service"`
		Optional    bool   `json:"optional"`
		Description string `json:"description"`
	} `json:"requirements"`
	Definitions []definitionItem          `json:"definitions"`
	Deployments connection[deploymentRef] `json:"deployments"`
}

func (f *flavourStory) tell(s *story) {
	s.field("Flavour", f.key())
	s.field("About", f.Description)
	s.field("Image", f.Image)
	s.field("Size", bytesOf(f.Size))
	s.field("Priority", fmt.Sprintf("%d (lower is preferred)", f.Priority))
	s.field("Needs", strings.Join(f.needs(), "; "))
	s.field("Command", strings.Join(f.Command, " "))
	s.field("Args", strings.Join(f.Args, " "))
	s.field("Env", strings.Join(f.Env, ", "))
	s.field("Ports", strings.Join(f.Ports, ", "))
	s.field("Volumes", strings.Join(f.Volumes, ", "))
	var rows [][]string
	for _, r := range f.Requirements {
		rows = append(rows, []string{r.Key, r.Service, yesNo(r.Optional), r.Description})
	}
	s.table("Services that it talks to", []string{"KEY", "SERVICE", "OPTIONAL", "DESCRIPTION"}, rows)
	s.definitions(f.Definitions)
	s.deployments("Deployments", f.Deployments)
}

// repoStory is the answer to repoDocument.
type repoStory struct {
	repoItem
	Apps connection[struct {
		Identifier string `json:"identifier"`
		Newest     *struct {
			Version string `json:"version"`
		} `json:"newest"`
	}] `json:"apps"`
	Notices []noticeItem          `json:"notices"`
	Events  connection[eventItem] `json:"events"`
}

func (r *repoStory) tell(s *story) {
	s.field("Repo", r.Name)
	if r.Source != nil {
		s.state(r.Source.State, "", r.Problem)
		s.field("Read", ago(s.now, r.Source.LastSuccess))
		s.field("Asked", ago(s.now, r.Source.LastAttempt))
	} else {
		s.field("Problem", r.Problem)
	}
	s.field("URL", r.URL)
	s.field("Ref", r.Ref)
	s.field("Commit", shortHash(r.Commit))
	s.field("Priority", fmt.Sprint(r.Priority))
	s.field("May publish", strings.Join(r.MayPublish, ", "))
	s.field("Declared", r.Declared.String())
	var rows [][]string
	for _, a := range r.Apps.Nodes {
		version := ""
		if a.Newest != nil {
			version = a.Newest.Version
		}
		rows = append(rows, []string{a.Identifier, version})
	}
	s.table("Apps", []string{"APP", "VERSION"}, rows)
	s.more(len(rows), r.Apps.TotalCount)
	s.notices(r.Notices)
	s.events(r.Events.Nodes)
}

func (s *story) definitions(of []definitionItem) {
	var rows [][]string
	for _, d := range of {
		rows = append(rows, []string{d.Name, strings.ToLower(d.Kind), d.Description})
	}
	s.table("Functions", []string{"NAME", "KIND", "DESCRIPTION"}, rows)
}

func (s *story) notices(of []noticeItem) {
	var rows [][]string
	for _, n := range of {
		rows = append(rows, []string{string(n.Kind), n.Repo, n.Identifier, n.Version, n.Message})
	}
	s.table("Notices", []string{"KIND", "REPO", "APP", "VERSION", "MESSAGE"}, rows)
}

// ago says how long ago something was; empty when that is not known.
func ago(now time.Time, then *time.Time) string {
	if then == nil {
		return ""
	}
	return age(now, *then) + " ago"
}
