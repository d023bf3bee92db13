package access

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// forwarded tells whether a header is one of those of which a proxy sets at least one.
func forwarded(name string) bool {
	switch name {
	case "Forwarded", "X-Real-Ip", "Via":
		return true
	}
	return strings.HasPrefix(name, "X-Forwarded-")
}

// local tells whether a request was made on this machine, by a program of its own:
//
//   - the connection comes from a loopback address;
//   - it asks for a loopback name: a web page whose own name was pointed at
//     127.0.0.1 (DNS rebinding) sends that name;
//   - nothing says that it was forwarded: a proxy on this machine speaks for others;
//   - no page of another site made a browser send it.
func local(r *http.Request) bool {
	if !loopback(r.RemoteAddr) || !loopback(r.Host) {
		return false
	}
	for name := range r.Header {
		if forwarded(name) {
			return false
		}
	}
	return !crossOrigin(r)
}

// crossOrigin tells whether a browser made the request for a page of another
// origin. What the standard library lets pass for reading is refused too: a page
// cannot read the answer, but it could make the server work.
func crossOrigin(r *http.Request) bool {
	var check http.CrossOriginProtection
	return check.Check(&http.Request{Method: http.MethodPost, Header: r.Header, Host: r.Host}) != nil
}

// loopback tells whether an address, with or without a port, is this machine's own.
func loopback(address string) bool {
	host := address
	if h, _, err := net.SplitHostPort(address); err == nil {
		host = h
	} else {
		host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}

// Loopback tells whether a server that listens on an address is reached from
// this machine only.
func Loopback(listen string) bool {
	host, _, err := net.SplitHostPort(listen)
	return err == nil && host != "" && loopback(host)
}
