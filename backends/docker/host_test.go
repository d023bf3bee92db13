package docker

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/berthdev/berth/schema"
)

func TestResolve(t *testing.T) {
	t.Setenv("DOCKER_HOST", "")
	t.Setenv("USER", "john")
	tests := []struct{ host, env, address, fails string }{
		{host: "", address: "127.0.0.1"},
		{host: "", env: "tcp://10.0.0.7:2375", address: "10.0.0.7"},
		{host: "unix:///run/user/1000/docker.sock", env: "tcp://10.0.0.7:2375", address: "127.0.0.1"},
		{host: "tcp://engine.example.org:2376", address: "engine.example.org"},
		{host: "tcp://[::1]:2375", address: "::1"},
		{host: "ssh://engine.example.org", address: "engine.example.org"},
		{host: "ssh://john@engine.example.org:2222/run/docker.sock", address: "engine.example.org"},
		{host: "engine.example.org:2376", fails: "scheme"},
		{host: "npipe:////./pipe/docker", fails: "scheme"},
		{host: "unix://relative", fails: "unix:///PATH"},
		{host: "tcp://", fails: "missing"},
		{host: "ssh:///run/docker.sock", fails: "missing"},
		{host: "ssh://john:s3cret@engine", fails: "password"},
		{host: "tcp://%zz", fails: "no URL"},
	}
	for _, test := range tests {
		t.Setenv("DOCKER_HOST", test.env)
		e, err := resolve(schema.BackendConfig{Host: test.host}, Options{})
		switch {
		case test.fails != "":
			if err == nil || !strings.Contains(err.Error(), test.fails) || schema.KindOf(err) != schema.Invalid || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("%s: error %v, want one about %q", test.host, err, test.fails)
			}
		case err != nil:
			t.Errorf("%s: %v", test.host, err)
		default:
			if got := e.address(""); got != test.address {
				t.Errorf("%s: address %s, want %s", test.host, got, test.address)
			}
			if got := e.address("lab.example.org"); got != "lab.example.org" {
				t.Errorf("%s: address %s, not the configured one", test.host, got)
			}
		}
	}
}

func TestSSHAddress(t *testing.T) {
	e, err := resolve(schema.BackendConfig{Host: "ssh://john@engine:2222/run/docker.sock"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.ssh; s.user != "john" || s.addr != "engine:2222" || s.socket != "/run/docker.sock" {
		t.Errorf("%s %s %s", s.user, s.addr, s.socket)
	}
	e, err = resolve(schema.BackendConfig{Host: "ssh://john@engine"}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if s := e.ssh; s.addr != "engine:22" || s.socket != "/var/run/docker.sock" {
		t.Errorf("%s %s", s.addr, s.socket)
	}
}

// An engine over tcp is verified, and asks for a certificate.
func TestTLS(t *testing.T) {
	dir := t.TempDir()
	ca := newAuthority(t, dir, "ca")
	serverCert := ca.issue(t, dir, "server")
	ca.issue(t, dir, "client")
	newAuthority(t, dir, "other")

	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Api-Version", "1.41")
		fmt.Fprint(w, `{"NCPU": 2, "MemTotal": 1, "OSType": "linux"}`)
	}))
	pool := x509.NewCertPool()
	pool.AddCert(ca.cert)
	server.TLS = &tls.Config{Certificates: []tls.Certificate{serverCert}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert}
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it tells of refusals that are meant
	server.StartTLS()
	defer server.Close()

	host := "tcp://" + server.Listener.Addr().String()
	file := func(name string) string { return filepath.Join(dir, name) }
	ask := func(files *schema.TLSConfig) error {
		b, err := New(context.Background(), schema.BackendConfig{Name: "docker", Host: host, TLS: files}, "lab", Options{})
		if err != nil {
			return err
		}
		defer b.Close()
		_, err = b.Capacity(context.Background())
		return err
	}
	if err := ask(&schema.TLSConfig{CAFile: file("ca.pem"), CertFile: file("client.pem"), KeyFile: file("client-key.pem")}); err != nil {
		t.Error(err)
	}
	if err := ask(&schema.TLSConfig{CAFile: file("other.pem"), CertFile: file("client.pem"), KeyFile: file("client-key.pem")}); schema.KindOf(err) != schema.Transient || err == nil {
		t.Errorf("an engine of another authority: %v", err)
	}
	if err := ask(&schema.TLSConfig{CAFile: file("ca.pem")}); err == nil {
		t.Error("no certificate of our own: no error")
	}
	if err := ask(&schema.TLSConfig{CAFile: file("missing.pem")}); schema.KindOf(err) != schema.Invalid || err == nil {
		t.Errorf("a file that is missing: %v", err)
	}
}

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T, dir, name string) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), KeyUsage: x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
	return &authority{cert, key}
}

func (a *authority) issue(t *testing.T, dir, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: name}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
	}, a.cert, &key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	data, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der)
	writePEM(t, filepath.Join(dir, name+"-key.pem"), "EC PRIVATE KEY", data)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func writePEM(t *testing.T, file, kind string, data []byte) {
	t.Helper()
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
		t.Fatal(err)
	}
}
