package follow

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/catalog"
	"github.com/berthdev/berth/sources/desired"
)

// logMost is how many lines, or names in a line, one commit brings to the log
// at most: the rest is counted.
const logMost = 20

// some joins names for one line.
func some(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most], " "), len(names)-most)
	}
	return strings.Join(names, " ")
}

// logProblems logs what is wrong in the desired state and was not before, and
// what is no more.
func (h *Hub) logProblems(before, now *desired.State, diff desired.Diff) {
	if len(diff.Deployments) == 0 && len(diff.Repos) == 0 && !diff.Holds {
		return
	}
	old := map[schema.Problem]bool{}
	for _, p := range before.Problems() {
		old[p] = true
	}
	fresh := lines{log: h.options.Logger}
	for _, p := range now.Problems() {
		if old[p] {
			delete(old, p)
			continue
		}
		level, message := slog.LevelWarn, "document is invalid"
		if p.Notice {
			level, message = slog.LevelInfo, "document has a notice"
		}
		fresh.add(level, message, "at", p.Position(), "path", p.Path, "problem", p.Message, "hint", p.Hint)
	}
	fresh.end("documents have more problems")
	if n := len(old); n > 0 {
		h.options.Logger.Info("problems of documents are solved", "count", n)
	}
}

// logNotices logs what a person should know of the catalog and did not before.
func (h *Hub) logNotices(diff catalog.Diff) {
	fresh := lines{log: h.options.Logger}
	for _, n := range diff.New {
		fresh.add(slog.LevelWarn, "catalog notice", "notice", n.Kind, "source", n.Repo,
			"app", n.Identifier, "version", n.Version, "problem", n.Message)
	}
	fresh.end("the catalog has more notices")
	if n := len(diff.Resolved); n > 0 {
		h.options.Logger.Info("notices of the catalog are resolved", "count", n)
	}
}

// lines are log lines of which only the first are written.
type lines struct {
	log *slog.Logger
	n   int
}

func (l *lines) add(level slog.Level, message string, args ...any) {
	if l.n++; l.n <= logMost {
		l.log.Log(context.Background(), level, message, args...)
	}
}

func (l *lines) end(message string) {
	if l.n > logMost {
		l.log.Warn(message, "count", l.n-logMost)
	}
}
