package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/berthdev/berth/schema"
	"github.com/berthdev/berth/sources/web"
)

// dialTimeout bounds how long a connection to an ssh server or agent takes.
const dialTimeout = 20 * time.Second

// sshTransport speaks git's protocol over ssh.
type sshTransport struct {
	loc         Location
	credentials Credentials
}

// open logs in and starts upload-pack.
func (t *sshTransport) open(ctx context.Context) (session, error) {
	cred := Credential{}
	if t.credentials != nil {
		var err error
		if cred, err = t.credentials(t.loc); err != nil {
			return nil, err
		}
	}
	s := &sshSession{}
	if err := s.start(ctx, t.loc, cred); err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

func (t *sshTransport) secrets() []string { return nil } // no secret is ever sent

func (t *sshTransport) close() {}

// sshSession is one login and one command.
type sshSession struct {
	conn    net.Conn
	stop    func() bool // unbinds conn from the context
	client  *ssh.Client
	session *ssh.Session
	agent   net.Conn
	stdin   io.WriteCloser
	stdout  io.Reader
	stderr  tail
	asked   bool
}

func (s *sshSession) start(ctx context.Context, loc Location, cred Credential) error {
	auth, err := s.authMethod(ctx, loc, cred)
	if err != nil {
		return err
	}
	hosts, err := readHostKeys(cred.KnownHosts)
	if err != nil {
		return err
	}
	s.conn, err = (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "tcp", loc.Address())
	if err != nil {
		return fail(schema.Transient, "", err)
	}
	s.stop = context.AfterFunc(ctx, func() { s.conn.Close() })
	check := hosts.checker(loc)
	config := &ssh.ClientConfig{
		User:              firstOf(loc.User, cred.Username, "git"),
		Auth:              []ssh.AuthMethod{auth},
		HostKeyCallback:   check.verify,
		HostKeyAlgorithms: hosts.db.HostKeyAlgorithms(loc.Address()),
		ClientVersion:     "SSH-2.0-berth",
		Timeout:           dialTimeout,
	}
	if err := s.conn.SetDeadline(time.Now().Add(2 * dialTimeout)); err != nil {
		return err
	}
	conn, chans, reqs, err := ssh.NewClientConn(s.conn, loc.Address(), config)
	if err != nil {
		return loginError(ctx, loc, check.failed, err)
	}
	if err := s.conn.SetDeadline(time.Time{}); err != nil {
		return err
	}
	s.client = ssh.NewClient(conn, chans, reqs)
	return s.run("git-upload-pack " + quoteShell(loc.sshPath()))
}

func (s *sshSession) run(command string) (err error) {
	if s.session, err = s.client.NewSession(); err != nil {
		return err
	}
	if s.stdin, err = s.session.StdinPipe(); err != nil {
		return err
	}
	if s.stdout, err = s.session.StdoutPipe(); err != nil {
		return err
	}
	s.session.Stderr = &s.stderr
	return s.session.Start(command)
}

func (s *sshSession) authMethod(ctx context.Context, loc Location, cred Credential) (ssh.AuthMethod, error) {
	if len(cred.SSHKey) > 0 {
		signer, err := ssh.ParsePrivateKey(cred.SSHKey)
		var locked *ssh.PassphraseMissingError
		switch {
		case errors.As(err, &locked):
			return nil, fail(schema.Terminal, "use a key without passphrase, or an ssh agent", errors.New("the ssh key is locked with a passphrase"))
		case err != nil:
			return nil, fail(schema.Terminal, "sshKeyFile must hold a private key", errors.New("the ssh key cannot be read"))
		}
		return ssh.PublicKeys(signer), nil
	}
	if cred.SSHAgent != "" {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", cred.SSHAgent)
		if err == nil {
			s.agent = conn
			_ = conn.SetDeadline(time.Now().Add(2 * dialTimeout))
			return ssh.PublicKeysCallback(agent.NewClient(conn).Signers), nil
		}
	}
	return nil, fail(schema.Terminal, "set sshKeyFile in the credentials of "+loc.Host, errors.New("there is no ssh key"))
}

// loginError tells why the handshake failed.
func loginError(ctx context.Context, loc Location, hostKey *schema.Error, err error) error {
	switch {
	case hostKey != nil:
		return hostKey
	case ctx.Err() != nil:
		return ctx.Err()
	case strings.Contains(err.Error(), "unable to authenticate"):
		return fail(schema.Terminal, "the key for "+loc.Host+" is not accepted; add its public half to the repository or user there", errors.New("ssh login refused"))
	}
	return fail(schema.Transient, "", errors.New(web.Clean(err.Error())))
}

func (s *sshSession) refs() io.Reader { return s.stdout }

func (s *sshSession) request(body []byte) (io.Reader, error) {
	s.asked = true
	if _, err := s.stdin.Write(body); err != nil {
		return nil, err
	}
	if err := s.stdin.Close(); err != nil {
		return nil, err
	}
	return s.stdout, nil
}

// explain adds what the server wrote to its standard error, which is where
// "no such repository" stands.
func (s *sshSession) explain(err error) error {
	var known *schema.Error
	if errors.As(err, &known) {
		return err
	}
	s.close() // waits until all of it is here
	text := web.Clean(s.stderr.String())
	if text == "" {
		return err
	}
	lower := strings.ToLower(text)
	for _, sign := range []string{
		"not found", "not appear to be a git repository", "does not exist", "could not be found",
		"no such", "denied", "not allowed", "unauthorized", "cannot find", "unsafe repository", "dubious ownership",
	} {
		if strings.Contains(lower, sign) {
			return fail(schema.Terminal, "check the URL, and that the key may read the repository", remoteError(text))
		}
	}
	return fmt.Errorf("%w: %w", remoteError(text), err)
}

// close ends the conversation politely and waits for the end of all goroutines.
func (s *sshSession) close() {
	if s.session != nil {
		if !s.asked {
			_, _ = io.WriteString(s.stdin, flushPkt)
		}
		_ = s.stdin.Close()
		if s.asked || s.stderr.len() > 0 {
			_ = s.session.Close()
		}
		waited := time.AfterFunc(time.Second, func() { s.client.Close() })
		_, _ = io.Copy(io.Discard, s.stdout)
		_ = s.session.Wait()
		waited.Stop()
		s.session = nil
	}
	if s.client != nil {
		_ = s.client.Close()
		_ = s.client.Wait()
	}
	for _, conn := range []net.Conn{s.conn, s.agent} {
		if conn != nil {
			_ = conn.Close()
		}
	}
	if s.stop != nil {
		s.stop()
	}
}

// quoteShell makes one word of a path for the shell at the other end.
func quoteShell(s string) string {
	return "'" + strings.NewReplacer("'", `'\''`, "!", `'\!'`).Replace(s) + "'"
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// A tail keeps the first bytes that are written and forgets the rest.
type tail struct {
	mu   sync.Mutex
	data []byte
}

const maxTail = 4 << 10

// Write keeps what fits.
func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.data = append(t.data, b[:min(len(b), maxTail-len(t.data))]...)
	return len(b), nil
}

// String is what was kept.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.data)
}

func (t *tail) len() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.data)
}

// existing are the files that are there.
func existing(files []string) []string {
	var found []string
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.Mode().IsRegular() {
			found = append(found, file)
		}
	}
	return found
}
