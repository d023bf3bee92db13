package webhook_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources"
	"github.com/berthdev/berth/sources/follow"
	"github.com/berthdev/berth/sources/git"
	"github.com/berthdev/berth/sources/webhook"
)

// fetchTime is how long one fetch of a fakeSource takes.
const fetchTime = 200 * time.Millisecond

// A fakeSource is a repository of one file that never changes.
type fakeSource struct {
	snapshot *sources.Snapshot
	fetches  atomic.Int32
}

func (s *fakeSource) Update(ctx context.Context) (*sources.Snapshot, error) {
	s.fetches.Add(1)
	select {
	case <-time.After(fetchTime):
		return s.snapshot, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}
func (s *fakeSource) Stored(context.Context) (*sources.Snapshot, error)              { return nil, nil }
func (s *fakeSource) Contains(context.Context, string, string) (bool, error)         { return false, nil }
func (s *fakeSource) History(context.Context, string, int) ([]sources.Commit, error) { return nil, nil }
func (s *fakeSource) At(context.Context, string) (*sources.Snapshot, error)          { return nil, nil }
func (s *fakeSource) Here(context.Context, string) (*sources.Snapshot, error)        { return nil, nil }
func (s *fakeSource) MergeBase(context.Context, string, string) (string, error)      { return "", nil }
func (s *fakeSource) Proposals() string                                              { return "" }
func (s *fakeSource) Close() error                                                   { return nil }

// A fakeTree is a file repos.yaml.
type fakeTree string

func (f fakeTree) Hash() sources.Hash { return sources.Hash{1} }

func (f fakeTree) Diff(_ context.Context, before sources.Tree, _ func(string) bool, visit func(sources.Change) error) error {
	if before != nil || f == "" {
		return nil
	}
	return visit(sources.Change{Path: "repos.yaml", After: f.Hash()})
}

func (f fakeTree) Read(context.Context, sources.Hash, int64) ([]byte, error) { return []byte(f), nil }

// A fleet is a hub with app repos, each a fakeSource, and the handler that wakes it.
type fleet struct {
	*webhook.Handler
	hub     *follow.Hub
	sources map[string]*fakeSource // by path on the host
}

const fleetHost = "https://git.example.org/lab/"

// newFleet follows until the test ends. It is for the bubble of synctest.
func newFleet(t *testing.T, repos int) *fleet {
	f := &fleet{sources: map[string]*fakeSource{}}
	var documents strings.Builder
	add := func(name, text string) {
		f.sources[name] = &fakeSource{snapshot: &sources.Snapshot{Name: "refs/heads/main", Commit: strings.Repeat("0", 40), Tree: fakeTree(text)}}
	}
	for i := range repos {
		name := fmt.Sprintf("repo-%d", i)
		fmt.Fprintf(&documents, "---\nkind: Repo\nname: %s\nurl: %s%s.git\n", name, fleetHost, name)
		add(name, "")
	}
	add("desired", documents.String())
	f.hub = follow.New(follow.Options{
		Desired: schema.Desired{URL: fleetHost + "desired.git", Path: "."},
		Open: func(s follow.Spec) (sources.Source, error) {
			return f.sources[strings.TrimSuffix(strings.TrimPrefix(s.URL, fleetHost), ".git")], nil
		},
		Same: git.SameRepo, Key: git.RepoKey, Redact: git.Redact, Logger: slog.New(slog.DiscardHandler),
		LocalDir: func(string) (string, bool) { return "", false },
	})
	f.Handler = webhook.New(webhook.Options{
		Secrets: func(string) [][]byte { return [][]byte{secret, signingToken} },
		Wake:    f.hub.Wake, Redact: git.Redact, Logger: slog.New(slog.DiscardHandler),
	})
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.hub.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	time.Sleep(5 * time.Second)
	synctest.Wait()
	return f
}

// fetched returns how often each source was asked since it was last called.
func (f *fleet) fetched() map[string]int32 {
	out := map[string]int32{}
	for name, s := range f.sources {
		if n := s.fetches.Swap(0); n > 0 {
			out[name] = n
		}
	}
	return out
}

// spellings are how forges and people write the URL of a repo.
var spellings = []string{
	fleetHost + "%s.git", fleetHost + "%s", "https://Git.Example.ORG:443/lab/%s.git", "http://git.example.org/lab/%s",
	"git@git.example.org:lab/%s.git", "ssh://git@git.example.org/lab/%s.git", "ssh://git@git.example.org:22/lab/%s",
}

// deliver sends a push of each forge in turn.
func (f *fleet) deliver(t *testing.T, i int, repo, path string) {
	names := []string{"GitHub", "Gitea", "Forgejo", "GitLab", "GitLab, signing", "a script"}
	from := forges[names[i%len(names)]]
	body := strings.ReplaceAll(push, fleetHost+"apps.git", fmt.Sprintf(spellings[i%len(spellings)], repo))
	request := from.request("push", body)
	request.URL.Path += path
	answer := httptest.NewRecorder()
	f.ServeHTTP(answer, request)
	if answer.Code != http.StatusAccepted {
		t.Errorf("%s: got %d %s", body, answer.Code, answer.Body)
	}
}

// TestABurstIsFetchedOnce lets a thousand deliveries come within the time of one
// fetch: each repo that they name is asked at once, and once more for what came
// meanwhile. The others are not asked.
func TestABurstIsFetchedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 6)
		f.fetched()
		var burst sync.WaitGroup
		for i := range 1000 {
			burst.Go(func() {
				time.Sleep(fetchTime / 2 * time.Duration(i) / 1000)
				f.deliver(t, i, fmt.Sprintf("repo-%d", i%4), "")
			})
		}
		burst.Wait()
		synctest.Wait()
		once := map[string]int32{"repo-0": 1, "repo-1": 1, "repo-2": 1, "repo-3": 1}
		if diff := cmp.Diff(once, f.fetched()); diff != "" {
			t.Errorf("fetches that began during the burst (-want +got):\n%s", diff)
		}
		time.Sleep(5 * time.Second)
		if diff := cmp.Diff(once, f.fetched()); diff != "" {
			t.Errorf("fetches after it (-want +got):\n%s", diff)
		}
	})
}

