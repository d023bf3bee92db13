package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/berthdev/berth/schema"
)

// SSH says how to log in to an engine's host. What is not set is found where
// the ssh command finds it.
type SSH struct {
	KeyFiles   []string // private keys; default: ~/.ssh/id_ed25519, id_ecdsa, id_rsa
	KnownHosts []string // default: ~/.ssh/known_hosts, /etc/ssh/ssh_known_hosts
	Agent      string   // the agent's socket; default: SSH_AUTH_SOCK
}

// keepAlive is how often an ssh connection is asked whether it still stands.
const keepAlive = 15 * time.Second

// A tunnel reaches a socket on another host over one ssh connection, which is
// made when it is needed and made again when it broke.
type tunnel struct {
	user, addr, socket string
	ssh                SSH

	mu      sync.Mutex // held while connecting, so that one connection is made
	link    *link      // nil: none
	closed  bool
	waiting sync.WaitGroup
}

// A link is an ssh connection. Its context ends with it.
type link struct {
	*ssh.Client
	ctx context.Context
}

// alive asks the other side whether the connection stands. Any answer will do.
func (l *link) alive() bool {
	late := time.AfterFunc(dialTimeout, func() { l.Close() })
	defer late.Stop()
	_, _, err := l.SendRequest("keepalive@openssh.com", true, nil)
	return err == nil
}

func newTunnel(u *url.URL, opts SSH) (*tunnel, error) {
	user, addr, socket, err := splitSSH(u)
	if err != nil {
		return nil, badHost(err.Error())
	}
	return &tunnel{user: user, addr: addr, socket: socket, ssh: opts.withDefaults()}, nil
}

func (o SSH) withDefaults() SSH {
	home, err := os.UserHomeDir()
	if err == nil && len(o.KeyFiles) == 0 {
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			o.KeyFiles = append(o.KeyFiles, existing(filepath.Join(home, ".ssh", name))...)
		}
	}
	if len(o.KnownHosts) == 0 {
		if err == nil {
			o.KnownHosts = existing(filepath.Join(home, ".ssh", "known_hosts"))
		}
		o.KnownHosts = append(o.KnownHosts, existing("/etc/ssh/ssh_known_hosts")...)
	}
	if o.Agent == "" {
		o.Agent = os.Getenv("SSH_AUTH_SOCK")
	}
	return o
}

func existing(file string) []string {
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	return []string{file}
}

// dial opens a connection to the socket, for [http.Transport].
func (t *tunnel) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	l, err := t.connect(ctx)
	if err != nil {
		return nil, t.explain(err)
	}
	// What is asked of a connection while it breaks may never be answered.
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(l.ctx, cancel)()
	conn, err := l.DialContext(ctx, "unix", t.socket)
	var refused *ssh.OpenChannelError
	switch {
	case err == nil:
		return conn, nil
	case errors.As(err, &refused):
		return nil, &schema.Error{
			Op: "reach", Resource: "Docker Engine over ssh://" + t.addr, Kind: schema.Transient, Err: err,
			Hint: fmt.Sprintf("does the engine listen on %s there, may %s use it, and does sshd allow stream forwarding?", t.socket, t.user),
		}
	case l.ctx.Err() != nil:
		err = errors.New("the connection broke")
	}
	return nil, t.explain(err)
}

// connect returns the ssh connection, a new one if there is none that stands.
func (t *tunnel) connect(ctx context.Context) (*link, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil, net.ErrClosed
	}
	if t.link != nil && t.link.alive() {
		return t.link, nil
	}
	config, closeAgent, err := t.config()
	if err != nil {
		return nil, err
	}
	defer closeAgent()
	conn, err := (&net.Dialer{Timeout: dialTimeout, KeepAlive: keepAlive}).DialContext(ctx, "tcp", t.addr)
	if err != nil {
		return nil, err
	}
	// The handshake knows no context: it ends with the connection.
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	_ = conn.SetDeadline(time.Now().Add(dialTimeout)) // a connection that takes no deadline fails in the handshake
	c, chans, reqs, err := ssh.NewClientConn(conn, t.addr, config)
	if err != nil {
		conn.Close()
		return nil, err
	}
	_ = conn.SetDeadline(time.Time{})
	t.watch(ssh.NewClient(c, chans, reqs))
	return t.link, nil
}

