package docker_test

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/backends/docker"
	"github.com/berthdev/berth/internal/dockertest"
	"github.com/berthdev/berth/schema"
)

// An sshServer is a real sshd on loopback.
type sshServer struct {
	dir, addr string
	hostKey   ssh.PublicKey
	clientKey ed25519.PrivateKey
	login     string
	process   *exec.Cmd
}

func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	if _, err := os.Stat("/usr/sbin/sshd"); err != nil {
		dockertest.Unavailable(t, "there is no sshd")
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	if me.Uid == "0" { // sshd wants it; a package's service usually makes it
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	s := &sshServer{dir: t.TempDir(), addr: fmt.Sprint("127.0.0.1:", dockertest.FreePort(t)), login: me.Username}
	hostKey, _ := s.newKey(t, "host")
	s.hostKey = hostKey
	var authorized ssh.PublicKey
	authorized, s.clientKey = s.newKey(t, "client")
	s.write(t, "authorized", ssh.MarshalAuthorizedKey(authorized))
	s.write(t, "known_hosts", []byte(knownhosts.Line([]string{s.addr}, hostKey)+"\n"))
	_, port, err := net.SplitHostPort(s.addr)
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, "config", fmt.Appendf(nil, "ListenAddress 127.0.0.1\nPort %s\nHostKey %s\nAuthorizedKeysFile %s\nPidFile none\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n",
		port, s.file("host"), s.file("authorized")))
	s.start(t)
	t.Cleanup(s.stop)
	return s
}

func (s *sshServer) file(name string) string { return filepath.Join(s.dir, name) }

func (s *sshServer) write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(s.file(name), data, 0o600); err != nil {
		t.Fatal(err)
	}
}

func (s *sshServer) newKey(t *testing.T, name string) (ssh.PublicKey, ed25519.PrivateKey) {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	s.write(t, name, pem.EncodeToMemory(block))
	public, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	return public, private
}

func (s *sshServer) start(t *testing.T) {
	t.Helper()
	s.process = exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.file("config"))
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(patience); ; {
		conn, err := net.Dial("tcp", s.addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// stop ends sshd. Its children, one for each connection, end with the connection.
func (s *sshServer) stop() {
	_ = s.process.Process.Kill() // it may have ended
	_ = s.process.Wait()
}

func (s *sshServer) host() string { return "ssh://" + s.login + "@" + s.addr }

func TestSSH(t *testing.T) {
	dockertest.Engine(t)
	s := newSSHServer(t)
	t.Setenv("SSH_AUTH_SOCK", "")
	backend := func(options docker.SSH, host string) *docker.Backend {
		b := open(t, "lab", schema.BackendConfig{Host: host}, docker.Options{SSH: options})
		t.Cleanup(func() { b.Close() })
		return b
	}
	ask := func(b *docker.Backend) error {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		_, err := b.Capacity(ctx)
		return err
	}
	refused := func(what string, err error, words ...string) {
		t.Helper()
		if err == nil || schema.KindOf(err) != schema.Transient {
			t.Errorf("%s: %v", what, err)
			return
		}
		for _, word := range words {
			if !strings.Contains(err.Error(), word) {
				t.Errorf("%s: error %q does not tell %q", what, err, word)
			}
		}
	}
	known, key := []string{s.file("known_hosts")}, []string{s.file("client")}

	b := backend(docker.SSH{KeyFiles: key, KnownHosts: known}, s.host())
	if err := ask(b); err != nil {
		t.Fatal(err)
	}
	if pods, err := b.Pods(context.Background()); err != nil || len(pods) != 0 {
		t.Errorf("pods %v, %v", pods, err)
	}

	s.newKey(t, "other")
	refused("a key that is not authorized", ask(backend(docker.SSH{KeyFiles: []string{s.file("other")}, KnownHosts: known}, s.host())), "unable to authenticate")
	s.write(t, "empty", nil)
	refused("an unknown host", ask(backend(docker.SSH{KeyFiles: key, KnownHosts: []string{s.file("empty")}}, s.host())), "not known", "ssh-keyscan")
	other, _ := s.newKey(t, "other")
	s.write(t, "wrong", []byte(knownhosts.Line([]string{s.addr}, other)+"\n"))
	refused("a host with another key", ask(backend(docker.SSH{KeyFiles: key, KnownHosts: []string{s.file("wrong")}}, s.host())), "someone may be in between")
	refused("no engine there", ask(backend(docker.SSH{KeyFiles: key, KnownHosts: known}, s.host()+"/nothing.sock")), "/nothing.sock")

	t.Run("agent", func(t *testing.T) {
		sock := serveAgent(t, s.clientKey)
		b := open(t, "lab", schema.BackendConfig{Host: s.host()}, docker.Options{SSH: docker.SSH{KeyFiles: []string{s.file("other")}, KnownHosts: known, Agent: sock}})
		defer b.Close()
		if err := ask(b); err != nil {
			t.Error(err)
		}
	})
}

// A connection that breaks is made again.
func TestSSHReconnects(t *testing.T) {
	dockertest.Engine(t)
	s := newSSHServer(t)
	t.Setenv("SSH_AUTH_SOCK", "")
	cable := newCable(t, s.addr)
	s.write(t, "known_hosts", []byte(knownhosts.Line([]string{cable.addr}, s.hostKey)+"\n"))
	b := open(t, "lab", schema.BackendConfig{Host: "ssh://" + s.login + "@" + cable.addr},
		docker.Options{SSH: docker.SSH{KeyFiles: []string{s.file("client")}, KnownHosts: []string{s.file("known_hosts")}}})
	defer b.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for range 2 {
		stands, ended := make(chan struct{}), make(chan error, 1)
		go func() { ended <- b.Watch(ctx, func(backends.Event) { close(stands) }) }()
		select {
		case <-stands:
		case err := <-ended:
			t.Fatal(err)
		}
		cable.cut()
		if err := <-ended; schema.KindOf(err) != schema.Transient || ctx.Err() != nil {
			t.Fatal(err)
		}
	}
}

// A cable carries connections to another address, until it is cut.
type cable struct {
	addr  string
	mu    sync.Mutex
	conns []net.Conn
}

func newCable(t *testing.T, to string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{addr: l.Addr().String()}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			there, err := net.Dial("tcp", to)
			if err != nil {
				here.Close()
				continue
			}
			c.mu.Lock()
			c.conns = append(c.conns, here, there)
			c.mu.Unlock()
			for _, way := range [][2]net.Conn{{here, there}, {there, here}} {
				all.Go(func() {
					_, _ = io.Copy(way[0], way[1]) // until it is cut
					way[0].Close()
				})
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		c.cut()
		all.Wait()
	})
	return c
}

// cut breaks all connections; new ones are carried again.
func (c *cable) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, conn := range c.conns {
		conn.Close()
	}
	c.conns = nil
}

// serveAgent runs an ssh agent that holds the key.
func serveAgent(t *testing.T, key ed25519.PrivateKey) string {
	t.Helper()
	keyring := agent.NewKeyring()
	if err := keyring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
		t.Fatal(err)
	}
	sock := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", sock)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(keyring, conn) // until the client is done
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-done })
	return sock
}
