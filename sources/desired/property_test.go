package desired_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/desired"
)

var (
	somePaths = []string{"a.yaml", "b.yaml", "c/d.yaml", "e.yaml"}
	someNames = []string{"db", "web", "cache", "ui", "db-2", "x"}
)

// fileChanges draws a change of a file: documents, broken ones, a text that
// names some, an unreadable file, or none.
func fileChanges(path string) *rapid.Generator[desired.FileChange] {
	return rapid.Custom(func(t *rapid.T) desired.FileChange {
		c := desired.FileChange{Path: path}
		name := rapid.SampledFrom(someNames)
		switch rapid.IntRange(0, 9).Draw(t, "sort") {
		case 0, 1:
			c.Removed = true
			return c
		case 2:
			c.Unreadable = "it is too large"
			return c
		case 3:
			return cannotParse(path, strings.Join(rapid.SliceOfN(name, 1, 3).Draw(t, "words"), ": "))
		case 4:
			broken := name.Draw(t, "broken")
			c.Raw = []byte("name: " + broken)
			c.Parsed.Broken = []schema.Ref{{Kind: rapid.SampledFrom([]string{"Deployment", "Repo"}).Draw(t, "kind"), Name: broken}}
			c.Parsed.Problems = schema.Problems{{File: path, Line: 90, Message: broken + " is wrong"}}
		}
		for i := range rapid.IntRange(0, 3).Draw(t, "deployments") {
			d := deployment(name.Draw(t, "name"), path, i+1, rapid.SliceOfN(name, 0, 2).Draw(t, "dependsOn")...)
			d.Version = rapid.SampledFrom([]string{"", "^1"}).Draw(t, "version")
			c.Parsed.Deployments = append(c.Parsed.Deployments, d)
		}
		for i := range rapid.IntRange(0, 1).Draw(t, "repos") {
			url := rapid.SampledFrom([]string{"https://git.example.org/a", "file:///srv/a"}).Draw(t, "url")
			c.Parsed.Repos = append(c.Parsed.Repos, repo(name.Draw(t, "repo"), url, path, i+50))
		}
		return c
	})
}

// view is all that a state tells.
type view struct {
	Deployments map[string]*schema.Deployment
	Repos       map[string]*schema.Repo
	Broken      map[schema.Ref]schema.Problem
	Problems    []string
	Dependents  map[string][]string
	Holds       map[string]string
	Len         int
}

func look(s *desired.State) view {
	v := view{
		Deployments: maps.Collect(s.Deployments()), Repos: maps.Collect(s.Repos()), Broken: maps.Collect(s.AllBroken()),
		Problems: messages(s), Dependents: map[string][]string{}, Holds: map[string]string{}, Len: s.Len(),
	}
	for _, name := range someNames {
		v.Dependents[name] = append([]string{}, s.Dependents(name)...)
		for _, path := range append(somePaths, "gone.yaml") {
			v.Holds[name+" of "+path], _ = s.Holds(name, path)
			v.Holds["repo "+name+" of "+path], _ = s.HoldsRepo(name, path)
		}
	}
	return v
}

// However a state came about, it tells what its files tell: it is the same as
// one made at once, in any order; and no state before it changes.
func TestStateDependsOnFilesAlone(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := desired.New(remote)
		last := map[string]desired.FileChange{}
		for i := range rapid.IntRange(1, 6).Draw(t, "commits") {
			var changes []desired.FileChange
			for _, path := range rapid.SliceOfNDistinct(rapid.SampledFrom(somePaths), 0, 3, rapid.ID).Draw(t, "paths") {
				c := fileChanges(path).Draw(t, path)
				changes, last[path] = append(changes, c), c
			}
			before := look(s)
			next, diff := s.With(fmt.Sprint(i), changes...)
			if d := cmp.Diff(before, look(s)); d != "" {
				t.Fatalf("With changed the state before it:\n%s", d)
			}
			checkDiff(t, before, look(next), diff)
			if d := cmp.Diff(next.Problems().Errors(), next.Errors()); d != "" {
				t.Fatalf("of the problems, these are the errors (-), not these (+):\n%s", d)
			}
			s = next
		}
		files := slices.Collect(maps.Values(last)) // in any order: Go's maps have none
		scratch, _ := desired.New(remote).With(s.Commit, files...)
		if d := cmp.Diff(look(scratch), look(s)); d != "" {
			t.Fatalf("from scratch (-) differs from step by step (+):\n%s", d)
		}
		checkHolds(t, s, last)
		checkCycles(t, s, last)
	})
}

