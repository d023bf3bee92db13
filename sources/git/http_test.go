package git

import (
	"context"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
)

func fixed(cred Credential) Credentials {
	return func(Location) (Credential, error) { return cred, nil }
}

func TestAuthentication(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	s.user, s.password = "berth", "right"
	withUser := strings.Replace(s.repoURL(), "http://", "http://berth:right@", 1)
	for name, test := range map[string]struct {
		url  string
		cred Credential
		user string // the user that the server wants; default berth
		hint string // of the error; empty: it works
	}{
		"user and password":    {cred: Credential{Username: "berth", Token: "right"}},
		"token alone":          {cred: Credential{Token: "right"}, user: tokenUser},
		"in the URL":           {url: withUser},
		"user in the URL":      {url: strings.Replace(s.repoURL(), "http://", "http://berth@", 1), cred: Credential{Token: "right"}},
		"wrong password":       {cred: Credential{Username: "berth", Token: "wrong"}, hint: "check the token"},
		"nothing configured":   {hint: "no credentials are configured for 127.0.0.1"},
		"repository not there": {url: s.URL + "/none.git", cred: Credential{Username: "berth", Token: "right"}, hint: "404"},
	} {
		t.Run(name, func(t *testing.T) {
			s.user = firstOf(test.user, "berth")
			src := open(t, Options{Dir: openDir(t), URL: firstOf(test.url, s.repoURL()), Credentials: fixed(test.cred)})
			if test.hint != "" {
				updateError(t, src, schema.Terminal, test.hint)
				return
			}
			snap := update(t, src)
			if snap.Commit != first || strings.Contains(snap.URL, "@") {
				t.Errorf("snapshot is %+v", snap)
			}
		})
	}
}

func TestPrivateAuthority(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := unstartedServer(t, r)
	s.Config.ErrorLog = quietLog()
	s.StartTLS()
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	updateError(t, src, schema.Terminal, "unknown authority", "caFile")

	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw})
	src = open(t, Options{Dir: openDir(t), URL: s.repoURL(), Credentials: fixed(Credential{CA: ca})})
	wantFile(t, update(t, src), "a.yaml", "1")

	byName := strings.Replace(s.repoURL(), "127.0.0.1", "localhost", 1)
	src = open(t, Options{Dir: openDir(t), URL: byName, Credentials: fixed(Credential{CA: ca})})
	updateError(t, src, schema.Terminal, "valid certificate")

	src = open(t, Options{Dir: openDir(t), URL: s.repoURL(), Credentials: fixed(Credential{CA: []byte("nonsense")})})
	updateError(t, src, schema.Terminal, "caFile holds no certificate")
}

// A proxy forwards every request, and every tunnel, to one address.
type proxy struct {
	*httptest.Server
	used  atomic.Int64
	names sync.Map
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	p := &proxy{}
	p.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		p.used.Add(1)
		p.names.Store(req.Host, true)
		if req.Method != http.MethodConnect {
			out := req.Clone(req.Context())
			out.RequestURI, out.URL.Host = "", target
			res, err := http.DefaultTransport.RoundTrip(out)
			if err != nil {
				w.WriteHeader(http.StatusBadGateway)
				return
			}
			defer res.Body.Close()
			w.Header().Set("Content-Type", res.Header.Get("Content-Type"))
			w.WriteHeader(res.StatusCode)
			_, _ = io.Copy(w, res.Body)
			return
		}
		tunnel(w, target)
	}))
	t.Cleanup(func() {
		p.Close()
		http.DefaultTransport.(*http.Transport).CloseIdleConnections()
	})
	return p
}

func tunnel(w http.ResponseWriter, target string) {
	far, err := net.Dial("tcp", target)
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, _, err := w.(http.Hijacker).Hijack()
	if err != nil {
		return
	}
	defer near.Close()
	_, _ = io.WriteString(near, "HTTP/1.1 200 OK\r\n\r\n")
	var both sync.WaitGroup
	both.Go(func() {
		_, _ = io.Copy(far, near)
		far.Close()
	})
	_, _ = io.Copy(near, far)
	near.Close()
	both.Wait()
}

