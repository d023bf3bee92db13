package git

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-git/go-git/v5/plumbing"
	"pgregory.net/rapid"

	"github.com/berthdev/berth/schema"
)

// One list of refs tells of the ref that is followed and of proposals.
func TestProposalsMove(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	head, newer := r.pull(7, first, "a.yaml", "2"), r.pull(8, first, "a.yaml", "3")
	move := func(ref, commit string) { // empty: away
		runGitWith(t, r.bare, "update "+ref+" "+cmp.Or(commit, strings.Repeat("0", 40))+"\n", "update-ref", "--stdin")
	}
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", Proposals: true})
	if got := src.Proposals(); got != "" {
		t.Errorf("before the first update: %q", got)
	}
	snap, begun := update(t, src), src.Proposals()
	last := begun
	for _, step := range []struct {
		name         string
		do           func()
		moved, begun bool // it is another one; it is the one of the beginning
	}{
		{name: "nothing", do: func() {}, begun: true},
		{name: "a head", do: func() { move("refs/pull/7/head", newer) }, moved: true},
		{name: "what the forge merged", do: func() { move("refs/pull/7/merge", newer) }},
		{name: "that again", do: func() { move("refs/pull/7/merge", head) }},
		{name: "a new one of GitLab's", do: func() { move("refs/merge-requests/1/head", head) }, moved: true},
		{name: "its merge", do: func() { move("refs/merge-requests/1/merge", head) }},
		{name: "another branch", do: func() { move("refs/heads/topic/head", head) }},
		{name: "a tag", do: func() { move("refs/tags/pull/9/head", head) }},
		{name: "one is gone", do: func() { move("refs/merge-requests/1/head", "") }, moved: true},
		{name: "and back", do: func() { move("refs/pull/7/head", head) }, moved: true, begun: true},
	} {
		step.do()
		s.requests.Store(0)
		if update(t, src) != snap {
			t.Fatalf("%s: what is followed changed", step.name)
		}
		if n := s.requests.Load(); n != 1 {
			t.Errorf("%s: %d requests", step.name, n)
		}
		now := src.Proposals()
		if (now != last) != step.moved || (now == begun) != step.begun {
			t.Errorf("%s: from %s to %s, begun at %s", step.name, last, now, begun)
		}
		last = now
	}
}

// Proposals are told although the ref that is followed cannot be read.
func TestProposalsOfWhatCannotBeRead(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", Proposals: true})
	update(t, src)
	none := src.Proposals()
	if none == "" {
		t.Error("that there are none is not told")
	}
	runGit(t, r.bare, "update-ref", "-d", "refs/heads/main")
	r.pull(7, first)
	updateError(t, src, schema.Terminal, "no branch")
	if now := src.Proposals(); now == none || now == "" {
		t.Errorf("the first one: from %q to %q", none, now)
	}
	last := src.Proposals()
	s.setHandle(func(w http.ResponseWriter, _ *http.Request) bool { w.WriteHeader(http.StatusBadGateway); return true })
	updateError(t, src, schema.Transient)
	if now := src.Proposals(); now != last {
		t.Errorf("while the server is away: from %q to %q", last, now)
	}
}

func TestProposalsAreNotKnown(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	r.pull(7, first)
	s := newServer(t, r)
	for name, opts := range map[string]Options{
		"nobody asks":        {Dir: openDir(t), URL: s.repoURL()},
		"a local repository": {URL: r.bare, Proposals: true},
	} {
		src := open(t, opts)
		update(t, src)
		if got := src.Proposals(); got != "" {
			t.Errorf("%s: %q", name, got)
		}
	}
	src, err := Folder(t.TempDir())
	must(t, err)
	defer src.Close()
	if got := src.Proposals(); got != "" {
		t.Errorf("a folder: %q", got)
	}
}

// A look at a proposal takes no fingerprint: what it sees may be older than what
// the update beside it does.
func TestAtTakesNoFingerprint(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", Proposals: true})
	update(t, src)
	before := src.Proposals()
	r.pull(7, first)
	at(t, src, "refs/pull/7/head")
	if now := src.Proposals(); now != before {
		t.Errorf("from %q to %q", before, now)
	}
}

// The fingerprint is that of a set: it tells sets of heads apart, in any order.
func TestFingerprint(t *testing.T) {
	seed := maphash.MakeSeed()
	heads := rapid.MapOfN(rapid.IntRange(1, 40), rapid.IntRange(1, 3), 0, 30)
	fingerprint := func(heads map[int]int, order []int) string {
		p := newProposals(seed)
		for _, n := range order {
			p.add(plumbing.Hash{byte(heads[n])}, fmt.Appendf(nil, "refs/pull/%d/head", n))
			p.add(plumbing.Hash{byte(rand.N(256))}, fmt.Appendf(nil, "refs/pull/%d/merge", n))
		}
		return p.fingerprint()
	}
	rapid.Check(t, func(rt *rapid.T) {
		one, two := heads.Draw(rt, "one"), heads.Draw(rt, "two")
		keys := func(of map[int]int) []int {
			var all []int
			for n := range of {
				all = append(all, n)
			}
			return all
		}
		sorted := keys(one)
		slices.Sort(sorted)
		got := fingerprint(one, sorted)
		if again := fingerprint(one, rapid.Permutation(sorted).Draw(rt, "order")); again != got {
			rt.Errorf("%v: %s and %s", one, got, again)
		}
		if same := fmt.Sprint(one) == fmt.Sprint(two); (fingerprint(two, keys(two)) == got) != same {
			rt.Errorf("%v and %v: both are %s", one, two, got)
		}
	})
}