// TestADeliveryWakesNoOther sends every spelling of every forge.
func TestADeliveryWakesNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 3)
		f.fetched()
		expect := func(what string, want ...string) {
			time.Sleep(2 * time.Second)
			synctest.Wait()
			got := f.fetched()
			for _, repo := range want {
				if got[repo] != 1 {
					t.Errorf("%s: %s was asked %d times", what, repo, got[repo])
				}
				delete(got, repo)
			}
			if len(got) > 0 {
				t.Errorf("%s: asked too: %v", what, got)
			}
		}
		for i := range 10 { // until the first poll, after a minute
			f.deliver(t, i, "repo-1", "")
			expect(fmt.Sprint("delivery ", i), "repo-1")
		}
		f.deliver(t, 0, "desired", "")
		expect("the desired state", "desired")
		f.deliver(t, 0, "repo-2", "/repo-2")
		expect("a repo, by its own secret", "repo-2")
		f.deliver(t, 0, "repo-2", "/repo-1")
		expect("a repo, by the secret of another")
		f.deliver(t, 0, "desired", "/"+follow.DesiredName)
		expect("the desired state, by its own secret", "desired")
	})
}

// TestAPullRequestWakesNoFollower but when it is merged.
func TestAPullRequestWakesNoFollower(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newFleet(t, 1)
		f.fetched()
		send := func(from, event, body string) map[string]int32 {
			repo := strings.NewReplacer("github.example/lab/apps", "git.example.org/lab/desired", "gitlab.example/lab/apps", "git.example.org/lab/desired")
			f.ServeHTTP(httptest.NewRecorder(), forges[from].request(event, repo.Replace(body)))
			time.Sleep(time.Second)
			synctest.Wait()
			return f.fetched()
		}
		for _, action := range []string{"opened", "synchronize", "reopened", "closed"} {
			if got := send("GitHub", "pull_request", githubPull(action, "")); len(got) > 0 {
				t.Errorf("%s: %v", action, got)
			}
		}
		for _, action := range []string{"open", "update", "reopen", "close"} {
			if got := send("GitLab", "Merge Request Hook", gitlabMerge(action, `"oldrev": "8d97b9c",`)); len(got) > 0 {
				t.Errorf("%s: %v", action, got)
			}
		}
		if got := send("GitHub", "pull_request", githubPull("closed", `"merged": true,`)); len(got) != 1 || got["desired"] != 1 {
			t.Errorf("merged on GitHub: %v", got)
		}
		if got := send("GitLab", "Merge Request Hook", gitlabMerge("merge", "")); len(got) != 1 || got["desired"] != 1 {
			t.Errorf("merged on GitLab: %v", got)
		}
	})
}