func TestProxy(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	plain := newServer(t, r)
	secure := unstartedServer(t, r)
	secure.StartTLS()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	for name, test := range map[string]struct{ url, target string }{
		"http":  {"http://example.com/repo.git", plain.Listener.Addr().String()},
		"https": {"https://example.com/repo.git", secure.Listener.Addr().String()}, // the name in httptest's certificate
	} {
		t.Run(name, func(t *testing.T) {
			p := newProxy(t, test.target)
			proxyURL, err := url.Parse(p.URL)
			must(t, err)
			src := open(t, Options{Dir: openDir(t), URL: test.url, Proxy: http.ProxyURL(proxyURL), Credentials: fixed(Credential{CA: ca})})
			wantFile(t, update(t, src), "a.yaml", "1")
			if p.used.Load() == 0 {
				t.Error("the proxy was not asked")
			}
			must(t, src.Close())
		})
	}
}

// proxyVariable makes the test binary update from a URL with nothing but the
// environment to tell it of a proxy.
const proxyVariable = "BERTH_TEST_PROXIED_URL"

func updateThroughProxy(repo string) {
	err := func() error {
		dir, err := os.MkdirTemp("", "berth-test-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(dir)
		d, err := OpenDir(dir)
		if err != nil {
			return err
		}
		defer d.Close()
		src, err := Open(Options{Dir: d, URL: repo})
		if err != nil {
			return err
		}
		defer src.Close()
		_, err = src.Update(context.Background())
		return err
	}()
	fmt.Print(err)
	os.Exit(0)
}

func TestProxyOfTheEnvironment(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	p := newProxy(t, s.Listener.Addr().String())
	self, err := os.Executable()
	must(t, err)
	for name, test := range map[string]struct{ none, want string }{
		"used":   {"", "<nil>"},
		"passed": {"git.test", "git.test"},
	} {
		t.Run(name, func(t *testing.T) {
			cmd := exec.Command(self)
			cmd.Env = append(os.Environ(), proxyVariable+"=http://git.test/repo.git", "HTTP_PROXY="+p.URL, "NO_PROXY="+test.none, "no_proxy=")
			out, err := cmd.CombinedOutput()
			must(t, err)
			if !strings.Contains(string(out), test.want) {
				t.Errorf("update says %s", out)
			}
		})
	}
	if _, used := p.names.Load("git.test"); !used {
		t.Error("the proxy was not asked")
	}
}

// A redirect is followed to a repository that moved, and credentials stay where
// they belong.
func TestRedirectToAnotherHost(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	target := newServer(t, r)
	front := newServer(t, r)
	// Another name for the same machine is another host, and so is another port.
	for _, host := range []string{"127.0.0.1", "localhost"} {
		moved := strings.Replace(target.URL, "127.0.0.1", host, 1)
		front.setHandle(func(w http.ResponseWriter, req *http.Request) bool {
			http.Redirect(w, req, moved+req.URL.RequestURI(), http.StatusMovedPermanently)
			return true
		})
		src := open(t, Options{Dir: openDir(t), URL: front.repoURL(), Credentials: fixed(Credential{Username: "berth", Token: "canary-token"})})
		if snap := update(t, src); snap.Commit != first {
			t.Errorf("commit is %s", snap.Commit)
		}
	}
	if len(front.seen) == 0 || front.seen[0].Header.Get("Authorization") == "" {
		t.Error("the host itself got no credentials")
	}
	if len(target.seen) < 4 {
		t.Errorf("the other host was asked %d times", len(target.seen))
	}
	for _, req := range target.seen {
		for _, name := range []string{"Authorization", "Cookie", "Referer"} {
			if v := req.Header.Get(name); v != "" {
				t.Errorf("%s %s got %s: %s", req.Method, req.URL, name, v)
			}
		}
	}
}

func TestRedirectOnTheSameHostKeepsCredentials(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	s.user, s.password = "berth", "right"
	s.setHandle(func(w http.ResponseWriter, req *http.Request) bool {
		if rest, old := strings.CutPrefix(req.URL.RequestURI(), "/old.git"); old {
			http.Redirect(w, req, "/repo.git"+rest, http.StatusFound)
			return true
		}
		return false
	})
	src := open(t, Options{Dir: openDir(t), URL: s.URL + "/old.git", Credentials: fixed(Credential{Username: "berth", Token: "right"})})
	wantFile(t, update(t, src), "a.yaml", "1")
}

func TestRedirectsThatAreNotFollowed(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	secure := unstartedServer(t, r)
	secure.StartTLS()
	ca := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	var inner atomic.Int64
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { inner.Add(1) }))
	t.Cleanup(other.Close)
	for name, to := range map[string]string{
		"to plain http":       other.URL + "/repo.git/info/refs?service=git-upload-pack",
		"to another path":     strings.Replace(other.URL, "http:", "https:", 1) + "/latest/meta-data",
		"to another question": strings.Replace(other.URL, "http:", "https:", 1) + "/info/refs?x=y",
		"to a file":           "file:///etc/passwd",
		"in a circle":         "/repo.git/info/refs?service=git-upload-pack",
	} {
		t.Run(name, func(t *testing.T) {
			secure.setHandle(func(w http.ResponseWriter, req *http.Request) bool {
				w.Header().Set("Location", to)
				w.WriteHeader(http.StatusFound)
				return true
			})
			src := open(t, Options{Dir: openDir(t), URL: secure.repoURL(), Credentials: fixed(Credential{CA: ca})})
			updateError(t, src, schema.Terminal, "redirects", "new URL")
		})
	}
	if inner.Load() != 0 {
		t.Error("the other server was asked")
	}
}

