package relay

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/berthdev/berth/schema"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// got is a request that reached the leader.
type got struct {
	path, signature, mark, via, body string
}

// leader serves as the replica that leads, and tells what reaches it.
func leader(t *testing.T) (address string, reached chan got) {
	t.Helper()
	reached = make(chan got, 100)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		reached <- got{r.Method + " " + r.URL.Path, r.Header.Get("X-Berth-Signature"), r.Header.Get(mark), r.Header.Get("Via"), string(body)}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusAccepted)
		_, _ = io.WriteString(w, `{"sources":1}`)
	}))
	t.Cleanup(server.Close)
	return server.Listener.Addr().String(), reached
}

// looksOn is a replica that looks on: it takes what is signed with "good".
func looksOn(t *testing.T, at string) (*Relay, http.Handler) {
	t.Helper()
	r := New(func() string { return at }, schema.ServerTLS{}, slog.New(slog.NewTextHandler(t.Output(), nil)))
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
	return r, r.Webhooks(http.HandlerFunc(func(w http.ResponseWriter, in *http.Request) {
		_, _ = io.ReadAll(in.Body)
		if in.Header.Get("X-Berth-Signature") != "good" {
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	}))
}

func deliver(h http.Handler, path, signature string, change func(*http.Request)) int {
	r := httptest.NewRequest(http.MethodPost, path, strings.NewReader("body of "+path))
	r.Header.Set("X-Berth-Signature", signature)
	if change != nil {
		change(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code
}

// TestWebhooks: what is taken reaches the leader as it came, once; nothing else does.
func TestWebhooks(t *testing.T) {
	at, reached := leader(t)
	_, h := looksOn(t, at)
	if code := deliver(h, "/webhooks/generic", "bad", nil); code != http.StatusUnauthorized {
		t.Errorf("answered %d", code)
	}
	if code := deliver(h, "/webhooks/generic", "good", func(r *http.Request) { r.Header.Set(mark, "1") }); code != http.StatusServiceUnavailable {
		t.Errorf("answered %d", code)
	}
	if code := deliver(h, "/webhooks/github/apps", "good", nil); code != http.StatusAccepted {
		t.Errorf("answered %d", code)
	}
	want := got{"POST /webhooks/github/apps", "good", "1", "1.1 berth", "body of /webhooks/github/apps"}
	select {
	case g := <-reached:
		if g != want {
			t.Errorf("the leader got %+v, want %+v", g, want)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing reached the leader")
	}
}

// TestLeaderIsLearnedLate: what came while the former leader was gone, or did not lead
// any more, reaches the one that leads.
func TestLeaderIsLearnedLate(t *testing.T) {
	former := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer former.Close()
	now, reached := leader(t)
	known := []string{"", "127.0.0.1:1", former.Listener.Addr().String(), now}
	var asked atomic.Int64
	r, h := looksOn(t, "")
	r.leader = func() string { return known[min(asked.Add(1), int64(len(known)))-1] }
	deliver(h, "/webhooks/generic", "good", nil)
	select {
	case g := <-reached:
		if g.body != "body of /webhooks/generic" {
			t.Errorf("the leader got %+v", g)
		}
	case <-time.After(time.Minute):
		t.Fatal("nothing reached the leader")
	}
}

// TestNobodyLeads: a replica answers its webhooks also while nobody leads or the
// leader does not answer, and holds only so much.
func TestNobodyLeads(t *testing.T) {
	for _, at := range []string{"", "127.0.0.1:1"} {
		r, h := looksOn(t, at)
		if code := deliver(h, "/webhooks/generic", "good", nil); code != http.StatusAccepted {
			t.Errorf("answered %d", code)
		}
		if _, err := r.Ask(t.Context(), httptest.NewRequest(http.MethodPost, "/graphql", nil), nil); err == nil {
			t.Error("somebody answered")
		}
	}
	q := newQueue()
	large := request{body: make([]byte, maxWaiting/2)}
	if !q.add(large) || q.add(large) {
		t.Error("the queue has no bound, or no room")
	}
	if _, err := q.next(t.Context()); err != nil || !q.add(large) {
		t.Errorf("no room after one left: %v", err)
	}
}

func TestAsk(t *testing.T) {
	at, reached := leader(t)
	r, _ := looksOn(t, at)
	in := httptest.NewRequest(http.MethodPost, "/graphql", nil)
	answer, err := r.Ask(t.Context(), in, []byte(`{"query":"mutation{reconcile{what}}"}`))
	if err != nil || answer.Status != http.StatusAccepted || answer.Kind != "application/json" || string(answer.Body) != `{"sources":1}` {
		t.Errorf("answer %+v, %v", answer, err)
	}
	if g := <-reached; g.path != "POST /graphql" || g.body != `{"query":"mutation{reconcile{what}}"}` {
		t.Errorf("the leader got %+v", g)
	}
	in.Header.Set(mark, "1")
	if _, err := r.Ask(t.Context(), in, nil); !errors.Is(err, ErrNobody) {
		t.Errorf("handed on twice: %v", err)
	}
}

// TestAnswerIsBounded: whoever claims to lead cannot fill the memory.
func TestAnswerIsBounded(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(make([]byte, maxAnswer+1))
	}))
	defer server.Close()
	r, _ := looksOn(t, server.Listener.Addr().String())
	if answer, err := r.Ask(t.Context(), httptest.NewRequest(http.MethodPost, "/graphql", nil), nil); err == nil {
		t.Errorf("an answer of %d bytes", len(answer.Body))
	}
}

// TestAnswerIsNone: what is no answer of HTTP is not passed on as one.
func TestAnswerIsNone(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = io.WriteString(c, "HTTP/1.1 099 No\r\nContent-Length: 0\r\n\r\n")
			_ = c.Close()
		}
	}()
	defer func() { _ = listener.Close(); <-ended }()
	r, _ := looksOn(t, listener.Addr().String())
	if answer, err := r.Ask(t.Context(), httptest.NewRequest(http.MethodPost, "/graphql", nil), nil); err == nil {
		t.Errorf("the answer %+v", answer)
	}
}

// TestHandedOnIsForgotten: what has left the queue, with its secrets, is not held on to.
func TestHandedOnIsForgotten(t *testing.T) {
	q := newQueue()
	q.add(request{body: []byte("secret")})
	all := q.waiting
	if _, err := q.next(t.Context()); err != nil || all[0].body != nil {
		t.Errorf("it is still there: %q, %v", all[0].body, err)
	}
}
