package kubernetes_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"k8s.io/client-go/rest"

	"github.com/berthdev/berth/backends"
	"github.com/berthdev/berth/schema"
)

// rewriting changes what is applied on its way, as an admission webhook does.
type rewriting struct {
	next     http.RoundTripper
	from, to string
}

// WrappedRoundTripper lets connections be closed.
func (w rewriting) WrappedRoundTripper() http.RoundTripper { return w.next }

// RoundTrip implements [http.RoundTripper].
func (w rewriting) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method == http.MethodPatch {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = bytes.ReplaceAll(body, []byte(w.from), []byte(w.to))
		r = r.Clone(r.Context())
		r.Body, r.ContentLength, r.GetBody = io.NopCloser(bytes.NewReader(body)), int64(len(body)), nil
	}
	return w.next.RoundTrip(r)
}

// Where the cluster itself changes what Berth applies, that is said, and not tried
// again and again in silence.
func TestChangedOnItsWay(t *testing.T) {
	s := newSite(t)
	w := s.workload("web")
	config := rest.CopyConfig(s.Config)
	config.Wrap(func(next http.RoundTripper) http.RoundTripper {
		return rewriting{next, w.Pod.Image, "mirror.example.org/app:1"}
	})
	b := s.openAs(t, config, "lab", schema.BackendConfig{Namespace: s.namespace})
	t.Cleanup(func() { _ = b.Close() })
	for range 2 { // when it is made, and when it is there
		writes := b.writes()
		p, err := b.Apply(t.Context(), w, nil)
		var e *schema.Error
		if !errors.As(err, &e) || e.Kind != schema.Terminal || e.Hint == "" || !strings.Contains(e.Error(), "image: it is mirror.example.org/app:1, not") {
			t.Errorf("%v; %s %q", err, p.Phase, p.Reason)
		}
		if n := b.writes() - writes; n > 2 {
			t.Errorf("%d writes", n)
		}
	}
	if p, err := s.b.Apply(t.Context(), w, func(backends.Step) {}); err != nil {
		t.Errorf("without it: %v; %s %q", err, p.Phase, p.Reason)
	}
	s.ready(s.b, w)
}