// pullRefs is what a server lists of a repository with a branch and so many pull
// requests, each with what the forge merged of it.
func pullRefs(pulls int) []byte {
	list := appendPkt(nil, "%040x HEAD\x00side-band-64k symref=HEAD:refs/heads/main\n", 1)
	list = appendPkt(list, "%040x refs/heads/main\n", 1)
	for i := range pulls {
		list = appendPkt(list, "%040x refs/pull/%d/head\n", i+2, i)
		list = appendPkt(list, "%040x refs/pull/%d/merge\n", i+2, i)
	}
	return append(list, flushPkt...)
}

func readAll(t testing.TB, list []byte, wanted bool) {
	res := &resolver{spec: refSpec{name: headName}}
	if wanted {
		res.proposed = newProposals(maphash.MakeSeed())
	}
	_, err := readRefs(bytes.NewReader(list), res)
	must(t, err)
	if found, err := res.result(); err != nil || found.name != "refs/heads/main" {
		t.Fatal(found, err)
	}
}

// Fingerprints take no memory that grows with the number of pull requests.
func TestProposalsAllocateNothing(t *testing.T) {
	few, many := pullRefs(10), pullRefs(20_000)
	without := testing.AllocsPerRun(5, func() { readAll(t, few, false) })
	with := testing.AllocsPerRun(5, func() { readAll(t, many, true) })
	if with > without+50 {
		t.Errorf("%v allocations for 20,000 pull requests, %v without any fingerprint", with, without)
	}
}

// withPulls gives a bare repository pull requests, all of one commit.
func withPulls(t testing.TB, r *repo, pulls int, commit string) {
	t.Helper()
	runGit(t, r.bare, "pack-refs", "--all")
	name := filepath.Join(r.bare, "packed-refs")
	packed, err := os.ReadFile(name)
	must(t, err)
	list := bytes.NewBuffer(packed)
	var refs []string
	for i := range pulls {
		refs = append(refs, fmt.Sprintf("refs/pull/%d/head", i), fmt.Sprintf("refs/pull/%d/merge", i))
	}
	slices.Sort(refs) // as git does
	for _, ref := range refs {
		fmt.Fprintln(list, commit, ref)
	}
	must(t, os.WriteFile(name, list.Bytes(), 0o644))
}

// A repository of 20,000 pull requests is followed as any other is.
func TestThousandsOfPullRequests(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	withPulls(t, r, 20_000, first)
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Ref: "main", Proposals: true})
	snap, before := update(t, src), src.Proposals()
	if !strings.HasPrefix(before, "20000-") {
		t.Errorf("fingerprint is %q", before)
	}
	second := r.push("second", "a.yaml", "2")
	if next := update(t, src); next == snap || next.Commit != second || src.Proposals() != before {
		t.Errorf("snapshot is %+v, fingerprint %s was %s", next, src.Proposals(), before)
	}
	runGit(t, r.bare, "update-ref", "refs/pull/7777/head", second)
	s.requests.Store(0)
	update(t, src)
	if n := s.requests.Load(); n != 1 || src.Proposals() == before {
		t.Errorf("%d requests, fingerprint %s", n, src.Proposals())
	}
}

// endless is bytes that come again and again.
type endless struct {
	data []byte
	at   int
}

func (e *endless) Read(b []byte) (int, error) {
	n := copy(b, e.data[e.at:])
	e.at = (e.at + n) % len(e.data)
	return n, nil
}

// A list without end is refused.
func TestTooManyRefs(t *testing.T) {
	begin := appendPkt(nil, "%040x HEAD\x00side-band-64k\n", 1)
	more := &endless{data: appendPkt(nil, "%040x refs/pull/7/head\n", 1)}
	res := &resolver{spec: refSpec{name: headName}, proposed: newProposals(maphash.MakeSeed())}
	_, err := readRefs(io.MultiReader(bytes.NewReader(begin), more), res)
	wantError(t, seal(err, "x", nil), schema.Terminal, "more than 1000000 refs")
}

// BenchmarkRefs reads the refs of a repository with 20,000 pull requests.
func BenchmarkRefs(b *testing.B) {
	list := pullRefs(20_000)
	for name, wanted := range map[string]bool{"followed": false, "and proposals": true} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(list)))
			for b.Loop() {
				readAll(b, list, wanted)
			}
		})
	}
}

// BenchmarkPoll asks a repository with so many pull requests whether anything
// moved; most of the time is that of the git binary that serves.
func BenchmarkPoll(b *testing.B) {
	for _, pulls := range []int{0, 20_000} {
		for _, wanted := range []bool{false, true} {
			b.Run(fmt.Sprintf("pulls=%d/proposals=%t", pulls, wanted), func(b *testing.B) {
				r := newRepo(b)
				withPulls(b, r, pulls, r.push("first", "a.yaml", "1"))
				s := newServer(b, r)
				src := open(b, Options{Dir: openDir(b), URL: s.repoURL(), Ref: "main", Proposals: wanted})
				snap := update(b, src)
				s.sent.Store(0)
				b.ReportAllocs()
				b.ResetTimer()
				for range b.N {
					if now, err := src.Update(context.Background()); err != nil || now != snap {
						b.Fatal(now, err)
					}
				}
				b.ReportMetric(float64(s.sent.Load())/float64(b.N), "bytes/poll")
			})
		}
	}
}