func TestAnswersOfServers(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	answer := func(code int, header, value, body string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, _ *http.Request) bool {
			if header != "" {
				w.Header().Set(header, value)
			}
			w.WriteHeader(code)
			_, _ = io.WriteString(w, body)
			return true
		}
	}
	refs := func(body string) func(http.ResponseWriter, *http.Request) bool {
		return answer(200, "Content-Type", refsType, body)
	}
	hash := strings.Repeat("a", 40)
	for name, test := range map[string]struct {
		handle func(http.ResponseWriter, *http.Request) bool
		kind   schema.ErrorKind
		part   string
	}{
		"overloaded":       {answer(503, "", "", ""), schema.Transient, "503"},
		"rate limit":       {answer(429, "", "", ""), schema.Transient, "interval"},
		"GitHub's limit":   {answer(403, "Retry-After", "60", ""), schema.Transient, "interval"},
		"forbidden":        {answer(403, "", "", ""), schema.Terminal, "may not read"},
		"gone":             {answer(410, "", "", ""), schema.Terminal, "410"},
		"a web page":       {answer(200, "Content-Type", "text/html", "<html>"), schema.Terminal, "not the address of a git repository"},
		"nothing":          {refs(""), schema.Transient, "EOF"},
		"half a line":      {refs("001e# service=git-up"), schema.Transient, "EOF"},
		"not the protocol": {refs("zzzz"), schema.Transient, "protocol"},
		"no hash":          {refs("000anothash"), schema.Transient, "protocol"},
		"an error line":    {refs(string(appendPkt(nil, "ERR access \x1b[31mdenied\n"))), schema.Transient, "the server says: access [31mdenied"},
		"SHA-256":          {refs(string(appendPkt(nil, "%s refs/heads/main\x00side-band-64k object-format=sha256\n", strings.Repeat("a", 64))) + flushPkt), schema.Terminal, "SHA-256"},
		"too old":          {refs(string(appendPkt(nil, "%s HEAD\x00ofs-delta\n", hash)) + flushPkt), schema.Terminal, "too old"},
	} {
		t.Run(name, func(t *testing.T) {
			s.setHandle(test.handle)
			src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
			updateError(t, src, test.kind, test.part)
		})
	}
}