// watch makes the connection the tunnel's link, and asks now and then whether it
// stands, until it does not.
func (t *tunnel) watch(c *ssh.Client) {
	ctx, cancel := context.WithCancel(context.Background())
	l := &link{c, ctx}
	t.link = l
	t.waiting.Go(func() {
		_ = l.Wait() // why it ended is told to whoever used it
		cancel()
	})
	t.waiting.Go(func() {
		defer l.Close()
		tick := time.NewTicker(keepAlive)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
				if !l.alive() {
					return
				}
			}
		}
	})
}

// close ends the connection and waits for what watches it.
func (t *tunnel) close() {
	t.mu.Lock()
	t.closed = true
	if t.link != nil {
		t.link.Close()
	}
	t.mu.Unlock()
	t.waiting.Wait()
}

// config reads keys and known hosts anew, for they may have changed.
func (t *tunnel) config() (*ssh.ClientConfig, func(), error) {
	if len(t.ssh.KnownHosts) == 0 {
		return nil, nil, errors.New("there is no known_hosts file to verify the host with")
	}
	verify, err := knownhosts.New(t.ssh.KnownHosts...)
	if err != nil {
		return nil, nil, fmt.Errorf("read the known hosts: %w", err)
	}
	signers, err := t.keys()
	if err != nil {
		return nil, nil, err
	}
	closeAgent := func() {}
	if t.ssh.Agent != "" {
		if conn, err := net.DialTimeout("unix", t.ssh.Agent, time.Second); err == nil {
			closeAgent = func() { conn.Close() }
			_ = conn.SetDeadline(time.Now().Add(dialTimeout))             // an agent that takes none answers at once
			if held, err := agent.NewClient(conn).Signers(); err == nil { // without them the files may do
				signers = append(signers, held...)
			}
		}
	}
	return &ssh.ClientConfig{
		User: t.user, Auth: []ssh.AuthMethod{ssh.PublicKeys(signers...)}, Timeout: dialTimeout,
		HostKeyCallback: verify, HostKeyAlgorithms: knownAlgorithms(verify, t.addr),
	}, closeAgent, nil
}

// keys reads the private keys that can be used without a passphrase.
func (t *tunnel) keys() ([]ssh.Signer, error) {
	var signers []ssh.Signer
	for _, file := range t.ssh.KeyFiles {
		signer, err := readKey(file)
		if err != nil {
			return nil, err
		}
		if signer != nil {
			signers = append(signers, signer)
		}
	}
	return signers, nil
}

// readKey reads a private key; nil if it needs a passphrase, which only an agent has.
func readKey(file string) (ssh.Signer, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read the key %s: %w", file, err)
	}
	return signer, nil
}

// knownAlgorithms returns the kinds of host keys that are known for the host, so
// that it is not asked for another one than the one that can be verified.
func knownAlgorithms(verify ssh.HostKeyCallback, addr string) []string {
	var unknown *knownhosts.KeyError
	if !errors.As(verify(addr, &net.TCPAddr{}, noKey{}), &unknown) {
		return nil
	}
	var algorithms []string
	for _, k := range unknown.Want {
		if k.Key.Type() == ssh.KeyAlgoRSA {
			algorithms = append(algorithms, ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256)
		}
		algorithms = append(algorithms, k.Key.Type())
	}
	return algorithms
}

// noKey is a key that no host has.
type noKey struct{}

func (noKey) Type() string                        { return "none" }
func (noKey) Marshal() []byte                     { return []byte("none") }
func (noKey) Verify([]byte, *ssh.Signature) error { return errors.New("no key") }

// explain says what a person can do about a connection that failed.
func (t *tunnel) explain(err error) error {
	e := &schema.Error{Op: "reach", Resource: "Docker Engine over ssh://" + t.addr, Kind: schema.Transient, Err: err}
	var key *knownhosts.KeyError
	switch {
	case errors.As(err, &key) && len(key.Want) == 0:
		e.Hint = "the host is not known: verify its key and add it to known_hosts, for instance with ssh-keyscan"
	case errors.As(err, &key):
		e.Hint = "the host's key is not the known one: someone may be in between; correct known_hosts if it was changed"
	}
	return e
}
