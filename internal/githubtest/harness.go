package githubtest

import (
	"fmt"
	"testing"

	"github.com/berthdev/berth/sources/forge"
	"github.com/berthdev/berth/sources/forge/forgetest"
)

// Harness describes the repository of that path to the suite that every client of
// a forge passes. How to connect, with which secrets, is the caller's to add.
func (s *Server) Harness(path string) forgetest.Harness {
	r := s.Repo(path)
	letters := 140
	if s.gitea {
		letters = 255
	}
	return forgetest.Harness{
		API:    s.API(),
		Commit: func(testing.TB) string { return r.Commit() },
		Open: func(_ testing.TB, p forgetest.Proposal) forge.PullRequest {
			made := r.Open(Pull{Title: p.Title, Base: p.Base, Fork: p.Fork, Gone: p.Gone, Draft: p.Draft})
			return forge.PullRequest{
				Number: made.Number, Base: p.Base, Head: made.Head, Ref: fmt.Sprintf("refs/pull/%d/head", made.Number),
			}
		},
		MergeBase: func(_ testing.TB, number int) string { return r.MergeBase(number) },
		Close: func(_ testing.TB, number int) {
			r.Update(number, func(p *Pull) { p.State = "closed" })
		},
		Comments: func(_ testing.TB, number int) []string {
			var texts []string
			for _, c := range r.Comments(number) {
				texts = append(texts, c.Body)
			}
			return texts
		},
		Remark:  func(_ testing.TB, number int, text string) { r.Remark(number, "stranger", text) },
		Letters: letters,
		Many:    true,
		Gone:    true,
	}
}
