package kubernetes

import (
	"crypto/x509"
	"errors"
	"net/http"
	"reflect"
	"sync"

	utilnet "k8s.io/apimachinery/pkg/util/net"
	"k8s.io/client-go/rest"
)

// renewing has requests go out with the credentials that the kubeconfig holds now,
// once the cluster refuses those that it held before. A token or a certificate that
// it names as a file is read again by client-go itself.
type renewing struct {
	read func() (*rest.Config, error) // the kubeconfig, as it is now

	mu     sync.Mutex
	config *rest.Config // whose credentials next has
	next   http.RoundTripper
}

// RoundTrip implements [http.RoundTripper].
func (t *renewing) RoundTrip(r *http.Request) (*http.Response, error) {
	next := t.WrappedRoundTripper()
	resp, err := next.RoundTrip(r)
	var unknown x509.UnknownAuthorityError
	refused := err == nil && resp.StatusCode == http.StatusUnauthorized || errors.As(err, &unknown)
	if !refused || r.Body != nil && r.GetBody == nil || !t.renew(next) {
		return resp, err
	}
	again := r.Clone(r.Context())
	if r.Body != nil {
		body, failed := r.GetBody()
		if failed != nil {
			return resp, err
		}
		again.Body = body
	}
	if err == nil {
		_ = resp.Body.Close() // it says no more than that
	}
	return t.WrappedRoundTripper().RoundTrip(again)
}

// renew tells whether there are other credentials than those with which a request
// was refused. A kubeconfig that cannot be read has none.
func (t *renewing) renew(refused http.RoundTripper) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.next != refused {
		return true // another request was quicker
	}
	config, err := t.read()
	if err != nil || sameCredentials(config, t.config) {
		return false
	}
	config = withCredentials(t.config, config)
	next, err := rest.TransportFor(config)
	if err != nil {
		return false
	}
	utilnet.CloseIdleConnectionsFor(t.next)
	t.config, t.next = config, next
	return true
}

// withCredentials returns how a cluster is reached with the credentials of another
// configuration of it.
func withCredentials(config, other *rest.Config) *rest.Config {
	c := rest.CopyConfig(config)
	c.BearerToken, c.BearerTokenFile, c.Username, c.Password = other.BearerToken, other.BearerTokenFile, other.Username, other.Password
	c.TLSClientConfig, c.ExecProvider, c.AuthProvider = other.TLSClientConfig, other.ExecProvider, other.AuthProvider
	return c
}

func sameCredentials(a, b *rest.Config) bool {
	return reflect.DeepEqual(withCredentials(&rest.Config{}, a), withCredentials(&rest.Config{}, b))
}

// WrappedRoundTripper lets connections be closed.
func (t *renewing) WrappedRoundTripper() http.RoundTripper {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.next
}
