package main

import (
	"context"
	"strings"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/reconciler/planner"
	"github.com/berthdev/berth/sources/catalog"
)

const searchQuery = `query($search: String!, $first: Int!, $after: String) {
	apps(search: $search, first: $first, after: $after) {
		nodes {
			identifier name description author
			found { version scopes repo { name } flavours { name } }
			releases(first: 500) { nodes { version } }
			matches { field snippet }
		}
		pageInfo { hasNextPage endCursor }
	} }`

// pageInfo tells whether, and where, a list goes on.
type pageInfo struct {
	HasNextPage bool
	EndCursor   string
}

// searchPage is how many apps are asked for at once: each comes with its releases.
const searchPage = 20

// searchServer searches the catalog of a server.
func searchServer(ctx context.Context, ask *client.Client, q catalog.Query) ([]foundApp, error) {
	variables := map[string]any{"search": searchText(q)}
	found := []foundApp{}
	for q.Limit == 0 || len(found) < q.Limit {
		variables["first"] = searchPage
		if q.Limit > 0 {
			variables["first"] = min(searchPage, q.Limit-len(found))
		}
		var answer struct {
			Apps struct {
				Nodes    []askedApp
				PageInfo pageInfo
			}
		}
		if err := ask.Query(ctx, searchQuery, variables, &answer); err != nil {
			return nil, err
		}
		for _, a := range answer.Apps.Nodes {
			found = append(found, a.found())
		}
		if !answer.Apps.PageInfo.HasNextPage {
			break
		}
		variables["after"] = answer.Apps.PageInfo.EndCursor
	}
	return found, nil
}

// searchText writes a query as one text, its filters as words of it.
func searchText(q catalog.Query) string {
	words := []string{q.Text}
	for name, value := range map[string]string{"repo": q.Repo, "selector": q.Selector, "scope": q.Scope} {
		if value != "" {
			words = append(words, name+":"+value)
		}
	}
	return strings.TrimSpace(strings.Join(words, " "))
}

// askedApp is an app as the server tells it.
type askedApp struct {
	Identifier  string
	Name        string
	Description string
	Author      string
	Found       *struct {
		Version  string
		Scopes   []string
		Repo     *named
		Flavours []named
	}
	Releases struct{ Nodes []struct{ Version string } }
	Matches  []foundMatch
}

func (a *askedApp) found() foundApp {
	f := foundApp{
		Identifier: a.Identifier, Name: a.Name, Description: a.Description, Author: a.Author,
		Versions: []string{}, Flavours: []string{}, Scopes: []string{}, Matches: a.Matches,
	}
	for _, r := range a.Releases.Nodes {
		f.Versions = append(f.Versions, r.Version)
	}
	if r := a.Found; r != nil {
		f.Version, f.Scopes, f.Repo = r.Version, r.Scopes, r.Repo.name()
		for _, flavour := range r.Flavours {
			f.Flavours = append(f.Flavours, flavour.Name)
		}
	}
	return f
}

const explanationFields = `deployment app version resolved better
	decision { action reason version flavour backend }
	choices { flavour backend chosen fits reason
		selectors { selector required weight match }
		score { stays weights priority specific preference load } }
	others { version repo reason }`

const (
	explainQuery = `query($deployment: String!) { explained: explain(deployment: $deployment) { ` + explanationFields + ` } }`

	matchFlavourQuery = `query($app: String!, $version: String, $flavour: String, $backend: String, $scopes: [String!],
		$replicas: Int, $cpu: Float, $memory: String) {
	explained: matchFlavour(app: $app, version: $version, flavour: $flavour, backend: $backend, scopes: $scopes,
		replicas: $replicas, cpu: $cpu, memory: $memory) { ` + explanationFields + ` } }`
)

// explainServer asks a server for the choices that something has.
func explainServer(ctx context.Context, ask *client.Client, query string, variables map[string]any) (explained, error) {
	var answer struct{ Explained askedExplanation }
	if err := ask.Query(ctx, query, variables, &answer); err != nil {
		return explained{}, err
	}
	return answer.Explained.explained(), nil
}

// askedExplanation is an explanation as the server tells it.
type askedExplanation struct {
	Deployment string
	App        string
	Version    string
	Resolved   string
	Better     string
	Decision   struct {
		Action  word
		Reason  string
		Version string
		Flavour string
		Backend string
	}
	Choices []struct {
		Flavour   string
		Backend   string
		Chosen    bool
		Fits      bool
		Reason    string
		Score     explainedScore
		Selectors []struct {
			Selector string
			Required bool
			Weight   int
			Match    word
		}
	}
	Others []explainedRelease
}

func (a *askedExplanation) explained() explained {
	d := a.Decision
	out := explained{
		Deployment: a.Deployment, App: a.App, Version: a.Version, Resolved: a.Resolved,
		Action: planner.Action(d.Action), Reason: d.Reason, Release: d.Version, Flavour: d.Flavour, Backend: d.Backend,
		Better: a.Better, Choices: []explainedChoice{}, Releases: append([]explainedRelease{}, a.Others...),
	}
	for _, c := range a.Choices {
		choice := explainedChoice{
			Flavour: c.Flavour, Backend: c.Backend, Chosen: c.Chosen, Fits: c.Fits, Reason: c.Reason,
			Score: c.Score, Selectors: []explainedSelector{},
		}
		for _, s := range c.Selectors {
			match := strings.ReplaceAll(string(s.Match), "-", " ")
			choice.Selectors = append(choice.Selectors, explainedSelector{s.Selector, s.Required, s.Weight, match})
		}
		out.Choices = append(out.Choices, choice)
	}
	return out
}
