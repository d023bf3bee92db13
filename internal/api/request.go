package api

import (
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// The types of answers.
const (
	plainJSON   = "application/json"
	graphqlJSON = "application/graphql-response+json"
	eventStream = "text/event-stream"
	lineJSON    = "application/x-ndjson"
	plainText   = "text/plain"
)

// A queryRequest is a query as it comes over HTTP, and the type of its answer.
type queryRequest struct {
	Query     string         `json:"query"`
	Operation string         `json:"operationName"`
	Variables map[string]any `json:"variables"`
	answer    string
}

// isVisit tells whether a person came with a browser, to look what there is.
func isVisit(r *http.Request) bool {
	const page = "text/html"
	return r.Method == http.MethodGet && r.URL.RawQuery == "" && accepted(r.Header, plainJSON, graphqlJSON, eventStream, page) == page
}

// usage is told to whoever comes without a query.
const usage = `Berth's query API: GraphQL by POST, as application/json.

  curl -s URL/graphql -H 'Content-Type: application/json' \
    -d '{"query": "{ deployments { nodes { name state reason } } }"}'

Subscriptions are answered with Accept: text/event-stream. From another machine
than the server's own, add -H "Authorization: Bearer $BERTH_SERVER_TOKEN". The schema
can be asked for by introspection, and stands in docs/api.md.
`

func readQuery(w http.ResponseWriter, r *http.Request) (*queryRequest, *refusal) {
	var q *queryRequest
	var refusal *refusal
	switch r.Method {
	case http.MethodPost:
		q, refusal = queryOfBody(w, r)
	case http.MethodGet, http.MethodHead:
		q, refusal = queryOfURL(r.URL.RawQuery)
	default:
		w.Header().Set("Allow", "GET, POST")
		refusal = refuse(http.StatusMethodNotAllowed, BadInput, "this method is not known here", "send the query with POST")
	}
	if refusal != nil {
		return nil, refusal
	}
	if q.Query == "" {
		return nil, refuse(http.StatusBadRequest, BadInput, "there is no query", `send {"query": "…"}`)
	}
	q.answer = accepted(r.Header, plainJSON, graphqlJSON, eventStream)
	if q.answer == "" {
		return nil, refuse(http.StatusNotAcceptable, BadInput, "no type of answer is accepted that there is", "accept "+plainJSON+", "+graphqlJSON+" or "+eventStream)
	}
	return q, nil
}

func queryOfBody(w http.ResponseWriter, r *http.Request) (*queryRequest, *refusal) {
	kind, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if charset := params["charset"]; err != nil || kind != plainJSON || charset != "" && !strings.EqualFold(charset, "utf-8") {
		return nil, refuse(http.StatusUnsupportedMediaType, BadInput, "the query is not sent as JSON", "send it with Content-Type: application/json")
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, refuse(http.StatusRequestEntityTooLarge, TooMuch, "the request is larger than 256 KiB", "send a smaller query")
	case err != nil:
		return nil, refuse(http.StatusBadRequest, BadInput, "the request broke off", "send it again")
	}
	q := &queryRequest{}
	if err := json.Unmarshal(body, q); err != nil {
		return nil, refuse(http.StatusBadRequest, BadInput, "the request is no JSON object with a query: "+jsonProblem(err), `send {"query": "…", "variables": {…}}`)
	}
	return q, nil
}

func queryOfURL(raw string) (*queryRequest, *refusal) {
	values, err := url.ParseQuery(raw)
	if err != nil {
		return nil, refuse(http.StatusBadRequest, BadInput, "the URL cannot be understood", "escape the query, or send it with POST")
	}
	q := &queryRequest{Query: values.Get("query"), Operation: values.Get("operationName")}
	if text := values.Get("variables"); text != "" {
		if err := json.Unmarshal([]byte(text), &q.Variables); err != nil {
			return nil, refuse(http.StatusBadRequest, BadInput, "the variables are no JSON object: "+jsonProblem(err), `write them as variables={"name":"web"}, escaped`)
		}
	}
	return q, nil
}

// jsonProblem says what is wrong in words of the sender's, not of Go's types.
func jsonProblem(err error) string {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		article := "a "
		if strings.ContainsAny(kind.Value[:1], "ao") { // array and object
			article = "an "
		}
		return article + kind.Value + " stands where it does not belong" + at(kind.Field)
	}
	return err.Error()
}

func at(field string) string {
	if field == "" {
		return ""
	}
	return ": " + field
}

// accepted returns which of the offered types a client prefers, the first
// offered of those that it likes equally; empty: none.
func accepted(header http.Header, offers ...string) string {
	accept := strings.Join(header.Values("Accept"), ",")
	if strings.TrimSpace(accept) == "" {
		return offers[0]
	}
	best, most := "", 0.0
	for _, offer := range offers {
		if q := preference(accept, offer); q > most {
			best, most = offer, q
		}
	}
	return best
}

// preference is how much a client wants a type, from 0 to 1. The most specific
// range that matches counts (RFC 9110, 12.5.1).
func preference(accept, offer string) float64 {
	major, _, _ := strings.Cut(offer, "/")
	found, rank := 0.0, 0
	for part := range strings.SplitSeq(accept, ",") {
		kind, params, err := mime.ParseMediaType(part)
		specific := map[string]int{offer: 3, major + "/*": 2, "*/*": 1}[kind]
		if err != nil || specific <= rank {
			continue
		}
		q, err := strconv.ParseFloat(params["q"], 64)
		if err != nil || q < 0 || q > 1 {
			q = 1
		}
		found, rank = q, specific
	}
	return found
}
