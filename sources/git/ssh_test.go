package git

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
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
	known "golang.org/x/crypto/ssh/knownhosts"

	"github.com/berthdev/berth/schema"
)

// An sshServer is a real sshd on a loopback port.
type sshServer struct {
	port    int
	user    string
	host    ssh.PublicKey
	key     []byte // accepted private key, PEM
	private any
}

func newSSHServer(t *testing.T) *sshServer {
	t.Helper()
	sshd := need(t, "/usr/sbin/sshd", "sshd")
	if os.Geteuid() == 0 {
		must(t, os.MkdirAll("/run/sshd", 0o755)) // sshd of root insists on it
	}
	me, err := user.Current()
	must(t, err)
	dir := t.TempDir()
	s := &sshServer{user: me.Username}
	var hostPEM []byte
	hostPEM, s.host, _ = newKey(t)
	var public ssh.PublicKey
	s.key, public, s.private = newKey(t)
	write := func(name string, data []byte) string {
		name = filepath.Join(dir, name)
		must(t, os.WriteFile(name, data, 0o600))
		return name
	}
	config := write("sshd_config", fmt.Appendf(nil, "HostKey %s\nAuthorizedKeysFile %s\nUsePAM no\nStrictModes no\n"+
		"PasswordAuthentication no\nKbdInteractiveAuthentication no\nPermitRootLogin yes\nLogLevel VERBOSE\n",
		write("host_key", hostPEM), write("authorized_keys", ssh.MarshalAuthorizedKey(public))))
	s.port = serveSSH(t, sshd, config)
	return s
}

// serveSSH has an sshd for each connection, as inetd does: so the port is taken once
// and for all, which sshd itself could not choose.
func serveSSH(t *testing.T, sshd, config string) (port int) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serve := func(conn net.Conn) {
		var log bytes.Buffer
		socket, err := conn.(*net.TCPConn).File()
		conn.Close()
		if err == nil {
			cmd := exec.CommandContext(ctx, sshd, "-i", "-e", "-f", config)
			cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = socket, socket, &log, time.Second
			if err = cmd.Start(); err == nil {
				socket.Close()
				_ = cmd.Wait() // it fails where the login does
			}
		}
		if err != nil || t.Failed() {
			t.Logf("sshd: %v\n%s", err, &log)
		}
	}
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { serve(conn) })
		}
	})
	t.Cleanup(func() { l.Close(); cancel(); serving.Wait() })
	return l.Addr().(*net.TCPAddr).Port
}

func newKey(t *testing.T) (private []byte, public ssh.PublicKey, raw any) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	public, err = ssh.NewPublicKey(pub)
	must(t, err)
	block, err := ssh.MarshalPrivateKey(priv, "")
	must(t, err)
	return pem.EncodeToMemory(block), public, &priv
}

// nobodyListens returns a port where nobody listens while the test runs: a connection
// has it.
func nobodyListens(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	conn, err := net.Dial("tcp", l.Addr().String())
	must(t, err)
	t.Cleanup(func() { conn.Close(); l.Close() })
	return conn.LocalAddr().(*net.TCPAddr).Port
}

func (s *sshServer) url(path string) string {
	return fmt.Sprintf("ssh://%s@127.0.0.1:%d%s", s.user, s.port, path)
}

// knownHosts writes a known_hosts file that has a key for the server.
func (s *sshServer) knownHosts(t *testing.T, key ssh.PublicKey, more ...string) []string {
	t.Helper()
	lines := append(more, known.Line([]string{fmt.Sprintf("127.0.0.1:%d", s.port)}, key))
	name := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(name, []byte(strings.Join(lines, "\n")+"\n"), 0o600))
	return []string{name}
}

func TestSSH(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newSSHServer(t)
	src := open(t, Options{Dir: openDir(t), URL: s.url(r.bare), Ref: "main", History: true,
		Credentials: fixed(Credential{SSHKey: s.key, KnownHosts: s.knownHosts(t, s.host)})})
	one := update(t, src)
	if one.Commit != first || !strings.HasPrefix(one.URL, "ssh://") {
		t.Errorf("snapshot is %+v", one)
	}
	if update(t, src) != one {
		t.Error("nothing moved, but there is another snapshot")
	}
	second := r.push("second", "a.yaml", "2", "b.yaml", "3")
	two := update(t, src)
	wantChanges(t, one, two, "~a.yaml", "+b.yaml")
	if found, err := src.Contains(context.Background(), second, first); err != nil || !found {
		t.Errorf("contains: %t, %v", found, err)
	}
}

func TestSSHWithAgent(t *testing.T) {
	r := newRepo(t)
	first := r.push("first", "a.yaml", "1")
	s := newSSHServer(t)
	keys := agent.NewKeyring()
	must(t, keys.Add(agent.AddedKey{PrivateKey: s.private}))
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	must(t, err)
	served := make(chan bool)
	go func() {
		defer close(served)
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_ = agent.ServeAgent(keys, conn)
			conn.Close()
		}
	}()
	t.Cleanup(func() { l.Close(); <-served })
	src := open(t, Options{Dir: openDir(t), URL: s.url(r.bare),
		Credentials: fixed(Credential{SSHAgent: socket, KnownHosts: s.knownHosts(t, s.host)})})
	if snap := update(t, src); snap.Commit != first {
		t.Errorf("commit is %s", snap.Commit)
	}
}

