package main

import (
	"cmp"
	"crypto/rand"
	"encoding/hex"
	"net"
	"net/url"
	"os"
	"strings"

	"github.com/berthdev/berth/internal/access"
)

// replicaName names this process: its host, what tells it from another process
// there, and where the others reach it.
func replicaName(address string) (string, error) {
	host, err := os.Hostname()
	var own [4]byte
	_, _ = rand.Read(own[:])
	return host + "_" + hex.EncodeToString(own[:]) + "_" + address, err
}

// personal is the part of a replica's name that people know: its host.
func personal(who string) string {
	host, _, _ := strings.Cut(who, "_")
	return host
}

// addressOf is the part of a replica's name that says where it is reached; empty:
// it does not say.
func addressOf(who string) string {
	address := who[strings.LastIndexByte(who, '_')+1:]
	if _, _, err := net.SplitHostPort(address); err != nil {
		return ""
	}
	return address
}

// ownAddress is where other replicas reach a server that listens: there or, if that
// is everywhere, at the address from which this machine reaches the cluster. Empty:
// they do not.
func ownAddress(listen, cluster string) string {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || access.Loopback(listen) {
		return ""
	}
	ip, network := net.ParseIP(host), "udp"
	switch {
	case host != "" && (ip == nil || !ip.IsUnspecified()):
		return listen
	case ip.To4() != nil: // at those of IPv4 alone
		network = "udp4"
	}
	if !strings.Contains(cluster, "://") {
		cluster = "https://" + cluster
	}
	at, err := url.Parse(cluster)
	if err != nil || at.Hostname() == "" {
		return ""
	}
	way, err := net.Dial(network, net.JoinHostPort(at.Hostname(), cmp.Or(at.Port(), "443"))) // nothing is sent
	if err != nil {
		return ""
	}
	defer way.Close()
	own, _, err := net.SplitHostPort(way.LocalAddr().String())
	if err != nil {
		return ""
	}
	return net.JoinHostPort(own, port)
}
