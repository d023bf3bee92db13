package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/berthdev/berth/internal/client"
	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
)

// foundApp is what "berth search -o json" prints of one app.
type foundApp struct {
	Identifier  string       `json:"identifier"`
	Name        string       `json:"name"`
	Description string       `json:"description"`
	Author      string       `json:"author"`
	Version     string       `json:"version"`
	Versions    []string     `json:"versions"`
	Flavours    []string     `json:"flavours"`
	Repo        string       `json:"repo"`
	Scopes      []string     `json:"scopes"`
	Matches     []foundMatch `json:"matches"`
}

type foundMatch struct {
	Field   string `json:"field"`
	Snippet string `json:"snippet"`
}

func newSearch(c console) *cobra.Command {
	var output, from string
	var q catalog.Query
	cmd := &cobra.Command{
		Use:   "search [WORD...]",
		Short: "Find apps in the catalog, by what they are and what they can do",
		Long: `Search the catalog of the running server: over identifier, name, description,
author, repo, and the functions that the apps offer. All words must be found;
the beginning of a word is enough. Without a word every app is listed.

With --from, or a configuration, no server is asked: the app repositories that
this desired state follows are read and searched.`,
		Example: `  berth search segment nuclei
  berth search --selector cuda
  berth search repo:lab-apps scope:read -o json
  berth search --from ./desired segment nuclei`,
		ValidArgsFunction: cobra.NoFileCompletions,
	}
	server := addServerFlags(cmd)
	flags := addConfigFlags(cmd)
	outputFlag(cmd, &output, "table", "json")
	cmd.Flags().StringVarP(&from, "from", "f", "", "the desired-state repository or folder, as --desired-url")
	cmd.Flags().StringVar(&q.Repo, "repo", "", "only what this repo publishes")
	cmd.Flags().StringVar(&q.Selector, "selector", "", "only apps with a flavour that has a selector of this kind")
	cmd.Flags().StringVar(&q.Scope, "scope", "", "only apps that need this scope")
	cmd.Flags().IntVar(&q.Limit, "limit", 50, "the most apps to list; 0 lists all")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		var url []string
		if from != "" {
			url = []string{from}
		}
		if kinds := schema.SelectorKind("").Values(); q.Selector != "" && !slices.Contains(kinds, strings.ToLower(q.Selector)) {
			return usageErrorf("--selector: there is no kind %q%s; known are %s", q.Selector, meant(q.Selector, kinds), strings.Join(kinds, ", "))
		}
		if q.Limit < 0 {
			return usageErrorf("--limit: a number of things cannot be negative")
		}
		q.Text = strings.Join(args, " ")
		return flags.lookOrAsk(cmd, c, server, url, "berth search --from FOLDER",
			func(_ context.Context, l *look) error {
				return tellFound(c, output, foundApps(l.hub.Catalog().Search(q)))
			},
			func(ctx context.Context, ask *client.Client) error {
				found, err := searchServer(ctx, ask, q)
				if err != nil {
					return err
				}
				return tellFound(c, output, found)
			})
	}
	completeFlag(cmd, "repo", "repos")
	completeFixed(cmd, "selector", schema.SelectorKind("").Values())
	return cmd
}

func foundApps(hits []catalog.Hit) []foundApp {
	out := []foundApp{}
	for _, h := range hits {
		f := foundApp{
			Identifier: h.App.Identifier, Name: h.App.Name, Description: h.App.Description, Author: h.App.Author,
			Versions: []string{}, Flavours: []string{}, Scopes: []string{}, Matches: []foundMatch{},
		}
		for _, r := range h.App.Releases {
			f.Versions = append(f.Versions, r.Version)
		}
		if h.Release != nil {
			f.Version, f.Repo = h.Release.Version, h.Release.Repo
			f.Scopes = append(f.Scopes, h.Release.Scopes...)
			for _, flavour := range h.Release.Flavours {
				f.Flavours = append(f.Flavours, flavour.Name)
			}
		}
		for _, m := range h.Matches {
			f.Matches = append(f.Matches, foundMatch{m.Field, m.Snippet})
		}
		out = append(out, f)
	}
	return out
}

func tellFound(c console, output string, found []foundApp) error {
	if output == "json" {
		return writeJSON(c.out, found)
	}
	if len(found) == 0 {
		fmt.Fprintln(c.err, "no app matches")
		return nil
	}
	t := newTable(c.out, "APP", "VERSION", "FLAVOURS", "REPO", "FOUND")
	for _, f := range found {
		text := f.Description
		if len(f.Matches) > 0 {
			text = f.Matches[0].Field + ": " + f.Matches[0].Snippet
		}
		t.row(f.Identifier, f.Version, strings.Join(f.Flavours, ","), f.Repo, shorten(text, 60))
	}
	return t.flush()
}

// shorten cuts a text for a table.
func shorten(s string, most int) string {
	s = strings.Join(strings.Fields(s), " ")
	if r := []rune(s); len(r) > most {
		return string(r[:most-1]) + "…"
	}
	return s
}