func TestSSHHostKeys(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newSSHServer(t)
	_, other, _ := newKey(t)
	print := ssh.FingerprintSHA256(s.host)
	nobody := []string{filepath.Join(t.TempDir(), "none")}
	revoked := "@revoked * " + strings.TrimSpace(string(ssh.MarshalAuthorizedKey(s.host)))
	for name, test := range map[string]struct {
		files []string
		parts []string
	}{
		"unknown":        {nobody, []string{"host key of 127.0.0.1 is unknown", print, "add this line to " + nobody[0], known.Line([]string{fmt.Sprintf("127.0.0.1:%d", s.port)}, s.host)}},
		"no file":        {nil, []string{"is unknown", print, "set knownHostsFile"}},
		"changed":        {s.knownHosts(t, other), []string{"has changed", print, ssh.FingerprintSHA256(other), "replace line 1"}},
		"revoked":        {s.knownHosts(t, s.host, revoked), []string{"is revoked"}},
		"no known_hosts": {badKnownHosts(t), []string{"known_hosts:1"}},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, Options{Dir: openDir(t), URL: s.url(r.bare), Credentials: fixed(Credential{SSHKey: s.key, KnownHosts: test.files})})
			updateError(t, src, schema.Terminal, test.parts...)
		})
	}
}

func badKnownHosts(t *testing.T) []string {
	name := filepath.Join(t.TempDir(), "known_hosts")
	must(t, os.WriteFile(name, []byte("not a line\n"), 0o600))
	return []string{name}
}

// A server has keys of several kinds; the one that is known is asked for.
func TestSSHAsksForTheKnownKeyType(t *testing.T) {
	s := &sshServer{port: 22}
	_, key, _ := newKey(t)
	hosts, err := readHostKeys(s.knownHosts(t, key))
	must(t, err)
	if got := hosts.db.HostKeyAlgorithms("127.0.0.1:22"); len(got) != 1 || got[0] != ssh.KeyAlgoED25519 {
		t.Errorf("algorithms are %q", got)
	}
}

func TestSSHErrors(t *testing.T) {
	r := newRepo(t)
	r.push("first", "a.yaml", "1")
	s := newSSHServer(t)
	hosts := s.knownHosts(t, s.host)
	stranger, _, _ := newKey(t)
	locked := lockedKey(t)
	gone := nobodyListens(t)
	injected := filepath.Join(t.TempDir(), "injected")
	for name, test := range map[string]struct {
		url  string
		cred Credential
		kind schema.ErrorKind
		part string
	}{
		"other key":     {s.url(r.bare), Credential{SSHKey: stranger, KnownHosts: hosts}, schema.Terminal, "is not accepted"},
		"no key":        {s.url(r.bare), Credential{KnownHosts: hosts}, schema.Terminal, "set sshKeyFile"},
		"agent away":    {s.url(r.bare), Credential{SSHAgent: "/nonexistent", KnownHosts: hosts}, schema.Terminal, "set sshKeyFile"},
		"locked key":    {s.url(r.bare), Credential{SSHKey: locked, KnownHosts: hosts}, schema.Terminal, "passphrase"},
		"no key at all": {s.url(r.bare), Credential{SSHKey: []byte("x"), KnownHosts: hosts}, schema.Terminal, "sshKeyFile must hold"},
		"no repository": {s.url("/nonexistent.git"), Credential{SSHKey: s.key, KnownHosts: hosts}, schema.Terminal, "check the URL"},
		"injection":     {s.url("/'; touch " + injected + "; '"), Credential{SSHKey: s.key, KnownHosts: hosts}, schema.Terminal, "check the URL"},
		"away":          {fmt.Sprintf("ssh://127.0.0.1:%d/x", gone), Credential{SSHKey: s.key, KnownHosts: hosts}, schema.Transient, "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			src := open(t, Options{Dir: openDir(t), URL: test.url, Credentials: fixed(test.cred)})
			updateError(t, src, test.kind, test.part)
		})
	}
	if fileExists(injected) {
		t.Error("a path was run as a command")
	}
}

func lockedKey(t *testing.T) []byte {
	_, priv, err := ed25519.GenerateKey(rand.Reader)
	must(t, err)
	block, err := ssh.MarshalPrivateKeyWithPassphrase(priv, "", []byte("word"))
	must(t, err)
	return pem.EncodeToMemory(block)
}

// A server that accepts the connection and then says nothing costs no more than
// the time of one update.
func TestSSHSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	key, _, _ := newKey(t)
	src := open(t, Options{Dir: openDir(t), URL: fmt.Sprintf("ssh://%s/x", l.Addr()), Timeout: 50 * time.Millisecond,
		Credentials: fixed(Credential{SSHKey: key})})
	updateError(t, src, schema.Transient, "deadline")
}
