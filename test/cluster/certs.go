package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"time"
)

// authority signs the certificates of one cluster. Its key is written nowhere:
// every start makes new ones.
type authority struct {
	c    *cluster
	key  *ecdsa.PrivateKey
	cert *x509.Certificate
}

func (c *cluster) newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := certificate(pkix.Name{CommonName: "berth-test-ca"})
	template.IsCA, template.BasicConstraintsValid = true, true
	template.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &authority{c: c, key: key, cert: cert}, c.writePEM("ca.crt", "CERTIFICATE", der)
}

// issue writes NAME.crt and NAME.key, for a client if it has no hosts and for a
// server that answers under them if it has.
func (a *authority) issue(name string, subject pkix.Name, hosts ...string) error {
	key, err := a.c.newKey(name + ".key")
	if err != nil {
		return err
	}
	template := certificate(subject)
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	if len(hosts) > 0 {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		return err
	}
	return a.c.writePEM(name+".crt", "CERTIFICATE", der)
}

// newKey makes a key and writes it to the file.
func (c *cluster) newKey(file string) (*ecdsa.PrivateKey, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	der, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, c.writePEM(file, "EC PRIVATE KEY", der)
}

func (c *cluster) writePEM(file, kind string, der []byte) error {
	return os.WriteFile(c.path("config", file), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}

// certificate is the part that all have in common. A year is longer than any
// test cluster lives.
func certificate(subject pkix.Name) *x509.Certificate {
	serial, _ := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120)) // never fails
	return &x509.Certificate{
		SerialNumber: serial, Subject: subject, KeyUsage: x509.KeyUsageDigitalSignature,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
	}
}

// A user reaches the API server with a token.
type user struct {
	name, token string
	identity    string // as RBAC knows it
	group       string
}

// newUsers makes the tokens of the cluster's own parts and of its administrator.
func newUsers() []user {
	users := []user{
		{name: "admin", identity: "admin", group: "system:masters"},
		{name: "kube-controller-manager", identity: "system:kube-controller-manager"},
		{name: "kube-scheduler", identity: "system:kube-scheduler"},
		{name: "kube-proxy", identity: "system:kube-proxy"},
		{name: "kubelet", identity: "system:node:" + nodeName, group: "system:nodes"},
	}
	for i := range users {
		var token [20]byte
		_, _ = rand.Read(token[:]) // never fails
		users[i].token = hex.EncodeToString(token[:])
	}
	return users
}

// tokenLine is a line of the API server's token file.
func (u user) tokenLine() string {
	return fmt.Sprintf("%s,%s,%s,%q\n", u.token, u.identity, u.name, u.group)
}
