package dockertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"testing"
)

// FreePort returns a port at which nobody listens. It is below those that the kernel
// and the engine give to whoever asks for any, so it is still free when what is
// tested listens there, and when it does so again after a restart.
func FreePort(t testing.TB) uint16 {
	t.Helper()
	const first, count = 20000, 10000
	for range 100 {
		port := uint16(first + rand.IntN(count))
		l, err := net.Listen("tcp", fmt.Sprintf(":%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatalf("no port between %d and %d is free", first, first+count)
	return 0
}