func TestServerThatIsAway(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	one := update(t, src)
	s.Close()
	updateError(t, src, schema.Transient, "refused")
	wantFile(t, one, "a.yaml", "1")
}

func TestSlowServerRunsIntoTheTimeout(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	s.setHandle(func(w http.ResponseWriter, req *http.Request) bool {
		w.Header().Set("Content-Type", refsType)
		w.(http.Flusher).Flush()
		<-req.Context().Done()
		return true
	})
	src := open(t, Options{Dir: openDir(t), URL: s.repoURL(), Timeout: 50 * time.Millisecond})
	updateError(t, src, schema.Transient, "deadline", "asked again")

	// Close does not wait for it either.
	src = open(t, Options{Dir: openDir(t), URL: s.repoURL()})
	asked := make(chan struct{}, 2) // also by the first one, of which the server may hear late or never
	s.setHandle(func(_ http.ResponseWriter, req *http.Request) bool {
		asked <- struct{}{}
		<-req.Context().Done()
		return true
	})
	done := make(chan error)
	go func() {
		_, err := src.Update(context.Background())
		done <- err
	}()
	<-asked
	must(t, src.Close())
	wantError(t, <-done, schema.Terminal, "closed")
	updateError(t, src, schema.Terminal, "closed")
}

// A server that leaves out objects, or sends others, changes nothing here.
func TestServerThatSendsNonsense(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newServer(t, r)
	dir := openDir(t)
	src := open(t, Options{Dir: dir, URL: s.repoURL()})
	one := update(t, src)
	r.push("second", "a.yaml", "2")
	pack := func(p string) func(http.ResponseWriter, *http.Request) bool {
		return func(w http.ResponseWriter, req *http.Request) bool {
			if req.Method != http.MethodPost {
				return false
			}
			w.Header().Set("Content-Type", resultType)
			_, _ = io.WriteString(w, flushPkt+"0008NAK\n"+string(appendPkt(nil, "\x01%s", p))+flushPkt)
			return true
		}
	}
	for name, p := range map[string]string{
		"no pack":          "hello",
		"empty pack":       emptyPack,
		"many objects":     "PACK\x00\x00\x00\x02\xff\xff\xff\xff" + strings.Repeat("x", 40),
		"count too high":   "PACK\x00\x00\x00\x02\x00\x00\x00\x09" + emptyPack[12:],
		"wrong checksum":   emptyPack[:31] + "x",
		"claims gigabytes": "PACK\x00\x00\x00\x02\x00\x00\x00\x01\xb0\xff\xff\xff\xff\x7f" + strings.Repeat("x", 40),
	} {
		t.Run(name, func(t *testing.T) {
			s.setHandle(pack(p))
			if _, err := src.Update(context.Background()); err == nil {
				t.Fatal("accepted")
			}
			if got := currentFolder(src); !fileExists(got) {
				t.Error("the mirror is gone")
			}
			wantFile(t, one, "a.yaml", "1")
			names, err := filepath.Glob(filepath.Join(dir.path, mirrorFolder, "*", "*"))
			must(t, err)
			if len(names) != 1 {
				t.Errorf("leftovers: %q", names)
			}
		})
	}
	s.setHandle(nil)
	for range patience { // one of them counts as refused for a while
		if two, err := src.Update(context.Background()); err == nil && two.Commit != first {
			return
		}
	}
	t.Error("still at the first commit")
}

// emptyPack is a pack without objects.
const emptyPack = "PACK\x00\x00\x00\x02\x00\x00\x00\x00" +
	"\x02\x9d\x08\x82\x3b\xd8\xa8\xea\xb5\x10\xad\x6a\xc7\x5c\x82\x3c\xfd\x3e\xd3\x1e"
