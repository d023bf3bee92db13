package server

import (
	"bytes"
	"errors"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"
)

// from is a connection from an address.
type from struct {
	net.Conn
	address net.Addr
	closed  *int
}

func (c from) RemoteAddr() net.Addr { return c.address }
func (c from) Close() error         { *c.closed++; return nil }

// callers are connections that come one after the other, and then no more.
type callers struct {
	net.Listener
	addresses []string
	closed    int // of them
}

func (l *callers) Accept() (net.Conn, error) {
	if len(l.addresses) == 0 {
		return nil, net.ErrClosed
	}
	ip := net.ParseIP(l.addresses[0])
	l.addresses = l.addresses[1:]
	return from{address: &net.TCPAddr{IP: ip, Port: 5555}, closed: &l.closed}, nil
}

func TestConnectionsAreBounded(t *testing.T) {
	for what, tt := range map[string]struct {
		come string // of a bound of 4, and 2 more from this machine
		in   int
	}{
		"few":                        {"192.0.2.1 192.0.2.2", 2},
		"one client takes half":      {"192.0.2.1 192.0.2.1 192.0.2.1 192.0.2.2", 3},
		"one network of IPv6":        {"2001:db8::1 2001:db8::2 2001:db8::3 2001:db8:1::1", 3},
		"all":                        {"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 192.0.2.5", 4},
		"this machine when all are":  {"192.0.2.1 192.0.2.2 192.0.2.3 192.0.2.4 127.0.0.1 ::1 127.0.0.1", 6},
		"this machine, for a proxy":  {"127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1 127.0.0.1", 5},
		"its addresses are the same": {"::1 ::1 ::1 ::1 ::1 ::1 127.0.0.1", 6},
	} {
		t.Run(what, func(t *testing.T) {
			var log bytes.Buffer
			l := &callers{addresses: strings.Fields(tt.come)}
			n := len(l.addresses)
			b := newBounded(l, 4, 2, slog.New(slog.NewTextHandler(&log, nil)))
			var in []net.Conn
			for {
				c, err := b.Accept()
				if errors.Is(err, net.ErrClosed) {
					break
				}
				in = append(in, c)
			}
			if len(in) != tt.in || l.closed != n-tt.in {
				t.Errorf("%d were let in, and %d closed", len(in), l.closed)
			}
			if told := strings.Count(log.String(), "too many are open"); told != min(1, n-tt.in) {
				t.Errorf("told %d times: %s", told, &log)
			}
			for _, c := range in {
				c.Close()
				c.Close()
			}
			if b.open != 0 || len(b.by) != 0 {
				t.Errorf("%d are open: %v", b.open, b.by)
			}
		})
	}
}

// A place is free again when a client of the real network went.
func TestConnectionsMakeRoom(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBounded(inner, 1, 0, slog.New(slog.DiscardHandler))
	defer b.Close()
	accepted := make(chan net.Conn)
	go func() {
		defer close(accepted)
		for {
			c, err := b.Accept()
			if err != nil {
				return
			}
			accepted <- c
		}
	}()
	dial := func() net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	one := dial()
	defer one.Close()
	first := <-accepted
	two := dial()
	defer two.Close()
	_ = two.SetReadDeadline(time.Now().Add(time.Minute))
	if _, err := two.Read(make([]byte, 1)); err == nil || isTimeout(err) {
		t.Errorf("one too many is not closed: %v", err)
	}
	first.Close()
	three := dial()
	defer three.Close()
	(<-accepted).Close()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}
