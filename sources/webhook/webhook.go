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
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/sources"
)

// MaxBody bounds the body of a delivery, in bytes. A push of thousands of commits
// may be larger; it is refused, and the next poll finds it.
const MaxBody = 4 << 20

// Options are what a [Handler] needs.
type Options struct {
	// Secrets returns the secrets that sign deliveries now: for a repo those of its
	// own, and for no name those that it shares with all others. They are more than
	// one while a secret is being replaced. Empty ones do not count; none means that
	// deliveries are refused. It is asked at each delivery, with any name that a
	// stranger may think of.
	Secrets func(repo string) [][]byte
	// Wake takes a hint and tells how many sources it concerns. It must not block,
	// and it must put up with a thousand hints that say the same.
	Wake func(sources.Hint) int
	// Redact makes a URL fit for the log.
	Redact  func(url string) string
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil: none
}

// A Handler serves POST /webhooks/{provider} and POST /webhooks/{provider}/{repo}.
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
	h.mux.HandleFunc("POST /webhooks/", notFound)
	for _, p := range providers() {
		for _, result := range results() {
			h.requests.WithLabelValues(p.name, result)
		}
		deliver := func(w http.ResponseWriter, r *http.Request) { h.deliver(w, r, p) }
		h.mux.HandleFunc("POST /webhooks/"+p.name, deliver)
		h.mux.HandleFunc("POST /webhooks/"+p.name+"/{repo}", deliver)
	}
	return h
}

// notFound names the paths that there are, for the forge's list of deliveries.
func notFound(w http.ResponseWriter, _ *http.Request) {
	var paths []string
	for _, p := range providers() {
		paths = append(paths, "/webhooks/"+p.name)
	}
	http.Error(w, "there is no such path; webhooks go to "+strings.Join(paths, ", ")+", and /REPO behind it for a repo with a secret of its own", http.StatusNotFound)
}

// ServeHTTP answers at once: it wakes, it does not fetch.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// deliver takes one delivery: cap, verify, parse, wake, in this order.
func (h *Handler) deliver(w http.ResponseWriter, r *http.Request, p provider) {
	d, err := h.receive(w, r, p)
	if err != nil {
		h.refuse(w, r, p, err)
		return
	}
	woken := 0
	for _, hint := range d.hints {
		hint.Source = r.PathValue("repo")
		woken += h.options.Wake(hint)
	}
	a := d.answer(woken)
	h.requests.WithLabelValues(p.name, a.result).Inc()
	h.report(p, d, woken)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_ = json.NewEncoder(w).Encode(a) // the client may be gone: it is woken all the same
}

// An answer is what a sender is told whose delivery is taken. People see it in
// the forge's list of deliveries.
type answer struct {
	status  int
	result  string // the label of the metric
	Sources int    `json:"sources"` // that are woken
	Message string `json:"message,omitempty"`
}

func (d delivery) answer(woken int) answer {
	switch {
	case d.ping:
		return answer{http.StatusOK, "ping", 0, "the secret is right"}
	case len(d.hints) == 0:
		return answer{http.StatusOK, "ignored", 0, "there is nothing to do"}
	default:
		return answer{http.StatusAccepted, "accepted", woken, ""}
	}
}

// receive returns what a delivery says.
func (h *Handler) receive(w http.ResponseWriter, r *http.Request, p provider) (delivery, error) {
	secrets, err := h.secrets(r.PathValue("repo"))
	if err != nil {
		return delivery{}, err
	}
	c, ok := p.claim(r.Header)
	switch {
	case !ok:
		return delivery{}, errUnsigned
	case c.bodiless && !c.verify(secrets, nil):
		return delivery{}, errSignature
	case p.forge && !isJSON(r.Header):
		return delivery{}, errType
	}
	body, done, err := h.read(w, r)
	defer done()
	if err != nil {
		return delivery{}, err
	}
	if !c.verify(secrets, body) {
		return delivery{}, errSignature
	}
	d, err := p.parse(r.Header, body)
	if err != nil {
		return delivery{}, &refusal{http.StatusBadRequest, malformed, err.Error()}
	}
	return d, nil
}

// secrets returns those that count for a path.
func (h *Handler) secrets(repo string) ([][]byte, error) {
	secrets := nonEmpty(h.options.Secrets(repo))
	switch {
	case len(secrets) > 0:
		return secrets, nil
	case repo != "":
		return nil, errNoSecret
	default:
		return nil, errOff
	}
}

// verify tries every secret, so that the time it takes does not tell which fits.
func (c claim) verify(secrets [][]byte, body []byte) bool {
	good := false
	for _, secret := range secrets {
		good = c.fits(secret, body) || good
	}
	return good
}

func isJSON(header http.Header) bool {
	kind, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && kind == "application/json"
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
	errNoSecret  = &refusal{http.StatusUnauthorized, "no-secret", "unauthorized"} // as if signed wrongly: names are not for guessing
	errType      = &refusal{http.StatusUnsupportedMediaType, "no-json", "set the webhook's content type to application/json"}
	errTooLarge  = &refusal{http.StatusRequestEntityTooLarge, "too-large", "the body is too large"}
	errBusy      = &refusal{http.StatusServiceUnavailable, "busy", "too many large deliveries at once"}
	errBody      = &refusal{http.StatusBadRequest, "incomplete", "the body did not arrive"}
)

// malformed is the result of what is signed, and no event of its forge.
const malformed = "malformed"

// results are what may become of a delivery. Each is counted from zero, so that the
// first one of a kind is seen to be one more.
func results() []string {
	out := []string{"accepted", "ignored", "ping", malformed}
	for _, why := range []*refusal{errOff, errUnsigned, errSignature, errNoSecret, errType, errTooLarge, errBusy, errBody} {
		out = append(out, why.result)
	}
	return out
}

func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, p provider, err error) {
	var why *refusal
	if !errors.As(err, &why) {
		why = errBody
	}
	h.requests.WithLabelValues(p.name, why.result).Inc()
	if more, ok := h.quiet.allow(p.name + " " + why.result); ok {
		h.options.Logger.Warn("webhook refused", "provider", p.name, "repo", shown(r.PathValue("repo")), "reason", why.result, "from", r.RemoteAddr, "unlogged", more)
	}
	http.Error(w, why.text, why.status)
}

// maxShown bounds how much of a stranger's text is logged, in bytes.
const maxShown = 64

func shown(text string) string { return text[:min(len(text), maxShown)] }

// report logs an accepted delivery. The lines of those that concern a source
// would only repeat what the source then logs.
func (h *Handler) report(p provider, d delivery, woken int) {
	if len(d.hints) == 0 {
		h.options.Logger.Debug("webhook received, nothing to do", "provider", p.name, "ping", d.ping)
		return
	}
	hint := d.hints[0]
	log := h.options.Logger.With("provider", p.name, "url", h.options.Redact(hint.URLs[0]), "ref", hint.Ref)
	if woken > 0 {
		log.Debug("webhook received", "sources", woken)
	} else if more, ok := h.quiet.allow(p.name + " unknown"); ok {
		log.Info("webhook received for a repository and ref that nothing follows", "unlogged", more)
	}
}