// checkDiff checks that a diff names all that differs, and nothing else.
func checkDiff(t *rapid.T, before, after view, diff desired.Diff) {
	var deployments, repos []string
	for _, name := range slices.Sorted(slices.Values(someNames)) {
		d, r := schema.Ref{Kind: "Deployment", Name: name}, schema.Ref{Kind: "Repo", Name: name}
		if !cmp.Equal(before.Deployments[name], after.Deployments[name]) || before.Broken[d] != after.Broken[d] {
			deployments = append(deployments, name)
		}
		if !cmp.Equal(before.Repos[name], after.Repos[name]) || before.Broken[r] != after.Broken[r] {
			repos = append(repos, name)
		}
	}
	if !slices.Equal(diff.Deployments, deployments) || !slices.Equal(diff.Repos, repos) {
		t.Fatalf("diff is %+v, want deployments %q and repos %q", diff, deployments, repos)
	}
	for what := range after.Holds {
		held := before.Holds[what] != after.Holds[what]
		name := strings.Fields(strings.TrimPrefix(what, "repo "))[0]
		if held && !diff.Holds && !slices.Contains(deployments, name) && !slices.Contains(repos, name) {
			t.Fatalf("the hold of %s changed and no diff tells", what)
		}
	}
}

// checkHolds checks that nothing is given up that a file with errors may declare.
func checkHolds(t *rapid.T, s *desired.State, files map[string]desired.FileChange) {
	for path, c := range files {
		bad := !c.Removed && (c.Unreadable != "" || len(c.Parsed.Problems) > 0)
		for _, name := range someNames {
			if _, valid := s.Deployment(name); valid || !bad {
				continue
			}
			if _, hold := s.Holds(name, path); !hold {
				t.Fatalf("%s is given up though its file %s has errors", name, path)
			}
			named := c.Unreadable != "" || slices.Contains(strings.Split(string(c.Raw), ": "), name)
			if _, hold := s.Holds(name, "gone.yaml"); named && !hold {
				t.Fatalf("%s is given up though %s may declare it", name, path)
			}
		}
	}
}

// checkCycles checks that who waits for itself is invalid, by following every path.
func checkCycles(t *rapid.T, s *desired.State, files map[string]desired.FileChange) {
	dependsOn := map[string][]string{}
	declared := map[string]int{}
	for _, c := range files {
		if c.Removed || c.Unreadable != "" {
			continue
		}
		for _, d := range c.Parsed.Deployments {
			declared[d.Name]++
			dependsOn[d.Name] = d.DependsOn
		}
		for _, ref := range c.Parsed.Broken {
			if ref.Kind == "Deployment" {
				declared[ref.Name] += 2 // it depends on nothing that is known
			}
		}
	}
	for name := range dependsOn {
		seen := map[string]bool{}
		todo := []string{name}
		for len(todo) > 0 {
			next := todo[0]
			todo = todo[1:]
			if declared[next] == 1 {
				for _, d := range dependsOn[next] {
					if !seen[d] {
						seen[d] = true
						todo = append(todo, d)
					}
				}
			}
		}
		if _, valid := s.Deployment(name); valid && seen[name] {
			t.Fatalf("%s waits for itself and is valid", name)
		}
		p, _ := s.Broken(schema.Ref{Kind: "Deployment", Name: name})
		if !seen[name] && (strings.Contains(p.Message, "wait for each other") || strings.Contains(p.Message, "depends on itself")) {
			t.Fatalf("%s is in no cycle, and yet: %s", name, p.Message)
		}
	}
}
