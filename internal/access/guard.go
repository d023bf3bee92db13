package access

import (
	"encoding/json"
	"log/slog"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/berthdev/berth/schema"
)

// Options are what a guard knows.
type Options struct {
	Access  schema.Access // validated
	Logger  *slog.Logger
	Metrics prometheus.Registerer // nil: not counted
	Now     func() time.Time      // nil: the clock
}

// A Guard lets requests through that may be made. It is safe for concurrent use.
type Guard struct {
	ring    ring
	local   Role // of a request from this machine without a token
	limit   *limit
	quiet   *quiet
	log     *slog.Logger
	refused *prometheus.CounterVec
}

// New returns a guard.
func New(o Options) *Guard {
	if o.Now == nil {
		o.Now = time.Now
	}
	g := &Guard{
		ring: newRing(o.Access.Tokens), local: localRole(o.Access.Local), limit: newLimit(o.Now), quiet: newQuiet(o.Now), log: o.Logger,
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "berth_access_refused_total",
			Help: "Requests that were refused for who made them, by reason.",
		}, []string{"reason"}),
	}
	for _, r := range reasons {
		g.refused.WithLabelValues(string(r))
	}
	if o.Metrics != nil {
		o.Metrics.MustRegister(g.refused)
	}
	return g
}

func localRole(configured schema.LocalAccess) Role {
	switch configured {
	case "":
		return Admin
	case schema.LocalNone:
		return None
	default:
		return Role(configured)
	}
}

// Need returns a handler that lets those through who have a role; their requests
// carry the caller.
func (g *Guard) Need(role Role, next http.Handler) http.Handler {
	return g.need(role, next, bearerChallenge)
}

func (g *Guard) need(role Role, next http.Handler, challenge string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		caller, why := g.caller(r)
		switch {
		case why != "":
			g.refuse(w, r, why, challenge)
		case !caller.May(role):
			g.note(r, roleMissing)
			tell(w, http.StatusForbidden, "FORBIDDEN", caller.Name+" may not do this: the role "+string(role)+" is needed",
				"use a token with the role "+string(role)+"; 'berth token NAME --role "+string(role)+"' makes one")
		default:
			next.ServeHTTP(w, r.WithContext(With(r.Context(), caller)))
		}
	})
}

// NeedPage is as [Guard.Need], for pages that people open in a browser: it asks
// them for the token as a password, with any user name, and lets them come by a
// link of another site. Only what changes nothing may be behind it: browsers send
// the password along by themselves.
func (g *Guard) NeedPage(role Role, page http.Handler) http.Handler {
	guarded := g.need(role, page, basicChallenge)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r = r.Clone(r.Context())
		if _, token, ok := r.BasicAuth(); ok && len(r.Header.Values("Authorization")) == 1 {
			r.Header.Set("Authorization", "Bearer "+token)
		}
		if r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" {
			r.Header.Del("Sec-Fetch-Site") // the other site does not get to see the page
		}
		guarded.ServeHTTP(w, r)
	})
}

// How a client that is not known is asked to log in.
const (
	bearerChallenge = `Bearer realm="berth"`
	basicChallenge  = `Basic realm="berth", charset="UTF-8"`
)

// A reason says why a request was refused.
type reason string

const (
	tokenMissing reason = "missing" // there is no token, and it is not from this machine
	tokenWrong   reason = "wrong"   // the token is none that is configured
	roleMissing  reason = "role"    // the token may do less
)

var reasons = []reason{tokenMissing, tokenWrong, roleMissing}

// caller returns who makes a request, or why that is not known. A wrong token is
// refused also where none is needed: who gives one means it to count.
func (g *Guard) caller(r *http.Request) (Caller, reason) {
	given := r.Header.Values("Authorization")
	if len(given) == 0 {
		if g.local != None && local(r) {
			return Caller{Name: Local, Role: g.local}, ""
		}
		return Caller{}, tokenMissing
	}
	token, ok := bearer(given)
	if !ok {
		return Caller{}, tokenWrong
	}
	caller, ok := g.ring.owner(token)
	if !ok {
		return Caller{}, tokenWrong
	}
	return caller, ""
}

// bearer returns the token of an Authorization header, of which there is one.
func bearer(given []string) (string, bool) {
	if len(given) != 1 || len(given[0]) > maxToken {
		return "", false
	}
	scheme, token, ok := strings.Cut(given[0], " ")
	token = strings.Trim(token, " ")
	return token, ok && strings.EqualFold(scheme, "Bearer") && token != ""
}

// refuse answers a request that nobody known made.
func (g *Guard) refuse(w http.ResponseWriter, r *http.Request, why reason, challenge string) {
	g.note(r, why)
	if wait := g.limit.failed(r.RemoteAddr); wait > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
		tell(w, http.StatusTooManyRequests, "TOO_MANY", "too many requests without a right token came from this address", "wait a minute, then give a token that is configured")
		return
	}
	w.Header().Set("WWW-Authenticate", challenge)
	switch {
	case why == tokenWrong:
		tell(w, http.StatusUnauthorized, "UNAUTHENTICATED", "the token is not one that this server knows", "give one whose hash stands in the server's configuration, in BERTH_SERVER_TOKEN or as Authorization: Bearer")
	case len(g.ring) == 0:
		tell(w, http.StatusUnauthorized, "UNAUTHENTICATED", "a token is needed, and none is configured: the server answers requests from its own machine only", "make one with 'berth token NAME' and put its hash into the server's configuration")
	default:
		tell(w, http.StatusUnauthorized, "UNAUTHENTICATED", "a token is needed, unless the request is made on the server's own machine", "give one in BERTH_SERVER_TOKEN, or as Authorization: Bearer; 'berth token NAME' makes one")
	}
}

// note counts a refusal, and logs it unless one of its sort was logged lately.
func (g *Guard) note(r *http.Request, why reason) {
	g.refused.WithLabelValues(string(why)).Inc()
	if held, ok := g.quiet.allow(why); ok {
		g.log.Warn("a request was refused", "reason", string(why), "address", r.RemoteAddr, "method", r.Method, "path", r.URL.Path, "more", held)
	}
}

// tell writes an error in the form that GraphQL gives errors.
func tell(w http.ResponseWriter, status int, code, message, hint string) {
	type ext struct {
		Code string `json:"code"`
		Hint string `json:"hint"`
	}
	type one struct {
		Message    string `json:"message"`
		Extensions ext    `json:"extensions"`
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	// Who does not wait for the answer needs none.
	_ = json.NewEncoder(w).Encode(map[string][]one{"errors": {{message, ext{code, hint}}}})
}
