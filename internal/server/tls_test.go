package server_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/berthdev/berth/internal/server"
	"github.com/berthdev/berth/schema"
)

// writePair writes a self-signed certificate for 127.0.0.1 and its key.
func writePair(t *testing.T, files schema.ServerTLS, serial int64) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: "berth"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write(t, files.CertFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, files.KeyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

// write replaces a file, as those who renew certificates do.
func write(t *testing.T, name string, data []byte) {
	t.Helper()
	if err := os.WriteFile(name+".new", data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(name+".new", name); err != nil {
		t.Fatal(err)
	}
}

// lines is a log that the server writes and the test reads.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) count(s string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), s)
}

// serialOf connects and returns which certificate is shown.
func serialOf(t *testing.T, addr string, most uint16) int64 {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: most})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].SerialNumber.Int64()
}

// await waits until a condition is met.
func await(t *testing.T, met func() bool) {
	t.Helper()
	for begun := time.Now(); !met(); time.Sleep(20 * time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatal("it did not happen")
		}
	}
}

// A certificate is followed; a pair that cannot be used changes nothing.
func TestTLSFollowsItsFiles(t *testing.T) {
	dir := t.TempDir()
	files := schema.ServerTLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	writePair(t, files, 1)
	log := &lines{}
	url := run(t, server.Options{TLS: files, Logger: slog.New(slog.NewTextHandler(log, nil))})
	if !strings.HasPrefix(url, "https://") {
		t.Fatal(url)
	}
	addr := strings.TrimPrefix(url, "https://")
	if n := serialOf(t, addr, tls.VersionTLS12); n != 1 {
		t.Errorf("certificate %d", n)
	}
	if conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS11}); err == nil {
		conn.Close()
		t.Error("TLS 1.1 is spoken")
	}
	writePair(t, files, 2)
	await(t, func() bool { return serialOf(t, addr, 0) == 2 })
	write(t, files.KeyFile, []byte("no key"))
	await(t, func() bool {
		if n := serialOf(t, addr, 0); n != 2 {
			t.Fatalf("certificate %d", n)
		}
		return log.count("the former one stays in force") == 1
	})
	writePair(t, files, 3)
	await(t, func() bool { return serialOf(t, addr, 0) == 3 })
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}
	defer client.CloseIdleConnections()
	resp, err := client.Get(url + "/healthz")
	if err != nil || resp.StatusCode != http.StatusOK {
		t.Fatal(resp, err)
	}
	resp.Body.Close()
}

func TestCertificateThatCannotBeUsedIsToldAtOnce(t *testing.T) {
	dir := t.TempDir()
	files := schema.ServerTLS{CertFile: filepath.Join(dir, "cert.pem"), KeyFile: filepath.Join(dir, "key.pem")}
	_, err := server.New(options(server.Options{TLS: files}))
	if schema.KindOf(err) != schema.Terminal || !strings.Contains(err.Error(), "cert.pem: no such file") || !strings.Contains(err.Error(), "tls.certFile") {
		t.Error(err)
	}
	writePair(t, files, 1)
	write(t, files.KeyFile, []byte("hunter2"))
	if _, err := server.New(options(server.Options{TLS: files})); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

// endless is an API whose answers go on until the server stops.
type endless struct {
	begun chan struct{}
	end   context.CancelFunc
	ctx   context.Context
	told  chan bool // whether it was told to end before its connection was lost
}

func (e *endless) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.WriteHeader(http.StatusOK)
	_ = http.NewResponseController(w).Flush()
	close(e.begun)
	select {
	case <-e.ctx.Done():
	case <-r.Context().Done():
	}
	e.told <- e.ctx.Err() != nil
}

func (e *endless) EndStreams() { e.end() }

func TestStreamsEndWhenTheServerStops(t *testing.T) {
	e := &endless{begun: make(chan struct{}), told: make(chan bool, 1)}
	e.ctx, e.end = context.WithCancel(t.Context())
	ctx, cancel := context.WithCancel(t.Context())
	s, err := server.New(options(server.Options{API: e}))
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	resp, err := http.Get(s.URL() + "/logs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	<-e.begun
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if !<-e.told {
		t.Error("it ended only with the grace for other requests")
	}
	http.DefaultClient.CloseIdleConnections()
}
