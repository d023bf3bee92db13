package server

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// Bounds on open connections. Anybody may open one, with a token or without.
const (
	maxConns    = 2000
	sparedConns = 100         // more of them from this machine: probes, and who looks what is wrong
	tellConns   = time.Minute // how often it is logged that some are refused
)

// A bounded listener closes at once what is more than it may hold. It does not let
// it wait: whoever comes last would wait for who came to stay.
type bounded struct {
	net.Listener
	most, spared int
	log          *slog.Logger

	mu   sync.Mutex
	open int
	by   map[netip.Prefix]int
	told time.Time
}

func newBounded(l net.Listener, most, spared int, log *slog.Logger) *bounded {
	return &bounded{Listener: l, most: most, spared: spared, log: log, by: map[netip.Prefix]int{}}
}

// Accept returns the next connection that there is room for.
func (b *bounded) Accept() (net.Conn, error) {
	for {
		c, err := b.Listener.Accept()
		if err != nil {
			return nil, err
		}
		from := clientOf(c.RemoteAddr())
		if b.enter(from) {
			return &boundedConn{Conn: c, leave: sync.OnceFunc(func() { b.leave(from) })}, nil
		}
		_ = c.Close() // it is not served either way
	}
}

// enter counts a connection, unless there is no room for it. One client from
// elsewhere gets half of it all.
func (b *bounded) enter(from netip.Prefix) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	most, share := b.most, b.most/2
	if from.Addr().IsLoopback() {
		most += b.spared
		share = most
	}
	if b.open >= most || b.by[from] >= share {
		if now := time.Now(); now.Sub(b.told) >= tellConns {
			b.told = now
			b.log.Warn("a connection was refused: too many are open", "address", from.Addr().String(), "open", b.open, "of-address", b.by[from])
		}
		return false
	}
	b.open++
	b.by[from]++
	return true
}

func (b *bounded) leave(from netip.Prefix) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.open--
	if b.by[from]--; b.by[from] == 0 {
		delete(b.by, from)
	}
}

// clientOf is what one client has of addresses: one of IPv4, 2^64 of IPv6.
func clientOf(address net.Addr) netip.Prefix {
	at, err := netip.ParseAddrPort(address.String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := at.Addr().Unmap().WithZone(""), 32
	if ip.Is6() {
		bits = 64
		if ip.IsLoopback() {
			bits = 128 // its network would have another address
		}
	}
	prefix, _ := ip.Prefix(bits) // bits are of this kind of address
	return prefix
}

type boundedConn struct {
	net.Conn
	leave func()
}

// Close closes the connection and makes room.
func (c *boundedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}

// closing has every connection closed with its first answer, but for who is let
// through to a handler that [keeping] returns: so none is held by who is not known.
func closing(all http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		all.ServeHTTP(w, r)
	})
}

func keeping(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Del("Connection")
		h.ServeHTTP(w, r)
	})
}
