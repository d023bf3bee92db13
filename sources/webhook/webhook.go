// Package webhook turns a request of a forge, or of any script, into a hint
// that a repository moved. A hint only wakes who follows the repository: what
// is true is then fetched. So a delivery that comes twice, late or out of order
// does no harm.
//
// A request is hostile until its signature is checked. Before that, nothing of
// its body is looked at, and not more is held of it than [MaxBody].
package webhook

import (
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// MaxBody bounds the body of a delivery, in bytes.
const MaxBody = 1 << 20

// Options are what a [Handler] needs.
type Options struct {
	// Secrets returns the secrets that sign deliveries now: more than one while
	// a secret is being replaced. Empty ones do not count; none means that
	// webhooks are off. It is asked at each delivery.
	Secrets func() [][]byte
	// Wake hints that a repository moved and tells how many sources that
	// concerns. It must not block: it is called once for each delivery.
	Wake func(url, ref string) int
	// Redact makes a URL fit for the log.
	Redact  func(url string) string
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// A Handler serves POST /webhooks/{provider}.
type Handler struct {
	options  Options
	mux      *http.ServeMux
	requests *prometheus.CounterVec
	large    chan struct{} // slots for bodies over smallBody
	quiet    *quiet
}

// New returns the handler of all providers.
func New(o Options) *Handler {
	h := &Handler{
		options: o,
		mux:     http.NewServeMux(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_webhook_requests_total",
			Help: "Webhook deliveries, by provider and by what became of them.",
		}, []string{"provider", "result"}),
		large: make(chan struct{}, largeBodies),
		quiet: newQuiet(time.Now),
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(h.requests)
	}
	for _, p := range providers() {
		h.mux.HandleFunc("POST /webhooks/"+p.name, func(w http.ResponseWriter, r *http.Request) { h.deliver(w, r, p) })
	}
	return h
}

// ServeHTTP answers at once: it wakes, it does not fetch.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// deliver takes one delivery: cap, verify, parse, wake, in this order.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request, p provider) {
	hints, err := h.receive(w, r, p)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	sources := 0
	for _, hint := range hints {
		sources += h.options.Wake(hint.url, hint.ref)
	}
	h.requests.WithLabelValues(p.name, "accepted").Inc()
	h.report(p, hints, sources)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(http.StatusAccepted)
	_ = json.NewEncoder(w).Encode(map[string]int{"sources": sources}) // the client may be gone: it is woken all the same
}

// receive returns what a delivery hints at.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, p provider) ([]hint, error) {
	secrets := nonEmpty(h.options.Secrets())
	if len(secrets) == 0 {
		return nil, errOff
	}
	signature, ok := p.signature(r.Header)
	if !ok {
		return nil, errUnsigned
	}
	body, done, err := h.read(w, r)
	defer done()
	if err != nil {
		return nil, err
	}
	if !verify(p, signature, secrets, body) {
		return nil, errSignature
	}
	hints, err := p.parse(r.Header, body)
	if err != nil {
		return nil, &refusal{http.StatusBadRequest, "malformed", err.Error()}
	}
	return hints, nil
}

// verify tries every secret, so that the time it takes does not tell which fits.
func verify(p provider, signature []byte, secrets [][]byte, body []byte) bool {
	good := false
	for _, secret := range secrets {
		good = p.verify(signature, secret, body) || good
	}
	return good
}

func nonEmpty(secrets [][]byte) [][]byte {
	var out [][]byte
	for _, s := range secrets {
		if len(s) > 0 {
			out = append(out, s)
		}
	}
	return out
}

// A refusal is why a delivery is not taken, as its sender may know it.
type refusal struct {
	status int
	result string // the label of the metric
	text   string
}

func (r *refusal) Error() string { return r.text }

// Whoever cannot sign learns nothing but that.
var (
	errOff       = &refusal{http.StatusForbidden, "off", "webhooks are off: set webhooks.secretEnv or webhooks.secretFile"}
	errUnsigned  = &refusal{http.StatusUnauthorized, "unsigned", "unauthorized"}
	errSignature = &refusal{http.StatusUnauthorized, "bad-signature", "unauthorized"}
	errTooLarge  = &refusal{http.StatusRequestEntityTooLarge, "too-large", "the body is too large"}
	errBusy      = &refusal{http.StatusServiceUnavailable, "busy", "too many large deliveries at once"}
	errBody      = &refusal{http.StatusBadRequest, "incomplete", "the body did not arrive"}
)

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p provider, err error) {
	var why *refusal
	if !errors.As(err, &why) {
		why = errBody
	}
	h.requests.WithLabelValues(p.name, why.result).Inc()
	if more, ok := h.quiet.allow(p.name + " " + why.result); ok {
		h.options.Logger.Warn("webhook refused", "provider", p.name, "reason", why.result, "from", r.RemoteAddr, "unlogged", more)
	}
	http.Error(w, why.text, why.status)
}

// report logs an accepted delivery. The lines of those that concern a source
// would only repeat what the source then logs.
func (h *Handler) report(p provider, hints []hint, sources int) {
	for _, hint := range hints {
		log := h.options.Logger.With("provider", p.name, "url", h.options.Redact(hint.url), "ref", hint.ref)
		if sources > 0 {
			log.Debug("webhook received", "sources", sources)
		} else if more, ok := h.quiet.allow(p.name + " unknown"); ok {
			log.Info("webhook received for a repository and ref that nothing follows", "unlogged", more)
		}
	}
}
