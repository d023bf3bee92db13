package api

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing/synctest"
	"time"

	"github.com/berthdev/berth/internal/access"
)

// web is the API of a rig over HTTP, on connections in memory: so it lives in the
// rig's bubble, and time passes as fast as nobody works.
type web struct {
	*rig
	handler *Handler
	client  *http.Client
	close   func()
}

// serveWorld serves the world with deadlines for a whole request that streams outlive.
func serveWorld(r *rig) *web {
	conns, stopped := make(chan net.Conn), make(chan struct{})
	w := &web{rig: r, handler: NewHandler(r.api)}
	server := &http.Server{
		ReadTimeout: 5 * time.Second, WriteTimeout: 5 * time.Second,
		Handler: http.HandlerFunc(func(out http.ResponseWriter, req *http.Request) {
			caller := access.Caller{Name: "ann", Role: access.Admin}
			if role := req.Header.Get("Role"); role != "" {
				caller.Role = access.Role(role)
			}
			w.handler.ServeHTTP(out, req.WithContext(access.With(req.Context(), caller)))
		}),
	}
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		here, there := net.Pipe()
		select {
		case conns <- there:
			return here, nil
		case <-stopped:
			return nil, net.ErrClosed
		}
	}}
	w.client = &http.Client{Transport: transport}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := server.Serve(&pipes{conns: conns, stopped: stopped}); !errors.Is(err, http.ErrServerClosed) {
			r.t.Error(err)
		}
	}()
	w.close = func() {
		w.handler.EndStreams()
		transport.CloseIdleConnections()
		server.Close()
		<-ended
		time.Sleep(time.Second) // the server keeps a refused connection for half a second
	}
	return w
}

type pipes struct {
	conns   chan net.Conn
	stopped chan struct{}
	once    sync.Once
}

func (p *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.stopped:
		return nil, net.ErrClosed
	}
}

func (p *pipes) Close() error {
	p.once.Do(func() { close(p.stopped) })
	return nil
}

func (p *pipes) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8484} }

// send makes a request with headers, given in pairs.
func (w *web) send(ctx context.Context, method, target, body string, headers ...string) *http.Response {
	w.t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://berth"+target, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		req.Header.Add(headers[i], headers[i+1])
	}
	resp, err := w.client.Do(req)
	if err != nil {
		w.t.Fatal(err)
	}
	return resp
}

// ask returns the status and the whole body of an answer.
func (w *web) ask(method, target, body string, headers ...string) (int, string) {
	w.t.Helper()
	resp := w.send(w.t.Context(), method, target, body, headers...)
	defer resp.Body.Close()
	return resp.StatusCode, whole(w, resp)
}

func (w *web) get(target string, headers ...string) (int, string) {
	w.t.Helper()
	return w.ask(http.MethodGet, target, "", headers...)
}

func (w *web) post(body string, headers ...string) (int, string) {
	w.t.Helper()
	return w.ask(http.MethodPost, "/graphql", body, append([]string{"Content-Type", "application/json"}, headers...)...)
}

func whole(w *web, resp *http.Response) string {
	w.t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return string(body)
}

// A listener reads the lines of a stream as they come.
type listener struct {
	w      *web
	lines  chan string // closed at its end
	cancel func()
}

func (w *web) listen(resp func(context.Context) *http.Response) *listener {
	w.t.Helper()
	ctx, cancel := context.WithCancel(w.t.Context())
	l := &listener{w: w, lines: make(chan string, 10_000), cancel: cancel}
	r := resp(ctx) //nolint:bodyclose // whoever reads the lines closes it
	if r.StatusCode != http.StatusOK {
		body := whole(w, r)
		r.Body.Close()
		cancel()
		w.t.Fatalf("%d %s", r.StatusCode, body)
	}
	go func() {
		defer close(l.lines)
		defer r.Body.Close()
		in := bufio.NewScanner(r.Body)
		for in.Scan() {
			l.lines <- in.Text()
		}
	}()
	return l
}

// take returns the lines that came until all wait for something new, without
// those that say nothing.
func (l *listener) take() []string {
	l.w.t.Helper()
	synctest.Wait()
	var out []string
	for {
		select {
		case line, more := <-l.lines:
			switch {
			case !more:
				return append(out, "END")
			case line != "" && line != ":" && line != "event: next":
				out = append(out, strings.TrimPrefix(line, "data: "))
			}
		default:
			return out
		}
	}
}
