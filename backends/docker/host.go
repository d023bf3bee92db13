package docker

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"github.com/docker/docker/client"
	"github.com/docker/go-connections/tlsconfig"

	"github.com/berthdev/berth/schema"
)

// An endpoint is where an engine is and how it is reached.
type endpoint struct {
	url  string // for the client
	name string // for people
	host string // the host's name or address; empty: this machine
	tls  *tls.Config
	ssh  *tunnel // nil: not over ssh
}

// resolve reads the configured host; empty means DOCKER_HOST, or the local socket.
func resolve(cfg schema.BackendConfig, opts Options) (*endpoint, error) {
	host, files := cfg.Host, cfg.TLS
	if host == "" {
		host, files = os.Getenv(client.EnvOverrideHost), envTLS(files)
	}
	if host == "" {
		host = client.DefaultDockerHost
	}
	u, err := url.Parse(host)
	if err != nil {
		return nil, badHost("it is no URL")
	}
	if _, secret := u.User.Password(); secret {
		return nil, badHost("it holds a password")
	}
	e := &endpoint{url: host, name: host}
	switch u.Scheme {
	case "unix":
		if u.Path == "" || u.Host != "" {
			return nil, badHost("a socket is written as unix:///PATH")
		}
		return e, nil
	case "tcp", "http", "https":
		if u.Hostname() == "" {
			return nil, badHost("the host is missing")
		}
		e.host = u.Hostname()
		if u.Scheme != "http" {
			e.tls, err = loadTLS(files, u.Scheme == "https")
		}
		return e, err
	case "ssh":
		e.host = u.Hostname()
		e.url = "http://" + client.DummyHost
		e.ssh, err = newTunnel(u, opts.SSH)
		return e, err
	}
	return nil, badHost("its scheme is unknown")
}

func badHost(why string) error {
	return &schema.Error{
		Op: "use", Resource: "Docker Engine", Kind: schema.Invalid, Err: fmt.Errorf("host: %s", why),
		Hint: "write it as unix:///PATH, tcp://HOST:PORT or ssh://USER@HOST",
	}
}

// envTLS names the certificates as the docker command finds them, when nothing
// is configured.
func envTLS(files *schema.TLSConfig) *schema.TLSConfig {
	dir := os.Getenv(client.EnvOverrideCertPath)
	if files != nil || dir == "" {
		return files
	}
	return &schema.TLSConfig{
		CAFile:   filepath.Join(dir, "ca.pem"),
		CertFile: filepath.Join(dir, "cert.pem"),
		KeyFile:  filepath.Join(dir, "key.pem"),
	}
}

// loadTLS reads the certificates. Without any, tcp is plain unless https asks.
func loadTLS(files *schema.TLSConfig, always bool) (*tls.Config, error) {
	if files == nil {
		if !always {
			return nil, nil
		}
		files = &schema.TLSConfig{}
	}
	config, err := tlsconfig.Client(tlsconfig.Options{
		CAFile: files.CAFile, CertFile: files.CertFile, KeyFile: files.KeyFile, ExclusiveRootPools: files.CAFile != "",
	})
	if err != nil {
		return nil, &schema.Error{Op: "read", Resource: "certificates of the Docker Engine", Kind: schema.Invalid, Err: err}
	}
	return config, nil
}

const (
	dialTimeout = 10 * time.Second
	// idleTime is how long a connection is kept for the next call.
	idleTime = 90 * time.Second
	// idleMost is how many connections are kept.
	idleMost = 16
)

// A session is a client of the engine with the connections that it holds. The
// version of the API is negotiated once in a session, before any other call: the
// client's own negotiation races with calls that are made at the same time. A new
// session is opened when the engine may have become another.
type session struct {
	*client.Client
	transport   *http.Transport
	negotiating chan struct{} // holds one token
	negotiated  atomic.Bool
}

// negotiate finds the newest version of the API that both sides know.
func (s *session) negotiate(ctx context.Context) error {
	if s.negotiated.Load() {
		return nil
	}
	select {
	case <-s.negotiating:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { s.negotiating <- struct{}{} }()
	if s.negotiated.Load() {
		return nil
	}
	ping, err := s.Ping(ctx)
	if err != nil {
		return err
	}
	s.NegotiateAPIVersionPing(ping)
	s.negotiated.Store(true)
	return nil
}

func (e *endpoint) open() (*session, error) {
	transport := &http.Transport{TLSClientConfig: e.tls}
	web := &http.Client{Transport: transport, CheckRedirect: client.CheckRedirect}
	opts := []client.Opt{client.WithHTTPClient(web), client.WithHost(e.url)}
	if e.ssh != nil {
		opts = append(opts, client.WithDialContext(e.ssh.dial), client.WithScheme("http"))
	}
	cli, err := client.NewClientWithOpts(opts...)
	if err != nil {
		return nil, badHost(err.Error())
	}
	if e.ssh == nil && e.host != "" {
		transport.DialContext = (&net.Dialer{Timeout: dialTimeout, KeepAlive: 15 * time.Second}).DialContext
	}
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.IdleConnTimeout = idleMost, idleMost, idleTime
	web.Transport = bounded{web.Transport}
	s := &session{Client: cli, transport: transport, negotiating: make(chan struct{}, 1)}
	s.negotiating <- struct{}{}
	return s, nil
}

func (s *session) close() { s.transport.CloseIdleConnections() }

// address returns where published ports are reached.
func (e *endpoint) address(configured string) string {
	switch {
	case configured != "":
		return configured
	case e.host != "":
		return e.host
	}
	return "127.0.0.1"
}

// splitSSH returns the user, the address to dial, and the socket's path of an ssh URL.
func splitSSH(u *url.URL) (user, addr, socket string, err error) {
	if u.Hostname() == "" {
		return "", "", "", errors.New("the host is missing")
	}
	if user = u.User.Username(); user == "" {
		user = os.Getenv("USER")
	}
	if user == "" {
		return "", "", "", errors.New("the user is missing")
	}
	port := u.Port()
	if port == "" {
		port = "22"
	}
	if socket = u.Path; socket == "" || socket == "/" {
		socket = strings.TrimPrefix(client.DefaultDockerHost, "unix://")
	}
	return user, net.JoinHostPort(u.Hostname(), port), socket, nil
}
