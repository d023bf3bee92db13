package git

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/sources"
)

// A dag is a history that was made up: commits in the order of their making.
type dag struct {
	t       *testing.T
	bare    string
	commits int // of all histories, so that none has the hash of another
}

func newDAG(t *testing.T) *dag {
	d := &dag{t: t, bare: filepath.Join(t.TempDir(), "repo.git")}
	runGit(t, filepath.Dir(d.bare), "init", "-q", "--bare", d.bare)
	return d
}

// add makes commits, each with the parents (by index) and the time of a draw.
func (d *dag) add(parents [][]int, times []int) []string {
	d.t.Helper()
	var stream strings.Builder
	for i := range parents {
		d.commits++
		fmt.Fprintf(&stream, "commit refs/heads/c%d\nmark :%d\ncommitter Ada <ada@example.org> %d +0000\ndata %d\n%d",
			d.commits, i+1, 1_700_000_000+times[i], len(fmt.Sprint(d.commits)), d.commits)
		for n, parent := range parents[i] {
			fmt.Fprintf(&stream, "\n%s :%d", []string{"from", "merge"}[min(n, 1)], parent+1)
		}
		stream.WriteString("\n\n")
	}
	marks := filepath.Join(filepath.Dir(d.bare), "marks")
	runGitWith(d.t, d.bare, stream.String(), "fast-import", "--quiet", "--export-marks="+marks)
	data, err := os.ReadFile(marks)
	must(d.t, err)
	hashes := make([]string, len(parents))
	for line := range strings.Lines(string(data)) {
		var mark int
		var hash string
		if _, err := fmt.Sscanf(line, ":%d %s", &mark, &hash); err == nil && mark > 0 {
			hashes[mark-1] = hash
		}
	}
	return hashes
}

// gitMergeBases asks git for all best common ancestors.
func gitMergeBases(t *testing.T, dir, a, b string) []string {
	t.Helper()
	cmd := exec.Command("git", "merge-base", "--all", a, b)
	cmd.Dir, cmd.Env = dir, gitEnv()
	out, err := cmd.Output()
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != 1) {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}

func wantMergeBase(t *testing.T, src sources.Source, a, b, want string) {
	t.Helper()
	if got, err := src.MergeBase(context.Background(), a, b); err != nil || got != want {
		t.Errorf("merge base of %.7s and %.7s is %q (%v), want %q", a, b, got, err, want)
	}
}

// In any history, whatever its times say, the merge base is one of git's, and
// the same one from both sides.
func TestMergeBaseIsGits(t *testing.T) {
	d := newDAG(t)
	src := open(t, Options{URL: d.bare})
	first := d.add([][]int{nil}, []int{0})
	if _, err := src.At(context.Background(), first[0]); err != nil {
		t.Fatal(err)
	}
	several := 0
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 24).Draw(rt, "commits")
		parents, times := make([][]int, n), make([]int, n)
		honest := rapid.Bool().Draw(rt, "honest")
		for i := range n {
			times[i] = rapid.IntRange(0, 5).Draw(rt, "time")
			if honest {
				times[i] = i / 2
			}
			if i > 0 {
				back := rapid.IntRange(max(0, i-5), i-1)
				parents[i] = rapid.SliceOfNDistinct(back, 0, min(i, 3), rapid.ID).Draw(rt, "parents")
			}
		}
		commits := d.add(parents, times)
		for range 3 {
			a, b := rapid.SampledFrom(commits).Draw(rt, "a"), rapid.SampledFrom(commits).Draw(rt, "b")
			want := gitMergeBases(t, d.bare, a, b)
			got, err := src.MergeBase(context.Background(), a, b)
			if err != nil {
				rt.Fatal(err)
			}
			if len(want) > 1 {
				several++
			}
			if got == "" && len(want) > 0 || got != "" && !slices.Contains(want, got) {
				rt.Fatalf("merge base of %s and %s is %q, git says %q", a, b, got, want)
			}
			if other, err := src.MergeBase(context.Background(), b, a); err != nil || other != got {
				rt.Fatalf("from the other side it is %q (%v), not %q", other, err, got)
			}
		}
	})
	t.Logf("%d pairs had several", several)
}

func TestMergeBaseOfACrissCross(t *testing.T) {
	d := newDAG(t)
	//   1 - 3 - 5
	// 0   X   X      in which the times lie
	//   2 - 4 - 6
	c := d.add([][]int{nil, {0}, {0}, {1, 2}, {2, 1}, {3, 4}, {4, 3}}, []int{9, 1, 5, 3, 4, 0, 7})
	src := open(t, Options{URL: d.bare})
	if _, err := src.At(context.Background(), c[6]); err != nil {
		t.Fatal(err)
	}
	wantMergeBase(t, src, c[5], c[6], c[4]) // the newer of 3 and 4
	wantMergeBase(t, src, c[3], c[4], c[2])
	wantMergeBase(t, src, c[6], c[0], c[0])
	wantMergeBase(t, src, c[6], c[6], c[6])
	wantMergeBase(t, src, c[6], strings.Repeat("a", 40), "")
	wantMergeBase(t, src, "main", c[6], "")
}

// A pull request near the tip of a long history is told without reading it all.
func TestMergeBaseReadsLittle(t *testing.T) {
	const long = 5_000
	d := newDAG(t)
	parents, times := [][]int{nil}, []int{0}
	for i := 1; i < long; i++ {
		parents, times = append(parents, []int{i - 1}), append(times, i)
	}
	parents, times = append(parents, []int{long - 4}), append(times, long)
	c := d.add(parents, times)
	p := newPainter(context.Background(), &objects{folder: d.bare, live: true})
	base, _, err := p.mergeBase(plumbing.NewHash(c[long]), plumbing.NewHash(c[long-1]))
	if err != nil || base != c[long-4] || len(p.seen) > 10 {
		t.Errorf("merge base is %s (%v) after %d commits", base, err, len(p.seen))
	}
}
